"""The catalogue: every topic, what is on it, how it is keyed, who writes and who reads."""

from postroad_schemas.event import Ticked, tag_of
from postroad_schemas.outbound import OutboundDeferred, RecipientSettled
from postroad_schemas.streams import STREAMS
from postroad_schemas.tables import TABLES
from postroad_schemas.topic import TIERS, WORKERS, Topic

TOPICS: dict[str, Topic] = {topic.name: topic for topic in (*STREAMS, *TABLES)}

# The memory of dispatch is its stage's changelog, so it is listed with those: key, rows and readers as of a table.
SETTLED = "outbound.settled"

GROUPS = tuple(dict.fromkeys(topic.group for topic in TOPICS.values()))
SINGLE = frozenset({"gate"})  # groups of one partition, for one order of all

TYPES: dict[str, type] = {tag_of(event): event for topic in TOPICS.values() for event in topic.events}

_TOPIC_OF: dict[type, Topic] = {event: topic for topic in TOPICS.values() for event in topic.events}


def topic_of(event: object) -> str:
    """The topic that an event belongs on. Raises KeyError for what is no event of the catalogue."""
    if isinstance(event, OutboundDeferred):
        return f"outbound.deferred.{event.step}"
    return _TOPIC_OF[type(event)].name


def key_of(event: object) -> str:
    """The key of an event on its topic."""
    return _TOPIC_OF[type(event)].events[type(event)](event)


__all__ = ["GROUPS", "SETTLED", "SINGLE", "TIERS", "TOPICS", "WORKERS", "RecipientSettled", "Ticked", "Topic", "key_of"]
