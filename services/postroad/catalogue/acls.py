"""Who may do what on a cluster: writers and readers of the catalogue as access rules of Kafka."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from postroad.runtime.config import Kafka
from postroad.runtime.kafka.settings import group_of
from postroad.runtime.kafka.topics import Wanted, changelog_of, cores_of
from postroad.runtime.worker import Worker
from postroad_schemas.topics import TOPICS, WORKERS

ROLES = (*WORKERS, "operators", "apps")
COUNTED = {"routing": ("held",)}  # tables read only to count their rows for the metrics


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user may do with one resource. Read and Write imply Describe; Write implies idempotent writing."""

    resource: str  # "topic" or "group"
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False  # `name` is how the names begin


def user_of(role: str, kafka: Kafka) -> str:
    """The user's name, which must do for Kubernetes too (RFC 1123)."""
    return f"{kafka.prefix}-{role}".replace("_", "-")


def grants(role: str, kafka: Kafka, workers: Sequence[Worker], topics: Sequence[Wanted]) -> tuple[Grant, ...]:
    """All that a worker, the operators or an app may do, one grant a resource. Raises LookupError for another role."""
    match role:
        case "operators":
            found = _operators(topics)
        case "apps":
            found = _apps(user_of(role, kafka))
        case _:
            found = _worker(next(it for it in workers if it.name == role), kafka)
    return tuple(_merged(found))


def _worker(worker: Worker, kafka: Kafka) -> Iterator[Grant]:
    yield from _catalogued(worker.name)
    for topic in TOPICS.values():
        if topic.ticks and worker.name in topic.readers:
            yield Grant("topic", topic.name, ("Write",))  # its own ticks
    for name in COUNTED.get(worker.name, ()):
        yield Grant("topic", name, ("Read",))
    for core in cores_of(worker):
        yield Grant("topic", f"{worker.name}.dead", ("Write",))
        yield Grant("topic", changelog_of(core, kafka), ("Read", "Write"))
        yield Grant("group", group_of(kafka, core.name), ("Read",))


def _operators(topics: Sequence[Wanted]) -> Iterator[Grant]:
    """They look at everything; they send dead letters back where they came from, and mark them as done."""
    yield from _catalogued("operators")
    for topic in topics:
        yield Grant("topic", topic.name, ("Read", "DescribeConfigs"))
        stream = topic.name in TOPICS and not TOPICS[topic.name].table
        if stream or topic.name.endswith(".dead"):
            yield Grant("topic", topic.name, ("Write",))


def _apps(user: str) -> Iterator[Grant]:
    yield from _catalogued("apps")
    yield Grant("group", user, ("Read",), prefixed=True)


def _catalogued(role: str) -> Iterator[Grant]:
    for topic in TOPICS.values():
        if role in topic.readers:
            yield Grant("topic", topic.name, ("Read",))
        if role in topic.writers:
            yield Grant("topic", topic.name, ("Write",))


def _merged(found: Iterator[Grant]) -> Iterator[Grant]:
    one: dict[tuple[str, str], Grant] = {}
    for grant in found:
        before = one.setdefault((grant.resource, grant.name), grant)
        operations = tuple(sorted({*before.operations, *grant.operations}))
        one[grant.resource, grant.name] = replace(grant, operations=operations)
    return iter(one.values())
