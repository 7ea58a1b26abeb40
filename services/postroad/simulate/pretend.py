"""Pretended servers: what dispatch's calls are answered in a simulation, and what would have gone out."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from postroad.dispatch.attempt import Answer, Attempt, Step, as_planned
from postroad.dispatch.links import Linker, Words, choices, link_maker, linked, too_big, with_advice
from postroad.dispatch.probe import ACCEPTED, Probe
from postroad.mail.address import normalise
from postroad.mail.compose import File, compose
from postroad.simulate.lines import BadLine, Behaviour, SmarthostLine
from postroad.views import Views
from postroad_schemas.directory import Security, Smarthost
from postroad_schemas.values import Attachment, Contents, FailureType, ObjectRef, Reply

_CODES = range(200, 600)  # RFC 5321 4.2.1
_ACCEPTED = Reply(code=250, text="2.0.0 queued")
# Replies that let the transaction go on (RFC 5321 4.3.2), by step.
_GOES_ON = {Step.CONNECT: 220, Step.TLS: 220, Step.AUTH: 235, Step.MAIL: 250, Step.RCPT: 250, Step.DATA: 354}


class Pretended:
    """All pretended servers. `say` is told of every message that a server got to see or refused."""

    def __init__(self, objects: Mapping[str, bytes], views: Views, say: Callable[[dict[str, Any]], None]) -> None:
        self._objects, self._views = objects, views
        self._say = say
        self._scripts: dict[str, SmarthostLine] = {}
        self.clock: Callable[[], datetime] = lambda: datetime.min.replace(tzinfo=UTC)

    def script(self, line: SmarthostLine) -> None:
        """Raises BadLine for a reply that cannot be one."""
        for step in (line.connect, line.tls, line.auth, line.mail, line.data, line.body, *line.rcpt.values()):
            _reply(step, _ACCEPTED)
        self._scripts[line.name] = line

    def __call__(self, attempt: Attempt) -> Answer:
        """O14: a message that is too large for the server goes again with links for attachments."""
        script, contents = self._script(attempt.plan.server.name), attempt.submission.contents
        link = link_maker(self._views, attempt.submission.occurred_at)
        for left_out in choices(contents) if link else ((),):
            try:
                message = self._composed(attempt, left_out, link)
            except LookupError as error:
                why = Reply(text=f"missing from the object store: {error}")
                return Answer(why, Step.CONTENTS, self.clock(), FailureType.CONFIGURATION, "5.3.0")
            ended = _transaction(script, attempt, len(message))
            answer = Answer(ended.reply, ended.step, self.clock(), ended.failure, ended.status)
            if not too_big(answer):
                break
        else:
            if contents.attachments and not link:
                answer = replace(answer, reply=with_advice(answer.reply, self._views))
        self._say({"sent": _told(attempt, message, answer.reply)})
        return answer

    def tested(self, server: Smarthost, made: Probe) -> list[tuple[Step, Reply]]:
        """The steps of a test (O12), the last one where it ended: whether it went on, its reply says."""
        taken: list[tuple[Step, Reply]] = []
        for step, behaviour in _steps(self._script(server.name), server, made.rcpt_to):
            reply = _reply(behaviour, Reply(code=_GOES_ON[step]))
            taken.append((step, reply))
            if reply.code not in ACCEPTED.get(step, (_GOES_ON[step],)):
                break
        return taken

    def _script(self, name: str) -> SmarthostLine:
        script = self._scripts.get(name) or SmarthostLine(name=name)
        if script.times is not None:
            left = msgspec.structs.replace(script, times=script.times - 1)
            self._scripts[name] = left if script.times > 1 else SmarthostLine(name=name, ehlo=script.ehlo)
        return script

    def _composed(self, attempt: Attempt, left_out: Sequence[Attachment], link: Linker | None) -> bytes:
        """As the real dispatch composes. Raises LookupError for an object that is not there."""
        submission = as_planned(attempt.submission, attempt.plan)
        words, files = self._contents(submission.contents, left_out)
        if link and left_out:
            words = linked(words, left_out, link)
        return compose(submission, attempt.plan.from_after, submission.occurred_at, words.text, words.html, files)

    def _contents(self, contents: Contents, left_out: Sequence[Attachment]) -> tuple[Words, tuple[File, ...]]:
        files = tuple(
            File(
                name=attachment.name,
                media_type=attachment.media_type,
                content=self._objects[attachment.content.ref],
                content_id=attachment.content_id,
                inline=attachment.inline,
            )
            for attachment in contents.attachments
            if attachment not in left_out
        )
        text, html = self._text(contents.text_ref, contents.text), self._text(contents.html_ref, contents.html)
        return Words(text, html), files

    def _text(self, ref: ObjectRef | None, otherwise: str) -> str:
        return otherwise if ref is None else self._objects[ref.ref].decode("utf-8", "replace")


class _Ended(NamedTuple):
    """Where a transaction ended, and how."""

    step: Step
    reply: Reply
    failure: FailureType | None = None
    status: str = ""


def _transaction(script: SmarthostLine, attempt: Attempt, size: int) -> _Ended:
    """Sent is a 2yz reply to the body."""
    for step, behaviour in _steps(script, attempt.plan.server, attempt.plan.recipient):
        if step is Step.MAIL and (ruled_out := _by_extensions(script, attempt, size)):
            return ruled_out
        reply = _reply(behaviour, Reply(code=_GOES_ON[step]))
        goes_on = reply.code == 354 if step is Step.DATA else reply.code // 100 == 2
        if not goes_on:
            return _Ended(step, reply)
    if script.drop == "before 250":
        return _Ended(Step.BODY, Reply(text="connection lost before the answer to the message"))
    return _Ended(Step.BODY, _reply(script.body, _ACCEPTED))


def _steps(script: SmarthostLine, server: Smarthost, recipient: str) -> Iterator[tuple[Step, Behaviour | None]]:
    """Up to DATA, as this server's row has them taken."""
    yield Step.CONNECT, script.connect
    if server.security is not Security.NONE:
        yield Step.TLS, script.tls
    if server.credentials:
        yield Step.AUTH, script.auth
    yield Step.MAIL, script.mail
    yield Step.RCPT, _for(script.rcpt, recipient)
    yield Step.DATA, script.data


def _by_extensions(script: SmarthostLine, attempt: Attempt, size: int) -> _Ended | None:
    """What EHLO rules out: a message over SIZE (RFC 1870), an address that needs SMTPUTF8 (RFC 6531)."""
    offered = {line.split()[0].upper(): line.split()[1:] for line in script.ehlo if line.split()}
    if attempt.plan.smtputf8 and "SMTPUTF8" not in offered:
        why = Reply(text="a non-ASCII address needs SMTPUTF8, which this server does not offer")
        return _Ended(Step.MAIL, why, FailureType.SMTPUTF8_NEEDED, "5.6.7")
    announced = "".join(offered.get("SIZE", [])[:1])
    limit = attempt.plan.server.size_limit or (int(announced) if announced.isdigit() else 0)
    if limit and size > limit:
        why = Reply(text=f"the message has {size} octets, more than the server's limit of {limit}")
        return _Ended(Step.MAIL, why, FailureType.CONFIGURATION, "5.3.4")
    return None


def _for(replies: Mapping[str, Behaviour], recipient: str) -> Behaviour | None:
    wanted = normalise(recipient)
    return next((reply for address, reply in replies.items() if normalise(address) == wanted), replies.get("*"))


def _reply(behaviour: Behaviour | None, otherwise: Reply) -> Reply:
    """Raises BadLine for what is none."""
    match behaviour:
        case None:
            return otherwise
        case "refused":
            return Reply(text="connection refused")
        case "drop":
            return Reply(text="connection lost")
        case int(code) if code in _CODES:
            return Reply(code=code)
        case str() if (words := behaviour.partition(" "))[0].isdecimal() and int(words[0]) in _CODES:
            return Reply(code=int(words[0]), text=words[2])
        case {"code": int(code), **rest} if code in _CODES:
            return Reply(code=code, text=str(rest.get("text", "")))
    raise BadLine(f'{behaviour!r} is no reply: write "550 5.1.1 no such user", 550, "refused" or "drop"')


def _told(attempt: Attempt, message: bytes, reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = {
        "server": attempt.plan.server.name,
        "step": attempt.plan.rule,
        "attempt": attempt.number,
        "envelope": {"mail_from": attempt.plan.envelope_from, "rcpt_to": [attempt.plan.recipient]},
    }
    try:
        told["message"] = message.decode()
    except UnicodeDecodeError:
        told["message_base64"] = base64.b64encode(message).decode()
    return {**told, "reply": {"code": reply.code, "text": reply.text}}
