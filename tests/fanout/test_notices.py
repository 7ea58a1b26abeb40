"""L8, R2, R12, L5: the sender of a mail that was not taken is told once, and in a way nobody answers."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.fanout.refusal_notice import Addressee, due, sweep
from postroad.fanout.worker import NOTICES, WORKER
from postroad.mail.message_id import Flag, read_own
from postroad.stage import Decision
from postroad.views import Views
from postroad_schemas import TOPICS, Ticked, event_id, key_of
from postroad_schemas.directory import AliasDomain
from postroad_schemas.mail import MailRefused, Notice, Refusal, RefusalReason
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Mailbox, Stream
from tests.fanout.facts import at, every, only, views

KIM = "kim@x.example"


def refused(name: str, *reasons: RefusalReason, minutes: float = 0, **fields: Any) -> MailRefused:
    chosen = reasons or (RefusalReason.POLICY,)
    usual: dict[str, Any] = {"notice": Notice(addressee=KIM, domain="example.com"), "subject": "Chairs"}
    return MailRefused(
        event_id=event_id(name),
        occurred_at=at() + timedelta(minutes=minutes),
        trace_id="t",
        mail_id=name,
        message_id=f"<{name}@x.example>",
        refusals=tuple(Refusal(reason=reason, rule="R12", alias="sales@example.com") for reason in chosen),
        **(usual | fields),
    )


def tell(found: Views, *events: MailRefused, state: Addressee | None = None) -> list[list[OutboundSubmitted]]:
    """What each event led to. Each is taken twice."""
    decision = Decision(state or Addressee())
    notices = []
    for event in events:
        decision = NOTICES.decide(event, decision.state, found)
        assert NOTICES.decide(event, decision.state, found) == decision
        notices.append(every(OutboundSubmitted, decision.emit))
    return notices


def test_a_notice_goes_out_so_that_nobody_answers_it() -> None:
    found = views()
    notice = only(OutboundSubmitted, tell(found, refused("m1", author=Mailbox(address="Kim@x.example", name="Kim")))[0])
    assert notice.null_reverse_path
    assert notice.from_ == Mailbox(name="MAILER-DAEMON", address="bounce@example.com")
    assert notice.reply_to is None
    assert notice.stream == Stream.NOTICE
    assert (notice.recipient, notice.to) == (KIM, (Mailbox(address=KIM, name="Kim"),))
    assert {header.name: header.value for header in notice.headers}["Auto-Submitted"] == "auto-replied"
    assert notice.subject == "Re: Chairs"
    assert notice.in_reply_to == "<m1@x.example>"
    assert notice.references == ("<m1@x.example>", notice.message_id)
    assert (notice.thread, notice.author) == ("", ""), "L8: a notice that fails marks nothing"
    own = read_own(found.keys, notice.message_id)
    assert own is not None
    assert own.flags == Flag.NOTICE, "R2: the mark"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        pytest.param(refused("m2", minutes=1), False, id="a minute later"),
        pytest.param(refused("m2", minutes=119.9), False, id="just within the window"),
        pytest.param(refused("m2", minutes=120), True, id="exactly a window later"),
        pytest.param(refused("m2", minutes=-119.9), False, id="an earlier mail that comes later"),
        pytest.param(refused("m2", minutes=10, window=600), True, id="a shorter window"),
        pytest.param(refused("m2", window=0), True, id="no window at all"),
        pytest.param(refused("m2", RefusalReason.LOOP_LIMIT), True, id="another reason"),
        pytest.param(
            refused("m2", RefusalReason.POLICY, RefusalReason.CATCHALL), True, id="the same reason and another one"
        ),
    ],
)
def test_one_notice_for_each_reason_and_window(second: MailRefused, told: bool) -> None:
    first, then = tell(views(), refused("m1"), second)
    assert len(first) == 1
    assert len(then) == told


def test_blocked_mails_do_not_prolong_the_silence() -> None:
    mails = [refused(f"m{minute}", minutes=minute) for minute in range(0, 361, 60)]
    assert [len(notices) for notices in tell(views(), *mails)] == [1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        pytest.param(refused("m1", notice=Notice(why_not="list")), views(), id="no addressee"),
        pytest.param(refused("m1", notice=Notice(addressee="sales@example.com")), views(), id="an address of ours"),
        pytest.param(refused("m1"), views(domain=False), id="no domain, so no bounce address"),
        pytest.param(
            refused("m1"),
            views(AliasDomain(name="example.com", bounce="", default=True), domain=False),
            id="a domain without bounce address",
        ),
    ],
)
def test_nobody_is_told(event: MailRefused, found: Views) -> None:
    assert NOTICES.decide(event, Addressee(), found) == Decision(Addressee())


def test_a_notice_goes_out_in_the_name_of_the_company_that_was_written_to() -> None:
    found = views(AliasDomain(name="other.example", company="Other", bounce="returned"))
    event = refused("m1", notice=Notice(addressee=KIM, domain="other.example"))
    notice = only(OutboundSubmitted, tell(found, event)[0])
    assert notice.from_ == Mailbox(name="MAILER-DAEMON", address="returned@other.example")
    assert notice.message_id.endswith("@other.example>")
    assert notice.contents.text.endswith("\nOther\n")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [pytest.param("Re: Chairs", "Re: Chairs", id="not twice"), pytest.param("", "Re:", id="no subject")],
)
def test_subject(subject: str, expected: str) -> None:
    assert tell(views(), refused("m1", subject=subject))[0][0].subject == expected


def ticked(minutes: float) -> Ticked:
    return Ticked(event_id="tick", occurred_at=at() + timedelta(minutes=minutes), trace_id="t", stage="notices")


def test_an_entry_goes_when_neither_window_nor_repeat_needs_it() -> None:
    found = views()
    state = NOTICES.decide(refused("m1"), Addressee(), found).state
    when = due(state)
    assert when == at() + timedelta(days=8, minutes=120)
    days = 8 * 24 * 60 + 120
    assert sweep(ticked(days - 1), state, found).state == state
    gone = sweep(ticked(days), state, found).state
    assert gone == Addressee()
    assert due(gone) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.sampled_from([RefusalReason.POLICY, RefusalReason.LOOP_LIMIT])), max_size=30
    )
)
def test_never_two_notices_of_a_reason_within_a_window_whatever_the_order(
    mails: list[tuple[int, RefusalReason]],
) -> None:
    events = [refused(f"m{number}", reason, minutes=minute) for number, (minute, reason) in enumerate(mails)]
    notices = tell(VIEWS, *events)
    for reason in (RefusalReason.POLICY, RefusalReason.LOOP_LIMIT):
        times = sorted(m for (m, r), told in zip(mails, notices, strict=True) if told and r == reason)
        assert all(later - earlier >= 120 for earlier, later in pairwise(times))
        assert bool(times) == any(r == reason for _, r in mails), "and at least one of each"
    again = tell(VIEWS, *events, *events)
    assert again[len(events) :] == again[: len(events)] == notices, "what was said is said again"


VIEWS = views()


def test_the_worker_writes_what_the_catalogue_lets_it() -> None:
    for stage in WORKER.stages:
        assert all("fanout" in TOPICS[topic].writers for topic in stage.writes)
        assert all("fanout" in TOPICS[topic].readers for topic in (*stage.reads, *stage.tables))
        assert len({TOPICS[topic].group for topic in stage.reads}) == 1
    assert key_of(refused("m1")) == KIM
    assert msgspec.json.decode(msgspec.json.encode(Addressee()), type=Addressee) == Addressee()
