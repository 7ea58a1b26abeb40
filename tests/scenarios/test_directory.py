"""The gate (D3-D7, D10): what is cleaned, what is refused, and that refusals change nothing."""

from typing import Any

import pytest

from tests.support.scenario import Story


def proposed(story: Story, **document: Any) -> str:
    """The reason of the refusal, empty if there was none."""
    before = len(story.events("refusal"))
    story.apply(**document)
    refusals = story.events("refusal")[before:]
    return refusals[-1]["reason"] if refusals else ""


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Éric.Müller", "eric.muller"),
        ("pens & paper!!", "pens-paper-"),
        ("a..b...c", "a.b.c"),
        (".lead.", "lead"),
        ("R+D_x", "r+d_x"),
        ("日本 shop", "-shop"),
    ],
)
def test_alias_names_are_cleaned(story: Story, written: str, stored: str) -> None:
    story.apply(alias=[{"local_part": written, "domain": "example.com", "record_type": "crm.lead"}])
    assert story.events("alias")[-1]["local_part"] == stored
    assert story.outcome(story.mail(to=f"{stored}@example.com")) == "delivered R9"


@pytest.mark.parametrize(
    ("document", "word"),
    [
        pytest.param({"alias": [{"address": "catchall@example.com", "record_type": "x"}]}, "catchall", id="catchall"),
        pytest.param({"alias": [{"address": "bounce@example.com", "record_type": "x"}]}, "bounce", id="bounce"),
        pytest.param({"parameters": {"mail.catchall.alias": "sales"}}, "alias", id="catchall renamed onto an alias"),
        pytest.param({"parameters": {"mail.bounce.alias": "Sales"}}, "alias", id="bounce renamed onto an alias"),
        pytest.param({"parameters": {"mail.bounce.alias": "catchall"}}, "cannot both", id="bounce onto catchall"),
        pytest.param({"parameters": {"mail.gateway.loop.minutes": "soon"}}, "whole number", id="no number"),
        pytest.param({"parameters": {"mail.server.order": "mine"}}, "one of", id="no such choice"),
        pytest.param({"alias": [{"address": "x@example.com"}]}, "record type", id="an alias that does nothing"),
        pytest.param(
            {"smarthost": [{"name": "s", "host": "h", "credentials": {"username": "u", "secret": "hunter2"}}]},
            "by reference",
            id="a secret as a value",
        ),
    ],
)
def test_what_is_refused_changes_nothing_and_says_why(story: Story, document: dict[str, Any], word: str) -> None:
    before = story.ends()["directory"]
    assert word in proposed(story, **document)
    after = {key: row for key, row in story.ends()["directory"].items() if not key.startswith("refusal/")}
    assert after == before


def test_another_domains_catchall_may_be_an_alias_here(story: Story) -> None:
    assert not proposed(story, domain=[{"name": "second.example", "catchall": "office"}])
    assert not proposed(story, alias=[{"address": "office@example.com", "record_type": "crm.lead"}])


@pytest.mark.parametrize(("port", "word"), [(25, "465"), (0, "587"), (2525, "")])
def test_a_platform_that_forbids_port_25(story: Story, port: int, word: str) -> None:
    story.set("mail.server.port_25", "forbid")
    assert word in proposed(story, smarthost=[{"name": "s", "host": "h.example", "port": port}])


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_default_ports(story: Story, security: str, port: int) -> None:
    story.apply(smarthost=[{"name": "s", "host": "h.example", "security": security}])
    assert story.events("smarthost")[-1]["port"] == port


def test_the_old_parameter_names_change_the_default_domain(story: Story) -> None:
    story.set("mail.catchall.alias", "Antworten")
    assert story.events("domain")[-1]["catchall"] == "antworten"
    assert story.outcome(story.mail(to="antworten@example.com")) == "refused R8"


def test_an_installation_without_any_domain(story: Story) -> None:
    story.apply(remove=["alias/sales@example.com", "domain/example.com"])
    assert story.outcome(story.mail()) == "held R11"


def test_applied_again_it_changes_nothing(story: Story) -> None:
    alias = {"address": "new@example.com", "record_type": "crm.lead"}
    story.apply(alias=[alias])
    rows = len(story.events("alias"))
    story.apply(alias=[alias])
    assert len(story.events("alias")) == rows


def test_an_alias_whose_own_name_holds_a_plus_is_matched_as_it_stands(story: Story) -> None:
    story.apply(alias=[{"address": "sales+vip@example.com", "record_type": "vip.lead"}])
    assert story.thread(story.mail(to="sales+vip@example.com")).startswith("vip.lead/")
    assert story.thread(story.mail(to="sales+other@example.com")).startswith("crm.lead/")
