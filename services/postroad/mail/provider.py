"""Providers that send for us: the header fields that tell each what its webhooks say back of a message (B1).

Most of them give messages ids of their own and report by those. What they say back is the return path's token, which
names the notification and proves it, and our Message-ID where there is room for it. No address is among it.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from postroad_schemas.directory import Provider
from postroad_schemas.outbound import Header

NOTIFICATION = "postroad"
"""Under this name stands the token of the return path: which notification it is."""
MESSAGE_ID = "message_id"
"""Under this name stands our Message-ID, in brackets."""

Named: TypeAlias = Mapping[str, str]

_POSTMARK_VALUE = 80  # characters of a value
_PLAIN = re.compile(r"<(?!.*=\?)[!#-;=?-\[\]-~]{1,250}>\Z")  # needs no escape in JSON, and no encoded word


def _ses(named: Named) -> tuple[Header, ...]:
    """`mail.tags`; values are letters, digits, - and _. SES Developer Guide, "Specify your configuration set"."""
    return (Header(name="X-SES-MESSAGE-TAGS", value=f"{NOTIFICATION}={named[NOTIFICATION]}"),)


def _postmark(named: Named) -> tuple[Header, ...]:
    """`Metadata`; our Message-ID stays. "Custom metadata FAQ"; user guide, "Send email with SMTP"."""
    short = {name: value for name, value in named.items() if len(value) <= _POSTMARK_VALUE}
    told = [Header(name=f"X-PM-Metadata-{name}", value=value) for name, value in short.items()]
    return (*told, Header(name="X-PM-KeepID", value="true"))


def _mailgun(named: Named) -> tuple[Header, ...]:
    """`user-variables`; of several such fields the values are put together. "Attaching metadata to messages"."""
    return (_json("X-Mailgun-Variables", named),)


def _sendgrid(named: Named) -> tuple[Header, ...]:
    """Keys of the event itself; the first such field alone counts. "Building an X-SMTPAPI header", "Unique arguments".

    Addresses may not stand there.
    """
    return (_json("X-SMTPAPI", {"unique_args": named}),)


def _brevo(named: Named) -> tuple[Header, ...]:
    """`X-Mailin-custom`, as text. "Transactional webhooks"."""
    return (_json("X-Mailin-custom", named),)


def _mailjet(named: Named) -> tuple[Header, ...]:
    """`Payload`, as text. SMTP relay, "Custom headers"; "Event API". `X-MJ-CustomID` is left to apps."""
    return (_json("X-MJ-EventPayload", named),)


def _sparkpost(named: Named) -> tuple[Header, ...]:
    """`rcpt_meta`. "SMTP API"."""
    return (_json("X-MSYS-API", {"metadata": named}),)


WRITERS: Mapping[Provider, Callable[[Named], tuple[Header, ...]]] = MappingProxyType(
    {
        Provider.SES: _ses,
        Provider.POSTMARK: _postmark,
        Provider.MAILGUN: _mailgun,
        Provider.SENDGRID: _sendgrid,
        Provider.BREVO: _brevo,
        Provider.MAILJET: _mailjet,
        Provider.SPARKPOST: _sparkpost,
    }
)

# Names of their servers for submission.
_HOSTS: Mapping[str, Provider] = MappingProxyType(
    {
        "email-smtp*.amazonaws.com": Provider.SES,
        "smtp*.postmarkapp.com": Provider.POSTMARK,
        "smtp*.mailgun.org": Provider.MAILGUN,
        "smtp*.sendgrid.net": Provider.SENDGRID,
        "smtp*.brevo.com": Provider.BREVO,
        "smtp*.sendinblue.com": Provider.BREVO,
        "in*.mailjet.com": Provider.MAILJET,
        "smtp*.sparkpostmail.com": Provider.SPARKPOST,
    }
)


def told(provider: Provider, token: str, message_id: str) -> tuple[Header, ...]:
    """What the provider is told of a message: `token` is that of its return path. Lines fold only between words."""
    named = {NOTIFICATION: token, **({MESSAGE_ID: message_id} if _PLAIN.match(message_id) else {})}
    return WRITERS[provider](named)


def provider_of(host: str) -> Provider | None:
    """Whose server this seems to be, by its name: for a hint, never for more."""
    name = host.strip().rstrip(".").lower()
    return next((provider for pattern, provider in _HOSTS.items() if fnmatchcase(name, pattern)), None)


def _json(name: str, value: Mapping[str, object]) -> Header:
    """With blanks between words, where the line may be folded."""
    return Header(name=name, value=msgspec.json.format(msgspec.json.encode(value), indent=0).decode())
