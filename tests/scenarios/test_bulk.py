"""Mass mail (O6)."""

from typing import Any

import pytest

from tests.support.scenario import Story


def skipped(story: Story) -> list[str]:
    return [event["failure"] for event in story.events("notification.failed")]


@pytest.mark.parametrize(
    ("recipient", "why"),
    [
        pytest.param("", "address_missing", id="missing"),
        pytest.param("eve at customer", "address_invalid", id="invalid"),
        pytest.param("EVE@customer.example", "duplicate", id="served in this mailing already"),
        pytest.param("left@customer.example", "opted_out", id="left the list"),
        pytest.param("barred@customer.example", "blacklisted", id="blacklisted"),
    ],
)
def test_skips_name_why_and_count_on_no_address(story: Story, recipient: str, why: str) -> None:
    story.event("address.left", address="left@customer.example", list_name="news", how="app")
    story.event("address.barred", address="barred@customer.example")
    story.submit("eve@customer.example", mailing="news")
    story.submit(recipient, mailing="news")
    assert skipped(story) == [why]
    assert len(story.sent()) == 1
    assert story.events("address.failed") == []


def test_another_mailing_is_another_matter(story: Story) -> None:
    story.event("address.left", address="eve@customer.example", list_name="news")
    for mailing in ("offers", "surveys"):
        story.submit("eve@customer.example", mailing=mailing)
    assert len(story.sent()) == 2


def test_a_dedicated_server_is_used_as_given_with_from_untouched(story: Story) -> None:
    story.apply(
        smarthost=[{"name": "main", "host": "m.example"}, {"name": "mass", "host": "b.example", "priority": 99}]
    )
    story.submit("eve@customer.example", "shop@elsewhere.example", mailing="news", server="mass")
    (one,) = story.sent()
    assert (one.server, one["From"]) == ("mass", "shop@elsewhere.example")


@pytest.mark.parametrize("active", [True, False])
def test_a_dedicated_server_that_is_not_there_is_a_configuration_failure(story: Story, active: bool) -> None:
    servers: list[dict[str, Any]] = [{"name": "main", "host": "m.example"}]
    servers += [] if active else [{"name": "mass", "host": "b.example", "active": False}]
    story.apply(smarthost=servers)
    story.submit("eve@customer.example", mailing="news", server="mass")
    assert skipped(story) == ["configuration"]
    assert story.sent() == []


def test_bulk_mail_says_that_it_is(story: Story) -> None:
    story.submit("eve@customer.example", mailing="news")
    (one,) = story.sent()
    assert one["Precedence"] == "list"
    assert one["X-Auto-Response-Suppress"] == "OOF, AutoReply"
