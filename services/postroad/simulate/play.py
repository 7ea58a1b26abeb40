"""A scenario in memory: every worker's stages on one clock, pretended servers, nothing leaves."""

import base64
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from postroad.bounces.worker import WORKER as BOUNCES
from postroad.dispatch.attempt import Step
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.plan import BUILT_IN, built_in
from postroad.dispatch.probe import ACCEPTED, probe
from postroad.dispatch.worker import worker as dispatch
from postroad.explain.mail import entries, explain
from postroad.fanout.worker import WORKER as FANOUT
from postroad.ingest.accept import Origin
from postroad.ingest.checkpoint import Checkpoint
from postroad.ingest.checkpoint import place as place_of
from postroad.ingest.read import Reading, read
from postroad.ingest.received import Acceptance, Stored, received
from postroad.ingest.recipients import judge
from postroad.loop_guard.worker import WORKER as LOOP_GUARD
from postroad.mail.address import normalise
from postroad.routing.release import released
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config
from postroad.runtime.memory import MemoryLog
from postroad.runtime.named import digest
from postroad.simulate.lines import BadLine, FetchLine, MailLine, SmarthostLine, StateLine, TestLine, parse
from postroad.simulate.polled import Poll
from postroad.simulate.pretend import Pretended
from postroad.stage import Stage
from postroad.views import Views
from postroad.views.declared import Undeclarable, declared
from postroad_schemas import TYPES, Event, Tombstone, event_id
from postroad_schemas.directory import IncomingMailbox, KeyState, RowProposed, SigningKey, Smarthost
from postroad_schemas.mail import Door, HeldMail, MailReceived
from postroad_schemas.values import Envelope, ObjectRef, Reply

START = datetime(2026, 1, 1, tzinfo=UTC)
_SECRET = b"postroad simulate: a fixed key, so that the same input gives the same bytes"
_YES = {Door.SMTP: 250, Door.LMTP: 250, Door.HTTP: 202, Door.PIPE: 0, Door.IMAP: 0, Door.POP3: 0}

EXPLAINED_BY: tuple[Stage[Any], ...] = (*ROUTING.stages, *LOOP_GUARD.stages, *FANOUT.stages)

Say = Callable[[dict[str, Any]], None]


class Simulation:
    """Plays lines; what happens is told to `say`, one JSON-able dict an answer."""

    def __init__(self, say: Say, *, shuffle: int | None = None, contents: bool = False) -> None:
        self._say_to = say
        self._contents = contents
        self._number = 0
        self._objects: dict[str, bytes] = {}
        self.views = Views(secret=lambda _: _SECRET)
        self.pretended = Pretended(self._objects, self.views, self._say)
        config = Config()
        workers = (ROUTING, LOOP_GUARD, BOUNCES, FANOUT, dispatch(config))
        self.log = MemoryLog(
            stages=[stage for worker in workers for stage in worker.stages],
            senders=[(sending.sender, self.pretended) for worker in workers for sending in worker.sendings],
            views=self.views,
            start=START,
            shuffle=random.Random(shuffle) if shuffle is not None else None,  # noqa: S311  # order, not secrets
        )
        self._checkpoints: dict[str, Checkpoint] = {}  # by the mailbox's place
        key = SigningKey(key_id="a", secret="env:SIMULATED", state=KeyState.CURRENT, created_at=START)  # noqa: S106
        self.pretended.clock = lambda: self.log.now
        self.log.publish([key])
        self.log.rest()
        self.log.listen(self._appended)

    def line(self, text: str | bytes) -> bool:
        """Plays one line to rest. False if it could not be played. A blank line is counted and passed over."""
        self._number += 1
        if not text.strip():
            return True
        try:
            kind, value = parse(text)
            PLAYS[kind](self, value)
        except (BadLine, Undeclarable) as error:
            self._say({"error": str(error)})
            return False
        self._say({"done": kind})
        return True

    def _say(self, answer: dict[str, Any]) -> None:
        self._say_to({"line": self._number, **answer})

    def _appended(self, topic: str, key: str, emission: Any, _: Event | None) -> None:
        event = None if isinstance(emission, Tombstone) else msgspec.to_builtins(emission)
        self._say({"topic": topic, "key": key, "event": event})

    def _publish(self, *emissions: Any) -> None:
        self.log.publish(emissions)
        self.log.rest()

    # kinds of lines

    def at(self, to: datetime) -> None:
        to = to.astimezone(UTC) if to.tzinfo else to.replace(tzinfo=UTC)
        if to < self.log.now:
            raise BadLine(f"the clock moves forward only: it is {self.log.now.isoformat()}")
        self.log.advance(to)

    def apply(self, document: dict[str, Any]) -> None:
        found = declared(document)
        for ordinal, change in enumerate([*found.rows, *found.remove]):
            proposal_id = event_id("simulated", str(self._number), str(ordinal))
            row, remove = (None, change) if isinstance(change, str) else (change, "")
            self._publish(
                RowProposed(
                    event_id=proposal_id,
                    occurred_at=self.log.now,
                    trace_id=proposal_id,
                    row=row,
                    remove=remove,
                    by="simulate",
                )
            )
        for contact in found.contacts:
            former = self.views.contacts.get(contact.contact_id)
            since = contact.created_at or (former.created_at if former else None) or self.log.now
            self._publish(msgspec.structs.replace(contact, created_at=since))

    def event(self, fields: dict[str, Any]) -> None:
        kind = TYPES.get(str(fields.get("type")))
        if kind is None:
            raise BadLine(f"no event of type {fields.get('type')!r}; known: {', '.join(sorted(TYPES))}")
        new_id = event_id("simulated", str(self._number))
        filled = {"event_id": new_id, "occurred_at": self.log.now, "trace_id": fields.get("event_id", new_id), **fields}
        try:
            event: Any = msgspec.convert(filled, kind)
        except msgspec.ValidationError as error:
            raise BadLine(f"{fields['type']}: {error}") from error
        for place in _unknown(filled, msgspec.to_builtins(event)):
            raise BadLine(f"{fields['type']}: unknown field {place}; see --schema")
        self._publish(event)

    def mail(self, line: MailLine) -> None:
        raw = _raw(line)
        recipients = line.rcpt_to
        if line.door in (Door.SMTP, Door.LMTP):
            if recipients is not None and not (recipients := self._recipients(line.door, recipients)):
                return
            if len(raw) > self.views.directory.number("mail.smtp.size"):
                self._answer(line.door, 552, "5.3.4 message larger than SIZE allows")
                return
        envelope = _envelope(line, recipients)
        event = self._accept(raw, envelope, self._origin(line))
        answered = envelope.rcpt_to or ("",) if line.door is Door.LMTP else ("",)  # RFC 2033 4.2: each recipient
        for recipient in answered:
            self._answer(line.door, _YES[line.door], f"2.0.0 accepted as {event.event_id}", recipient)
        self._publish(event)

    def explain(self, line: MailLine) -> None:
        origin = self._origin(line)
        reading = read(_raw(line), origin)
        stored = reading.stored({content: digest(content) for content in reading.objects})
        event = self._received(reading, stored, _envelope(line, line.rcpt_to), origin)
        self._say({"explained": entries(explain(event, EXPLAINED_BY, self.log.state, self.views))})

    def _origin(self, line: MailLine) -> Origin:
        mailbox = self.views.directory.row(f"mailbox/{line.mailbox}") if line.mailbox else None
        return Origin(
            line.door,
            session="simulated",
            ordinal=str(self._number),
            mailbox=line.mailbox,
            record_type=getattr(mailbox, "record_type", ""),
            keep_attachments=getattr(mailbox, "keep_attachments", True),
            keep_original=getattr(mailbox, "keep_original", False),
        )

    def _recipients(self, door: Door, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """I5: RCPT by RCPT; those that are accepted."""
        accepted = []
        for recipient in recipients:
            reply = judge(recipient, self.views.directory, self.log.now)
            if reply.code == 250:
                accepted.append(recipient)
            else:
                self._answer(door, reply.code, reply.text, recipient)
        if not recipients:
            self._answer(door, 503, "5.5.1 RCPT TO comes first")
        return tuple(accepted)

    def _answer(self, door: Door, code: int, text: str, recipient: str = "") -> None:
        answer: dict[str, Any] = {"door": door, "code": code, "text": text}
        self._say({"answer": answer | ({"recipient": recipient} if recipient else {})})

    def _accept(self, raw: bytes, envelope: Envelope, origin: Origin) -> MailReceived:
        reading = read(raw, origin)
        refs = {content: self._keep(content) for content in dict.fromkeys(reading.objects)}
        event = self._received(reading, reading.stored(refs), envelope, origin)
        if self._contents:
            self._say_objects(event)
        return event

    def _received(self, reading: Reading, stored: Stored, envelope: Envelope, origin: Origin) -> MailReceived:
        return received(
            reading.mail,
            stored,
            Acceptance(
                event_id=event_id("accepted", origin.door, origin.session, origin.ordinal),
                at=self.log.now,
                door=origin.door,
                envelope=envelope,
                mailbox=origin.mailbox,
                record_type=origin.record_type,
            ),
            self.views.directory,
        )

    def _keep(self, content: bytes) -> ObjectRef:
        ref = digest(content)
        self._objects[ref.ref] = content
        return ref

    def _say_objects(self, event: MailReceived) -> None:
        contents = event.contents
        named: list[tuple[ObjectRef | None, str, str, str]] = [
            (event.raw, "message/rfc822", "", ""),
            (contents.text_ref, "text/plain", "text", ""),
            (contents.html_ref, "text/html", "html", ""),
            (contents.reply_ref, "text/plain", "reply", ""),
            *((a.content, a.media_type, a.name, a.content_id) for a in contents.attachments),
        ]
        for ref, media_type, name, content_id in named:
            if ref is not None:
                encoded = base64.b64encode(self._objects[ref.ref]).decode()
                told = {"ref": ref.ref, "type": media_type, "name": name, "content_id": content_id, "base64": encoded}
                self._say({"object": told})

    def smarthost(self, line: SmarthostLine) -> None:
        self.pretended.script(line)

    def release(self, mail_id: str) -> None:
        held = self._held(mail_id)
        new_id = event_id("released", mail_id, str(self._number))
        self._publish(Tombstone(topic="held", key=mail_id), released(held, "simulate", self.log.now, new_id))

    def drop(self, mail_id: str) -> None:
        self._held(mail_id)
        self._publish(Tombstone(topic="held", key=mail_id))

    def _held(self, mail_id: str) -> HeldMail:
        row = self.log.rows("held").get(mail_id)
        if not isinstance(row, HeldMail):
            raise BadLine(f"no mail is held under {mail_id!r}; held: {', '.join(self.log.rows('held')) or 'none'}")
        return row

    def fetch(self, line: FetchLine) -> None:
        """I4: what is pending is told of, then what became of it. The line itself is the login that works (D8)."""
        mailbox = self.views.directory.row(f"mailbox/{line.mailbox}")
        if not isinstance(mailbox, IncomingMailbox):
            names = ", ".join(row.name for row in self.views.directory.mailboxes()) or "none"
            raise BadLine(f"there is no mailbox {line.mailbox!r}; declared: {names}")
        if len({message.uid for message in line.messages}) < len(line.messages):
            raise BadLine("a uid stands twice in one mailbox: each message has its own")
        polled = Poll(mailbox, line, self._checkpoints.get(place_of(mailbox)))
        size = self.views.directory.number("mail.smtp.size")
        events = []
        for message in polled.pending():
            raw = message.raw.encode("utf-8", "surrogatepass")
            taken = message.fault is None and len(raw) <= size
            if taken:
                events.append(self._accept(raw, Envelope(), polled.origin(message)))
            self._say({"mailbox": polled.told(message, taken)})
        self._checkpoints[place_of(mailbox)] = polled.checkpoint
        for event in events:
            self._publish(event)

    def test(self, line: TestLine) -> None:
        """O12. Of a test that could not begin the step is `configuration`."""
        server = self._smarthost(line.smarthost)
        made = probe(server, line.tester, self.views.directory)
        if isinstance(made, str):
            taken, passed, envelope = [("configuration", Reply(text=made))], False, {}
        else:
            steps = self.pretended.tested(server, made)
            taken, passed = [(str(step), reply) for step, reply in steps], steps[-1][1].code in ACCEPTED[Step.DATA]
            envelope = {"mail_from": made.mail_from, "rcpt_to": made.rcpt_to}
        told = [{"step": step, "reply": {"code": reply.code, "text": reply.text}} for step, reply in taken]
        self._say({"tested": {"smarthost": server.name, "passed": passed, **told[-1], **envelope, "steps": told}})

    def _smarthost(self, name: str) -> Smarthost:
        directory = self.views.directory
        row = directory.row(f"smarthost/{name}")
        if isinstance(row, Smarthost):
            return row
        declared = [row.name for row in directory.rows("smarthost") if isinstance(row, Smarthost)]
        if name == BUILT_IN and not declared:
            return built_in(directory, built_in_server(Config().relay))
        raise BadLine(f"there is no outgoing server {name!r}; declared: {', '.join(declared) or BUILT_IN}")

    def state(self, line: StateLine) -> None:
        asked = [(of, key) for of in StateLine.__struct_fields__ if (key := getattr(line, of)) is not None]
        if len(asked) != 1:
            raise BadLine(f"one of {', '.join(StateLine.__struct_fields__)} is needed, found {len(asked)}")
        of, key = asked[0]
        self._say({"state": {"of": of, "key": key, "value": self._state(of, key)}})

    def _state(self, of: str, key: str) -> Any:
        log = self.log
        match of:
            case "address":
                address = normalise(key)
                return {
                    "failures": _named(log.state("addresses", address)),
                    "suppression": _named(log.rows("suppressions").get(address)),
                }
            case "thread":
                return _named(log.state("threads", key))
            case "alias":
                rows, name = log.rows("directory"), key.lower() if "@" in key else f"{key.lower()}@"
                row, state = rows.get(f"alias/{name}"), rows.get(f"alias_state/{name}")
                return {"alias": _named(row), "state": _named(state)}
            case "budget":
                return _named(log.state("budgets", key))
            case _:
                return _named(log.state("routing", key))


PLAYS: dict[str, Callable[[Simulation, Any], None]] = {
    "at": Simulation.at,
    "apply": Simulation.apply,
    "event": Simulation.event,
    "mail": Simulation.mail,
    "explain": Simulation.explain,
    "smarthost": Simulation.smarthost,
    "fetch": Simulation.fetch,
    "test": Simulation.test,
    "release": Simulation.release,
    "drop": Simulation.drop,
    "state": Simulation.state,
}


def _unknown(given: Any, known: Any, place: str = "") -> Iterator[str]:
    """Where something is given that no field takes: on topics it would be passed over, in a scenario it is a slip."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name not in known:
                yield f"{place}{name}"
            else:
                yield from _unknown(value, known[name], f"{place}{name}.")
    elif isinstance(given, list | tuple) and isinstance(known, list | tuple):
        for one, other in zip(given, known, strict=False):
            yield from _unknown(one, other, place)


def _envelope(line: MailLine, recipients: tuple[str, ...] | None) -> Envelope:
    """The reverse-path also as it is said in SMTP, with brackets."""
    return Envelope(mail_from=None if line.mail_from is None else line.mail_from.strip("<>"), rcpt_to=recipients)


def _raw(line: MailLine) -> bytes:
    given = [value for value in (line.raw, line.raw_base64, line.path) if value is not None]
    if len(given) != 1:
        raise BadLine("one of raw, raw_base64 and path is needed")
    try:
        if line.path is not None:
            return Path(line.path).read_bytes()
        if line.raw_base64 is not None:
            return base64.b64decode(line.raw_base64, validate=True)
    except (OSError, ValueError) as error:
        raise BadLine(f"the mail cannot be read: {error}") from error
    return (line.raw or "").encode("utf-8", "surrogatepass")


def _named(value: Any) -> Any:
    """Structs that are kept as arrays, with their fields named."""
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _named(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_named(entry) for entry in value]
    return msgspec.to_builtins(value)
