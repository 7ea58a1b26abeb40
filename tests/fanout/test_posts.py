"""F4-F6, R4, R7, R15: what a copy of a post looks like, and what is put at its ids."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.fanout.letter import answering, references
from postroad.fanout.thread import KeptPost
from postroad.fanout.threads import decide
from postroad.mail.message_id import Flag, Keyring, read_own, reply_handle
from postroad_schemas import key_of, record
from postroad_schemas.chatter import ThreadOpened
from postroad_schemas.directory import AliasDomain
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import (
    Author,
    Automatic,
    Contents,
    Degree,
    Follower,
    Mailbox,
    Post,
    PostKind,
    Stream,
    ThreadLink,
)
from tests.fanout.facts import ALICE, BEN, MARY, NOON, THREAD, at, by, every, follows, only, requests, run, says, views

OPENED = ThreadOpened(
    event_id="o", occurred_at=NOON, trace_id="t", thread=THREAD, title="Chairs", followers=follows("ben", "mary")
)
MAILED = Post(
    message_id="<m1@customer.example>",
    author=Author(address="kim@customer.example", name="Kim, the buyer"),
    subject="Legs",
)


def copy_of(post: Post, **fields: Any) -> OutboundSubmitted:
    return every(OutboundSubmitted, run(views(**fields), OPENED, says(post)).emit)[0]


def test_a_copy_says_whose_it_is_and_where_it_belongs() -> None:
    copies = every(OutboundSubmitted, run(views(), OPENED, says(by(ALICE, contents=Contents(text="Hello")))).emit)
    ben, mary = copies
    assert (ben.recipient, mary.recipient) == ("ben@example.com", "mary@customer.example")
    assert ben.to == (Mailbox(address="ben@example.com", name="Ben"),)
    assert ben.message_id == mary.message_id, "F5: one id for all copies"
    assert ben.event_id != mary.event_id
    assert ben.notification_id != mary.notification_id
    assert ben.stream == Stream.CHATTER
    assert not ben.null_reverse_path
    assert (ben.thread, ben.author, ben.contents.text) == (THREAD, "alice", "Hello")
    assert ben.reply_to == Mailbox(
        name="Example Chairs", address=f"catchall+{reply_handle(views().keys, THREAD)}@example.com"
    )


@pytest.mark.parametrize(
    ("post", "sender", "author"),
    [
        pytest.param(
            MAILED,
            Mailbox(address="kim@customer.example", name="Kim, the buyer"),
            "kim@customer.example",
            id="R15 From as the mail had it",
        ),
        pytest.param(
            Post(message_id="<m@x>", author=Author(address="mary@customer.example", name="M.", contact="mary")),
            Mailbox(address="mary@customer.example", name="M."),
            "mary",
            id="R15 also of a known contact",
        ),
        pytest.param(
            by(ALICE),
            Mailbox(address="alice@example.com", name="Alice"),
            "alice",
            id="R15 an app's post: contact's name",
        ),
        pytest.param(
            Post(author=Author(address="", contact="alice")),
            Mailbox(address="Alice@example.com", name="Alice"),
            "alice",
            id="R15 an app that names the contact alone",
        ),
        pytest.param(
            Post(author=Author(address="", name="The shop")),
            Mailbox(address="notifications@example.com", name="The shop"),
            "",
            id="a name without address at the default From",
        ),
        pytest.param(Post(author=Author(address="")), None, "", id="nobody: the default From"),
    ],
)
def test_from(post: Post, sender: Mailbox | None, author: str) -> None:
    copy = copy_of(post)
    assert (copy.from_, copy.author) == (sender, author)


@pytest.mark.parametrize(
    ("title", "post", "subject"),
    [
        pytest.param("Chairs", MAILED, "Legs", id="the post's"),
        pytest.param("Chairs", by(ALICE), "Re: Chairs", id="else the title's"),
        pytest.param("RE: Chairs", by(ALICE), "RE: Chairs", id="not twice"),
        pytest.param("", by(ALICE), "", id="no title"),
    ],
)
def test_subject(title: str, post: Post, subject: str) -> None:
    opened = msgspec.structs.replace(OPENED, title=title)
    assert every(OutboundSubmitted, run(views(), opened, says(post)).emit)[0].subject == subject


@pytest.mark.parametrize(
    ("post", "submitted"),
    [
        pytest.param(MAILED, None, id="relayed words of people carry no Auto-Submitted"),
        pytest.param(by(ALICE), None, id="nor an app's post"),
        pytest.param(by(ALICE, acknowledgement=True), "auto-generated", id="acknowledgements are auto-generated"),
        pytest.param(
            msgspec.structs.replace(MAILED, automatic=Automatic(degree=Degree.MADE, reason="Precedence: bulk")),
            "auto-generated",
            id="RFC 3834 relayed words of a machine",
        ),
    ],
)
def test_headers(post: Post, submitted: str | None) -> None:
    headers = {header.name: header.value for header in copy_of(post).headers}
    assert headers["X-Postroad-Thread"] == THREAD
    assert headers["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert headers.get("Auto-Submitted") == submitted


def kept(*posts: str) -> tuple[KeptPost, ...]:
    """c1 is a comment, n2 a note."""
    return tuple(KeptPost(name, f"<{name}@own>", note=name.startswith("n")) for name in posts)


@pytest.mark.parametrize(
    ("earlier", "post", "expected"),
    [
        pytest.param(kept(), by(ALICE), "me", id="the first post repeats its own id"),
        pytest.param(kept("c1", "c2", "c3", "c4"), by(ALICE), "c2 c3 c4 me", id="up to three ancestors, nearest last"),
        pytest.param(kept("c1", "n2", "c3", "n4", "c5"), by(ALICE), "c1 c3 c5 me", id="public ones preferred"),
        pytest.param(kept("n1", "c2", "n3", "n4"), by(ALICE), "c2 n3 n4 me", id="then the newest notes"),
        pytest.param(
            kept("c1"),
            by(ALICE, message_id="<mail@own>", in_reply_to="<answered@own>"),
            "c1 answered mail me",
            id="a relayed mail: the message it answers and its own id are the nearest",
        ),
        pytest.param(
            kept("c1", "c2", "c3"),
            by(ALICE, message_id="<mail@own>", in_reply_to="<c1@own>"),
            "c2 c3 c1 mail me",
            id="an ancestor that is answered stands nearest, once",
        ),
        pytest.param(
            kept("c1", "c2"), by(ALICE, opens_new=True), "me", id="R4 answers open a new record: no ancestors"
        ),
    ],
)
def test_references(earlier: tuple[KeptPost, ...], post: Post, expected: str) -> None:
    assert references(post, "<me@own>", earlier) == tuple(f"<{name}@own>" for name in expected.split())


def test_an_ancestor_that_came_by_mail_is_named_by_both_its_ids() -> None:
    relayed = KeptPost("c1", "<c1@own>", message_id="<mail@own>")
    assert references(by(ALICE), "<me@own>", (relayed,)) == ("<mail@own>", "<c1@own>", "<me@own>")


@pytest.mark.parametrize(
    ("earlier", "post", "expected"),
    [
        pytest.param(kept("c1", "n2"), by(ALICE), "<c1@own>", id="a comment: the nearest public ancestor"),
        pytest.param(kept("n1"), by(ALICE), "", id="a comment after notes alone"),
        pytest.param(kept("c1", "n2"), by(ALICE, kind=PostKind.NOTE), "<n2@own>", id="a note: the nearest ancestor"),
        pytest.param(kept("c1", "n2"), by(ALICE, in_reply_to="<n2@own>"), "<c1@own>", id="a comment names no note"),
        pytest.param(
            kept("c1", "n2"), by(ALICE, kind=PostKind.NOTE, in_reply_to="<n2@own>"), "<n2@own>", id="a note may"
        ),
        pytest.param(kept("c1", "c2"), by(ALICE, in_reply_to="<c1@own>"), "<c1@own>", id="what the app names"),
        pytest.param(kept("c1"), by(ALICE, message_id="<m@own>"), "", id="a mail that answers nothing"),
        pytest.param(kept("c1"), by(ALICE, in_reply_to="<c1@own>", opens_new=True), "", id="R4 no ancestors"),
    ],
)
def test_what_a_post_answers(earlier: tuple[KeptPost, ...], post: Post, expected: str) -> None:
    assert answering(post, earlier).in_reply_to == expected


def test_in_reply_to_is_the_message_answered() -> None:
    answer = msgspec.structs.replace(MAILED, in_reply_to="<before@customer.example>")
    first = says(by(BEN), name="first")
    shared = only(OutboundSubmitted, run(views(), OPENED, first).emit).message_id
    assert copy_of(answer).in_reply_to == "<before@customer.example>"
    assert copy_of(MAILED).in_reply_to == "", "a mail that answers nothing"
    second = run(views(), OPENED, first, says(by(ALICE), name="second"))
    assert {copy.in_reply_to for copy in every(OutboundSubmitted, second.emit)} == {shared}


@pytest.mark.parametrize(
    ("post", "flags"),
    [
        pytest.param(by(ALICE), Flag(0), id="a comment"),
        pytest.param(by(ALICE, kind=PostKind.NOTE), Flag.NOTE, id="a note"),
        pytest.param(by(ALICE, acknowledgement=True), Flag.ACKNOWLEDGEMENT, id="an acknowledgement"),
        pytest.param(by(ALICE, opens_new=True), Flag.OPENS_NEW, id="answers open a new record"),
    ],
)
def test_the_shared_id_carries_thread_time_and_flags(post: Post, flags: Flag) -> None:
    found = views()
    emitted = run(found, OPENED, says(post, minutes=3)).emit
    copy = every(OutboundSubmitted, emitted)[0]
    own = read_own(found.keys, copy.message_id)
    assert own is not None
    assert (own.thread, own.flags, own.seconds) == (THREAD, flags, int(at(3).timestamp()))
    assert copy.message_id.endswith("@example.com>")
    settled = every(MessageSettled, emitted)[0]
    assert (settled.note, settled.automatic, settled.opens_new) == (
        Flag.NOTE in flags,
        Flag.ACKNOWLEDGEMENT in flags,
        Flag.OPENS_NEW in flags,
    )


def test_a_post_whose_answers_open_a_new_record_goes_out_without_token() -> None:
    copy = copy_of(by(ALICE, opens_new=True, in_reply_to="<before@customer.example>"))
    assert copy.reply_to is not None
    assert (copy.reply_to.address, copy.in_reply_to) == ("catchall@example.com", "")


def test_the_ids_are_of_the_records_company() -> None:
    opened = msgspec.structs.replace(OPENED, domain="other.example")
    found = views(AliasDomain(name="other.example", company="Other"))
    copy = every(OutboundSubmitted, run(found, opened, says(by(ALICE))).emit)[0]
    assert copy.message_id.endswith("@other.example>")
    assert copy.domain == "other.example"
    assert copy.reply_to is not None
    assert copy.reply_to.name == "Other Chairs"


@pytest.mark.parametrize(
    ("domain", "host"),
    [pytest.param(True, "example.com", id="a domain"), pytest.param(False, "postroad.invalid", id="no domain (D1)")],
)
def test_without_a_signing_key_ids_are_plain_and_there_is_no_handle(domain: bool, host: str) -> None:
    emitted = run(views(key=False, domain=domain), OPENED, says(by(ALICE))).emit
    copy = every(OutboundSubmitted, emitted)[0]
    assert copy.message_id.endswith(f"@{host}>")
    assert "pr1." not in copy.message_id
    assert only(MessageSettled, emitted).settled == copy.message_id
    assert copy.reply_to == (Mailbox(name="Example Chairs", address="catchall@example.com") if domain else None)


def test_the_id_of_a_thread_whose_name_takes_more_than_a_line_is_plain() -> None:
    long = msgspec.structs.replace(says(by(ALICE)), thread="lead/" + "7" * 600)
    emitted = run(views(), msgspec.structs.replace(OPENED, thread=long.thread), long).emit
    message_id = every(OutboundSubmitted, emitted)[0].message_id
    assert len(message_id) < 78
    settled = every(MessageSettled, emitted)[0]
    assert (settled.settled, settled.links[0].thread) == (message_id, long.thread)


def test_post_and_handle_are_settled_at_their_keys() -> None:
    found = views()
    first = requests(by(MARY, message_id="<m0@customer.example>"), followers=follows("mary"))
    post, handle = every(MessageSettled, run(found, first, OPENED, says(by(ALICE))).emit)
    link = ThreadLink(
        thread=THREAD, alias="sales@example.com", record_type="lead", first_message="<m0@customer.example>"
    )
    assert key_of(handle) == reply_handle(found.keys, THREAD)
    assert (post.outcome, post.links, handle.outcome, handle.links) == (
        Outcome.POSTED,
        (link,),
        Outcome.POSTED,
        (link,),
    )
    assert (post.author, post.author_contact) == ("alice@example.com", "alice")
    assert (handle.note, handle.automatic, handle.opens_new, handle.author) == (False, False, False, "")


@pytest.mark.parametrize(
    ("followers", "recipient"),
    [
        pytest.param(follows("mary"), "mary@customer.example", id="P4 the one recipient"),
        pytest.param(follows("mary", "ina", "alice"), "mary@customer.example", id="P4 the only one mailed"),
        pytest.param(follows("mary", "ben"), "", id="P4 two are nobody"),
        pytest.param((), "", id="P4 none"),
    ],
)
def test_the_sole_recipient_is_kept(followers: tuple[Follower, ...], recipient: str) -> None:
    opened = msgspec.structs.replace(OPENED, followers=followers)
    assert every(MessageSettled, run(views(), opened, says(by(ALICE))).emit)[0].recipient == recipient


def test_the_author_of_a_note_is_told_of_the_note_that_answers_it() -> None:
    found, note = views(), by(BEN, kind=PostKind.NOTE)
    opened = msgspec.structs.replace(OPENED, followers=follows("alice"))
    first = run(found, opened, says(note, name="note"))
    asked = only(OutboundSubmitted, first.emit).message_id
    answer = by(ALICE, kind=PostKind.NOTE, in_reply_to=asked, message_id="<a@example.com>")
    told = only(OutboundSubmitted, run(found, says(answer, name="answer"), state=first.state).emit)
    assert told.recipient == "ben@example.com", "R7: though he does not follow"
    comment = msgspec.structs.replace(answer, kind=PostKind.COMMENT)
    assert not every(OutboundSubmitted, run(found, says(comment, name="answer"), state=first.state).emit)


@given(
    st.builds(
        Post,
        post_id=st.sampled_from(["", "app-1"]),
        author=st.builds(Author, address=st.sampled_from(["", "kim@customer.example", "ben@example.com"])),
        kind=st.sampled_from(PostKind),
        subject=st.text(max_size=5),
        acknowledgement=st.booleans(),
        opens_new=st.booleans(),
        in_reply_to=st.sampled_from(["", "<a@b>"]),
        message_id=st.sampled_from(["", "<m@b>"]),
    ),
    st.integers(min_value=-(10**9), max_value=10**6),
)
def test_f6_the_same_post_gives_the_same_ids(post: Post, minutes: int) -> None:
    found, event = views(), says(post, minutes=minutes)
    before = run(found, OPENED).state
    first, again = decide(event, before, found), decide(event, before, found)
    assert first == again, "on the state before: a crash repeats it"
    assert decide(event, first.state, found) == first, "on the state after: it is published twice"
    assert len({record(emitted).value for emitted in first.emit}) == len(first.emit)


def test_f6_one_post_under_two_events_is_one_submission_even_after_the_key_rotated() -> None:
    found, post = views(), by(ALICE, post_id="app-1")
    first = run(found, OPENED, says(post, name="one"))
    found.keys = Keyring(current="b", keys={"a": b"1", "b": b"2"})
    second = run(found, says(post, name="two", minutes=9), state=first.state)
    ids = [
        [(copy.event_id, copy.message_id) for copy in every(OutboundSubmitted, taken.emit)] for taken in (first, second)
    ]
    assert ids[0] == ids[1]
    assert second.state == first.state


def test_only_the_last_posts_are_kept() -> None:
    decision = run(views(), OPENED, *(says(by(ALICE), name=f"p{number}") for number in range(60)))
    assert len(decision.state.posts) == 50
    assert decision.state.first not in {post.own for post in decision.state.posts}, "but the first message stays known"
