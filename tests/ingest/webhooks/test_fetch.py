"""Documents that a webhook names, from a server beside us: small, soon, and from nowhere else; and large batches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postroad.ingest.doors import http
from postroad.ingest.doors.pages import fetch as page
from postroad.ingest.doors.pages.fetch import MOST, fetch
from postroad.ingest.doors.pages.webhooks import MOST as LARGEST
from postroad.runtime.worker import Unavailable
from tests.ingest.webhooks.conftest import Hooks, opened
from tests.ingest.webhooks.posting import Post, post_sendgrid


@asynccontextmanager
async def serving(answer: bytes, wait: float = 0.0) -> AsyncIterator[str]:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(wait)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.pem"
    assert len(asked) <= 1


def ok(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content


async def test_what_is_there_comes_whole() -> None:
    async with serving(ok(b"x" * MOST)) as url:
        assert await fetch(url) == b"x" * MOST


@pytest.mark.parametrize(
    ("answer", "wait", "words"),
    [
        pytest.param(ok(b"x" * (MOST + 1)), 0.0, "is larger than", id="too large"),
        pytest.param(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0.0, "answers 404", id="not there"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /b.pem\r\nContent-Length: 0\r\n\r\n", 0.0, "answers 302", id="elsewhere"
        ),
        pytest.param(b"no HTTP\r\n\r\n", 0.0, "cannot be had", id="no HTTP"),
        pytest.param(ok(b"x"), 1.0, "cannot be had", id="too slow"),
    ],
)
async def test_what_cannot_be_had(monkeypatch: pytest.MonkeyPatch, answer: bytes, wait: float, words: str) -> None:
    monkeypatch.setattr(page, "PATIENCE", 0.3)
    async with serving(answer, wait) as url:
        with pytest.raises(Unavailable, match=words):
            await fetch(url)


async def test_nobody_there() -> None:
    async with serving(b"") as url:
        pass
    with pytest.raises(Unavailable, match="cannot be had"):
        await fetch(url)


async def test_a_large_batch_is_taken_whole(hooks: Hooks) -> None:
    """In a thread, and acknowledged in parts."""
    batch = [
        {"event": "bounce", "email": f"a{number}@example.net", "sg_event_id": str(number), "reason": "550 5.1.1 gone"}
        for number in range(1200)
    ]
    assert (await hooks.post("sendgrid", post_sendgrid(batch))).status == 200
    assert len({event.event_id for event in hooks.world.events}) == 1200
    assert hooks.world.order == ["acknowledged"] * 3


async def test_a_batch_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "DRAIN", 0.1)
    async with opened() as hooks:
        answer = await hooks.post("sendgrid", Post(b" " * (LARGEST + 1), post_sendgrid([]).headers))
    assert (answer.status, hooks.world.events) == (413, [])
