"""Of several references and a handle, which thread is meant and what is answered (R3-R5, R7)."""

from typing import Any

import pytest

from postroad.mail.message_id import Flag
from postroad_schemas.chatter import ChatterPosted
from postroad_schemas.directory import ContactKind
from postroad_schemas.mail import MailRouted
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Author, Follower, Post, PostKind, ThreadLink
from tests.routing.mails import BOB, CATCHALL, START, answered, contact, mail, own_id, settled, views
from tests.routing.stories import Story, of, opened

M1, M2 = "<m1@example.org>", "<m2@example.org>"
HANDLE = "abcdefghijklmnop"
OURS_AT_START = own_id(views(), "lead/9", seconds=int(START.timestamp()))


@pytest.mark.parametrize(
    ("to", "references", "known", "thread"),
    [
        pytest.param(
            CATCHALL, (M1, M2), [settled("m1", "lead/1", minute=9), settled("m2", "lead/2")], "lead/1", id="the newest"
        ),
        pytest.param(
            CATCHALL, (M2, M1), [settled("m1", "lead/1", minute=9), settled("m2", "lead/2")], "lead/1", id="any order"
        ),
        pytest.param(
            f"catchall+{HANDLE}@example.com",
            (M1,),
            [settled("m1", "lead/1", minute=9), settled(HANDLE, "lead/2", outcome=Outcome.POSTED)],
            "lead/2",
            id="a token beats references",
        ),
        pytest.param(
            f"catchall+{HANDLE}@example.com",
            (M1,),
            [settled("m1", "lead/1")],
            "lead/1",
            id="an unknown token is nothing",
        ),
        pytest.param(
            CATCHALL,
            (M1, M2),
            [settled("m1", "lead/1"), settled("m2", "lead/2", minute=9, opens_new=True)],
            "lead/1",
            id="R4 answers to it open a new record",
        ),
        pytest.param(
            CATCHALL, (M1, M2), [settled("m1", "lead/1"), settled("m2", "lead/2")], "lead/2", id="a tie: the last named"
        ),
        pytest.param(
            CATCHALL,
            (M2, M1),
            [settled("m1", "lead/1"), settled("m2", "lead/2")],
            "lead/1",
            id="a tie, named otherwise",
        ),
        pytest.param(
            CATCHALL, (OURS_AT_START, M1), [settled("m1", "lead/1")], "lead/1", id="a tie: foreign after ours"
        ),
        pytest.param(
            CATCHALL, (M1, OURS_AT_START), [settled("m1", "lead/1")], "lead/9", id="a tie: ours after foreign"
        ),
        pytest.param(
            CATCHALL,
            (M1, OURS_AT_START),
            [settled("m1", "lead/1", minute=1)],
            "lead/1",
            id="no tie: named last, settled before",
        ),
        pytest.param(CATCHALL, (M1,), [settled("m1", "ticket/1", "lead/2")], "ticket/1", id="several: the first route"),
        pytest.param(
            "sales@example.com",
            (M1,),
            [
                settled(
                    "m1",
                    links=(
                        ThreadLink(thread="ticket/1", alias="support@example.com", record_type="ticket"),
                        ThreadLink(thread="lead/2", alias="sales@example.com", record_type="lead"),
                    ),
                )
            ],
            "lead/2",
            id="several: the one whose alias this mail names",
        ),
    ],
)
def test_r3_which_thread(to: str, references: tuple[str, ...], known: list[MessageSettled], thread: str) -> None:
    found = answered(views(), mail("m3", to=[to], references=references, minute=10), *known)
    assert isinstance(found, MailRouted)
    assert [route.thread for route in found.routes] == [thread]


def test_r5_aliases_that_the_parent_took_make_no_forward() -> None:
    links = (
        ThreadLink(thread="lead/2", alias="sales@example.com", record_type="lead"),
        ThreadLink(thread="ticket/1", alias="support@example.com", record_type="ticket"),
    )
    to = ["sales@example.com", "support@example.com"]
    found = answered(views(), mail("m2", to=to, references=(M1,), minute=1), settled("m1", links=links))
    assert (found.rule, [route.thread for route in getattr(found, "routes", ())]) == ("R3", ["lead/2"])


@pytest.mark.parametrize(
    ("fields", "kind", "tell"),
    [
        pytest.param(
            {"note": True, "author": "ann@x", "author_contact": "c9"}, PostKind.NOTE, "c9", id="its author told"
        ),
        pytest.param({"note": True, "author": "ann@x"}, PostKind.NOTE, "ann@x", id="no contact: by address"),
        pytest.param({"note": True, "author": BOB}, PostKind.NOTE, "", id="one's own note"),
        pytest.param({"note": True, "automatic": True, "author": "ann@x"}, PostKind.COMMENT, "", id="acknowledgement"),
        pytest.param({"author": "ann@x"}, PostKind.COMMENT, "", id="a comment"),
    ],
)
def test_r7_replies_to_notes(fields: dict[str, Any], kind: PostKind, tell: str) -> None:
    found = answered(views(), mail("m2", references=(M1,), minute=1), settled("m1", "lead/1", **fields))
    assert isinstance(found, MailRouted)
    assert (found.routes[0].kind, found.routes[0].tell) == (kind, tell)


def test_r7_a_note_of_ours_is_looked_up_for_its_author_and_stays_a_note_if_nobody_knows() -> None:
    seen = views()
    ours = own_id(seen, flags=Flag.NOTE, seconds=int(START.timestamp()))
    event = mail("m2", references=(ours,), minute=1)
    known = settled(ours, "lead/1", outcome=Outcome.POSTED, note=True, author_contact="c9", author="ann@x")
    for states, tell in (((known,), "c9"), ((), "")):
        found = answered(seen, event, *states)
        assert isinstance(found, MailRouted)
        assert (found.routes[0].kind, found.routes[0].thread, found.routes[0].tell) == (PostKind.NOTE, "lead/1", tell)


NOTE_ON_1 = settled("m1", "lead/1", note=True, author="ann@x", author_contact="c9")
NOTE_ON_2 = settled("m2", "lead/2", minute=5, note=True, author="ann@x", author_contact="c9")
POST_ON_2 = settled("m2", "lead/2", minute=5)
OURS_ON_1 = own_id(views(), flags=Flag.NOTE)
OURS_ON_2 = own_id(views(), "lead/2", seconds=1_800_000_000)


@pytest.mark.parametrize(
    ("fields", "known", "expected"),
    [
        pytest.param({}, [], (PostKind.COMMENT, "", ""), id="alone: a comment"),
        pytest.param({"in_reply_to": (M1,)}, [NOTE_ON_1], (PostKind.NOTE, "c9", M1), id="R7 answers a note there"),
        pytest.param(
            {"references": (M1, M2)},
            [NOTE_ON_1, POST_ON_2],
            (PostKind.NOTE, "c9", M1),
            id="R7 named beside another's post",
        ),
        pytest.param({"in_reply_to": (M2,)}, [NOTE_ON_2], (PostKind.COMMENT, "", M2), id="another thread's note"),
        pytest.param({"in_reply_to": (M2,)}, [POST_ON_2], (PostKind.COMMENT, "", M2), id="another thread's post"),
        pytest.param({"in_reply_to": (M1,)}, [], (PostKind.COMMENT, "", M1), id="an id that nobody knows"),
        pytest.param(
            {"in_reply_to": (OURS_ON_1,)},
            [],
            (PostKind.NOTE, "", OURS_ON_1),
            id="R7 a note of ours that its key forgot",
        ),
        pytest.param(
            {"references": (OURS_ON_1, OURS_ON_2)},
            [settled(OURS_ON_2, "lead/2", outcome=Outcome.POSTED)],
            (PostKind.NOTE, "", OURS_ON_1),
            id="R7 a note of ours beside a newer post of ours elsewhere",
        ),
        pytest.param(
            {"references": (OURS_ON_1, M1)},
            [settled("m1", "lead/1", minute=5)],
            (PostKind.COMMENT, "", M1),
            id="R3 of two there the newest is answered",
        ),
        pytest.param(
            {"references": (M2,), "in_reply_to": (M1,)},
            [settled("m1", "lead/1"), settled("m2", "lead/1", note=True, author="ann@x")],
            (PostKind.COMMENT, "", M1),
            id="R3 a tie there: In-Reply-To counts as the last",
        ),
        pytest.param(
            {"references": (M1,), "in_reply_to": (M2,)},
            [settled("m1", "lead/1"), settled("m2", "lead/1", note=True, author="ann@x")],
            (PostKind.NOTE, "ann@x", M2),
            id="R7 a tie there, and In-Reply-To names the note",
        ),
    ],
)
def test_r3_r7_a_handle_says_which_thread_and_a_reference_there_what_is_answered(
    fields: dict[str, Any], known: list[MessageSettled], expected: tuple[PostKind, str, str]
) -> None:
    event = mail("m3", to=[f"catchall+{HANDLE}@example.com"], minute=10, **fields)
    found = answered(views(), event, settled(HANDLE, "lead/1", outcome=Outcome.POSTED), *known)
    assert isinstance(found, MailRouted)
    (route,) = found.routes
    assert (route.thread, route.parent) == ("lead/1", "<first@x>")
    assert (route.kind, route.tell, route.answers) == expected


def test_r7_a_note_answered_through_its_reply_to_reaches_no_external_follower() -> None:
    seen = views()
    for name in ("ann", "ben"):
        contact(seen, name, f"{name}@example.com", kind=ContactKind.INTERNAL)
    story = Story(seen)
    story.tell(opened("lead/1", *(Follower(contact=name) for name in ("ann", "ben", "c1"))))
    ann = Author(address="ann@example.com", contact="ann")
    note = ChatterPosted(
        event_id="n", trace_id="n", occurred_at=START, thread="lead/1", post=Post(author=ann, kind=PostKind.NOTE)
    )
    (copy,) = of(OutboundSubmitted, story.tell(note))
    assert copy.recipient == "ben@example.com"
    answer = mail(
        "m1",
        to=[copy.reply_to.address],
        sender="ben@example.com",
        references=copy.references,
        in_reply_to=(copy.message_id,),
        minute=1,
    )
    assert "+" in copy.reply_to.address
    (post,) = of(ChatterPosted, story.tell(answer))
    assert (post.thread, post.post.kind, post.post.parent) == ("lead/1", PostKind.NOTE, copy.message_id)
    assert [copy.recipient for copy in of(OutboundSubmitted, story.out)] == ["ann@example.com"]
