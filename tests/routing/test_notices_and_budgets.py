"""Who may be told (L8), which counts a mail must pass (L1-L4, L6, L9), and signs of life (B3)."""

from typing import Any

import msgspec
import pytest

from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.directory import Alias, Limits
from postroad_schemas.mail import MailReceived, MailRefused, MailRouted, Release, Scope
from postroad_schemas.values import Automatic, Degree, Envelope, ThreadLink, Verdict
from tests.routing.mails import BOB, CATCHALL, DIRECTORY, answered, end, mail, settled, take, views

SALES = ["sales@example.com"]
MADE = Automatic(degree=Degree.MADE, reason="Precedence: bulk")


@pytest.mark.parametrize(
    ("fields", "addressee"),
    [
        pytest.param({}, BOB, id="the reverse-path"),
        pytest.param({"envelope": Envelope(mail_from="Ret@Example.org")}, "ret@example.org", id="not the author"),
        pytest.param({"envelope": Envelope(), "return_path": "<r@example.org>"}, "r@example.org", id="Return-Path"),
        pytest.param({"envelope": Envelope()}, BOB, id="no reverse-path: the author"),
        pytest.param({"envelope": Envelope(mail_from="")}, "", id="the null reverse-path"),
        pytest.param({"envelope": Envelope(), "return_path": ""}, "", id="the null Return-Path"),
        pytest.param({"automatic": MADE}, "", id="automatic mail of any degree"),
        pytest.param({"list_id": "<l.example.org>"}, "", id="list mail"),
        pytest.param({"envelope": Envelope(mail_from=SALES[0])}, "", id="an address of ours"),
        pytest.param({"envelope": Envelope(mail_from="postmaster@example.com")}, "", id="our postmaster"),
        pytest.param({"suppress_notices": True}, "", id="X-Auto-Response-Suppress"),
        pytest.param({"verdict": Verdict(spf="fail")}, "", id="forged by SPF"),
        pytest.param({"verdict": Verdict(dmarc="fail")}, "", id="forged by DMARC"),
        pytest.param({"verdict": Verdict(spf="pass", dmarc="fail")}, BOB, id="SPF vouches for the reverse-path"),
        pytest.param({"verdict": Verdict(spf="softfail")}, BOB, id="softfail proves no forgery"),
        pytest.param({"sender": "", "envelope": Envelope()}, "", id="nobody to tell"),
    ],
)
def test_l8_who_is_told(fields: dict[str, Any], addressee: str) -> None:
    emitted = take(mail(to=[CATCHALL], **fields), views()).emit
    (refused,) = [each for each in emitted if isinstance(each, MailRefused)]
    assert refused.notice.addressee == addressee
    assert bool(refused.notice.why_not) is not bool(addressee)


def keys(event: MailReceived, **parameters: str) -> list[str]:
    found = end(take(event, views(DIRECTORY, (), **parameters)).emit)
    assert isinstance(found, MailRouted)
    return [f"{budget.key}{' (shadow)' if budget.shadow else ''}" for budget in found.budgets]


@pytest.mark.parametrize(
    ("event", "parameters", "expected"),
    [
        pytest.param(
            mail(to=SALES),
            {},
            ["author sales@example.com bob@example.org", "alias sales@example.com (shadow)"],
            id="L2 author and alias, L9 all authors in shadow",
        ),
        pytest.param(
            mail(to=SALES),
            {"mail__gateway__loop__shadow": "false"},
            ["author sales@example.com bob@example.org"],
            id="L9 no shadow",
        ),
        pytest.param(
            mail(to=SALES), {"mail__gateway__loop__scope": "alias"}, ["alias sales@example.com"], id="L2 scope alias"
        ),
        pytest.param(
            mail(to=SALES),
            {"mail__gateway__loop__scope": "type", "mail__gateway__loop__shadow": "false"},
            ["type lead bob@example.org"],
            id="L2 scope type",
        ),
        pytest.param(
            mail(to=["x@y.example"], record_type="ticket"), {}, ["type ticket bob@example.org"], id="L2 no alias"
        ),
        pytest.param(mail(to=["board@example.com"]), {}, ["thread task/7 bob@example.org"], id="L3 a bound alias"),
        pytest.param(mail(to=SALES), {"mail__gateway__allowed": "bob@example.org"}, [], id="L4 an allowed sender"),
        pytest.param(mail(to=SALES), {"mail__gateway__allowed": "example.org"}, [], id="L4 an allowed domain"),
        pytest.param(
            mail(to=SALES),
            {"mail__gateway__allowed": "ob@example.org,ample.org", "mail__gateway__loop__shadow": "false"},
            ["author sales@example.com bob@example.org"],
            id="L4 never by substring",
        ),
        pytest.param(mail(to=SALES, sender=""), {}, [], id="L4 no author"),
        pytest.param(
            mail(to=[CATCHALL, "eve@example.net"], fingerprint="f"), {}, ["fingerprint f"], id="L6 carries the refusal"
        ),
        pytest.param(
            mail(to=[CATCHALL, *SALES], fingerprint="f"),
            {"mail__gateway__loop__shadow": "false"},
            ["fingerprint f", "author sales@example.com bob@example.org"],
            id="L6 first",
        ),
        pytest.param(
            mail(to=[CATCHALL, *SALES], fingerprint="f", release=Release(held="h", rule="L1")),
            {"mail__gateway__loop__shadow": "false"},
            ["author sales@example.com bob@example.org"],
            id="R17 a release repeats nothing",
        ),
        pytest.param(
            mail(to=["board@example.com"], cc=[CATCHALL], fingerprint="f"),
            {},
            ["thread task/7 bob@example.org"],
            id="L6 not for catchall in Cc",
        ),
    ],
)
def test_budgets_in_their_fixed_order(event: MailReceived, parameters: dict[str, str], expected: list[str]) -> None:
    assert keys(event, **parameters) == expected


def test_l2_mails_from_an_address_of_ours_are_limited_too() -> None:
    assert keys(mail(to=SALES, sender="support@example.com"))[0] == "author sales@example.com support@example.com"


def test_l2_two_routes_under_one_count_take_two() -> None:
    seen = views(mail__gateway__loop__scope="type", mail__gateway__loop__shadow="false")
    seen.directory.apply("alias/more@example.com", Alias(local_part="more", domain="example.com", record_type="lead"))
    found = end(take(mail(to=["more@example.com", *SALES]), seen).emit)
    assert isinstance(found, MailRouted)
    assert [(budget.key, budget.amount) for budget in found.budgets] == [("type lead bob@example.org", 2)]


@pytest.mark.parametrize(
    ("bound_to", "limit"),
    [pytest.param("lead/1", 3, id="to this thread"), pytest.param("lead/2", 20, id="to another")],
)
def test_l3_posts_are_limited_by_the_alias_that_is_bound(bound_to: str, limit: int) -> None:
    seen = views()
    press = Alias(
        local_part="press", domain="example.com", record_type="lead", thread=bound_to, limits=Limits(threshold=3)
    )
    seen.directory.apply("alias/press@example.com", press)
    link = ThreadLink(thread="lead/1", alias="press@example.com", record_type="lead")
    event = mail("m2", to=[CATCHALL], references=("<m1@example.org>",), minute=1)
    found = answered(seen, event, settled("m1", links=(link,)))
    assert isinstance(found, MailRouted)
    assert [(budget.key, budget.limit) for budget in found.budgets] == [("thread lead/1 bob@example.org", limit)]


def test_l2_an_aliass_own_numbers() -> None:
    seen = views(mail__gateway__loop__minutes="60")
    alias = seen.directory.row("alias/sales@example.com")
    assert isinstance(alias, Alias)
    own = msgspec.structs.replace(alias, limits=Limits(threshold=3, scope=Scope.ALIAS))
    seen.directory.apply("alias/sales@example.com", own)
    found = end(take(mail(to=SALES), seen).emit)
    assert isinstance(found, MailRouted)
    assert [(b.key, b.limit, b.window) for b in found.budgets] == [("alias sales@example.com", 3, 3600)]


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        pytest.param(mail(to=SALES), [BOB], id="a normal mail"),
        pytest.param(mail(to=[CATCHALL]), [BOB], id="a refused one too"),
        pytest.param(mail(to=SALES, automatic=MADE), [BOB], id="made by machine"),
        pytest.param(mail(to=SALES, envelope=Envelope(mail_from="")), [], id="an answer by machine"),
        pytest.param(mail(to=SALES, sender="support@example.com"), [], id="an address of ours"),
        pytest.param(mail(to=SALES, sender=""), [], id="no author"),
    ],
)
def test_b3_signs_of_life(event: MailReceived, heard: list[str]) -> None:
    assert [each.address for each in take(event, views()).emit if isinstance(each, AddressHeardFrom)] == heard


def test_b3_a_copy_seen_before_is_no_sign_of_life() -> None:
    state = take(mail(to=SALES), views()).state
    assert not any(isinstance(each, AddressHeardFrom) for each in take(mail(to=SALES, copy=1), views(), state).emit)
