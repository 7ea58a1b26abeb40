"""O12: who a test of a connection writes as and to."""

import pytest

from postroad.dispatch.probe import Probe, probe
from postroad_schemas.directory import AliasDomain, Smarthost
from tests.dispatch.made import DOMAIN, views_of

OTHER = AliasDomain(name="example.net", default_from="hello@example.net")
TESTER = "tess@example.org"


@pytest.mark.parametrize(
    ("filters", "tester", "mail_from", "rcpt_to"),
    [
        pytest.param(
            ("example.org", "a@x.test", "b@x.test"), "", "a@x.test", "a@x.test", id="the first complete address"
        ),
        pytest.param(("a@x.test",), TESTER, "a@x.test", TESTER, id="to the tester, if there is one"),
        pytest.param(
            ("x.test", "example.com"), "", "notifications@example.com", "notifications@example.com", id="default From"
        ),
        pytest.param(
            ("example.net",), "", "hello@example.net", "hello@example.net", id="another company's default From"
        ),
        pytest.param(("x.test", "y.test"), "", "noreply@x.test", "noreply@x.test", id="the first domain"),
        pytest.param((" ", "@x.test"), "", "noreply@x.test", "noreply@x.test", id="a domain as people write it"),
        pytest.param((), TESTER, TESTER, TESTER, id="no filter: the tester"),
        pytest.param((), f"<{TESTER}>", TESTER, TESTER, id="in brackets"),
    ],
)
def test_sender_and_recipient(filters: tuple[str, ...], tester: str, mail_from: str, rcpt_to: str) -> None:
    server = Smarthost(name="main", host="mx.test", from_filter=filters)
    assert probe(server, tester, views_of(DOMAIN, OTHER).directory) == Probe(mail_from, rcpt_to)


@pytest.mark.parametrize(
    ("filters", "tester", "why"),
    [
        pytest.param((), "", "main has no from_filter", id="no filter and no tester"),
        pytest.param(("x.test",), "tess", "'tess' is no address", id="a tester that is none"),
        pytest.param(("a b@x.test",), "", "correct it", id="a filter that nothing can be made of"),
    ],
)
def test_there_is_no_sender(filters: tuple[str, ...], tester: str, why: str) -> None:
    server = Smarthost(name="main", host="mx.test", from_filter=filters)
    made = probe(server, tester, views_of(DOMAIN).directory)
    assert isinstance(made, str)
    assert why in made
