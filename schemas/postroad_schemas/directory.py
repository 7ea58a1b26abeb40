"""The directory: what operators and apps declare (section D)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.event import Event, Row
from postroad_schemas.mail import Scope
from postroad_schemas.values import Stream


class AliasDomain(Row, frozen=True, kw_only=True, tag="domain"):
    """D1: one per company."""

    name: str  # lower case, IDNA
    company: str = ""
    company_address: str = ""
    catchall: str = "catchall"  # local part
    bounce: str = "bounce"  # local part
    default_from: str = "notifications"  # local part, or a complete address used as it is
    default: bool = False
    redirects: tuple[str, ...] = ()  # outside addresses redirected to it: they count as its catchall


class Policy(StrEnum):
    """R12: who may write."""

    EVERYONE = "everyone"
    CONTACTS = "contacts"
    FOLLOWERS = "followers"


class Match(StrEnum):
    FULL = "full"
    LOCAL = "local"  # R13


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """An alias's own loop limits; what is None is as the parameters say."""

    threshold: int | None = None
    minutes: int | None = None
    scope: Scope | None = None


class Alias(Row, frozen=True, kw_only=True, tag="alias"):
    """D2: an address whose mail opens a record of some type, or always posts to one thread."""

    local_part: str
    domain: str = ""  # empty: matches only by local part
    record_type: str = ""
    defaults: dict[str, str | int | float | bool | None] = {}
    policy: Policy = Policy.EVERYONE
    thread: str = ""  # always posts here
    owner_thread: str = ""
    refusal_text: str = ""
    limits: Limits = Limits()
    match: Match = Match.FULL
    active: bool = True


class AliasState(Row, frozen=True, kw_only=True, tag="alias_state"):
    """D2: the flag `invalid`, for people; it stops nothing."""

    alias: str  # "local@domain"
    invalid: bool
    reason: str = ""


class Security(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"  # RFC 3207
    TLS = "tls"  # RFC 8314


class OAuth2(msgspec.Struct, frozen=True, kw_only=True):
    """Where a refresh token becomes an access token (RFC 6749 6)."""

    token_url: str
    client_id: str
    client_secret: str = ""  # by reference; empty: a public client
    scope: str = ""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """By reference, never a value: "env:NAME" or "file:PATH"."""

    username: str
    secret: str  # the password; "Bearer ..." in it: an access token; with `oauth2`: the refresh token
    oauth2: OAuth2 | None = None


class Provider(StrEnum):
    """Who reports by `POST /webhooks/NAME`, and says back what a header field told it of a message (B1)."""

    SES = "ses"
    POSTMARK = "postmark"
    MAILGUN = "mailgun"
    SENDGRID = "sendgrid"
    BREVO = "brevo"
    MAILJET = "mailjet"
    SPARKPOST = "sparkpost"


class Smarthost(Row, frozen=True, kw_only=True, tag="smarthost"):
    """D7: an outgoing server."""

    name: str
    priority: int = 10  # smaller first
    from_filter: tuple[str, ...] = ()  # addresses and domains
    host: str
    port: int = 0  # 0: as the security says (25, 587, 465)
    security: Security = Security.NONE
    verify: bool = True  # check the server's certificate
    ca_file: str = ""  # a private CA
    credentials: Credentials | None = None
    daily_limit: int = 0  # 0: none
    streams: tuple[Stream, ...] = (Stream.CHATTER, Stream.NOTICE, Stream.BULK)
    size_limit: int = 0  # octets; 0: as its SIZE extension says
    connections: int = 5
    mails_per_connection: int = 100
    rate: int = 0  # mails a second; 0: no limit
    active: bool = True
    provider: Provider | None = None  # whose it is: its webhooks then say which message they are about


class Protocol(StrEnum):
    IMAP = "imap"
    POP3 = "pop3"


class IncomingMailbox(Row, frozen=True, kw_only=True, tag="mailbox"):
    """D8: a mailbox that is polled."""

    name: str
    protocol: Protocol = Protocol.IMAP
    host: str
    port: int = 0  # 0: 143, 993, 110, 995
    security: Security = Security.TLS
    verify: bool = True
    ca_file: str = ""
    credentials: Credentials
    folder: str = "INBOX"
    interval: int = 300  # seconds
    idle: bool = False  # RFC 2177
    keep_attachments: bool = True
    keep_original: bool = False
    record_type: str = ""
    confirmed: bool = False


class Parameter(Row, frozen=True, kw_only=True, tag="parameter"):
    """D5: a setting under the document's name, as text."""

    name: str
    value: str


class FormerPolicy(StrEnum):
    ACCEPT = "accept"
    WARN = "warn"
    REFUSE = "refuse"


class FormerKind(StrEnum):
    CATCHALL = "catchall"
    BOUNCE = "bounce"
    DEFAULT_FROM = "default_from"
    ALIAS = "alias"


class FormerAddress(Row, frozen=True, kw_only=True, tag="former"):
    """D9: an address that was ours and is still accepted."""

    address: str
    kind: FormerKind
    now: str = ""  # the address that took its place
    since: datetime
    policy: FormerPolicy = FormerPolicy.ACCEPT
    refuse_after: datetime | None = None


class KeyState(StrEnum):
    CURRENT = "current"  # mints
    ACCEPTED = "accepted"  # proves, mints no more
    RETIRED = "retired"  # proves nothing


class SigningKey(Row, frozen=True, kw_only=True, tag="signing_key"):
    """The key of our tokens, by reference."""

    key_id: str  # one letter or digit of base 32: a-z, 2-7
    secret: str  # "env:NAME" or "file:PATH"
    state: KeyState = KeyState.CURRENT


class DkimKey(Row, frozen=True, kw_only=True, tag="dkim_key"):
    """O13: RFC 6376, RFC 8463."""

    domain: str
    selector: str
    algorithm: str = "rsa-sha256"
    secret: str
    active: bool = True


DirectoryRow = (
    AliasDomain | Alias | AliasState | Smarthost | IncomingMailbox | Parameter | FormerAddress | SigningKey | DkimKey
)


class RowRefused(Row, frozen=True, kw_only=True, tag="refusal"):
    """D10: why a proposed row changed nothing."""

    proposal: str  # the proposal's event id
    row_key: str
    reason: str


class RowProposed(Event, frozen=True, kw_only=True, tag="row.proposed"):
    """D10: a row as somebody wants it, or the key of one to remove. The gate answers with it, or with RowRefused."""

    row: DirectoryRow | None = None
    remove: str = ""  # "alias/sales@example.com"
    by: str = ""


class ContactKind(StrEnum):
    INTERNAL = "internal"
    EXTERNAL = "external"


class ContactChannel(StrEnum):
    MAIL = "mail"
    IN_APP = "in_app"


class Contact(msgspec.Struct, frozen=True, kw_only=True, tag="contact", tag_field="type"):
    """A person the app knows. Written by apps straight to `contacts`, under the app's own id."""

    contact_id: str
    addresses: tuple[str, ...]
    name: str = ""
    kind: ContactKind = ContactKind.EXTERNAL
    channel: ContactChannel = ContactChannel.MAIL
    active: bool = True
    language: str = ""  # BCP 47
    created_at: datetime | None = None  # UTC; the oldest comes first (R15)


def row_key(row: Row) -> str:
    """The key of a directory row: its kind and its name."""
    match row:
        case AliasDomain(name=name):
            return f"domain/{name}"
        case Alias(local_part=local_part, domain=domain):
            return f"alias/{local_part}@{domain}"
        case AliasState(alias=alias):
            return f"alias_state/{alias}"
        case Smarthost(name=name):
            return f"smarthost/{name}"
        case IncomingMailbox(name=name):
            return f"mailbox/{name}"
        case Parameter(name=name):
            return f"parameter/{name}"
        case FormerAddress(address=address):
            return f"former/{address}"
        case SigningKey(key_id=key_id):
            return f"signing_key/{key_id}"
        case DkimKey(domain=domain, selector=selector):
            return f"dkim_key/{selector}._domainkey.{domain}"
        case RowRefused(proposal=proposal):
            return f"refusal/{proposal}"
        case _:
            raise TypeError(f"not a directory row: {type(row).__name__}")
