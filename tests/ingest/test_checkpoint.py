"""What is taken from a mailbox at each poll (I4), as tables: UIDs as the server tells them, and what is pending."""

import msgspec
import pytest

from postroad.ingest.checkpoint import (
    NAMED,
    OCTETS,
    Checkpoint,
    Look,
    Uid,
    accepted,
    batches,
    file_name,
    in_turn,
    listed,
    looked,
    marked,
    session,
    sought,
)
from postroad_schemas.directory import Credentials, IncomingMailbox, Protocol

KNOWN = Checkpoint(uidvalidity=7, high=5, pending=(3,))
ROW = IncomingMailbox(
    name="office", host="imap.example.net", port=993, credentials=Credentials(username="office", secret="env:OFFICE")
)


def look(uids: dict[int, str], uidvalidity: int = 7) -> Look:
    """UIDs with "seen" or "unseen"."""
    return Look(uidvalidity, frozenset(uids), frozenset(uid for uid, flag in uids.items() if flag == "unseen"))


@pytest.mark.parametrize(
    ("known", "found", "pending", "high"),
    [
        pytest.param(None, {}, (), 0, id="first poll of an empty mailbox"),
        pytest.param(
            None, {1: "seen", 2: "unseen", 4: "seen"}, (2,), 4, id="first poll: unseen mails, up to the highest"
        ),
        pytest.param(None, {9: "unseen", 2: "unseen"}, (2, 9), 9, id="in the order of arrival"),
        pytest.param(KNOWN, {3: "unseen", 6: "unseen"}, (3, 6), 6, id="every one above, and those not yet accepted"),
        pytest.param(KNOWN, {3: "seen", 6: "unseen"}, (3, 6), 6, id="not yet accepted, read by a person meanwhile"),
        pytest.param(KNOWN, {3: "unseen", 6: "seen", 7: "seen"}, (3, 6, 7), 7, id="above, read by a person meanwhile"),
        pytest.param(KNOWN, {2: "unseen", 3: "seen"}, (2, 3), 5, id="below, marked unread by a person"),
        pytest.param(
            KNOWN, {2: "seen", 3: "seen", 5: "seen"}, (3,), 5, id="below and seen: it was taken, or never ours"
        ),
        pytest.param(KNOWN, {6: "unseen"}, (6,), 6, id="not yet accepted, but gone from the server"),
        pytest.param(
            KNOWN, {3: "seen", 5: "seen"}, (3,), 5, id="the highest one told again, as n:* does, is not above"
        ),
        pytest.param(KNOWN, {}, (), 5, id="an emptied mailbox forgets nothing of what was taken"),
    ],
)
def test_what_is_taken(known: Checkpoint | None, found: dict[int, str], pending: tuple[int, ...], high: int) -> None:
    made = looked(known, look(found))
    assert (made.pending, made.high, made.uidvalidity) == (pending, high, 7)


@pytest.mark.parametrize(
    ("found", "pending"),
    [
        pytest.param({1: "unseen", 2: "seen"}, (1,), id="unseen mails, however low"),
        pytest.param({1: "seen", 3: "seen", 6: "seen"}, (), id="none of the former numbers means anything"),
    ],
)
def test_another_uidvalidity_starts_anew(found: dict[int, str], pending: tuple[int, ...]) -> None:
    made = looked(KNOWN, look(found, uidvalidity=8))
    assert made == Checkpoint(uidvalidity=8, high=max(found), pending=pending)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        pytest.param(None, "1:*", id="at first all"),
        pytest.param(KNOWN, "3,6:*", id="then those not yet accepted, and above"),
        pytest.param(msgspec.structs.replace(KNOWN, pending=()), "6:*", id="nothing pending"),
        pytest.param(msgspec.structs.replace(KNOWN, uidvalidity=8), "1:*", id="another UIDVALIDITY"),
        pytest.param(
            Checkpoint(uidvalidity=7, high=9000, pending=(7, *range(20, 20 + NAMED))),
            "7:*",
            id="too many to be named: all from the first on",
        ),
    ],
)
def test_what_is_asked_for(known: Checkpoint | None, asked: str) -> None:
    assert sought(known, 7) == asked


def test_accepted_is_pending_no_more_and_waits_for_its_flag() -> None:
    made = accepted(KNOWN, 3)
    assert (made.pending, made.unmarked, made.high) == ((), (3,), 5)
    assert marked(made, 3).unmarked == ()
    several = accepted(Checkpoint(pending=(1, 2, 3, 4)), 1, 3)
    assert (several.pending, several.unmarked) == ((2, 4), (1, 3))
    assert marked(several, 3).unmarked == (1,)


@pytest.mark.parametrize(
    ("found", "pending", "unmarked"),
    [
        pytest.param({3: "unseen", 5: "seen"}, (), (3,), id="the flag did not stick: only it is set again"),
        pytest.param({3: "seen"}, (), (), id="marked meanwhile"),
        pytest.param({}, (), (), id="gone meanwhile"),
    ],
)
def test_accepted_and_unmarked(found: dict[int, str], pending: tuple[int, ...], unmarked: tuple[int, ...]) -> None:
    made = looked(accepted(KNOWN, 3), look(found))
    assert (made.pending, made.unmarked) == (pending, unmarked)


@pytest.mark.parametrize(
    ("known", "uidls", "pending", "unmarked"),
    [
        pytest.param(None, ["a", "b"], ("a", "b"), (), id="all that is there"),
        pytest.param(Checkpoint(unmarked=("a",)), ["a", "b"], ("b",), ("a",), id="accepted, only to be deleted"),
        pytest.param(Checkpoint(unmarked=("a",)), ["b"], ("b",), (), id="accepted and deleted"),
        pytest.param(Checkpoint(pending=("a",)), ["a"], ("a",), (), id="not accepted last time"),
        pytest.param(None, ["a", "a"], ("a",), (), id="RFC 1939 7: equal mails may share an id"),
    ],
)
def test_pop3(known: Checkpoint | None, uidls: list[str], pending: tuple[str, ...], unmarked: tuple[str, ...]) -> None:
    assert listed(known, uidls) == Checkpoint(pending=pending, unmarked=unmarked)


@pytest.mark.parametrize(
    ("failures", "order"),
    [
        pytest.param({}, [1, 2, 3, 4], id="as they came"),
        pytest.param({1: 1, 2: 1}, [3, 4, 1, 2], id="I3: what failed holds up no other"),
        pytest.param({1: 2, 2: 3, 3: 1, 4: 1}, [3, 4, 1, 2], id="I3: the more often, the later"),
    ],
)
def test_turns(failures: dict[Uid, int], order: list[Uid]) -> None:
    assert in_turn((1, 2, 3, 4), failures) == order


@pytest.mark.parametrize(
    ("sizes", "suspects", "made"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([1] * 3, [], [3], id="few at first"),
        pytest.param([1] * 150, [], [3, 6, 12, 24, 48, 48, 9], id="then ever more, up to a limit"),
        pytest.param([OCTETS // 2] * 4, [], [2, 2], id="so many octets"),
        pytest.param([OCTETS // 2, OCTETS // 2 + 1], [], [1, 1], id="one octet more"),
        pytest.param([OCTETS * 5, 1, 1], [], [1, 2], id="a large one alone"),
        pytest.param([1] * 5, [1], [1, 1, 3], id="one at which a session was lost alone"),
        pytest.param([1, None, 1], [], [1, 1, 1], id="one whose size is not known alone"),
    ],
)
def test_what_is_fetched_together(sizes: list[int | None], suspects: list[int], made: list[int]) -> None:
    known: dict[Uid, int] = {uid: size for uid, size in enumerate(sizes) if size is not None}
    found = list(batches(range(len(sizes)), known, suspects))
    assert [len(batch) for batch in found] == made
    assert [uid for batch in found for uid in batch] == list(range(len(sizes)))


@pytest.mark.parametrize("uid", [pytest.param(4_294_967_295, id="IMAP"), pytest.param("QhdPYR:00WBw1Ph7x7", id="POP3")])
def test_kept_as_it_was(uid: Uid) -> None:
    made = Checkpoint(uidvalidity=1, high=2, pending=(uid,), unmarked=(uid,))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Checkpoint) == made


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"interval": 5}, True, id="another interval"),
        pytest.param({"name": "sales"}, False, id="another mailbox"),
        pytest.param({"host": "mail.example.org"}, False, id="another server, whose UIDs may be the same"),
        pytest.param({"folder": "Leads"}, False, id="another folder"),
        pytest.param({"protocol": Protocol.POP3}, False, id="another protocol"),
    ],
)
def test_what_a_uid_is_of(change: dict[str, object], same: bool) -> None:
    other = msgspec.structs.replace(ROW, **change)
    assert (session(other, 1) == session(ROW, 1)) is same
    assert (file_name(other) == file_name(ROW)) is same
    assert session(ROW, 2) != session(ROW, 1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "büro", "a" * 500, "a b/c\x00", ""])
def test_any_name_makes_a_file_name(name: str) -> None:
    made = file_name(msgspec.structs.replace(ROW, name=name))
    assert len(made) < 80
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert not made.startswith("..")
