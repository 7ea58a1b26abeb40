"""The next version of postroad: a copy of this one's code with a few changes in it, as a release makes them.

All of them are allowed (promise 6): fields with defaults on events and at the end of states, a new type of event. The
next version fills them in, so that what it writes differs from what this one writes.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from postroad import __version__
from postroad.runtime.embedded.log import VERSION as FORMAT
from postroad.stage import Sender, Stage
from postroad_schemas import Record, event_id

ROOT = Path(__file__).parents[2]
NEXT = "99.0.0"
NEW_TYPE = "thread.weighed"
WEIGHT = 7  # of those that an app publishes; the next version itself writes 1


class Edit(NamedTuple):
    """`old` stands exactly once in the file, and `new` in its place in the next version."""

    file: str
    old: str
    new: str


def behind(file: str, old: str, more: str) -> Edit:
    return Edit(file, old, old + more)


SCHEMAS, SERVICES = "schemas/postroad_schemas/", "services/postroad/"

EVENTS = (
    behind(SCHEMAS + "mail.py", "    release: Release | None = None\n", "    weight: int = 0\n"),
    behind(SERVICES + "ingest/received.py", "        door=acceptance.door,\n", "        weight=1,\n"),
    behind(SCHEMAS + "mail.py", '    directory_version: int = 0\n    why: str = ""\n', "    weight: int = 0\n"),
    behind(SERVICES + "routing/outcome.py", "        mail_id=mail.event_id,\n        message_id=mail.message_id,\n"
           "        received_at=mail.occurred_at,\n", "        weight=1,\n"),
    behind(SCHEMAS + "chatter.py", "  # the author, if a known contact\n", "    weight: int = 0\n"),
    behind(SERVICES + "loop_guard/outcome.py", "                title=post.subject,\n", "                weight=1,\n"),
    behind(SCHEMAS + "outbound.py", "  # a dedicated server, used as given\n", "    weight: int = 0\n"),
    behind(SERVICES + "fanout/telling.py", "    return OutboundSubmitted(\n", "        weight=1,\n"),
)  # fmt: skip
STATES = (
    behind(SERVICES + "routing/state.py", "    handle: Found | None = None\n", "    weight: int = 1\n"),
    behind(SERVICES + "routing/state.py", "  # forgotten then\n", "    weight: int = 0\n"),
    behind(SERVICES + "routing/state.py", "structs.replace(self, asks=(*others, ask)", ", weight=self.weight + 1"),
    behind(SERVICES + "loop_guard/budget.py", "  # seconds, the longest that was asked for\n", "    weight: int = 0\n"),
    behind(SERVICES + "loop_guard/budget.py", "replace(self, recent=recent, window=window", ", weight=self.weight + 1"),
    behind(SERVICES + "fanout/thread.py", "    request: Request | None = None\n", "    weight: int = 0\n"),
    Edit(SERVICES + "bounces/addresses.py", "\n    @property\n    def listed", "    weight: int = 0\n\n"
         "    @property\n    def listed"),
    behind(SERVICES + "bounces/addresses.py", "for f in log[-KEPT:] if f.at > oldest)", ", weight=self.weight + 1"),
    behind(SCHEMAS + "outbound.py", "  # O6: mailings this recipient was served in, newest last\n",
           "    weight: int = 1\n"),
)  # fmt: skip
TYPES = (
    Edit(SCHEMAS + "chatter.py", "class PostChunk(", f'class ThreadWeighed(Event, frozen=True, tag="{NEW_TYPE}"'
         ", kw_only=True):\n    thread: str\n    weight: int\n\n\nclass PostChunk("),
    behind(SCHEMAS + "streams.py", "    ThreadUnfollowed,\n", "    ThreadWeighed,\n"),
    behind(SCHEMAS + "streams.py", "            RecordRejected: lambda e: e.thread,\n",
           "            ThreadWeighed: lambda e: e.thread,\n"),
    behind(SERVICES + "fanout/threads.py", "    ThreadUnfollowed,\n", "    ThreadWeighed,\n"),
    Edit(SERVICES + "fanout/threads.py", "        case PostChunk():\n", "        case ThreadWeighed():\n"
         "            return Decision(_replace(_heard_of(event.thread, state), weight=event.weight))\n"
         "        case PostChunk():\n"),
    Edit(SERVICES + "loop_guard/outcome.py", "import ChatterPosted, RecordRequested\n",
         "import ChatterPosted, RecordRequested, ThreadWeighed\n"),
    Edit(SERVICES + "loop_guard/outcome.py", "        else:\n            yield ChatterPosted(\n",
         '            yield ThreadWeighed(**descent(routed, "weighed"), thread=route.thread, weight=1)\n'
         "        else:\n            yield ChatterPosted(\n"),
)  # fmt: skip
EDITS = (Edit(SERVICES + "__init__.py", __version__, NEXT), *EVENTS, *STATES, *TYPES)

LOG = SERVICES + "runtime/embedded/log.py"
NEW_FORMAT = (
    Edit(LOG, f"VERSION = {FORMAT}\n", f"VERSION = {FORMAT + 1}\n"),
    behind(LOG, "value BLOB, headers BLOB", ", weight INTEGER"),
    behind(LOG, "UPGRADES = {", f'{FORMAT}: "ALTER TABLE inbox ADD COLUMN weight INTEGER", '),
)
"""Beside the others: a release that changes the file of `postroad up`."""


def next_version(folder: Path, edits: Sequence[Edit] = EDITS) -> Path:
    """Makes the code of the next version. Raises AssertionError for an edit that this version does not fit any more."""
    for part in ("services", "schemas"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("examples", "json"))
    for edit in edits:
        path = folder / edit.file
        text = path.read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.old!r} is not once in {edit.file}: change the edit as the code did"
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
    return folder


def paths(code: Path) -> str:
    """PYTHONPATH of a version's processes."""
    return f"{code / 'services'}:{code / 'schemas'}"


def weighed(thread: str) -> Record:
    """The new type, as an app of the next version publishes it."""
    identity = event_id("weighed", thread)
    document = {"type": NEW_TYPE, "event_id": identity, "trace_id": identity, "thread": thread, "weight": WEIGHT}
    value = msgspec.json.encode({**document, "occurred_at": "2026-11-01T00:00:00Z"})
    return Record("chatter.published", thread.encode(), value, (("type", NEW_TYPE.encode()),))


def weights(rows: Mapping[bytes, bytes], core: Stage[Any] | Sender[Any, Any, Any]) -> dict[bytes, int]:
    """What the next version put into its new field, by key, where it stands in a state; this version knows no such."""
    known = len(core.state.__struct_fields__)
    found = {key: msgspec.msgpack.decode(row) for key, row in rows.items()}
    return {key: row[known] for key, row in found.items() if len(row) > known}
