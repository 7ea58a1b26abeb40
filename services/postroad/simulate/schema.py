"""`postroad simulate --schema`: the format of scenarios, for people and for programs."""

from typing import Any

import msgspec

from postroad.simulate.lines import Line
from postroad.views.declared import KINDS
from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS
from postroad_schemas import TOPICS, tag_of

_EVE = "eve@customer.example"
_THREAD = "crm.lead/7"

# What each kind of line does, and one that can be played as it stands.
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "at": (
        "Moves the clock forward (RFC 3339). All that falls due on the way happens in order: retries, the next day of "
        "a daily limit, ends of windows.",
        {"at": "2026-01-01T02:00:00Z"},
    ),
    "apply": (
        "Declares rows as `postroad apply` does, and contacts. Each row is proposed to the gate (D10), which answers "
        "with the row or with a `refusal` and its reason. Rows of other kinds stay as they are.",
        {
            "apply": {
                "domain": [{"name": "example.com", "default": True}],
                "alias": [{"address": "sales@example.com", "record_type": "crm.lead"}],
                "contact": [{"id": "eve", "address": _EVE}],
                "mailbox": [
                    {
                        "name": "office",
                        "host": "imap.example.net",
                        "credentials": {"username": "office", "secret": "env:OFFICE"},
                        "record_type": "crm.lead",
                    }
                ],
                "parameters": {"mail.gateway.loop.threshold": 5},
            }
        },
    ),
    "event": (
        "Publishes an event as an app or an operator would, to the topic of its type.",
        {"event": {"type": "thread.opened", "thread": _THREAD, "title": "Pens", "followers": [{"contact": "eve"}]}},
    ),
    "mail": (
        'A mail comes to a door. `raw` is text, `raw_base64` bytes, `path` a file. `mail_from` "" is the null '
        "reverse-path; left out, the door does not know it (then Return-Path counts), and so for `rcpt_to`. The doors "
        "smtp and lmtp judge each of `rcpt_to` (I5), and the size. `mailbox` names a declared mailbox, for its "
        "record type (R10). The answer's text names the acceptance; its outcome is a `message.settled` whose mail_id "
        "is that id (R16).",
        {"mail": {"raw": f"From: {_EVE}\r\nTo: sales@example.com\r\n\r\nPens?\r\n", "mail_from": _EVE}},
    ),
    "explain": (
        "What would happen to a mail now, entry by entry: every rule tried, in order, with its verdict and why; the "
        "states that were looked at; each budget with its count and limit; and last the outcome, the notice and who "
        "would be told. Written like `mail`. Changes nothing: no door judges it, nothing is kept.",
        {"explain": {"raw": f"From: {_EVE}\r\nTo: sales@example.com\r\n\r\nPens?\r\n", "mail_from": _EVE}},
    ),
    "smarthost": (
        "How a server answers from now on, at each step of the transaction: a reply (text, number or object), "
        '"refused" (no connection) or "drop" (lost there). `rcpt` is by address, "*" for all others. `drop` loses '
        "the connection around the 250 to the message. `times`: so many attempts, then it accepts all again. "
        "`name` is a declared server's, or default for the built-in one. Without further keys it accepts all.",
        {"smarthost": {"name": "default", "rcpt": {_EVE: "450 4.2.0 greylisted"}, "times": 1}},
    ),
    "fetch": (
        "One poll of a declared mailbox (I4), confirmed or not: all that now stands on its server, by uid (of POP3 the "
        "unique id). What is taken is what a worker would take, by the checkpoint of the polls before; what stays "
        "away has a fault, store or broker, or is too large. Answers `mailbox` for each message that was to be "
        "taken, then the events.",
        {"fetch": {"mailbox": "office", "messages": [{"uid": 1, "raw": f"From: {_EVE}\r\n\r\nPens?\r\n"}]}},
    ),
    "test": (
        "Test of a server's connection (O12): every step up to the reply to DATA, as the pretended server answers. "
        "`tester` is the tester's own address. Answers `tested`; it counts as one of the server's `times`.",
        {"test": {"smarthost": "default", "tester": "anna@example.com"}},
    ),
    "release": ("Lets a held mail go on (R17), by its key in topic held.", {"release": "the key"}),
    "drop": ("Drops a held mail, by its key in topic held.", {"drop": "the key"}),
    "state": (
        "What is kept at one key; null or empty where nothing is. `address`: its failures and its row of the "
        "blacklist. `alias`: its row and its flag. `message`: a Message-ID with brackets, or a reply handle. "
        '`budget`: as in mail.routed, "author sales@example.com bob@example.org", "alias sales@example.com", '
        '"type crm.lead bob@example.org", "thread crm.lead/7 bob@example.org".',
        {"state": {"thread": _THREAD}},
    ),
}

OUT: dict[str, Any] = {
    "event": {
        "line": "number of the line that caused it, from 1",
        "topic": "a topic of the catalogue",
        "key": "its key",
        "event": "the event or table row as on the wire; null ends a row",
    },
    "answer": {
        "codes": "of SMTP (RFC 5321), HTTP (202) or sysexits (0); one answer a refused recipient, which it names",
        "line": 1,
        "answer": {"door": "smtp", "code": 250, "text": "2.0.0 accepted as <event id>"},
    },
    "sent": {
        "means": "a server got to see this message, or would have; it was sent if the reply is 2yz",
        "line": 1,
        "sent": {
            "server": "its name",
            "step": "the step of O1 that chose it",
            "attempt": 1,
            "envelope": {"mail_from": "", "rcpt_to": [""]},
            "message": "as composed; message_base64 if it is not UTF-8",
            "reply": {"code": 250, "text": "the last reply; code 0: none came"},
        },
    },
    "mailbox": {
        "means": "how a message stands on its server after the poll: neither seen nor deleted if it was not accepted",
        "line": 1,
        "mailbox": {"mailbox": "office", "uid": 1, "seen": True, "deleted": False},
    },
    "tested": {
        "means": "step: the last one, which failed unless passed; configuration: the test could not begin",
        "line": 1,
        "tested": {
            "smarthost": "default",
            "passed": True,
            "step": "data",
            "reply": {"code": 354, "text": ""},
            "mail_from": "",
            "rcpt_to": "",
            "steps": [{"step": "connect", "reply": {"code": 220, "text": ""}}],
        },
    },
    "state": {"line": 1, "state": {"of": "thread", "key": "crm.lead/7", "value": "what is kept at that key, or null"}},
    "explained": {
        "line": 1,
        "explained": [
            {"rule": "R1", "name": "duplicate", "verdict": "does not apply", "why": ""},
            {"stage": "routing", "key": "", "state": "what was found there, in words"},
            {"budget": "", "count": 0, "limit": 20, "window": 7200, "verdict": "passes"},
            {"outcome": "delivered", "rule": "R9", "why": "", "threads": [], "notice": "none", "told": [], "also": []},
        ],
    },
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
    events = {event: topic.name for topic in TOPICS.values() for event in topic.events}
    schemas, components = msgspec.json.schema_components(
        [Line, *KINDS.values(), *events], ref_template="#/$defs/{name}"
    )
    references = dict(zip(events, schemas[1 + len(KINDS) :], strict=True))
    return {
        "title": "A line of a scenario for `postroad simulate`",
        "description": (
            "JSON lines in, JSON lines out. Each line is worked to rest and answered before the next is read; its "
            "last answer is {line, done}, or {line, error} if it could not be played. Blank lines are counted. The "
            "clock starts at 2026-01-01T00:00:00Z and moves only by {at}. Ids are derived from the line's number, so "
            "the same input gives the same bytes. Exit code 65 if any line could not be played."
        ),
        "in": {"$ref": "#/$defs/Line"},
        "lines": {kind: {"means": means, "example": example} for kind, (means, example) in LINES.items()},
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
        "event": {
            "fill": "event_id, occurred_at and trace_id are filled in when absent; unknown fields are passed over",
            "types": {
                tag_of(event): {
                    "topic": topic,
                    "fields": [field.encode_name for field in msgspec.structs.fields(event)],
                    "schema": references[event],
                }
                for event, topic in events.items()
            },
        },
        "$defs": components,
    }
