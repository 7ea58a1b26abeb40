"""O8-O10: what a server's answer means."""

from datetime import timedelta

import pytest

from postroad.dispatch.attempt import Answer, Step
from postroad.dispatch.judge import BACK_OFF, RetryPolicy, delay, is_last, judge, status_of
from postroad_schemas.outbound import Action
from postroad_schemas.topics import TIERS
from postroad_schemas.values import FailureType
from tests.dispatch.made import AT, says

POLICY = RetryPolicy()
RELAYED, DELAYED, FAILED = Action.RELAYED, Action.DELAYED, Action.FAILED


@pytest.mark.parametrize(
    ("answer", "action", "failure"),
    [
        pytest.param(says(250), RELAYED, None, id="250 after the body is sent"),
        pytest.param(says(251), RELAYED, None, id="any 2yz after the body"),
        pytest.param(says(451), DELAYED, None, id="4yz later"),
        pytest.param(says(450, step=Step.RCPT), DELAYED, None, id="greylisted"),
        pytest.param(says(421, step=Step.CONNECT), DELAYED, None, id="421 in the greeting"),
        pytest.param(says(454, step=Step.AUTH), DELAYED, None, id="temporary failure of AUTH"),
        pytest.param(says(550, step=Step.RCPT), FAILED, FailureType.REFUSED, id="5yz never"),
        pytest.param(says(554), FAILED, FailureType.REFUSED, id="5yz after the body"),
        pytest.param(says(535, step=Step.AUTH), FAILED, FailureType.CONFIGURATION, id="our credentials are wrong"),
        pytest.param(says(554, step=Step.CONNECT), FAILED, FailureType.CONNECTION, id="a server that wants none of us"),
        pytest.param(says(550, step=Step.MAIL), FAILED, FailureType.SENDER_INVALID, id="550 to MAIL FROM"),
        pytest.param(says(552, "5.3.4 big", step=Step.MAIL), FAILED, FailureType.REFUSED, id="too large at MAIL FROM"),
        pytest.param(
            says(550, "5.1.8 no such sender domain", step=Step.RCPT),
            FAILED,
            FailureType.SENDER_INVALID,
            id="our sender, said in the answer to RCPT",
        ),
        pytest.param(says(0, step=Step.CONNECT), DELAYED, None, id="no connection"),
        pytest.param(says(0, step=Step.TLS), DELAYED, None, id="no TLS"),
        pytest.param(says(0, step=Step.BODY), DELAYED, None, id="lost before the reply to the body"),
        pytest.param(says(0, step=Step.CONTENTS), DELAYED, None, id="the object store is down"),
        pytest.param(says(250, step=Step.DATA), DELAYED, None, id="250 to DATA is not a 250 to the body"),
        pytest.param(says(354), DELAYED, None, id="354 to the body is nonsense"),
        pytest.param(
            says(0, failure=FailureType.SMTPUTF8_NEEDED), FAILED, FailureType.SMTPUTF8_NEEDED, id="a fault of our side"
        ),
    ],
)
def test_an_answer_means(answer: Answer, action: Action, failure: FailureType | None) -> None:
    outcome = judge(answer, "id", 1, AT, POLICY)
    assert (outcome.action, outcome.failure) == (action, failure)
    assert (outcome.not_before is not None) is (action is DELAYED)


@pytest.mark.parametrize(
    ("attempt", "step"),
    [pytest.param(n, step, id=f"attempt {n}") for n, step in enumerate((*BACK_OFF, "8h", "8h", "8h"), start=1)],
)
def test_waits_longer_each_time(attempt: int, step: str) -> None:
    outcome = judge(says(451), "id", attempt, AT, POLICY)
    tier = TIERS[step]
    assert tier is not None
    assert outcome.step == step
    assert outcome.not_before is not None
    assert tier <= outcome.not_before - AT <= tier * 1.1


def test_jitter_is_the_ids_own() -> None:
    waits = {delay("1h", f"id {number}", 1) for number in range(100)}
    assert len(waits) > 90
    assert delay("1h", "id 7", 1) in waits
    assert delay("1h", "id 7", 1) != delay("1h", "id 7", 2)


@pytest.mark.parametrize(
    ("since", "action"),
    [
        pytest.param(timedelta(days=4, hours=15), DELAYED, id="the next attempt lies within five days"),
        pytest.param(timedelta(days=4, hours=16, minutes=1), FAILED, id="the next attempt would lie beyond"),
        pytest.param(timedelta(days=9), FAILED, id="long since"),
    ],
)
def test_expires_after_five_days(since: timedelta, action: Action) -> None:
    outcome = judge(says(451, at=AT + since), "id", 12, AT, POLICY)
    assert outcome.action is action
    assert outcome.expired is (action is FAILED)
    assert is_last("id", 12, AT, AT + since, POLICY) or action is DELAYED


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(says(451, step=Step.RCPT), FailureType.REFUSED, id="greylisted to the end"),
        pytest.param(says(421, step=Step.CONNECT), FailureType.CONNECTION, id="a greeting that says no"),
        pytest.param(says(454, step=Step.TLS), FailureType.CONNECTION, id="no TLS"),
        pytest.param(says(454, step=Step.AUTH), FailureType.CONFIGURATION, id="no login"),
        pytest.param(says(0, step=Step.CONNECT), FailureType.CONNECTION, id="no connection"),
        pytest.param(says(0, step=Step.CONTENTS), FailureType.CONFIGURATION, id="nothing to send"),
        pytest.param(says(450, "4.1.8 sender's domain", step=Step.RCPT), FailureType.SENDER_INVALID, id="our domain"),
        pytest.param(says(451, "4.7.1 greylisted", step=Step.MAIL), FailureType.REFUSED, id="greylisted at MAIL FROM"),
    ],
)
def test_expired_it_has_the_type_of_the_last_attempt(answer: Answer, kind: FailureType) -> None:
    outcome = judge(answer, "id", 12, AT - timedelta(days=9), POLICY)
    assert (outcome.failure, outcome.expired) == (kind, True)


@pytest.mark.parametrize(
    ("since", "last"),
    [
        pytest.param(timedelta(days=4, hours=14), False, id="another one lies within five days"),
        pytest.param(timedelta(days=4, hours=15, minutes=30), True, id="not if this one takes an hour"),
        pytest.param(timedelta(days=9), True, id="long since"),
    ],
)
def test_knows_the_last_attempt_before_it_is_made(since: timedelta, last: bool) -> None:
    assert is_last("id", 12, AT, AT + since, POLICY) is last


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(says(550, "5.1.1 no such user"), "5.1.1", id="as the reply says"),
        pytest.param(says(550, "no such user"), "5.0.0", id="class alone"),
        pytest.param(says(451, "4.7.1 greylisted, see http://x/5.1.1"), "4.7.1", id="its first one"),
        pytest.param(says(451, "5.1.1 says one thing, code another"), "4.0.0", id="not one of another class"),
        pytest.param(says(250, "2.0.0 queued"), "2.0.0", id="success"),
        pytest.param(says(250, "queued as 4.2.2"), "2.0.0", id="success in its own class"),
        pytest.param(says(0, step=Step.CONNECT), "4.4.1", id="no answer from host"),
        pytest.param(says(0, step=Step.TLS), "4.7.5", id="cryptographic failure"),
        pytest.param(says(0, step=Step.BODY), "4.4.2", id="bad connection"),
        pytest.param(says(354), "4.5.0", id="protocol error"),
        pytest.param(says(0, status="5.6.7"), "5.6.7", id="as we found ourselves"),
    ],
)
def test_status(answer: Answer, status: str) -> None:
    """RFC 3463."""
    assert status_of(answer) == status
