"""Stories for the whole of postroad, told line by line through `postroad simulate`, in process."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import msgspec

from postroad.simulate.play import START, Simulation
from postroad_schemas import TYPES

EXAMPLE: dict[str, Any] = {
    "domain": [{"name": "example.com", "company": "Example", "default": True}],
    "alias": [{"address": "sales@example.com", "record_type": "crm.lead"}],
}
ANNA = {"id": "anna", "address": "anna@example.com", "name": "Anna Agent", "kind": "internal"}
IVAN = {"id": "ivan", "address": "ivan@example.com", "name": "Ivan", "kind": "internal", "channel": "in_app"}
EVE = {"id": "eve", "address": "eve@customer.example", "name": "Eve Client"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that a pretended server got to see, with what it answered."""

    server: str
    step: str  # of O1
    attempt: int
    mail_from: str
    recipient: str
    message: EmailMessage
    code: int
    line: int

    def __getitem__(self, header: str) -> str:
        return str(self.message[header] or "")

    @property
    def words(self) -> str:
        body = self.message.get_body(("plain", "html"))
        return str(body.get_content()).strip() if body else ""


class Story:
    """Plays lines and keeps what was answered. Every line must be playable, unless `line` is asked for its answers."""

    def __init__(self, *, shuffle: int | None = None, contents: bool = False, declare: bool = True) -> None:
        self.lines: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self.now = START
        self._mails = 0
        self._simulation = Simulation(self.answers.append, shuffle=shuffle, contents=contents)
        if declare:
            self.apply(**EXAMPLE)

    # Lines

    def line(self, text: str) -> list[dict[str, Any]]:
        """What is answered to this line, an error too."""
        seen = len(self.answers)
        self.lines.append(text)
        self._simulation.line(text)
        return self.answers[seen:]

    def play(self, **line: Any) -> list[dict[str, Any]]:
        answers = self.line(json.dumps(line))
        errors = [answer["error"] for answer in answers if "error" in answer]
        assert not errors, f"{line}: {errors}"
        return answers

    def apply(self, **document: Any) -> None:
        self.play(apply=document)

    def set(self, name: str, value: object) -> None:
        self.play(apply={"parameters": {name: value}})

    def at(self, moment: str | datetime) -> None:
        """Moves the clock; without zone it is UTC."""
        to = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        self.now = to if to.tzinfo else to.replace(tzinfo=UTC)
        self.play(at=self.now.isoformat())

    def wait(self, **how_long: float) -> None:
        """`wait(minutes=5)`: the arguments of timedelta."""
        self.at(self.now + timedelta(**how_long))

    def event(self, tag: str, **fields: Any) -> list[dict[str, Any]]:
        return self.play(event={"type": tag, **fields})

    def follow(self, thread: str, *contacts: str) -> None:
        self.event("thread.followed", thread=thread, followers=[{"contact": contact} for contact in contacts])

    def post(self, thread: str, text: str = "We do.", author: dict[str, str] = ANNA, **post: Any) -> str:
        """An app's post; returns the Message-ID that its copies share."""
        who = {"contact": author["id"], "address": author["address"], "name": author["name"]}
        self.event("chatter.posted", thread=thread, post={"author": who, "contents": {"text": text}, **post})
        return str(self.events("notification.planned", thread=thread)[-1]["message_id"])

    def submit(self, recipient: str = "eve@customer.example", sender: str = "anna@example.com", **more: Any) -> str:
        """A message of an app, as bulk mail unless `stream` says otherwise; returns its Message-ID."""
        self._mails += 1
        message_id = f"<bulk-{self._mails}@example.com>"
        fields = {"recipient": recipient, "from": {"address": sender}, "message_id": message_id, "stream": "bulk"}
        self.event("outbound.submitted", **{"subject": "News", "contents": {"text": "News."}, **fields, **more})
        return message_id

    def at_once(self, *events: dict[str, Any]) -> None:
        """Appends events as another story answered them, all before any is read: outside of the lines."""
        log = self._simulation.log
        log.publish([msgspec.convert(event, TYPES[event["type"]]) for event in events])
        log.rest()

    def smarthost(self, name: str, **script: Any) -> None:
        self.play(smarthost={"name": name, **script})

    def release(self, mail_id: str) -> None:
        self.play(release=mail_id)

    def drop(self, mail_id: str) -> None:
        self.play(drop=mail_id)

    def state(self, **asked: str) -> Any:
        return next(answer["state"]["value"] for answer in self.play(state=asked) if "state" in answer)

    def mail(
        self,
        sender: str = "Bob <bob@example.org>",
        to: str = "sales@example.com",
        text: str = "Do you sell pens?",
        *,
        subject: str = "Pens",
        headers: dict[str, str] | None = None,
        **line: Any,
    ) -> str:
        """A plain mail by a door without envelope; returns its Message-ID. `line`: mail_from, rcpt_to, door, mailbox.

        A header of None or an empty `to` is left out.
        """
        self._mails += 1
        fields = {
            "From": sender,
            "To": to,
            "Subject": subject,
            "Message-ID": f"<{self._mails}@example.org>",
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        self.play(mail={"raw": f"{head}\r\n{text}\r\n", **line})
        return fields["Message-ID"]

    def reply(self, to: Sent, text: str = "Yes.", sender: str = "", *, by: str = "Reply-To", **more: Any) -> str:
        """What a mail program makes of a copy that somebody got: to its Reply-To, naming its id and its references."""
        references = f"{to['References']} {to['Message-ID']}".strip()
        headers = {"References": references, "In-Reply-To": to["Message-ID"], **more.pop("headers", {})}
        return self.mail(sender or to.recipient, to[by], text, subject=f"Re: {to['Subject']}", headers=headers, **more)

    def raw(self, raw: bytes | str, **line: Any) -> list[dict[str, Any]]:
        return self.play(mail={"raw": raw if isinstance(raw, str) else raw.decode("latin-1"), **line})

    # Answers

    def events(self, tag: str, **fields: Any) -> list[dict[str, Any]]:
        """Events and rows of this type whose fields are these, as on the wire."""
        found = (a["event"] for a in self.answers if (a.get("event") or {}).get("type") == tag)
        return [event for event in found if fields.items() <= event.items()]

    def told(self, recipient: str) -> list[str]:
        """What apps were told of messages to this address, in order: "sent", "delayed", "failed", "complained"."""
        found = (a["event"] for a in self.answers if a.get("topic") == "notification.updated")
        return [event["type"].partition(".")[2] for event in found if event.get("recipient") == recipient]

    def settled(self, message_id: str) -> list[str]:
        """The outcomes of the mails with this Message-ID, each as "delivered R9", in their order (R16)."""
        events = self.events("message.settled", settled=message_id)
        return [f"{event['outcome']} {event['rule']}" for event in events if event.get("mail_id")]

    def outcome(self, message_id: str) -> str:
        """The newest outcome of the mails with this Message-ID."""
        return self.settled(message_id)[-1]

    def threads(self, message_id: str) -> list[str]:
        """Where the newest mail with this Message-ID landed."""
        events = self.events("message.settled", settled=message_id)
        return [link["thread"] for link in next(e for e in reversed(events) if e.get("mail_id")).get("links", ())]

    def thread(self, message_id: str) -> str:
        (found,) = self.threads(message_id)
        return found

    def sent(self, recipient: str = "", **fields: Any) -> list[Sent]:
        """What servers got to see; `recipient` and fields of Sent choose."""
        wanted = {**fields, **({"recipient": recipient} if recipient else {})}
        found = [_sent(answer) for answer in self.answers if "sent" in answer]
        return [one for one in found if all(getattr(one, name) == value for name, value in wanted.items())]

    def notices(self) -> list[Sent]:
        return [one for one in self.sent() if one["Auto-Submitted"] == "auto-replied"]

    def held(self) -> dict[str, str]:
        """Mails that wait for a person, and the rule that holds each."""
        rows: dict[str, Any] = {a["key"]: a["event"] for a in self.answers if a.get("topic") == "held"}
        return {key: row["rule"] for key, row in rows.items() if row is not None}

    def plan(self, thread: str) -> dict[str, str]:
        """Of the thread's newest plan: for each contact or address, channel and reason (F3)."""
        planned = self.events("notification.planned", thread=thread)[-1]["followers"]
        return {one.get("contact") or one["address"]: f"{one['channel']} {one['reason']}" for one in planned}

    # In the end

    def ends(self) -> dict[str, Any]:
        """What must not depend on the order in which workers come to read: states, outcomes, suppressions, mails."""
        log = self._simulation.log
        outcomes = self.events("message.settled")
        return {
            "threads": log.states("threads"),
            "outcomes": sorted((e["settled"], e.get("mail_id", ""), e["outcome"], e.get("rule", "")) for e in outcomes),
            "suppressions": log.rows("suppressions"),
            "directory": log.rows("directory"),
            "held": log.rows("held"),
            "sent": sorted((s.line, s.recipient, s["Message-ID"], s.server, s.code) for s in self.sent()),
            "dead": [a for a in self.answers if a.get("topic", "").endswith(".dead")],
        }


def told_again(lines: Iterable[str], shuffle: int | None) -> Story:
    """The same lines, with topics read in another order."""
    again = Story(shuffle=shuffle, declare=False)
    for line in lines:
        again.line(line)
    return again


def _sent(answer: dict[str, Any]) -> Sent:
    told = answer["sent"]
    message = message_from_bytes(told["message"].encode(), policy=default)
    assert isinstance(message, EmailMessage)
    return Sent(
        server=told["server"],
        step=told["step"],
        attempt=told["attempt"],
        mail_from=told["envelope"]["mail_from"],
        recipient=told["envelope"]["rcpt_to"][0],
        message=message,
        code=told["reply"]["code"],
        line=answer["line"],
    )
