"""Section R, rule by rule, on the mail's own key."""

from typing import Any

import pytest

from postroad.mail.message_id import Flag
from postroad_schemas.directory import Alias, Credentials, IncomingMailbox
from postroad_schemas.mail import (
    HeldMail,
    MailReceived,
    MailRefused,
    MailRouted,
)
from postroad_schemas.message import Outcome, ThreadSought
from postroad_schemas.values import Envelope, PostKind
from tests.routing.mails import (
    BOB,
    BOUNCE,
    CATCHALL,
    DIRECTORY,
    PLAIN,
    answered,
    boxes,
    end,
    mail,
    own_id,
    settled,
    take,
    told,
    views,
)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(mail(to=["sales@example.com"]), ["new lead sales@example.com"], id="R9 an alias"),
        pytest.param(
            mail(to=["support@example.com", "sales@example.com"]),
            ["new lead sales@example.com", "new ticket support@example.com"],
            id="R9 two aliases",
        ),
        pytest.param(mail(cc=["sales@example.com"]), ["new lead sales@example.com"], id="R9 an alias in Cc"),
        pytest.param(
            mail(to=[CATCHALL], cc=["sales@example.com"]), ["new lead sales@example.com"], id="R8 Cc decides instead"
        ),
        pytest.param(
            mail(envelope=Envelope(mail_from=BOB, rcpt_to=("Sales@Example.COM",))),
            ["new lead sales@example.com"],
            id="M3 the envelope alone, any case",
        ),
        pytest.param(
            mail(resent_to=boxes("sales@example.com")), ["new lead sales@example.com"], id="M3 Resent-To alone"
        ),
        pytest.param(mail(to=["sales+spring@example.com"]), ["new lead sales@example.com"], id="a +token is the alias"),
        pytest.param(mail(to=["board@example.com"]), ["task/7 task board@example.com"], id="R9 a bound alias"),
        pytest.param(
            mail(to=["panel@example.com", "board@example.com"]),
            ["task/7 task board@example.com"],
            id="R9 two that are bound to one thread: one post",
        ),
    ],
)
def test_r9_every_alias_gives_a_route(event: MailReceived, expected: list[str]) -> None:
    assert told(event, views()) == ("routed", "R9", expected)


@pytest.mark.parametrize(
    ("event", "outcome", "rule"),
    [
        pytest.param(mail(to=[CATCHALL]), "refused", "R8", id="R8 catchall alone"),
        pytest.param(mail(to=["catchall+x@example.com"]), "refused", "R8", id="R8 with a token that is none"),
        pytest.param(mail(to=[CATCHALL, "eve@example.net"]), "refused", "R11", id="R11 catchall among others"),
        pytest.param(mail(to=["eve@example.net"], cc=[CATCHALL]), "held", "R11", id="R11 catchall in Cc is not enough"),
        pytest.param(
            mail(to=["eve@example.net"], cc=[CATCHALL], envelope=Envelope(mail_from=BOB, rcpt_to=(CATCHALL,))),
            "held",
            "R11",
            id="M3 an envelope recipient that Cc names is not To-like",
        ),
        pytest.param(
            mail(
                to=["eve@example.net"],
                cc=[CATCHALL],
                envelope=Envelope(mail_from=BOB, rcpt_to=("catchall+x@example.com",)),
            ),
            "held",
            "R11",
            id="M3 nor one that Cc names without its token",
        ),
        pytest.param(mail(to=["eve@example.net"]), "held", "R11", id="R11 unroutable"),
        pytest.param(mail(to=["postmaster@example.com"]), "held", "R11", id="I5 postmaster is held"),
        pytest.param(mail(), "held", "R11", id="R11 no recipient at all"),
    ],
)
def test_r8_and_r11_what_has_nowhere_to_go(event: MailReceived, outcome: str, rule: str) -> None:
    emitted = take(event, views()).emit
    assert told(event, views())[:2] == (outcome, rule)
    refused = [each for each in emitted if isinstance(each, MailRefused)]
    held = [each for each in emitted if isinstance(each, HeldMail)]
    assert bool(refused) is (outcome == "refused")
    assert bool(held) is (outcome == "held")
    assert all(each.notice.addressee == BOB and each.notice.domain == "example.com" for each in refused)
    assert all(each.mail == event for each in held)


def test_r10_the_mailbox_opens_its_record_type() -> None:
    event = mail(to=["someone@isp.example"], mailbox="isp", record_type="ticket")
    assert told(event, views()) == ("routed", "R10", ["new ticket "])


def test_r8_comes_before_r10() -> None:
    assert told(mail(to=[CATCHALL], record_type="ticket"), views())[:2] == ("refused", "R8")


ANYWHERE = {"alias": [{"local_part": "commercial", "record_type": "lead", "match": "local"}]}


@pytest.mark.parametrize(
    ("allowed", "routed"),
    [
        pytest.param({}, True, id="any domain"),
        pytest.param({"mail__catchall__domain__allowed": "gmail.com,example.net"}, True, id="a listed domain"),
        pytest.param({"mail__catchall__domain__allowed": "example.net"}, False, id="a domain that is not listed"),
    ],
)
def test_r13_commercial_at_gmail(allowed: dict[str, str], routed: bool) -> None:
    expected = ("routed", "R9", ["new lead commercial@"]) if routed else ("held", "R11", [])
    assert told(mail(to=["commercial@gmail.com"]), views(ANYWHERE, (), **allowed)) == expected


def test_r13_a_stranger_with_an_alias_local_part_stays_an_author() -> None:
    found = end(take(mail(to=["commercial@gmail.com"], sender="commercial@stranger.example"), views(ANYWHERE)).emit)
    assert isinstance(found, MailRouted)
    assert found.routes[0].author.address == "commercial@stranger.example"


@pytest.mark.parametrize(
    ("field", "flags"),
    [
        pytest.param("references", PLAIN, id="in References"),
        pytest.param("in_reply_to", PLAIN, id="in In-Reply-To"),
        pytest.param("references", Flag.ACKNOWLEDGEMENT | Flag.NOTE, id="R7 an acknowledgement: a comment"),
    ],
)
def test_r3_our_signed_ids_carry_their_thread_whatever_their_key_knows(field: str, flags: Flag) -> None:
    seen = views()
    named = own_id(seen, flags=flags)
    fields: dict[str, Any] = {field: (named,)}
    event = mail(to=[CATCHALL], **fields)
    known = settled(named, "lead/1", outcome=Outcome.POSTED, note=Flag.NOTE in flags, automatic=True)
    for answers, parent in (((), ""), ((known,), "<first@x>")):
        found = answered(seen, event, *answers)
        assert isinstance(found, MailRouted)
        (route,) = found.routes
        assert (found.rule, route.thread, route.kind, route.answers) == ("R3", "lead/1", PostKind.COMMENT, named)
        assert route.parent == parent


def test_r3_needs_no_known_recipient() -> None:
    seen = views()
    event = mail(to=["x@elsewhere.example"], references=(own_id(seen),))
    assert told(event, seen) == ("routed", "R3", ["lead/1 lead "])


def test_r3_the_newest_wins_whatever_the_order() -> None:
    seen = views()
    old, new = own_id(seen, "lead/1", seconds=1_700_000_000), own_id(seen, "lead/2", seconds=1_700_000_001)
    for references in ((old, new), (new, old)):
        assert told(mail(references=references), seen) == ("routed", "R3", ["lead/2 lead "])


def test_r3_a_forged_id_proves_nothing_and_is_only_looked_up() -> None:
    seen = views()
    forged = own_id(seen).replace("<pr1.a", "<pr1.b")
    (question,) = take(mail(references=(forged,)), seen).emit
    assert isinstance(question, ThreadSought)
    assert (question.sought, question.best) == (forged, None)


def test_r3_at_most_the_last_32_foreign_ids_the_newest_of_ours_and_never_its_own() -> None:
    ids = tuple(f"<{n}@x>" for n in range(40))
    older, ours = own_id(views()), own_id(views(), seconds=1_700_000_001)
    event = mail(references=(*ids, ours, older, "<m1@example.org>"), in_reply_to=("<5@x>",))
    (question,) = take(event, views()).emit
    assert isinstance(question, ThreadSought)
    assert (question.sought, *question.remaining) == (*ids[9:], ours, "<5@x>")


def test_r3_handles_are_looked_up_first() -> None:
    event = mail(to=["catchall+ABCDEFGHIJKLMNOP@example.com"], references=("<a@x>",))
    (question,) = take(event, views()).emit
    assert isinstance(question, ThreadSought)
    assert (question.sought, question.remaining) == ("abcdefghijklmnop", ("<a@x>",))


@pytest.mark.parametrize(
    "flag",
    [pytest.param(Flag.OPENS_NEW, id="R4 its answers open a new record"), pytest.param(Flag.BULK, id="no thread")],
)
def test_r4_is_no_parent(flag: Flag) -> None:
    seen = views()
    named = own_id(seen, "" if flag is Flag.BULK else "lead/1", flag)
    assert told(mail(to=["sales@example.com"], references=(named,)), seen)[1] == "R9"
    assert told(mail(to=[CATCHALL], references=(named,)), seen)[1] == "R8"


ONLY_LEADS = DIRECTORY | {"alias": [DIRECTORY["alias"][0]]}


@pytest.mark.parametrize(
    ("document", "to", "thread", "expected"),
    [
        pytest.param(DIRECTORY, CATCHALL, "lead/1", ("routed", "R4", ["new lead sales@example.com"]), id="an alias"),
        pytest.param(ONLY_LEADS, CATCHALL, "deal/1", ("refused", "R8", []), id="nothing opens that type: no reply"),
        pytest.param(
            DIRECTORY, "board@example.com", "", ("routed", "R9", ["new task board@example.com"]), id="a bound alias's"
        ),
        pytest.param(
            DIRECTORY,
            "support@example.com",
            "lead/1",
            ("routed", "R5", ["new ticket support@example.com"]),
            id="R5 a forward stays one",
        ),
        pytest.param(
            DIRECTORY,
            "support@example.com",
            "deal/1",
            ("routed", "R9", ["new ticket support@example.com"]),
            id="no reply, and so no forward",
        ),
    ],
)
def test_r4_closed_threads(document: dict[str, Any], to: str, thread: str, expected: object) -> None:
    seen = views(document, closed=["lead/1", "deal/1", "task/7"])
    references = (own_id(seen, thread),) if thread else ()
    assert told(mail(to=[to], references=references), seen) == expected


@pytest.mark.parametrize(
    ("confirmed", "expected"),
    [
        pytest.param(True, ("routed", "R4", ["new deal "]), id="one that is polled"),
        pytest.param(False, ("refused", "R8", []), id="D8 a draft opens nothing"),
    ],
)
def test_r4_another_mailbox_can_open_the_type(confirmed: bool, expected: object) -> None:
    seen = views(ONLY_LEADS, closed=["deal/1"])
    login = Credentials(username="u", secret="env:PASSWORD")
    box = IncomingMailbox(name="deals", host="h", credentials=login, record_type="deal", confirmed=confirmed)
    seen.directory.apply("mailbox/deals", box)
    assert told(mail(to=[CATCHALL], references=(own_id(seen, "deal/1"),)), seen) == expected


def test_r4_a_mailbox_can_open_the_type_too() -> None:
    seen = views(ONLY_LEADS, closed=["deal/1"])
    event = mail(to=[CATCHALL], references=(own_id(seen, "deal/1"),), record_type="deal")
    assert told(event, seen) == ("routed", "R4", ["new deal "])


@pytest.mark.parametrize(
    ("to", "cc", "expected"),
    [
        pytest.param(
            "support@example.com", "", ("R5", ["new ticket support@example.com"]), id="an alias of another type"
        ),
        pytest.param(
            "sales@example.com", "", ("R3", ["lead/1 lead sales@example.com"]), id="an alias of the same type"
        ),
        pytest.param(CATCHALL, "support@example.com", ("R3", ["lead/1 lead "]), id="in Cc only: a reply"),
        pytest.param(
            "support@example.com",
            "sales@example.com",
            ("R5", ["new ticket support@example.com"]),
            id="only aliases of other types fire",
        ),
    ],
)
def test_r5_forward_or_reply(to: str, cc: str, expected: tuple[str, list[str]]) -> None:
    seen = views()
    event = mail(to=[to], cc=[cc] if cc else [], references=(own_id(seen),))
    assert told(event, seen) == ("routed", *expected)


def test_r6_a_reply_obeys_the_alias_it_was_addressed_to() -> None:
    seen = views()
    named = own_id(seen, "applicant/1")
    assert told(mail(to=["jobs@example.com"], references=(named,)), seen) == ("refused", "R12", [])
    assert told(mail(to=[CATCHALL], references=(named,)), seen)[0] == "routed"
    carol = mail(to=["jobs@example.com"], references=(named,), sender="carol@example.org")
    assert told(carol, seen) == ("routed", "R3", ["applicant/1 applicant jobs@example.com"])


def test_r2_an_answer_to_a_notice_comes_before_all_but_r1() -> None:
    seen = views()
    mark = own_id(seen, "", Flag.NOTICE)
    for event in (
        mail(to=["sales@example.com"], references=(mark,)),
        mail(to=[CATCHALL], in_reply_to=(mark,)),
        mail(to=[BOUNCE], in_reply_to=(mark,)),  # P1 takes what comes there, but for this
    ):
        assert told(event, seen) == ("answer_to_notice", "R2", [])


# R1


def test_r1_one_of_ours_comes_back() -> None:
    seen = views()
    assert told(mail(to=["sales@example.com"], message_id=own_id(seen)), seen) == ("duplicate", "R1", [])


def test_r1_known_as_a_post() -> None:
    state = take(settled("m1", "lead/1", outcome=Outcome.POSTED), views()).state
    assert end(take(mail(to=["sales@example.com"]), views(), state).emit).rule == "R1"


@pytest.mark.parametrize(
    ("first", "second", "rule", "routes"),
    [
        pytest.param(["sales@example.com"], ["sales@example.com"], "R1", [], id="the same again"),
        pytest.param(
            ["sales@example.com"],
            ["sales@example.com", "support@example.com"],
            "R9",
            ["ticket"],
            id="a new alias alone",
        ),
        pytest.param([CATCHALL], ["support@example.com"], "R9", ["ticket"], id="the first was refused"),
        pytest.param(["eve@example.net"], ["support@example.com"], "R9", ["ticket"], id="the first was held"),
        pytest.param(["sales@example.com"], [CATCHALL], "R1", [], id="catchall is no alias"),
        pytest.param(["sales@example.com"], ["x@example.net"], "R1", [], id="other people"),
    ],
)
def test_r1_copies_are_judged_on_recipients(first: list[str], second: list[str], rule: str, routes: list[str]) -> None:
    seen = views()
    state = take(mail(to=first), seen).state
    found = end(take(mail(to=second, copy=1), seen, state).emit)
    assert found.rule == rule
    assert [r.record_type for r in getattr(found, "routes", ())] == routes


def test_r1_a_third_copy_brings_nothing_new() -> None:
    seen, state = views(), take(mail(to=["sales@example.com"]), views()).state
    both = ["sales@example.com", "support@example.com"]
    state = take(mail(to=both, copy=1), seen, state).state
    assert end(take(mail(to=both, copy=2), seen, state).emit).rule == "R1"


def test_r1_the_decision_is_kept_though_the_directory_changes() -> None:
    event, seen = mail(to=["sales@example.com"]), views()
    first = take(event, seen)
    seen.directory.apply("alias/sales@example.com", None)
    again = take(event, seen, first.state)
    assert (again.state, again.emit) == (first.state, first.emit)


def test_an_address_is_ours_from_the_moment_the_directory_says_so() -> None:
    seen, event = views(), mail(to=["press@example.com"])
    assert told(event, seen)[:2] == ("held", "R11")
    seen.directory.apply("alias/press@example.com", Alias(local_part="press", domain="example.com", record_type="lead"))
    assert told(event, seen)[:2] == ("routed", "R9")
    seen.directory.apply("alias/press@example.com", None)
    assert told(event, seen)[:2] == ("held", "R11")
