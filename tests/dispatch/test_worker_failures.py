"""O9: every type of failure, from a submission to the event that the app reads, with real servers in between."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroad.bounces.notifications import NOTIFICATIONS
from postroad.runtime.config import Config
from postroad_schemas.chatter import NotificationFailed
from postroad_schemas.directory import AliasDomain, Credentials, OAuth2, Security
from postroad_schemas.values import FailureType, Mailbox
from tests.dispatch.made import Runner, submitted
from tests.dispatch.test_worker import dispatching, smarthost
from tests.support.smtp_sink import DROP, SmtpSink, make_certificate
from tests.support.token_endpoint import token_endpoint

LOGIN = Credentials(username="postroad", secret="env:POSTROAD_TEST_WORD")
NO_DEFAULT = AliasDomain(name="example.com", default=True, default_from="")
JUERGEN = "jürgen@example.org"


@pytest.fixture(autouse=True)
def _word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROAD_TEST_WORD", "wrong")


def told(runner: Runner) -> NotificationFailed:
    """The one event for the app, after all that may be tried again was."""
    state, failed = NOTIFICATIONS.state(), []
    for report in runner.reports:
        decision = NOTIFICATIONS.decide(report, state, runner.views)
        state = decision.state
        failed += [event for event in decision.emit if isinstance(event, NotificationFailed)]
    [event] = failed
    assert (event.author, event.thread, event.message_id) == ("contact-1", "lead/1", "<1@example.com>")
    return event


@pytest.mark.parametrize(
    ("script", "server", "failure", "status", "expired"),
    [
        pytest.param({"connect": "554 5.7.1 not you"}, {}, "connection", "5.7.1", False, id="turned away"),
        pytest.param({"connect": DROP}, {}, "connection", "4.4.1", True, id="no greeting, until it has expired"),
        pytest.param({"helo": "550 5.5.0 no"}, {}, "connection", "5.5.0", False, id="refused at EHLO"),
        pytest.param({"body": DROP}, {}, "connection", "4.4.2", True, id="lost before the 250, until it has expired"),
        pytest.param({}, {"security": Security.STARTTLS}, "connection", "4.7.5", True, id="no TLS where it must be"),
        pytest.param({"mail": "550 5.7.1 no"}, {}, "refused", "5.7.1", False, id="refused at MAIL"),
        pytest.param({"rcpt": {"*": "550 5.1.1 no"}}, {}, "refused", "5.1.1", False, id="refused at RCPT"),
        pytest.param({"data": "554 5.6.0 no"}, {}, "refused", "5.6.0", False, id="refused at DATA"),
        pytest.param({"body": "552 5.2.2 full"}, {}, "refused", "5.2.2", False, id="refused after the body"),
        pytest.param({"rcpt": {"*": "450 4.2.1 no"}}, {}, "refused", "4.2.1", True, id="deferred until it has expired"),
        pytest.param({"size": 100}, {}, "configuration", "5.3.4", False, id="over the announced SIZE"),
        pytest.param({}, {"size_limit": 100}, "configuration", "5.3.4", False, id="over our own limit"),
        pytest.param({"users": {"a": "b"}}, {"credentials": LOGIN}, "configuration", "5.7.8", False, id="AUTH refused"),
        pytest.param(
            {}, {"credentials": LOGIN, "host": "mx.example"}, "configuration", "5.7.11", False, id="an exposed password"
        ),
    ],
)
async def test_a_server_brings(
    script: dict[str, Any], server: dict[str, Any], failure: str, status: str, expired: bool
) -> None:
    async with SmtpSink(**script) as sink, dispatching(Config(), smarthost(sink, **server)) as runner:
        await runner.take(submitted())
        await runner.pass_time(timedelta(days=6))
    event = told(runner)
    assert (event.failure, event.status, event.expired) == (failure, status, expired)
    assert not sink.messages
    assert event.diagnostic


@pytest.mark.parametrize(
    ("fields", "failure", "status"),
    [
        pytest.param({"recipient": JUERGEN}, "smtputf8_needed", "5.6.7", id="a non-ASCII local part, no SMTPUTF8"),
        pytest.param({"recipient": ""}, "address_missing", "5.1.3", id="no address"),
        pytest.param({"recipient": "bob at example"}, "address_invalid", "5.1.3", id="no address either"),
        pytest.param({"from_": None}, "sender_missing", "5.1.7", id="no From and no default From"),
        pytest.param({"from_": Mailbox(address="mary")}, "sender_invalid", "5.1.7", id="a From that is no address"),
        pytest.param({"server": "other"}, "configuration", "5.3.5", id="a dedicated server that is missing"),
    ],
)
async def test_a_message_brings(fields: dict[str, Any], failure: str, status: str) -> None:
    async with SmtpSink(smtputf8=False) as sink, dispatching(Config(), smarthost(sink), NO_DEFAULT) as runner:
        await runner.take(submitted(1, fields.pop("recipient", "bob@example.org"), **fields))
    assert (told(runner).failure, told(runner).status) == (failure, status)
    assert not sink.messages


async def test_a_certificate_for_another_name_is_a_failure_of_the_connection(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "mx.other.test")
    tls = {"security": Security.TLS, "ca_file": str(other.ca_file)}
    async with SmtpSink(certificate=other, tls="tls") as sink, dispatching(Config(), smarthost(sink, **tls)) as runner:
        await runner.take(submitted())
        await runner.pass_time(timedelta(days=6))
    event = told(runner)
    assert (event.failure, event.status, event.expired) == (FailureType.CONNECTION, "4.7.5", True)
    assert "mismatch" in event.diagnostic


async def test_a_refresh_token_that_is_no_more_is_a_failure_of_the_configuration() -> None:
    with token_endpoint() as endpoint:
        endpoint.answers.append((400, b'{"error": "invalid_grant"}'))
        oauth2 = OAuth2(token_url=endpoint.url, client_id="postroad")
        login = Credentials(username="postroad", secret="env:POSTROAD_TEST_WORD", oauth2=oauth2)
        async with (
            SmtpSink(users={"postroad": "-"}) as sink,
            dispatching(Config(), smarthost(sink, credentials=login)) as runner,
        ):
            await runner.take(submitted())
    assert told(runner).failure is FailureType.CONFIGURATION
    assert "renew the refresh token" in told(runner).diagnostic
