"""`postroad smarthost`: add with OAuth 2.0, test step by step (O12), explain (O1, O2, O4)."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.conftest import Running
from tests.cli.installation import Said
from tests.support.smtp_sink import DROP, SmtpSink
from tests.support.thread_loop import in_thread

Declared = Callable[..., Running]


@contextlib.contextmanager
def sink(**script: Any) -> Iterator[SmtpSink]:
    made = SmtpSink(**script)
    with in_thread(made):
        yield made


def relay(stopped: Running, port: int) -> None:
    """The built-in server; no server is declared."""
    stopped.file.write_text(f'{stopped.file.read_text()}\n[relay]\nhost = "127.0.0.1"\nport = {port}\n')


def steps(said: Said) -> list[str]:
    return [json.loads(line)["step"] for line in said.out.splitlines()]


def test_goes_as_far_as_data_and_sends_nothing(stopped: Running) -> None:
    with sink() as server:
        relay(stopped, server.port)
        said = stopped("smarthost", "test", "default", "--from", "tess@example.org")
    assert (said.code, said.err) == (os.EX_OK, "")
    assert said.out.splitlines()[0].endswith("from tess@example.org to tess@example.org")
    assert [line.split()[:2] for line in said.out.splitlines()[1:-1]] == [
        ["connect", "220"],
        ["helo", "250"],
        ["mail", "250"],
        ["rcpt", "250"],
        ["data", "354"],
    ]
    assert said.out.splitlines()[-1] == "default works; nothing was sent"
    assert not server.messages


@pytest.mark.parametrize(
    ("script", "step", "code"),
    [
        pytest.param({"connect": "554 5.7.1 not you"}, "connect", os.EX_UNAVAILABLE, id="refused in the greeting"),
        pytest.param({"connect": "421 4.3.2 busy"}, "connect", os.EX_TEMPFAIL, id="later"),
        pytest.param({"helo": "550 5.7.1 not you"}, "helo", os.EX_UNAVAILABLE, id="at EHLO"),
        pytest.param({"mail": "550 5.7.1 not yours"}, "mail", os.EX_UNAVAILABLE, id="at MAIL"),
        pytest.param({"rcpt": {"*": "550 5.1.1 nobody"}}, "rcpt", os.EX_UNAVAILABLE, id="at RCPT"),
        pytest.param({"rcpt": {"*": "252 maybe"}}, "rcpt", os.EX_UNAVAILABLE, id="RCPT takes 250 and 251 alone"),
        pytest.param({"rcpt": {"*": "450 4.7.1 greylisted"}}, "rcpt", os.EX_TEMPFAIL, id="greylisted"),
        pytest.param({"rcpt": {"*": DROP}}, "rcpt", os.EX_UNAVAILABLE, id="lost at RCPT"),
        pytest.param({"data": "250 what"}, "data", os.EX_UNAVAILABLE, id="DATA gives anything but 354"),
    ],
)
def test_names_the_step_that_failed(stopped: Running, script: dict[str, Any], step: str, code: int) -> None:
    with sink(**script) as server:
        relay(stopped, server.port)
        said = stopped("smarthost", "test", "default", "--from", "tess@example.org", "--json")
    last = json.loads(said.out.splitlines()[-1])
    assert (said.code, last["step"], last["passed"]) == (code, step, False)
    assert step not in steps(said)[:-1]
    assert f"default fails at {step}: " in said.err


def test_251_will_do(stopped: Running) -> None:
    with sink(rcpt={"*": "251 elsewhere"}, data="354 go on") as server:
        relay(stopped, server.port)
        said = stopped("smarthost", "test", "default", "--from", "tess@example.org", "--json")
    assert json.loads(said.out.splitlines()[-1])["passed"]


@pytest.mark.parametrize(
    ("secret", "code", "step"),
    [("env:POSTROAD_TEST_SMTP", os.EX_OK, "data"), ("env:HOME", os.EX_CONFIG, "auth")],
    ids=["the right password", "a wrong one"],
)
def test_a_declared_server_with_auth(
    running: Running, monkeypatch: pytest.MonkeyPatch, secret: str, code: int, step: str
) -> None:
    monkeypatch.setenv("POSTROAD_TEST_SMTP", "open sesame")
    with sink(users={"postroad": "open sesame"}) as server:
        login = ("--username", "postroad", "--secret", secret)
        port = ("--port", str(server.port), "--filter", "example.com", "--size-limit", "1000")
        running.good("smarthost", "add", "main", "127.0.0.1", *port, *login)
        said = running("smarthost", "test", "main", "--json")
    last = json.loads(said.out.splitlines()[-1])
    assert (said.code, last["step"], last["mail_from"]) == (code, step, "notifications@example.com")
    assert "open sesame" not in said.out + said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(("default",), os.EX_CONFIG, "default has no from_filter", id="no sender: no connection"),
        pytest.param(("default", "--from", "tess"), os.EX_CONFIG, "'tess' is no address", id="no address"),
        pytest.param(("other",), os.EX_NOINPUT, "no outgoing server other", id="no such server"),
    ],
)
def test_what_cannot_be_tested(stopped: Running, words: tuple[str, ...], code: int, says: str) -> None:
    with sink() as server:
        relay(stopped, server.port)
        said = stopped("smarthost", "test", *words)
        assert server.connections == 0
    assert said.code == code
    assert says in said.err


def test_a_password_in_the_clear_is_a_configuration_failure(running: Running) -> None:
    running.good("smarthost", "add", "far", "mx.example", "--username", "u", "--secret", "env:HOME")
    said = running("smarthost", "test", "far", "--from", "tess@example.org")
    assert said.code == os.EX_CONFIG
    assert "set its security to starttls or tls" in said.err


OAUTH2 = ("--oauth2-token-url", "https://login.example/token", "--oauth2-client-id", "us", "--oauth2-scope", "smtp")


def test_add_with_oauth2_and_limits(running: Running) -> None:
    login = ("--username", "u", "--secret", "file:/run/refresh", "--security", "tls", "--mails-per-connection", "7")
    running.good("smarthost", "add", "main", "mx.example", *login, *OAUTH2)
    row = running.rows()["smarthost/main"]
    assert (row.credentials.oauth2.token_url, row.credentials.oauth2.client_id) == ("https://login.example/token", "us")
    assert (row.mails_per_connection, row.port) == (7, 465)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(OAUTH2, id="without a refresh token"),
        pytest.param(("--username", "u", "--secret", "env:A", *OAUTH2[:2]), id="without a client id"),
        pytest.param(("--username", "u"), id="without a secret"),
    ],
)
def test_add_says_what_goes_together(stopped: Running, words: tuple[str, ...]) -> None:
    assert stopped("smarthost", "add", "main", "mx.example", *words).code == os.EX_USAGE


def test_explain_tells_the_choice_and_both_senders(running: Running) -> None:
    running.good("smarthost", "add", "ours", "a.example", "--filter", "example.com")
    running.good("smarthost", "add", "news", "b.example", "--stream", "bulk")
    lines = running.good("smarthost", "explain", "Mary <mary@example.org>").splitlines()
    assert lines[0].startswith("O1  ours (a.example:25, priority 10, example.com): chosen: ")
    assert lines[1].endswith("sends bulk, not chatter")
    assert lines[2] == 'O2  From "Mary" <mary@example.org> becomes "Mary" <notifications@example.com>'
    assert lines[3].startswith("O4  MAIL FROM:<bounce")
    bulk = running.lines("smarthost", "explain", "mary@example.com", "--stream", "bulk", "--server", "news")
    assert any("the message names it (dedicated)" in line["says"] for line in bulk)


def test_a_provider_is_declared_listed_and_explained(running: Running) -> None:
    """B1."""
    said = running("smarthost", "add", "pm", "smtp.postmarkapp.com")
    assert (said.code, "(--provider postmark)" in said.err) == (os.EX_OK, True)
    said = running("smarthost", "add", "pm", "smtp.postmarkapp.com", "--provider", "postmark")
    assert (said.code, said.err) == (os.EX_OK, "")
    assert "provider=postmark" in running.good("smarthost", "list")
    explained = running.good("smarthost", "explain", "mary@example.com")
    assert "O1  pm (smtp.postmarkapp.com:25, of postmark, priority 10, no filter)" in explained
    assert "B1  postmark is told which message it is (X-PM-Metadata-postroad, " in explained
    assert running("smarthost", "add", "pm", "h.example", "--provider", "pigeons").code == os.EX_USAGE


def test_explain_of_the_built_in_server(stopped: Running) -> None:
    said = stopped.good("smarthost", "explain", "mary@example.com")
    assert "O5  no server is declared" in said
    assert "O1  default (localhost:25" in said


def test_explain_why_nothing_is_sent(stopped: Running) -> None:
    said = stopped("smarthost", "explain", "mary@example.com", "--to", "bob at example")
    assert said.code == os.EX_DATAERR
    assert "'bob at example' is no address" in said.err
