"""What is held, and what a release overrides (L7, R17)."""

from datetime import timedelta

import pytest

from postroad.routing.release import released
from postroad_schemas import Tombstone
from postroad_schemas.mail import HeldMail, MailReceived, MailRouted, Release
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Automatic, Degree, Envelope
from tests.routing.mails import DIRECTORY, START, end, mail, take, told, views

ANSWER = Automatic(degree=Degree.ANSWER, reason="Auto-Submitted: auto-replied")
MADE = Automatic(degree=Degree.MADE, reason="Precedence: bulk")


@pytest.mark.parametrize(
    ("event", "parameters", "outcome"),
    [
        pytest.param(mail(to=["sales@example.com"], automatic=ANSWER), {}, "held", id="an answer by machine"),
        pytest.param(mail(to=["sales@example.com"], automatic=MADE), {}, "routed", id="made by machine"),
        pytest.param(
            mail(to=["sales@example.com"], envelope=Envelope(mail_from="")), {}, "held", id="null reverse-path"
        ),
        pytest.param(
            mail(to=["sales@example.com"], envelope=Envelope(), return_path="<>"), {}, "held", id="null Return-Path"
        ),
        pytest.param(mail(to=["sales@example.com"], envelope=Envelope()), {}, "routed", id="absent is not null"),
        pytest.param(
            mail(to=["sales@example.com"], automatic=ANSWER),
            {"mail__gateway__automatic": "allow"},
            "routed",
            id="the setting allows it",
        ),
        pytest.param(mail(to=["board@example.com"], automatic=ANSWER), {}, "routed", id="on a thread it is posted"),
    ],
)
def test_l7_answers_by_machine_open_no_record(event: MailReceived, parameters: dict[str, str], outcome: str) -> None:
    said, rule, _ = told(event, views(DIRECTORY, (), **parameters))
    assert said == outcome
    assert rule == ("L7" if outcome == "held" else "R9")


def test_l7_of_two_routes_only_the_known_thread_is_served() -> None:
    event = mail(to=["board@example.com", "sales@example.com"], automatic=ANSWER)
    assert told(event, views()) == ("routed", "R9", ["task/7 task board@example.com"])


def test_r17_a_release_passes_r1_and_the_rule_that_held_it() -> None:
    seen, held = views(), mail(to=["sales@example.com"], automatic=ANSWER)
    state = take(held, seen).state
    release = Release(held=held.event_id, rule="L7", by="ann")
    decision = take(mail(to=["sales@example.com"], automatic=ANSWER, copy=1, release=release), seen, state)
    assert isinstance(end(decision.emit), MailRouted)
    assert Tombstone("held", held.event_id) in decision.emit  # it waits no more


@pytest.mark.parametrize(
    ("release", "outcome"),
    [
        pytest.param(Release(held="h", rule="L7"), "routed", id="L7 held it"),
        pytest.param(Release(held="h", rule="L1", earlier=("L7",)), "routed", id="L7 held it before L1 did"),
        pytest.param(Release(held="h", rule="L1"), "held", id="another rule held it"),
    ],
)
def test_r17_no_rule_that_held_it_applies_again(release: Release, outcome: str) -> None:
    assert told(mail(to=["sales@example.com"], automatic=ANSWER, release=release), views())[0] == outcome


def test_r17_a_release_remembers_what_earlier_ones_overrode() -> None:
    held, rules = mail(), list[str]()
    for number, rule in enumerate(("L7", "L1", "L7", "L3")):
        row = HeldMail(event_id="h", trace_id="h", occurred_at=START, mail=held, rule=rule, reason="")
        again = released(row, "ann", START + timedelta(minutes=number), f"released {number}")
        assert (again.cause_id, again.trace_id) == (held.event_id, held.trace_id)
        assert again.release is not None
        assert (again.release.held, again.release.rule, again.release.by) == (held.event_id, rule, "ann")
        rules.append(rule)
        assert {r for r in ("L1", "L2", "L3", "L7") if again.release.overrides(r)} == set(rules)
        held = again
    assert held.release is not None
    assert held.release.earlier == ("L7", "L1")
    assert held.occurred_at == START + timedelta(minutes=3)


def test_r17_the_new_outcome_names_the_former() -> None:
    event = mail(to=["eve@example.net"], release=Release(held="h", rule="R11"))
    found = end(take(event, views()).emit)
    assert isinstance(found, MessageSettled)
    assert (found.outcome, found.former) == (Outcome.HELD, "held R11")
