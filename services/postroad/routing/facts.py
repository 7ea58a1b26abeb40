"""What a mail is, seen with the directory: whom it is for, whom it is from. Read once, before any rule."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from postroad.mail.address import normalise as normalised
from postroad.mail.message_id import OwnId, is_handle, read_own
from postroad.views import Views
from postroad.views.directory import Kind, Ours
from postroad_schemas.directory import Alias
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import Automatic, Degree, Mailbox

normalise = lru_cache(maxsize=8192)(normalised)  # the same few write to the same few
NULL_REVERSE_PATH = Automatic(degree=Degree.ANSWER, reason="null reverse-path")


class Facts(msgspec.Struct, frozen=True):
    """Addresses are normalised; everything is sorted, so that the order of To and Cc changes nothing."""

    sender: str  # address of the first mailbox of From; empty: none
    own_sender: bool  # R15: an address of ours is never an author
    author: str  # the sender, unless it is an address of ours
    reverse_path: str | None  # "": the null one; None: absent
    ours: dict[str, Ours]  # those of all recipients that are ours
    aliases: dict[str, Alias]  # among all recipients, by name
    to_aliases: frozenset[str]  # among the To-like
    catchall: bool  # among the To-like (M3)
    catchall_alone: bool  # R8
    bounce: bool  # P1
    bounce_tokens: tuple[str, ...]
    handles: tuple[str, ...]  # R3
    references: tuple[str, ...]  # R3: also In-Reply-To (M4), as the last; each once, never the mail's own id
    own: dict[str, OwnId]  # those that bear our signature, with what they say
    automatic: Automatic | None  # L7, the envelope's sign included

    @property
    def answers_by_machine(self) -> bool:
        return self.automatic is not None and self.automatic.degree is Degree.ANSWER


def read(mail: MailReceived, views: Views) -> Facts:
    directory = views.directory
    envelope = set(map(normalise, mail.envelope.rcpt_to or ()))
    cc = _addresses(mail.cc)
    to_like = _addresses(mail.to, mail.delivered_to)
    everybody = to_like.union(envelope, cc, _addresses(mail.resent_to, mail.resent_cc))
    known = {address: directory.ours(address) for address in sorted(everybody)}
    to_like |= _not_named(envelope, cc, known)
    to_like.discard("")
    ours: dict[str, Ours] = {}
    catchalls = bounces = 0  # among the To-like
    aliases: dict[str, Alias] = {}
    to_aliases: set[str] = set()
    bounce_tokens: list[str] = []
    handles: set[str] = set()
    for address, found in known.items():
        if found is None or (found.former and directory.refused_now(found.former, mail.occurred_at)):
            continue
        ours[address] = found
        for alias in found.aliases:
            name = name_of(alias)
            aliases[name] = alias
            if address in to_like:
                to_aliases.add(name)
        if address in to_like:
            catchalls += found.kind is Kind.CATCHALL
            bounces += found.kind is Kind.BOUNCE
        if not found.token:
            continue
        if found.kind is Kind.BOUNCE and address in to_like:
            bounce_tokens.append(found.token)
        elif found.kind in (Kind.CATCHALL, Kind.ALIAS) and is_handle(token := found.token.lower()):
            handles.add(token)
    reverse_path = mail.return_path if mail.envelope.mail_from is None else mail.envelope.mail_from
    reverse_path = None if reverse_path is None else normalise(reverse_path)
    sender = normalise(mail.author.address) if mail.author else ""
    own_sender = bool(sender) and directory.own(sender)
    references = _references(mail)
    return Facts(
        sender=sender,
        own_sender=own_sender,
        author="" if own_sender else sender,
        reverse_path=reverse_path,
        ours=ours,
        aliases=dict(sorted(aliases.items())) if len(aliases) > 1 else aliases,
        to_aliases=frozenset(to_aliases),
        catchall=catchalls > 0,
        catchall_alone=0 < len(to_like) == catchalls,
        bounce=bounces > 0,
        bounce_tokens=tuple(bounce_tokens),
        handles=tuple(sorted(handles)),
        references=references,
        own={message_id: own for message_id in references if (own := read_own(views.keys, message_id)) is not None},
        automatic=_automatic(mail, reverse_path),
    )


def name_of(alias: Alias) -> str:
    """How events name an alias: as the directory's key does; "local@" for one without domain."""
    return f"{alias.local_part}@{alias.domain}"


def names_now(names: Iterable[str], views: Views) -> set[str]:
    """What aliases once called so are called now (D9)."""
    return {name_of(alias) for name in names for alias in views.directory.called(name)}


def record_type_of(alias: Alias) -> str:
    """The type an alias opens; of a bound one that names none, its thread's."""
    return alias.record_type or type_of(alias.thread)


def type_of(thread: str) -> str:
    return thread.partition("/")[0]


def _references(mail: MailReceived) -> tuple[str, ...]:
    """An id that is named twice stands at its last place."""
    if not mail.references and not mail.in_reply_to:
        return ()
    newest_first = dict.fromkeys(reversed((*mail.references, *mail.in_reply_to)))
    return tuple(message_id for message_id in reversed(newest_first) if message_id != mail.message_id)


def _automatic(mail: MailReceived, reverse_path: str | None) -> Automatic | None:
    if mail.automatic is not None and mail.automatic.degree is Degree.ANSWER:
        return mail.automatic
    return NULL_REVERSE_PATH if reverse_path == "" else mail.automatic


def _not_named(envelope: set[str], cc: set[str], known: Mapping[str, Ours | None]) -> set[str]:
    """M3: the envelope recipients that Cc does not name, with a token or without."""
    named = {found.address for address in cc if (found := known[address])}
    return {address for address in envelope - cc if (found := known[address]) is None or found.address not in named}


def _addresses(*fields: tuple[Mailbox, ...]) -> set[str]:
    return {normalise(mailbox.address) for mailboxes in fields for mailbox in mailboxes}
