"""The HTTP door with real requests: 202 after acceptance and not before (I1, I2)."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from postroad.ingest.doors.http import HttpDoor
from postroad.runtime.config import Config, ConfigError, Http
from postroad.runtime.named import digest
from postroad.runtime.worker import Unavailable
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import Envelope
from tests.ingest.acceptance import HTTP, MAIL, NOT_NOW, TOKEN, World, hanging, killed_once_stored
from tests.ingest.dialog import closed

BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Answer(NamedTuple):
    status: int
    content: dict[str, str]
    headers: dict[str, str]


@asynccontextmanager
async def door(world: World, settings: Http = HTTP, size: int = 0) -> AsyncIterator[HttpDoor]:
    opened = HttpDoor(world.tools(Config(http=settings), size))
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def request(
    port: int, body: Any = MAIL, headers: dict[str, str] = BEARER, path: str = "/mail", method: str = "POST"
) -> Answer:
    """A body that is an iterator goes in chunks."""
    client = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        client.request(method, path, body, headers)
        response = client.getresponse()
        return Answer(response.status, json.loads(response.read()), dict(response.headers))
    finally:
        client.close()


async def ask(port: int, **given: Any) -> Answer:
    return await asyncio.to_thread(request, port, **given)


async def raw(port: int, *sent: bytes, half_close: bool = False) -> bytes:
    """What comes back for these octets, up to the end of an answer or of the connection."""

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            for octets in sent:
                connection.sendall(octets)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while not answer.endswith(b"}") and (more := connection.recv(65536)):
                answer += more
            return answer

    return await asyncio.to_thread(talk)


def head(*fields: str, token: str = TOKEN) -> bytes:
    lines = ("POST /mail HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {token}", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_202_comes_after_the_event_is_acknowledged() -> None:
    world = World()
    async with door(world) as opened:
        answer = await ask(opened.port)
        world.order.append("answered")
    [event] = world.events
    assert isinstance(event, MailReceived)
    assert (answer.status, answer.content) == (202, {"event_id": event.event_id})
    assert world.order == ["acknowledged", "answered"]
    assert event.raw == digest(MAIL)
    assert event.door == "http"


@pytest.mark.parametrize("make", NOT_NOW)
async def test_what_is_not_durable_is_503(make: Callable[[], World]) -> None:
    world = make()
    async with door(world) as opened:
        answer = await ask(opened.port)
    assert (answer.status, world.events) == (503, [])
    assert int(answer.headers["Retry-After"]) > 0
    assert "try again later" in answer.content["error"]


async def test_a_slow_store_is_waited_for() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        asking = asyncio.create_task(ask(opened.port))
        await world.store.asked.wait()
        done, _ = await asyncio.wait([asking], timeout=0.2)
        assert not done
        world.store.open.set()
        assert (await asking).status == 202


async def test_killed_between_store_and_event_the_client_got_no_yes(tmp_path: Path) -> None:
    with hanging("http", tmp_path) as (port, process):
        asking = asyncio.create_task(raw(port, head(f"Content-Length: {len(MAIL)}"), MAIL))
        await asyncio.to_thread(killed_once_stored, process)
        try:
            answer = await asking
        except ConnectionError:
            answer = b""
    assert answer == b""
    name = digest(MAIL).ref.removeprefix("sha256/")
    stored = await asyncio.to_thread(lambda: [found.read_bytes() for found in tmp_path.rglob(name)])
    assert stored == [MAIL]


@pytest.mark.parametrize(
    ("first", "second", "events"),
    [
        pytest.param({}, {}, 1, id="the same body twice"),
        pytest.param({}, {"body": iter([MAIL])}, 1, id="also in chunks"),
        pytest.param({}, {"body": MAIL + b"x"}, 2, id="other bodies"),
        pytest.param({}, {"path": "/mail?rcpt_to=sales@example.com"}, 2, id="to other recipients it is another mail"),
        pytest.param({}, {"path": "/mail?mail_from="}, 2, id="the null reverse-path is not an unknown one"),
        pytest.param({"key": "1"}, {"key": "1", "body": MAIL + b"x"}, 1, id="the same key says the same thing"),
        pytest.param({"key": "1"}, {"key": "2"}, 2, id="other keys"),
        pytest.param({}, {"key": "1"}, 2, id="a key and none"),
    ],
)
async def test_what_is_asked_again_is_one_event(first: dict[str, Any], second: dict[str, Any], events: int) -> None:
    world = World()
    async with door(world) as opened:
        for given in (first, second):
            key = {"Idempotency-Key": given.pop("key")} if "key" in given else {}
            assert (await ask(opened.port, headers=BEARER | key, **given)).status == 202
    assert len(world.events) == 2
    assert len({event.event_id for event in world.events}) == events


@pytest.mark.parametrize(
    ("path", "headers", "envelope"),
    [
        pytest.param("/mail", {}, Envelope(), id="not known"),
        pytest.param("/mail?mail_from=", {}, Envelope(mail_from=""), id="the null reverse-path"),
        pytest.param("/mail?mail_from=%3C%3E", {}, Envelope(mail_from=""), id="in brackets"),
        pytest.param(
            "/mail?mail_from=a@example.org&rcpt_to=b@example.com&rcpt_to=%3Cc%2Bd@example.com%3E",
            {},
            Envelope(mail_from="a@example.org", rcpt_to=("b@example.com", "c+d@example.com")),
            id="in the query",
        ),
        pytest.param(
            "/mail",
            {"Mail-From": "a@example.org", "Rcpt-To": "b@example.com"},
            Envelope(mail_from="a@example.org", rcpt_to=("b@example.com",)),
            id="in header fields",
        ),
        pytest.param("/mail?rcpt_to=postmaster", {}, Envelope(rcpt_to=("postmaster",)), id="postmaster"),
    ],
)
async def test_the_envelope_is_what_the_client_says(path: str, headers: dict[str, str], envelope: Envelope) -> None:
    world = World()
    async with door(world) as opened:
        assert (await ask(opened.port, path=path, headers=BEARER | headers)).status == 202
    assert [event.envelope for event in world.events] == [envelope]


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        pytest.param({"headers": {}}, 401, "token", id="no token"),
        pytest.param({"headers": {"Authorization": "Bearer other"}}, 401, "token", id="another token"),
        pytest.param({"headers": {"Authorization": f"Bearer {TOKEN}x"}}, 401, "token", id="a longer token"),
        pytest.param({"headers": {"Authorization": "Bearer \xe9"}}, 401, "token", id="a token that is not ASCII"),
        pytest.param({"headers": {"Authorization": f"Basic {TOKEN}"}}, 401, "token", id="another scheme"),
        pytest.param({"body": b""}, 400, "empty", id="an empty body"),
        pytest.param({"body": iter([])}, 400, "empty", id="an empty body in chunks"),
        pytest.param({"body": MAIL + b"x" * 2000}, 413, "1000 octets", id="announced too large"),
        pytest.param({"body": iter([MAIL, b"x" * 2000])}, 413, "1000 octets", id="too large while read"),
        pytest.param(
            {"headers": BEARER | {"Content-Encoding": "gzip"}}, 415, "without Content-Encoding", id="compressed"
        ),
        pytest.param({"headers": BEARER | {"Content-Type": "application/json"}}, 415, "message/rfc822", id="JSON"),
        pytest.param({"path": "/mail?rcpt_to=sales"}, 400, "local-part@domain", id="a recipient without domain"),
        pytest.param({"path": "/mail?mail_from=a%0Ab@c"}, 400, "one line", id="a reverse-path of two lines"),
        pytest.param({"headers": BEARER | {"Idempotency-Key": ""}}, 400, "1 to 255", id="an empty key"),
        pytest.param({"headers": BEARER | {"Idempotency-Key": "k" * 256}}, 400, "1 to 255", id="a key too long"),
        pytest.param({"path": "/"}, 404, "/mail", id="another path"),
        pytest.param({"method": "PUT"}, 405, "POST", id="another method"),
    ],
)
async def test_what_is_not_taken_is_told_why(given: dict[str, Any], status: int, words: str) -> None:
    world = World()
    async with door(world, size=1000) as opened:
        answer = await ask(opened.port, **given)
        assert (answer.status, words in answer.content["error"]) == (status, True), answer
        assert answer.headers.get("WWW-Authenticate", "").startswith("Bearer") is (status == 401)
        assert (answer.headers.get("Allow") == "POST") is (status == 405)
        assert (await ask(opened.port)).status == 202  # the next is none the worse for it
    assert len(world.events) == 1


@pytest.mark.parametrize(
    ("sent", "half_close", "status"),
    [
        pytest.param([head()], False, b"411", id="no length"),
        pytest.param([head("Content-Length: 100000000")], False, b"413", id="announced too large, refused unread"),
        pytest.param([head("Content-Length: 100"), MAIL[:50]], False, b"408", id="a body that does not come"),
        pytest.param([head("Content-Length: 1000"), MAIL], True, b"", id="a body that breaks off"),
        pytest.param(
            [head("Transfer-Encoding: chunked"), b"%x\r\n" % len(MAIL), MAIL, b"\r\n"], True, b"", id="so in chunks"
        ),
        pytest.param([head("Transfer-Encoding: chunked"), b"zz\r\n", MAIL], False, b"400", id="chunks that are none"),
        pytest.param([head("Transfer-Encoding: gzip, chunked"), b"0\r\n\r\n"], False, b"501", id="compressed chunks"),
        pytest.param([b"GET / HTTP/1.1\r\n\r\n"], False, b"400", id="no HTTP"),
        pytest.param(
            [head("Expect: 100-continue", "Content-Length: 10", token="x")],
            False,
            b"401",
            id="refused before it is sent",
        ),
        pytest.param(
            [head("Expect: 100-continue", f"Content-Length: {len(MAIL)}"), MAIL], False, b"100", id="asked first"
        ),
        pytest.param([head("Expect: miracles", "Content-Length: 10")], False, b"417", id="another expectation"),
    ],
)
async def test_on_the_wire(
    sent: list[bytes], half_close: bool, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    async with door(world, msgspec.structs.replace(HTTP, body_timeout=0.2)) as opened:
        answer = await raw(opened.port, *sent, half_close=half_close)
    assert caplog.records == [], "what strangers send is no fault of ours"
    assert answer[9:12] == status, answer
    assert len(world.events) == (status == b"100")
    assert (b" 202 " in answer) is (status == b"100")


async def test_too_much_at_once_is_asked_to_come_later() -> None:
    world = World()
    world.store.open.clear()
    async with door(world, msgspec.structs.replace(HTTP, in_flight=len(MAIL) + 1)) as opened:
        first = asyncio.create_task(ask(opened.port))
        await world.store.asked.wait()
        second = await ask(opened.port)
        assert (second.status, "Retry-After" in second.headers) == (503, True)
        world.store.open.set()
        assert (await first).status == 202
        assert (await ask(opened.port)).status == 202  # what was taken in makes room


async def test_a_stop_finishes_what_was_begun_and_takes_nothing_new() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        idle = HTTPConnection("127.0.0.1", opened.port, timeout=60)
        await asyncio.to_thread(idle.connect)
        asking = asyncio.create_task(ask(opened.port))
        await world.store.asked.wait()
        stopping = asyncio.create_task(opened.stop())
        await closed(opened.port)
        world.store.open.set()
        await asyncio.wait_for(stopping, 60)
        assert (await asking).status == 202
        idle.close()
    assert len(world.events) == 1


async def test_a_stop_does_not_wait_for_ever_and_what_it_cuts_got_no_yes() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        asking = asyncio.create_task(raw(opened.port, head(f"Content-Length: {len(MAIL)}"), MAIL))
        await world.store.asked.wait()
        await asyncio.wait_for(opened.stop(), 4)  # as long as a worker gives its doors
        assert b" 202 " not in await asking
    assert world.events == []


@pytest.mark.parametrize(
    ("token", "words"),
    [
        pytest.param("", "env:NAME", id="none"),
        pytest.param(TOKEN, "env:NAME", id="a token as it is, which is not repeated"),
        pytest.param("env:NOT_SET", "env:NOT_SET is not set", id="unset"),
    ],
)
async def test_no_door_without_a_token(token: str, words: str) -> None:
    opened = HttpDoor(World().tools(Config(http=Http(token=token))))
    with pytest.raises(ConfigError, match=words) as raised:
        await opened.start()
    assert TOKEN not in str(raised.value)


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        opened = HttpDoor(World().tools(Config(http=msgspec.structs.replace(HTTP, port=port))))
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{port} .*in use.*\[http\]"):
            await opened.start()
