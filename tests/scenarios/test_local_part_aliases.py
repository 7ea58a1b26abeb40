"""Aliases that match by local part (R13, D6): the document's commercial@gmail.com."""

import pytest

from tests.support.scenario import Story

COMMERCIAL = {"local_part": "commercial", "record_type": "crm.lead", "match": "local"}
ALLOWED = "mail.catchall.domain.allowed"


@pytest.mark.parametrize(
    ("allowed", "to", "outcome"),
    [
        pytest.param("", "commercial@gmail.com", "delivered R9", id="any domain while none is listed"),
        pytest.param("gmail.com", "commercial@gmail.com", "delivered R9", id="a listed domain"),
        pytest.param(" , GMail.com,, example.net", "Commercial@GMAIL.com", "delivered R9", id="trimmed, lower-cased"),
        pytest.param("example.net", "commercial@gmail.com", "held R11", id="another domain than those listed"),
        pytest.param("example.net", "commercial@example.com", "delivered R9", id="our own domains always"),
        pytest.param("", "commercial2@gmail.com", "held R11", id="another local part"),
        pytest.param("", "sales@gmail.com", "held R11", id="an alias that matches its whole address"),
    ],
)
def test_which_domains_it_matches(story: Story, allowed: str, to: str, outcome: str) -> None:
    story.apply(alias=[COMMERCIAL])
    if allowed:
        story.set(ALLOWED, allowed)
    assert story.outcome(story.mail(to=to)) == outcome


def test_a_value_without_any_domain_is_refused(story: Story) -> None:
    story.apply(alias=[COMMERCIAL])
    story.set(ALLOWED, "example.net")
    story.set(ALLOWED, " , ,")
    assert ALLOWED in story.events("refusal")[-1]["row_key"]
    assert story.outcome(story.mail(to="commercial@gmail.com")) == "held R11"
