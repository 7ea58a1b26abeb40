"""`postroad params`: settings under their names (D5, D6), with their defaults, effective at once."""

import os

import pytest

from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS
from tests.cli.conftest import Running

THRESHOLD = "mail.gateway.loop.threshold"


def test_list_names_every_setting_with_its_default_and_its_meaning(running: Running) -> None:
    listed = running.lines("params", "list")
    assert [line["name"] for line in listed] == [*SETTINGS, *DOMAIN_FIELDS]
    assert all(line["meaning"] for line in listed)
    assert {line["name"]: line["default"] for line in listed}[THRESHOLD] == "20"


def test_set_is_in_force_at_once_and_unset_is_the_default_again(running: Running) -> None:
    assert running.good("params", "set", THRESHOLD, "007") == f"parameter/{THRESHOLD}: name={THRESHOLD}, value=7\n"
    assert running.embedded.views.directory.number(THRESHOLD) == 7
    assert "= '7' (default '20')" in running.good("params", "get", THRESHOLD)
    assert running.lines("params", "get", THRESHOLD)[0]["value"] == "7"
    assert running.good("params", "unset", THRESHOLD) == f"- parameter/{THRESHOLD}\n"
    assert running.embedded.views.directory.number(THRESHOLD) == 20
    assert "it has its default '20'" in running.good("params", "unset", THRESHOLD)


def test_a_field_of_the_default_domain_under_its_old_name(running: Running) -> None:
    """D5, D9."""
    told = running.lines("params", "set", "mail.catchall.alias", "Replies")
    assert [line["key"] for line in told] == ["domain/example.com", "former/catchall@example.com"]
    assert told[0]["row"]["catchall"] == "replies"
    assert running.lines("params", "get", "mail.catchall.alias")[0]["value"] == "replies"
    said = running("params", "unset", "mail.catchall.alias")
    assert (said.code, "set it, it cannot be removed" in said.err) == (os.EX_DATAERR, True)


def test_d6_a_filter_that_filters_nothing_says_so(running: Running) -> None:
    said = running("params", "set", "mail.catchall.domain.allowed", "A.example, ,b.example")
    assert (said.code, "value=a.example,b.example" in said.out) == (os.EX_OK, True)
    assert "aliases that match by their local part alone, and there is none" in said.err
    running.good("alias", "add", "press@", "--type", "press.request")
    said = running("params", "set", "mail.catchall.domain.allowed", "a.example")
    assert (said.code, said.err) == (os.EX_OK, "")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["get", "mail.gatway.loop.threshold"], 64, f"did you mean {THRESHOLD}?", id="an unknown name"),
        pytest.param(["set", "mail.loop", "1"], 64, "no rule knows 'mail.loop'", id="set an unknown name"),
        pytest.param(["unset", "mail.loop"], 64, "no rule knows 'mail.loop'", id="unset an unknown name"),
        pytest.param(["set", THRESHOLD, "-1"], 65, "is a whole number, not '-1'", id="D5 no number"),
        pytest.param(["set", "mail.server.order", "odoo"], 65, "is one of doc, code", id="D5 none of the choices"),
        pytest.param(
            ["set", "mail.catchall.domain.allowed", " , "], 65, "would allow every one", id="D6 no domain is left"
        ),
    ],
)
def test_what_cannot_be_set(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running("params", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err


def test_while_nothing_runs_it_waits_in_the_log(stopped: Running) -> None:
    assert "it takes effect when routing runs" in stopped.good("params", "set", THRESHOLD, "7")
    assert stopped.lines("params", "set", THRESHOLD, "8") == [{"key": f"parameter/{THRESHOLD}", "waits": True}]
