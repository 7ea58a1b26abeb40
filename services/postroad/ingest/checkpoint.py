"""What was taken from a mailbox and what is still to be taken (I4, I8). Pure: doors and dry runs share it.

UIDs are IMAP's (RFC 9051 2.3.1.1) or POP3's unique ids (RFC 1939 7). The flag on the server is a courtesy: what counts
is kept here, so that a mail which a person has read meanwhile is still taken.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from postroad_schemas.directory import IncomingMailbox

FIRST, MOST = 3, 48  # mails in the first batch of a poll, and in later ones
OCTETS = 4 * 1024 * 1024  # of a batch; a larger mail is one of its own
NAMED = 500  # UIDs that one command names (RFC 2683 3.2.1.5: lines of 8000 octets are the least that servers take)

Uid = int | str

replace = msgspec.structs.replace


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Of one mailbox. Losing it means asking again: unseen mails are taken, and a repeat has the same event id."""

    uidvalidity: int = 0
    high: int = 0  # the highest UID that was ever seen
    pending: tuple[Uid, ...] = ()  # up to it, not yet accepted; in the order of arrival
    unmarked: tuple[Uid, ...] = ()  # accepted, but the server does not say so yet: only to be marked


@dataclass(frozen=True, slots=True)
class Look:
    """What an IMAP folder answers. `uids` are all of those that were `sought`; more do no harm."""

    uidvalidity: int
    uids: frozenset[int] = field(default=frozenset())
    unseen: frozenset[int] = field(default=frozenset())


def sought(known: Checkpoint | None, uidvalidity: int) -> str:
    """The UIDs to ask for beside the unseen ones, as a sequence set (RFC 9051 9)."""
    if known is None or known.uidvalidity != uidvalidity:
        return "1:*"
    if len(known.pending) > NAMED:
        return f"{min(map(int, known.pending))}:*"
    return ",".join([*map(str, known.pending), f"{known.high + 1}:*"])


def looked(known: Checkpoint | None, look: Look) -> Checkpoint:
    """What is pending now. Where UIDVALIDITY changed, what was known means nothing: it starts anew."""
    if known is None or known.uidvalidity != look.uidvalidity:
        every = look.uids | look.unseen
        return Checkpoint(uidvalidity=look.uidvalidity, high=max(every, default=0), pending=tuple(sorted(look.unseen)))
    above = {uid for uid in look.uids if uid > known.high}
    still = look.uids.intersection(known.pending)  # what is gone from the server cannot be taken
    unmarked = look.unseen.intersection(known.unmarked)
    pending = (above | still | look.unseen) - unmarked
    return Checkpoint(
        uidvalidity=known.uidvalidity,
        high=max(known.high, *pending) if pending else known.high,
        pending=tuple(sorted(pending)),
        unmarked=tuple(sorted(unmarked)),
    )


def listed(known: Checkpoint | None, uidls: Iterable[str]) -> Checkpoint:
    """POP3: all that is there is pending, but for what was accepted and only waits to be deleted."""
    there = tuple(dict.fromkeys(uidls))
    accepted = set(known.unmarked) if known else set()
    return Checkpoint(
        pending=tuple(uidl for uidl in there if uidl not in accepted),
        unmarked=tuple(uidl for uidl in there if uidl in accepted),
    )


def accepted(checkpoint: Checkpoint, *uids: Uid) -> Checkpoint:
    """After acceptance and not before (I2)."""
    taken = set(uids)
    pending = tuple(uid for uid in checkpoint.pending if uid not in taken)
    return replace(checkpoint, pending=pending, unmarked=(*checkpoint.unmarked, *uids))


def marked(checkpoint: Checkpoint, *uids: Uid) -> Checkpoint:
    """The server keeps them as seen."""
    seen = set(uids)
    return replace(checkpoint, unmarked=tuple(uid for uid in checkpoint.unmarked if uid not in seen))


def in_turn(pending: Iterable[Uid], failures: Mapping[Uid, int]) -> list[Uid]:
    """I3: what failed comes last, the more often the later, so that it holds up no other."""
    return sorted(pending, key=lambda uid: failures.get(uid, 0))


def batches(uids: Iterable[Uid], sizes: Mapping[Uid, int], suspects: Collection[Uid]) -> Iterator[list[Uid]]:
    """What is fetched together: few at first, as store or log may be away, and so many octets at most.

    Alone are `suspects`, which may have cost us a session, and those whose size is not known.
    """
    batch: list[Uid] = []
    most, octets = FIRST, 0
    for uid in uids:
        alone = uid in suspects or uid not in sizes
        if batch and (alone or len(batch) == most or octets + sizes[uid] > OCTETS):
            yield batch
            batch, octets, most = [], 0, min(most * 2, MOST)
        if alone:
            yield [uid]
        else:
            batch.append(uid)
            octets += sizes[uid]
    if batch:
        yield batch


def place(mailbox: IncomingMailbox) -> str:
    """Which mailbox of which server it is: what stood at another place is not known at this one."""
    where = f"{mailbox.credentials.username}@{mailbox.host}:{mailbox.port}/{mailbox.folder}"
    return f"{mailbox.name} {mailbox.protocol} {where}"


def session(mailbox: IncomingMailbox, uidvalidity: int) -> str:
    """I8: with the UID it names an acceptance. UIDs alone repeat from server to server."""
    return f"{place(mailbox)} {uidvalidity}"


def file_name(mailbox: IncomingMailbox) -> str:
    """A name that any file system takes."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in mailbox.name)[:40]
    return f"{plain}.{hashlib.sha256(place(mailbox).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"
