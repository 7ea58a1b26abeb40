"""How a submission would go out, or why it cannot: server, From, envelope sender (O1-O6, O9). Nothing is done here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from postroad.dispatch.attempt import Plan
from postroad.dispatch.bulk import lists_of
from postroad.dispatch.choose import DEDICATED, Choice, Servers, choose, covers, filter_of, serving
from postroad.mail import provider
from postroad.mail.address import bare_address, normalise
from postroad.mail.return_path import return_path_token
from postroad.views import Views
from postroad.views.directory import Directory, Kind
from postroad_schemas.directory import Smarthost
from postroad_schemas.event import notification_id
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import FailureType, Mailbox, Stream

BUILT_IN = "default"
"""The name of the built-in server (O5)."""

_MAX_LOCAL_PART = 64  # octets, RFC 5321 4.5.3.1.1
_MAX_ADDRESS = 254  # octets, RFC 5321 4.5.3.1.3 less the brackets
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_LITERAL = re.compile(r"\[[A-Za-z0-9:.]+\]\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Unsendable:
    """Why a message is not tried at all (O6, O9)."""

    failure: FailureType
    why: str
    status: str = ""  # RFC 3463


def plan(submission: OutboundSubmitted, views: Views, relay: Smarthost) -> Plan | Unsendable:
    """The way of this submission as of now. `relay` is the built-in server, used while none is declared."""
    directory = views.directory
    if skip := suppressed(submission, views):
        return skip
    recipient = usable(submission.recipient)
    if not recipient:
        return _no_recipient(submission.recipient)
    default_from = usable(directory.default_from(submission.domain))
    before = _sender(submission, default_from)
    if isinstance(before, Unsendable):
        return before
    choice = _server(submission, directory, relay, before.address, default_from)
    if isinstance(choice, Unsendable):
        return choice
    after = sender_after(submission, before, choice, default_from, directory)
    envelope_from = envelope_sender(submission, after.address, choice.server, views)
    shown = [after, *submission.to, *([submission.reply_to] if submission.reply_to else [])]
    addresses = (recipient, envelope_from, *(box.address for box in shown))
    return Plan(
        server=choice.server,
        rule=choice.rule,
        from_before=before,
        from_after=after,
        envelope_from=envelope_from,
        recipient=recipient,
        smtputf8=not all(address.rpartition("@")[0].isascii() for address in addresses),
        built_in=choice.server.name == BUILT_IN and not directory.rows("smarthost"),
        told=told(submission, choice.server, views),
    )


def suppressed(submission: OutboundSubmitted, views: Views) -> Unsendable | None:
    """O6, O7: the blacklist silences bulk mail (chatter too if the setting says so); so does having left the list."""
    recipient = normalise(submission.recipient)
    bulk = submission.stream == Stream.BULK
    chatter = submission.stream == Stream.CHATTER and views.directory.flag("mail.blacklist.chatter")
    if (bulk or chatter) and recipient in views.blacklisted:
        return Unsendable(FailureType.BLACKLISTED, f"blacklisted: {views.blacklisted[recipient].rule}")
    if bulk:
        for list_name in lists_of(submission):
            if (recipient, list_name) in views.lists_left:
                return Unsendable(FailureType.OPTED_OUT, f"left the list {list_name}")
    return None


@lru_cache(maxsize=8192)
def usable(address: str) -> str:
    """The bare address that can stand in an envelope, else "" (RFC 5321 4.1.2)."""
    found = bare_address(address)
    if not found or _CONTROL.search(found) or len(found.encode("utf-8", "replace")) > _MAX_ADDRESS:
        return ""
    local, _, domain = found.rpartition("@")
    if len(local.encode("utf-8", "replace")) > _MAX_LOCAL_PART:
        return ""
    named = all(_LABEL.match(label) for label in domain.split("."))
    return found if named or _LITERAL.match(domain) else ""


def _no_recipient(written: str) -> Unsendable:
    if not written.strip():
        return Unsendable(FailureType.ADDRESS_MISSING, "no recipient address", "5.1.3")
    return Unsendable(FailureType.ADDRESS_INVALID, f"{written!r} is no address", "5.1.3")


def _sender(submission: OutboundSubmitted, default_from: str) -> Mailbox | Unsendable:
    """O1: with no usable author the default From stands in."""
    written = submission.from_.address if submission.from_ else ""
    name = submission.from_.name if submission.from_ else ""
    if address := usable(written):
        return Mailbox(address=address, name=name)
    if default_from:
        return Mailbox(address=default_from, name=name)
    if not written.strip():
        return Unsendable(FailureType.SENDER_MISSING, "no From and no default From", "5.1.7")
    return Unsendable(FailureType.SENDER_INVALID, f"From {written!r} is no address", "5.1.7")


def _server(
    submission: OutboundSubmitted, directory: Directory, relay: Smarthost, sender: str, default_from: str
) -> Choice | Unsendable:
    if submission.server:
        named = (server for server in servers(directory, relay) if server.name == submission.server)
        if dedicated := next(named, None):
            return Choice(dedicated, DEDICATED)
        return Unsendable(FailureType.CONFIGURATION, f"server {submission.server!r} is missing or inactive", "5.3.5")
    stream, order = submission.stream, directory.setting("mail.server.order")
    declared = directory.rows("smarthost")
    found = directory.policy(_serving)[stream] if declared else serving(servers(directory, relay), stream)
    choice = choose(found, sender, default_from, order)
    return choice or Unsendable(FailureType.CONFIGURATION, f"no active server for {submission.stream} mail", "5.3.5")


def _serving(directory: Directory) -> Mapping[Stream, Servers]:
    active = directory.smarthosts()
    return {stream: serving(active, stream) for stream in Stream}


def servers(directory: Directory, relay: Smarthost) -> tuple[Smarthost, ...]:
    """All that are active; the built-in one while none is declared (O5)."""
    if directory.rows("smarthost"):
        return directory.policy(Directory.smarthosts)
    return (built_in(directory, relay),)


def built_in(directory: Directory, relay: Smarthost) -> Smarthost:
    """O5: the relay under the platform's filter and daily limit."""
    return msgspec.structs.replace(
        relay,
        name=BUILT_IN,
        from_filter=directory.listed("mail.default.from_filter"),
        daily_limit=directory.number("mail.daily.limit"),
    )


def sender_after(
    submission: OutboundSubmitted, sender: Mailbox, choice: Choice, default_from: str, directory: Directory
) -> Mailbox:
    """O2: From as it goes out: unchanged where the server may send for it, else `"name" <default From>`."""
    server, address = choice.server, sender.address
    if choice.rule == DEDICATED or submission.stream == Stream.NOTICE or covers(server, address):
        return sender
    if not default_from or normalise(address) == normalise(default_from):
        return sender
    if not filter_of(server):
        if directory.setting("mail.server.no_filter.from") == "keep":
            return sender
        ours = directory.ours(normalise(address))
        if ours and ours.kind in (Kind.BOUNCE, Kind.CATCHALL, Kind.ALIAS):
            return sender
    return Mailbox(address=default_from, name=sender.name or address.rpartition("@")[0])


def envelope_sender(submission: OutboundSubmitted, from_after: str, server: Smarthost, views: Views) -> str:
    """O4: the bounce address with its token if the server may send for it, else From after O2; "" for notices."""
    if submission.null_reverse_path:
        return ""
    bounce = views.directory.bounce_address(submission.domain)
    if not bounce or (filter_of(server) and not covers(server, bounce)):
        return from_after
    if not views.keys.current:
        return bounce
    local, _, domain = bounce.rpartition("@")
    marked = f"{local}+{return_path_token(views.keys, notification_of(submission))}"
    return f"{marked}@{domain}" if len(marked) <= _MAX_LOCAL_PART else bounce


def told(submission: OutboundSubmitted, server: Smarthost, views: Views) -> tuple[Header, ...]:
    """B1: which message its provider reports about, but for fields of which the app wrote its own."""
    if server.provider is None or not views.keys.current:
        return ()
    token = return_path_token(views.keys, notification_of(submission))
    written = {header.name.lower() for header in submission.headers}
    fields = provider.told(server.provider, token, submission.message_id)
    return tuple(field for field in fields if field.name.lower() not in written)


def notification_of(submission: OutboundSubmitted) -> str:
    """The notification that a submission is: as it says, else derived."""
    return submission.notification_id or notification_id(submission.message_id, normalise(submission.recipient))
