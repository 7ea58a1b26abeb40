"""`postroad trace`: one mail's story."""

import os

import msgspec

from postroad.cli.main import complain
from postroad.cli.options import Bootstrap, Json, Settings, settings_of
from postroad.runtime.reach import Reach, reach
from postroad.story.sentences import sentence
from postroad.story.trace import Told, story
from postroad_schemas import TOPICS


def trace(wanted: str, /, *, kafka: Bootstrap = "", config: Settings = None, json_: Json = False) -> int:
    """One mail's story, from its acceptance to what became of every copy: each decision with its rule and why.

    Parameters
    ----------
    wanted
        A Message-ID (with or without brackets), an event id, a thread (crm.lead/7) or a notification id.
    """
    told = told_by(reach(settings_of(config, kafka)), wanted)
    if not told:
        return complain(f"nothing on the log goes by {wanted!r}: is it still kept, and is this its log?", os.EX_NOINPUT)
    for line in told:
        if json_:
            print(msgspec.json.encode({"topic": line.topic, "event": line.event}).decode())
        else:
            print(spoken(line))
    return os.EX_OK


def told_by(reached: Reach, wanted: str) -> list[Told]:
    """Everything on the log that belongs to it."""
    seen = ((topic, it.event) for topic in TOPICS for it in reached.records(topic) if it.event is not None)
    return story(seen, wanted)


def spoken(told: Told) -> str:
    """One line: when, where, by which rule, what."""
    rule = getattr(told.event, "rule", "")
    where = f"{'  ' * min(told.depth, 8)}{told.topic:<22}"
    return f"{told.event.occurred_at:%Y-%m-%d %H:%M:%S}  {where} {rule and f'[{rule}] '}{sentence(told.event)}"
