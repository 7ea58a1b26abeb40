"""`postroad simulate --schema`: the format of scenarios, for people and for programs."""

from typing import Any

import msgspec

from postroad.simulate.lines import Line
from postroad.views.declared import KINDS
from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS
from postroad_schemas import TOPICS, tag_of

OUT: dict[str, Any] = {
    "event": {
        "line": "number of the line that caused it, from 1",
        "topic": "a topic of the catalogue",
        "key": "its key",
        "event": "the event or table row as on the wire; null ends a row",
    },
    "answer": {
        "line": 1,
        "answer": {"door": "smtp", "code": 250, "text": "2.0.0 accepted as ...", "recipient": "of RCPT"},
    },
    "sent": {
        "line": 1,
        "sent": {
            "server": "its name",
            "step": "the step of O1 that chose it",
            "attempt": 1,
            "envelope": {"mail_from": "", "rcpt_to": [""]},
            "message": "as composed; message_base64 if it is not UTF-8",
            "reply": {"code": 250, "text": ""},
        },
    },
    "mailbox": {"line": 1, "mailbox": {"mailbox": "", "uid": 1, "seen": True, "deleted": False}},
    "tested": {"line": 1, "tested": {"smarthost": "", "step": "", "reply": {}}},
    "state": {"line": 1, "state": {"of": "thread", "key": "crm.lead/7", "value": "what is kept at that key, or null"}},
    "object": {
        "line": 1,
        "object": {"ref": "", "type": "", "name": "", "content_id": "", "base64": ""},
        "only": "with --contents",
    },
    "error": {"line": 1, "error": "why the line could not be played; the next one is read all the same"},
    "done": {"line": 1, "done": "the line's kind: always the last answer to a line"},
}


def schema() -> dict[str, Any]:
    """JSON Schema of a line, and the shapes of the answers."""
    _, components = msgspec.json.schema_components([Line, *KINDS.values()], ref_template="#/$defs/{name}")
    events = {
        tag_of(event): {"topic": topic.name, "fields": [field.encode_name for field in msgspec.structs.fields(event)]}
        for topic in TOPICS.values()
        for event in topic.events
    }
    return {
        "title": "A line of a scenario for `postroad simulate`",
        "description": (
            "JSON lines in, JSON lines out. Each line is worked to rest and answered before the next is read; its "
            "last answer is {line, done}. The clock starts at 2026-01-01T00:00:00Z and moves only by {at}. "
            "Ids are derived from the line's number, so the same input gives the same bytes."
        ),
        "in": {"$ref": "#/$defs/Line"},
        "out": OUT,
        "apply": {
            **{
                kind: {"type": "array", "items": {"$ref": f"#/$defs/{struct.__name__}"}}
                for kind, struct in KINDS.items()
            },
            "parameters": {name: {"default": s.default, "meaning": s.meaning} for name, s in SETTINGS.items()}
            | {name: {"meaning": f"the default domain's {field}"} for name, field in DOMAIN_FIELDS.items()},
            "remove": {"type": "array", "items": "keys such as alias/sales@example.com"},
            "shorthands": "alias: address instead of local_part and domain; contact: id, address; lists as comma text",
        },
        "event": {"fill": "event_id, occurred_at and trace_id are filled in when absent", "types": events},
        "$defs": components,
    }
