"""F1-F3, L7: who is told of a post, how and why."""

import pytest

from postroad.views import Views
from postroad_schemas import key_of, notification_id
from postroad_schemas.chatter import Channel, NotificationPlanned, PlanReason, ThreadFollowed
from postroad_schemas.directory import Alias, Contact, ContactKind, Match, Parameter
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Automatic, Degree, Follower, Post, PostKind
from tests.fanout.facts import ALICE, BEN, MARY, NOON, THREAD, blacklist, by, every, follows, only, run, says, views

MACHINE = Automatic(degree=Degree.ANSWER, reason="Auto-Submitted: auto-replied")
NOTE = PostKind.NOTE


def told(post: Post, followers: tuple[Follower, ...], found: Views) -> dict[str, tuple[Channel, PlanReason]]:
    follow = ThreadFollowed(event_id="f", occurred_at=NOON, trace_id="t", thread=THREAD, followers=followers)
    emitted = run(found, follow, says(post)).emit
    plan = only(NotificationPlanned, emitted)
    assert emitted[0] is plan, "F3: the plan precedes every copy"
    mailed = [entry.address for entry in plan.followers if entry.channel == Channel.MAIL]
    assert [copy.recipient.lower() for copy in every(OutboundSubmitted, emitted)] == mailed
    assert all(bool(entry.notification_id) == (entry.channel == Channel.MAIL) for entry in plan.followers)
    return {entry.contact or entry.address: (entry.channel, entry.reason) for entry in plan.followers}


@pytest.mark.parametrize(
    ("follower", "post", "reason"),
    [
        pytest.param("ben", by(ALICE), PlanReason.FOLLOWS, id="F1 a follower is told by mail"),
        pytest.param("mary", by(ALICE), PlanReason.FOLLOWS, id="F1 an external follower is told of a comment"),
        pytest.param("x@other.example", by(ALICE), PlanReason.FOLLOWS, id="F1 a bare address is told of a comment"),
        pytest.param("alice", by(ALICE), PlanReason.AUTHOR, id="F1 not the author"),
        pytest.param("ben", by("b@home.example"), PlanReason.AUTHOR, id="F1 not the author, at his other address"),
        pytest.param("Mary@Customer.example", by(MARY), PlanReason.AUTHOR, id="F1 not the author as bare address"),
        pytest.param("ina", by(ALICE), PlanReason.IN_APP, id="F1 in-app contacts get an entry"),
        pytest.param("gone", by(ALICE), PlanReason.ARCHIVED, id="F1 archived contacts get nothing"),
        pytest.param("gone@customer.example", by(ALICE), PlanReason.ARCHIVED, id="F1 archived, as bare address"),
        pytest.param("mary", by(ALICE, kind=NOTE), PlanReason.NOTE, id="F1 a note is not for external followers"),
        pytest.param("x@other.example", by(ALICE, kind=NOTE), PlanReason.NOTE, id="F1 nor for bare addresses"),
        pytest.param("ben", by(ALICE, kind=NOTE), PlanReason.FOLLOWS, id="F1 a note is for internal followers"),
        pytest.param("ben@example.com", by(ALICE, kind=NOTE), PlanReason.FOLLOWS, id="F1 an internal bare address"),
        pytest.param("mute", by(ALICE), PlanReason.NO_ADDRESS, id="a contact without address"),
        pytest.param("unheard-of", by(ALICE), PlanReason.NO_ADDRESS, id="a contact nobody knows"),
        pytest.param(
            "mary", by(ALICE, mailed_to=("mary@customer.example",)), PlanReason.ALREADY_ADDRESSED, id="F2 To or Cc"
        ),
        pytest.param(
            "ben", by(ALICE, mailed_to=("b@home.example",)), PlanReason.ALREADY_ADDRESSED, id="F2 at his other address"
        ),
        pytest.param(
            "ina", by(ALICE, mailed_to=("ina@example.com",)), PlanReason.IN_APP, id="F2 an entry is no second copy"
        ),
        pytest.param("sales@example.com", by(ALICE), PlanReason.OWN_ADDRESS, id="R15 an alias never follows"),
        pytest.param("catchall+x@example.com", by(ALICE), PlanReason.OWN_ADDRESS, id="R15 nor catchall with a token"),
        pytest.param("bounce@example.com", by(ALICE), PlanReason.OWN_ADDRESS, id="R15 nor the bounce address"),
        pytest.param("notifications@example.com", by(ALICE), PlanReason.OWN_ADDRESS, id="R15 nor the default From"),
        pytest.param("mary", by("m@x.example", automatic=MACHINE), PlanReason.AUTOMATIC, id="L7 no external follower"),
        pytest.param(
            "x@o.example", by("m@x.example", automatic=MACHINE), PlanReason.AUTOMATIC, id="L7 no bare address"
        ),
        pytest.param("ben", by("m@x.example", automatic=MACHINE), PlanReason.FOLLOWS, id="L7 internal followers are"),
        pytest.param(
            "mary", by(ALICE, acknowledgement=True), PlanReason.FOLLOWS, id="R7 our own acknowledgement goes out"
        ),
    ],
)
def test_each_follower_has_a_reason(follower: str, post: Post, reason: PlanReason) -> None:
    channels = {PlanReason.FOLLOWS: Channel.MAIL, PlanReason.IN_APP: Channel.IN_APP}
    assert list(told(post, follows(follower), views()).values()) == [(channels.get(reason, Channel.NONE), reason)]


def test_r13_a_strangers_address_with_an_aliass_local_part_is_told() -> None:
    anywhere = Alias(local_part="commercial", record_type="lead", match=Match.LOCAL)
    plan = told(by(ALICE), follows("commercial@stranger.example", "commercial@example.com"), views(anywhere))
    assert plan["commercial@stranger.example"] == (Channel.MAIL, PlanReason.FOLLOWS)
    assert plan["commercial@example.com"] == (Channel.NONE, PlanReason.OWN_ADDRESS)


@pytest.mark.parametrize(
    ("kind", "who", "expected"),
    [
        pytest.param(PostKind.COMMENT, follows("ben"), (Channel.MAIL, PlanReason.ADDRESSED), id="F1 a comment"),
        pytest.param(NOTE, follows("ben"), (Channel.MAIL, PlanReason.ADDRESSED), id="F1 a note"),
        pytest.param(NOTE, follows("mary"), (Channel.MAIL, PlanReason.ADDRESSED), id="F1 a note, external, by name"),
        pytest.param(NOTE, follows("gone"), (Channel.NONE, PlanReason.ARCHIVED), id="F1 archived even by name"),
        pytest.param(NOTE, follows("alice"), (Channel.NONE, PlanReason.AUTHOR), id="F1 not himself"),
    ],
)
def test_addressed_by_name_without_following(
    kind: PostKind, who: tuple[Follower, ...], expected: tuple[Channel, PlanReason]
) -> None:
    assert list(told(by(ALICE, kind=kind, notify=who), (), views()).values()) == [expected]


def test_nobody_addressed_by_name_is_nobody() -> None:
    assert told(by(ALICE, notify=(Follower(),)), (), views()) == {}


def test_an_internal_follower_may_leave_out_notes() -> None:
    assert told(by(ALICE, kind=NOTE), follows("ben", notes=False), views())["ben"] == (Channel.NONE, PlanReason.NOTE)
    assert told(by(ALICE), follows("ben", notes=False), views())["ben"] == (Channel.MAIL, PlanReason.FOLLOWS)


def test_two_followers_of_one_address_get_one_copy() -> None:
    plan = told(by(ALICE), follows("mary", "mary2"), views(contacts=(ALICE, MARY, _twin())))
    assert sorted(plan.values()) == [
        (Channel.MAIL, PlanReason.FOLLOWS),
        (Channel.NONE, PlanReason.ALREADY_ADDRESSED),
    ]


def _twin() -> Contact:
    return Contact(contact_id="mary2", addresses=("MARY@customer.example",), kind=ContactKind.EXTERNAL)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        pytest.param("false", PlanReason.FOLLOWS, id="O7 the blacklist does not silence chatter"),
        pytest.param("true", PlanReason.SUPPRESSED, id="O7 unless the setting says so"),
    ],
)
def test_blacklisted_followers(setting: str, reason: PlanReason) -> None:
    found = blacklist(views(Parameter(name="mail.blacklist.chatter", value=setting)), "mary@customer.example")
    assert told(by(ALICE), follows("mary"), found)["mary"][1] == reason


def test_a_copy_goes_to_the_contacts_first_address_unless_the_follower_names_another_of_his() -> None:
    at_home = ThreadFollowed(
        event_id="f",
        occurred_at=NOON,
        trace_id="t",
        thread=THREAD,
        followers=(
            Follower(contact="ben", address="B@home.example"),
            Follower(contact="alice", address="old@x.example"),
        ),
    )
    copies = every(OutboundSubmitted, run(views(), at_home, says(by(MARY))).emit)
    assert [(copy.recipient, copy.to[0].name) for copy in copies] == [
        ("Alice@example.com", "Alice"),
        ("b@home.example", "Ben"),
    ]
    assert copies[1].notification_id == notification_id(copies[1].message_id, "b@home.example")
    assert BEN.addresses[0] == "ben@example.com"


def test_a_copy_has_the_key_of_the_address_that_the_plan_names() -> None:
    """However the app wrote it: dispatch counts and bounces book by the normalised one."""
    zoe = Contact(contact_id="zoe", addresses=("Zoe@Straße.DE",))
    emitted = run(views(contacts=(ALICE, zoe)), says(by(ALICE, notify=follows("zoe")))).emit
    (planned,) = only(NotificationPlanned, emitted).followers
    assert key_of(only(OutboundSubmitted, emitted)) == planned.address == "zoe@xn--strae-oqa.de"
