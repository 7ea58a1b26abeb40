"""`schemas/README.md`: the catalogue for readers, with the twenty lines an app needs."""

import inspect

from postroad_schemas import TOPICS, Topic, tag_of
from postroad_schemas.topics import GROUPS, SINGLE

_HEAD = """# Events of postroad

*Made by `make schemas` from the catalogue in `postroad_schemas/topics.py`. Do not edit.*

What an app installs to publish chatter and to read what mail did to its records: `pip install postroad` brings this
package and msgspec, nothing else. `record(event)` gives `(topic, key, value, headers)` for any Kafka client, and
`read(topic, value)` gives the event back. Values are JSON, keys UTF-8, partitions murmur2 (the default of Java,
aiokafka and Faust; set `partitioner=murmur2_random` for librdkafka).

The example needs aiokafka beside it, and a cluster ([deploy/README.md](../deploy/README.md)).

```python
{app}```

| an app that | publishes, or reads |
|---|---|
| opens a discussion on a record of its own | `ThreadOpened`, with a thread `type/id` of its own |
| has people told of posts, or no longer | `ThreadFollowed`, `ThreadUnfollowed`: contacts, or bare addresses |
| posts | `ChatterPosted`; `PostKind.NOTE` for what only internal people may see |
| cannot create a requested record | `RecordRejected`: the sender is told if the mail may be answered |
| knows people | a row of `contacts` for each; internal ones are its own users |
| sends a mailing | `OutboundSubmitted` for each recipient: `stream` bulk, `mailing`, and `list_name` to be left |
| shows who did not get a message | reads `NotificationFailed` on `notification.updated`: `author` is to see it |
| wants to know who gets no bulk mail | reads `suppressions` |

- **Ids.** `event_id` names a fact: the same fact twice has the same id, so readers ignore repeats by it. `trace_id` is
  the first event's id, the same all along a mail's way; `cause_id` the event just before.
- **Evolution.** Fields are only added, with defaults. Unknown fields are ignored; an event of an unknown type goes to
  the reader's dead letters. `examples/` holds every event as it was first published, and they decode for ever.
- **Tables** are compacted topics: the newest row of a key stands, a record without value ends it.
- `json/` holds JSON Schema for every topic, and `asyncapi.json` (AsyncAPI 3) for all of them.

"""


def page(app: str) -> str:
    """The page, around the source text of the example app."""
    streams = [topic for topic in TOPICS.values() if not topic.table]
    tables = [topic for topic in TOPICS.values() if topic.table]
    parts = [_HEAD.replace("{app}", app), "## Streams\n\n", _overview(streams), "\n## Tables\n\n", _overview(tables)]
    parts.append("\nTopics of one group share their keys and have as many partitions as one another: ")
    parts.append("; ".join(_group(name) for name in GROUPS) + ".\n\n")
    parts.append("## Events and rows\n")
    parts += [_events(topic) for topic in TOPICS.values() if not topic.name.startswith("outbound.deferred.")]
    parts.append(_events(TOPICS["outbound.deferred.1m"]))
    return "".join(parts)


def _overview(topics: list[Topic]) -> str:
    rows = [
        f"| `{topic.name}` | {topic.meaning} | {topic.key} | {', '.join(topic.writers)} | {', '.join(topic.readers)} |"
        + ("" if topic.table else f" {topic.retention.days} d |")
        for topic in topics
    ]
    head = "| topic | what | key | written by | read by |" + ("" if topics[0].table else " kept |")
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join([head, rule, *rows]) + "\n"


def _group(name: str) -> str:
    names = [f"`{topic.name}`" for topic in TOPICS.values() if topic.group == name]
    return f"*{name}* {', '.join(names)}" + (" (one partition)" if name in SINGLE else "")


def _events(topic: Topic) -> str:
    return f"\n### `{topic.name}`\n" + "".join(_event(event) for event in topic.events)


def _event(event: type) -> str:
    words = inspect.cleandoc(event.__doc__ or "") if event.__doc__ and "Args" not in event.__doc__ else ""
    fields = ", ".join(f"`{name}`" for name in event.__struct_encode_fields__)  # type: ignore[attr-defined]
    return f"\n**`{tag_of(event)}`** {event.__name__}. {words}\n\n{fields}\n"
