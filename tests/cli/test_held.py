"""`postroad held`: what waits for a person, and what a person does with it (R11, R16, R17, L5)."""

import os
import time

import pytest

from tests.cli.conftest import Running, raw_mail
from tests.support.thread_loop import in_thread

ROBOT = {"Auto_Submitted": "auto-replied"}


@pytest.fixture
def two(running: Running) -> Running:
    """One held by R11, one by L7."""
    running.mail(to="postmaster@example.com", Subject="Who are you?")
    running.mail(**ROBOT)
    return running


def outcomes(running: Running, message_id: str) -> list[str]:
    running.wait(running.embedded.idle())
    seen = {it.event.event_id: it.event for it in running.log.records("message.settled")}  # a repeat is the same event
    return [f"{e.outcome} {e.rule}" for e in seen.values() if e.settled == message_id]


def test_list_and_show_tell_reason_rule_and_age(two: Running) -> None:
    first, second = two.lines("held", "list")
    assert (first["rule"], first["from"], first["to"]) == ("R11", "bob@example.org", ["postmaster@example.com"])
    assert (second["rule"], second["reason"].partition(":")[0]) == ("L7", "answers by machine open no record")
    assert first["age"].endswith("s")
    assert "[R11] no alias, no thread" in two.good("held", "list").splitlines()[0]
    assert [line["rule"] for line in two.lines("held", "list", "--rule", "L7")] == ["L7"]
    assert [line["rule"] for line in two.lines("held", "list", "--alias", "Sales@example.com")] == ["L7"]
    assert two.lines("held", "list", "--older-than", "1h") == []

    shown = two.good("held", "show", first["id"][:10])
    assert [word for word in ("R11", "Who are you?", "<1@example.org>", "sha256/") if word not in shown] == []
    raw = raw_mail("postmaster@example.com", "bob@example.org", number=1, Subject="Who are you?")
    assert two.good("held", "show", "<1@example.org>", "--raw") == raw.decode()
    assert two.lines("held", "show", first["id"])[0]["mail"]["event_id"] == first["id"]


def test_release_lets_it_go_on_by_the_current_rules(two: Running) -> None:
    """R17."""
    _, robot = two.lines("held", "list")
    said = two.good("held", "release", robot["id"])
    assert said.splitlines()[-1] == "what became of it: postroad trace '<2@example.org>'"
    assert outcomes(two, "<2@example.org>") == ["held L7", "delivered R9"]
    assert two("held", "release", robot["id"]).code == os.EX_NOINPUT
    assert [line["rule"] for line in two.lines("held", "list")] == ["R11"]
    released = [it.event.release for it in two.log.records("mail.received") if it.event.release]
    assert [(it.held, it.rule, it.by) for it in released] == [(robot["id"], "L7", "olga")]


def test_two_people_release_it_once(stopped: Running) -> None:
    """While nothing runs both wait in the log; it is one release."""
    stopped._run("apply", stopped.file)
    with in_thread(stopped):
        stopped.mail(**ROBOT)
    ids = [line["id"] for line in stopped.lines("held", "list")]
    for name in ("olga", "otto"):
        assert "it takes effect when the workers run" in stopped("held", "release", *ids, "--by", name).err
    again = Running(stopped.folder, stopped._run)
    with in_thread(again):
        again.wait(again.embedded.idle())
        assert [name for name in outcomes(again, "<1@example.org>") if name.startswith("delivered")] == ["delivered R9"]


def test_many_by_a_filter_at_a_rate(running: Running) -> None:
    for _ in range(4):
        running.mail(**ROBOT)
    running.mail(to="abuse@example.com")
    words = ("held", "release", "--rule", "L7", "--alias", "sales@example.com", "--rate", "100/s")
    assert [line["released"] for line in running.lines(*words)] == [True] * 4
    running.wait(running.embedded.idle())
    assert [line["rule"] for line in running.lines("held", "list")] == ["R11"]
    assert len(list(running.log.records("chatter.published"))) == 4
    assert running("held", "release", "--rule", "L7").err == "postroad: no mail waits that is meant\n"


def test_a_rate_is_kept(running: Running) -> None:
    for _ in range(3):
        running.mail(**ROBOT)
    started = time.monotonic()
    running.good("held", "release", "--rule", "L7", "--rate", "4")
    assert time.monotonic() - started >= 0.5


def test_drop_asks_and_then_nobody_sees_it(two: Running) -> None:
    first, _ = two.lines("held", "list")
    said = two("held", "drop", first["id"])
    assert (said.code, said.err) == (os.EX_USAGE, "postroad: nothing is dropped: --yes does it without asking\n")
    assert len(two.lines("held", "list")) == 2
    assert two.good("held", "drop", first["id"], "--yes").startswith(f"dropped {first['id']}")
    assert [line["rule"] for line in two.lines("held", "list")] == ["L7"]
    assert two.lines("held", "drop", "--older-than", "0s", "--yes")[0]["dropped"] is True
    assert two("held", "list").err == "postroad: no mail waits\n"
    assert outcomes(two, "<1@example.org>") == ["held R11"]


def test_strangers_words_do_not_steer_a_terminal(running: Running) -> None:
    running.mail(to="postmaster@example.com", Subject="=?utf-8?q?=1B[2Jgone?=")
    assert "\x1b" not in running.good("held", "list")
    assert "\x1b" not in running.good("held", "show", "1@example.org")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["release"], 64, "name one by its ID, or several", id="neither one nor several"),
        pytest.param(["release", "x", "--rule", "L7"], 64, "name one by its ID, or several", id="one and several"),
        pytest.param(["drop", "--yes"], 64, "name one by its ID, or several", id="all at once is never meant"),
        pytest.param(["release", "--rule", "L7", "--rate", "0/s"], 64, "'0/s' is no rate", id="no rate"),
        pytest.param(["list", "--older-than", "soon"], 64, "'soon' is no age", id="no age"),
        pytest.param(["show", "nosuch"], 66, "there is no held mail nosuch", id="none by this id"),
        pytest.param(["drop", "nosuch", "--yes"], 66, "there is no held mail nosuch", id="drop none"),
    ],
)
def test_wrong_orders(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running("held", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
