"""What leaves the guard for one mail (R16, L5, L6)."""

from datetime import timedelta

import msgspec
import pytest

from postroad.loop_guard.budgets import BUDGETS
from postroad_schemas import read, record
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.mail import HeldMail, MailRefused, Refusal, RefusalReason, Route
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Author, Follower, Post, PostKind, ThreadLink
from tests.loop_guard.mails import ALIAS, AUTHOR, BOB, LEAD, REPLY, START, WORDS, Guard, routed

KNOWN = Author(address="bob@example.org", name="Bob", contact="c1")
REFUSED = Refusal(reason=RefusalReason.POLICY, rule="R12", alias="jobs@example.com")


def replaced(route: Route, **fields: object) -> Route:
    return msgspec.structs.replace(route, **fields)


def test_a_mail_without_budgets_goes_straight_through() -> None:
    """L4: senders that are not limited."""
    guard = Guard()
    requested, settled = guard.take(routed("m", 0, []))
    assert isinstance(requested, RecordRequested)
    assert isinstance(settled, MessageSettled)
    assert not guard.states["none <m@example.org>"].recent.entries


def test_a_new_record() -> None:
    """R14: thread, title, alias and defaults as routing has them, the mail as first post."""
    [requested, settled] = Guard().take(routed("m", 0))
    assert isinstance(requested, RecordRequested)
    assert (requested.thread, requested.record_type, requested.title) == ("lead/1", "lead", "Hello")
    assert (requested.alias, requested.defaults, requested.rule) == ("sales@example.com", {"team": 3}, "R9")
    assert (requested.mail_id, requested.directory_version, requested.trace_id) == ("m", 4, "m")
    assert (requested.post.message_id, requested.post.author) == ("<m@example.org>", BOB)
    assert requested.followers == ()
    assert requested.notice.addressee == "bob@example.org"
    assert isinstance(settled, MessageSettled)
    assert settled.links == (
        ThreadLink(
            thread="lead/1", alias="sales@example.com", record_type="lead", first_message="<m@example.org>", new=True
        ),
    )
    assert (settled.settled, settled.mail_id, settled.author) == ("<m@example.org>", "m", "bob@example.org")
    assert (settled.outcome, settled.rule, settled.former) == (Outcome.DELIVERED, "R9", "")
    assert settled.occurred_at == START


@pytest.mark.parametrize(
    ("author", "follow", "followers"),
    [
        pytest.param(KNOWN, True, (Follower(contact="c1", name="Bob"),), id="a known contact follows"),
        pytest.param(KNOWN, False, (), id="unless routing says no"),
        pytest.param(BOB, True, (Follower(address="bob@example.org", name="Bob"),), id="an address that follows"),
        pytest.param(Author(address=""), True, (), id="nobody"),
    ],
)
def test_who_follows_a_new_record(author: Author, follow: bool, followers: tuple[Follower, ...]) -> None:
    """R14, R15."""
    [requested, _] = Guard().take(routed("m", 0, routes=(replaced(LEAD, author=author, follow=follow),)))
    assert isinstance(requested, RecordRequested)
    assert requested.followers == followers


@pytest.mark.parametrize(
    ("tell", "told"),
    [
        pytest.param("", (), id="nobody beside the followers"),
        pytest.param("c9", (Follower(contact="c9"),), id="the note's author, a contact"),
        pytest.param("ann@example.com", (Follower(address="ann@example.com"),), id="the note's author, an address"),
    ],
)
def test_a_reply_to_a_note_stays_a_note(tell: str, told: tuple[Follower, ...]) -> None:
    """R7."""
    note = replaced(REPLY, kind=PostKind.NOTE, tell=tell, author=KNOWN, follow=True)
    [posted, settled] = Guard().take(routed("m", 0, routes=(note,)))
    assert isinstance(posted, ChatterPosted)
    assert isinstance(settled, MessageSettled)
    assert (posted.thread, posted.follow, posted.rule) == ("ticket/7", True, "R3")
    assert (posted.post.kind, posted.post.parent, posted.post.author) == (PostKind.NOTE, "<first@x>", KNOWN)
    assert posted.post.notify == told
    assert settled.note
    assert settled.author_contact == "c1"
    assert settled.links[0].first_message == "<first@x>"


def test_flags_of_the_post_are_settled_with_it() -> None:
    """R4, R7."""
    post = Post(author=BOB, acknowledgement=True, opens_new=True)
    [_, settled] = Guard().take(routed("m", 0, post=post))
    assert isinstance(settled, MessageSettled)
    assert settled.automatic
    assert settled.opens_new


def test_a_mail_travels_as_one() -> None:
    """R16: all its routes, one refusal for the refused ones, one outcome."""
    emitted = Guard().take(routed("m", 0, routes=(LEAD, REPLY), refusals=(REFUSED,)))
    assert [type(e) for e in emitted] == [RecordRequested, ChatterPosted, MailRefused, MessageSettled]
    refused, settled = emitted[2:]
    assert isinstance(refused, MailRefused)
    assert isinstance(settled, MessageSettled)
    assert (refused.refusals, refused.notice.addressee, refused.window) == ((REFUSED,), "bob@example.org", 7200)
    assert (refused.subject, refused.references) == ("Hello", ("<a@x>",))
    assert (settled.outcome, settled.refusals, len(settled.links)) == (Outcome.DELIVERED, (REFUSED,), 2)


def test_a_refusal_that_its_fingerprint_carried() -> None:
    """L6 before R8: the first copy is refused with its notice, the second stopped silently."""
    guard = Guard()
    first = guard.take(routed("a", 0, [WORDS], routes=(), refusals=(REFUSED,)))
    second = guard.take(routed("b", 1, [WORDS], routes=(), refusals=(REFUSED,)))
    assert [type(e) for e in first] == [MailRefused, MessageSettled]
    assert isinstance(first[-1], MessageSettled)
    assert first[-1].outcome is Outcome.REFUSED
    assert [type(e) for e in second] == [MessageSettled]
    assert isinstance(second[0], MessageSettled)
    assert second[0].outcome is Outcome.REPEATED


@pytest.mark.parametrize("addressee", [pytest.param("bob@example.org", id="told"), pytest.param("", id="not told")])
def test_a_blocked_mail_is_held_not_lost(addressee: str) -> None:
    """L5: kept as it was; the refusal says loop_limit; the notice is routing's to allow."""
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n))
    mail = routed("over", 2, refusals=(REFUSED,), addressee=addressee)
    held, refused, settled = guard.take(mail)
    assert isinstance(held, HeldMail)
    assert isinstance(refused, MailRefused)
    assert isinstance(settled, MessageSettled)
    assert (held.mail, held.rule, held.occurred_at) == (mail.mail, "L1", START + timedelta(minutes=2))
    assert (
        held.reason
        == "more than 2 within 120 minutes through one alias by one author: sales@example.com bob@example.org"
    )
    limit = Refusal(reason=RefusalReason.LOOP_LIMIT, rule="L1", alias="sales@example.com")
    assert refused.refusals == settled.refusals == (limit,)
    assert refused.notice.addressee == addressee
    assert (settled.outcome, settled.links, settled.why) == (Outcome.HELD, (), held.reason)


def test_every_emission_is_one_of_the_stage_and_reads_back() -> None:
    guard = Guard()
    for n in range(4):
        guard.take(routed(f"m{n}", n, [WORDS, AUTHOR, ALIAS][n % 2 :], (LEAD, REPLY), (REFUSED,)))
    for emission in guard.out:
        wire = record(emission)
        assert wire.value is not None
        assert wire.topic in BUDGETS.writes
        assert read(wire.topic, wire.value) == emission
    ids = [emission.event_id for emission in guard.out if hasattr(emission, "event_id")]
    assert len(set(ids)) == len(guard.out)
