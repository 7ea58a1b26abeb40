"""`postroad publish` and `postroad events`: how an application takes part without a Kafka client of its own."""

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, json_line, nothing
from postroad.runtime.reach import FileReach, Seen
from postroad_schemas import TOPICS, Event, event_id, tag_of

LOOK = 0.2  # seconds between looks at the log
AT_ONCE = 500  # events handed in together
APPS = {tag_of(kind): kind for topic in TOPICS.values() if "apps" in topic.writers for kind in topic.events}


def publish(
    file: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="JSON lines, one event each; - is standard input.")
    ] = "-",
    /,
    *,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Put an application's events onto the log: posts, followers, mailings, contacts. Durable on return.

    Each line is an event with its `type`, as `postroad schemas TOPIC` shows it. Ids and time may be left out: the id
    then follows from the line, so that the same line twice is one event.

    Example: echo '{"type": "contact", "contact_id": "1", "addresses": ["a@example.org"]}' | postroad publish
    """
    try:
        lines = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).splitlines()
    except OSError as error:
        return complain(f"{file}: {error.strerror}", os.EX_NOINPUT)
    events, now = [], datetime.now(UTC)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                events.append(event_of(line.strip(), now))
            except ValueError as error:
                return complain(f"line {number}: {error}; nothing is published", os.EX_DATAERR)
    reached = where.reach()
    if not events:
        return complain("nothing is published: no line came; give each event a line of JSON", os.EX_OK)
    for first in range(0, len(events), AT_ONCE):
        reached.publish(events[first : first + AT_ONCE])
    for event in events:
        id_ = event.event_id if isinstance(event, Event) else ""
        print(json_line({"type": tag_of(type(event)), "event_id": id_}) if where.json else id_ or tag_of(type(event)))
    if not reached.answers():
        complain("in the log; it takes effect when the workers run (`postroad up`)", os.EX_OK)
    return os.EX_OK


def event_of(line: bytes, now: datetime) -> Any:
    """What a line says, with what it may leave out. Raises ValueError with what is wrong."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a JSON object: {error}") from error
    kind = APPS.get(str(fields.get("type")))
    if kind is None:
        raise ValueError(f"type {fields.get('type')!r} is none that applications publish: {', '.join(APPS)}")
    if issubclass(kind, Event):
        id_ = fields.setdefault("event_id", event_id("published", line.decode("utf-8", "replace")))
        fields = {"occurred_at": now, "trace_id": id_, **fields}
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def events(
    topic: Annotated[str, Parameter(help="Such as chatter.published or notification.updated.")],
    /,
    *,
    after: Annotated[int, Parameter(help="Only what lies behind this offset: where the last call ended.")] = 0,
    follow: Annotated[bool, Parameter(negative="", help="Go on with what comes, until it is stopped.")] = False,
    where: Where = Where(),  # noqa: B008
) -> int:
    """What lies on a topic, oldest first: one JSON object a line, with key and event; on one machine its offset too.

    An application without a Kafka client keeps the last offset it has worked on and asks for what is behind it.
    """
    if topic not in TOPICS:
        return complain(f"no topic {topic!r}; there are: {', '.join(TOPICS)}", os.EX_USAGE)
    reached, told = where.reach(), 0
    if isinstance(reached, FileReach):
        for seen in _behind(reached, topic, after, follow):
            print(json_line({"offset": seen.offset, "key": seen.key, "event": seen.event}), flush=follow)
            told += 1
        if not told and not after:  # who asks for what is new knows that there may be nothing
            nothing(where, f"nothing lies on {topic}")
        return os.EX_OK
    if after or follow:
        return complain("on a cluster offsets are a Kafka client's: read the topic with one", os.EX_USAGE)
    for seen in reached.records(topic):
        print(json_line({"key": seen.key, "event": seen.event}))
    return os.EX_OK


def _behind(reached: FileReach, topic: str, after: int, follow: bool) -> Iterator[Seen]:
    while True:
        for seen in reached.records(topic, after):
            after = seen.offset
            yield seen
        if not follow:
            return
        time.sleep(LOOK)
