"""`postroad up` with the doors that its settings open: what comes in there goes all the way."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from smtplib import LMTP

import pytest

from postroad.ingest.doors.http import HttpDoor
from postroad.ingest.doors.lmtp import LmtpDoor
from postroad.ingest.worker import WORKER
from postroad.runtime.broker_files.loopback import free_ports
from postroad.runtime.config import Config, Http, Lmtp
from tests.cli.installation import ENVIRONMENT, Installation
from tests.ingest.acceptance import HTTP, MAIL, TOKEN, World
from tests.ingest.test_http import BEARER, request


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setitem(ENVIRONMENT, "POSTROAD_TEST_TOKEN", TOKEN)
    made = Installation(tmp_path)
    assert made("apply").code == os.EX_OK
    return made


def open_doors(installation: Installation, tables: str) -> None:
    installation.file.write_text(installation.file.read_text().replace("[relay]", f"{tables}\n[relay]"))


def soon(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("config", "opened"),
    [
        pytest.param(Config(), [], id="none by default"),
        pytest.param(Config(lmtp=Lmtp(port=24)), [LmtpDoor], id="LMTP by its port"),
        pytest.param(Config(lmtp=Lmtp(path="lmtp")), [LmtpDoor], id="LMTP by its path"),
        pytest.param(Config(lmtp=Lmtp(host="::1")), [], id="a host alone opens nothing"),
        pytest.param(Config(http=Http(port=8080)), [HttpDoor], id="HTTP by its port"),
        pytest.param(Config(http=HTTP), [], id="a token alone opens nothing"),
    ],
)
def test_only_what_is_configured_is_opened(config: Config, opened: list[type]) -> None:
    tools = World().tools(config)
    made = [make(tools) for make in WORKER.doors]
    assert [type(door) for door in made if isinstance(door, HttpDoor | LmtpDoor)] == opened


def test_http_and_lmtp_go_all_the_way_and_what_is_posted_twice_is_one_event(installation: Installation) -> None:
    port, path = free_ports(1)[0], installation.folder / "lmtp"
    open_doors(installation, f'[http]\nport = {port}\ntoken = "env:POSTROAD_TEST_TOKEN"\n[lmtp]\npath = "{path}"')
    with installation.up():
        assert installation.ready.endswith(f" (SMTP), {path} (LMTP), 127.0.0.1:{port} (HTTP); stop with Ctrl-C\n")
        soon(lambda: len(installation.events("directory")) >= 2)
        posted = [request(port, path="/mail?mail_from=anna@example.org&rcpt_to=sales@example.com") for _ in range(2)]
        with LMTP(str(path)) as client:
            client.sendmail("bob@example.org", ["sales@example.com"], MAIL.replace(b"<1@", b"<2@"))
        soon(lambda: {event.settled for event in installation.settled()} == {"<1@example.org>", "<2@example.org>"})
    assert posted[0].content == posted[1].content
    assert len({event.event_id for event in installation.settled()}) == 2
    assert {event.outcome for event in installation.settled() if event.settled == "<1@example.org>"} == {"delivered"}
    assert len({event.event_id for event in installation.events("chatter.published")}) == 2


@pytest.mark.parametrize(
    ("tables", "code", "answer"),
    [
        pytest.param(
            '[http]\nport = {taken}\ntoken = "env:POSTROAD_TEST_TOKEN"',
            os.EX_UNAVAILABLE,
            "in [http]",
            id="HTTP's port",
        ),
        pytest.param("[lmtp]\nport = {taken}", os.EX_UNAVAILABLE, "in [lmtp]", id="LMTP's port"),
        pytest.param('[lmtp]\npath = "/nowhere/lmtp"', os.EX_UNAVAILABLE, "/nowhere/lmtp cannot", id="LMTP's path"),
        pytest.param("[http]\nport = 1", os.EX_CONFIG, "[http] token cannot be had", id="no token"),
        pytest.param(
            '[http]\nport = 1\ntoken = "env:POSTROAD_NOT_SET"',
            os.EX_CONFIG,
            "env:POSTROAD_NOT_SET is not set",
            id="unset",
        ),
        pytest.param("[http]\nprot = 1", os.EX_CONFIG, "did you mean 'port'", id="a slip"),
    ],
)
def test_a_door_that_cannot_open_says_why(installation: Installation, tables: str, code: int, answer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        open_doors(installation, tables.format(taken=other.getsockname()[1]))
        said = installation("up")
    assert (said.code, answer in said.err) == (code, True), said
    assert BEARER["Authorization"] not in said.err
    assert said.err.count("\n") == 1


def test_a_providers_webhook_goes_all_the_way_to_the_address(installation: Installation) -> None:
    """B1, B3: told by the door, counted by bounces, explained by the command."""
    port = free_ports(1)[0]
    tables = f'[http]\nport = {port}\ntoken = "env:POSTROAD_TEST_TOKEN"\n'
    open_doors(installation, tables + '[http.webhooks.brevo]\nsecret = "env:POSTROAD_TEST_TOKEN"')
    told = {"event": "hard_bounce", "email": "Ada@example.net", "message-id": "<1@example.com>", "ts": 1764000000}
    with installation.up():
        for _ in range(2):
            answer = request(port, json.dumps(told).encode(), BEARER, "/webhooks/brevo")
            assert answer.status == 200
        soon(lambda: len(installation.events("address.observed")) >= 1)
        soon(lambda: "5.1.1" in installation("suppression", "show", "ada@example.net").out)
    shown = installation("suppression", "show", "ada@example.net").out
    assert "failures since it was last heard from: 1" in shown
    assert "does not count: of an unknown stream" in shown
