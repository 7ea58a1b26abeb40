"""`/files/TOKEN` with real requests: attachments that were sent as links (O14)."""

import asyncio
import socket
from datetime import timedelta
from http.client import HTTPConnection
from typing import NamedTuple

import msgspec
import pytest

from postroad.ingest.doors.pages import files
from postroad.mail.links import file_link
from postroad.runtime.worker import Unavailable
from postroad_schemas.values import Attachment, ObjectRef
from tests.ingest.acceptance import HTTP, World, http_door
from tests.support.declared import AT, views

CONTENT = bytes(range(256)) * 1000


class File(NamedTuple):
    status: int
    content: bytes
    headers: dict[str, str]


async def link(
    world: World,
    name: str = "offer.pdf",
    media_type: str = "application/pdf",
    until: timedelta | None = None,
    content: bytes = CONTENT,
) -> str:
    """The path of a link to a stored object."""
    ref: ObjectRef = await world.store.put(content)
    attachment = Attachment(name=name, media_type=media_type, content=ref)
    return file_link(views().keys, "", attachment, None if until is None else AT + until)


async def ask(port: int, path: str, method: str = "GET") -> File:
    def talk() -> File:
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        client.request(method, path)
        response = client.getresponse()
        found = File(response.status, response.read(), dict(response.headers))
        client.close()
        return found

    return await asyncio.to_thread(talk)


@pytest.mark.parametrize(
    ("name", "media_type", "disposition", "shown_type"),
    [
        pytest.param(
            "offer.pdf",
            "application/pdf",
            "attachment; filename=\"offer.pdf\"; filename*=UTF-8''offer.pdf",
            "application/pdf",
            id="a plain name",
        ),
        pytest.param(
            "Angebot für Zoë.pdf",
            "Application/PDF",
            "attachment; filename=\"Angebot f_r Zo_.pdf\"; filename*=UTF-8''Angebot%20f%C3%BCr%20Zo%C3%AB.pdf",
            "application/pdf",
            id="RFC 6266 a name in any script",
        ),
        pytest.param(
            '../etc/x";\r\nX: a=b',
            "text/html\r\nX: y",
            "attachment; filename=\"_etc_x____X_ a_b\"; filename*=UTF-8''_etc_x%22%3B__X%3A%20a%3Db",
            "application/octet-stream",
            id="a hostile name and type",
        ),
        pytest.param(
            "", "", "attachment; filename=\"file\"; filename*=UTF-8''file", "application/octet-stream", id="none"
        ),
    ],
)
async def test_a_link_gives_the_file(name: str, media_type: str, disposition: str, shown_type: str) -> None:
    world = World()
    async with http_door(world) as port:
        found = await ask(port, await link(world, name, media_type))
    assert (found.status, found.content) == (200, CONTENT)
    assert found.headers["Content-Disposition"] == disposition
    assert found.headers["Content-Type"] == shown_type
    assert found.headers["Content-Length"] == str(len(CONTENT))
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["Content-Security-Policy"].startswith("sandbox")


async def test_head_says_the_same_without_the_file() -> None:
    world = World()
    async with http_door(world) as port:
        found = await ask(port, await link(world), "HEAD")
    assert (found.status, found.content, found.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


async def test_an_empty_file_is_one() -> None:
    world = World()
    async with http_door(world) as port:
        found = await ask(port, await link(world, content=b""))
    assert (found.status, found.content) == (200, b"")


@pytest.mark.parametrize(
    ("until", "status"),
    [
        pytest.param(timedelta(seconds=1), 200, id="not yet"),
        pytest.param(timedelta(0), 410, id="at its end"),
        pytest.param(timedelta(days=-30), 410, id="long ago"),
    ],
)
async def test_a_link_ends(until: timedelta, status: int) -> None:
    world = World()
    async with http_door(world) as port:
        assert (await ask(port, await link(world, until=until))).status == status


@pytest.mark.parametrize(
    "path", [pytest.param("/files/x", id="none"), pytest.param("/files/%00%C3%A9.aaaa", id="strange letters")]
)
async def test_what_is_not_ours_is_404(path: str) -> None:
    async with http_door(World()) as port:
        found = await ask(port, path)
    assert (found.status, b"not one of ours" in found.content) == (404, True)


async def test_a_forged_link_is_404_also_when_expired() -> None:
    world = World()
    async with http_door(world) as port:
        for until in (None, timedelta(days=-1)):
            path = await link(world, until=until)
            assert (await ask(port, path[:-1] + ("a" if path[-1] != "a" else "b"))).status == 404


async def test_an_erased_file_is_gone() -> None:
    world = World()
    path = await link(world)
    await world.store.delete((await world.store.put(CONTENT)).ref)
    async with http_door(world) as port:
        assert (await ask(port, path)).status == 410


async def test_a_store_that_is_away_is_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    path = await link(world)

    async def away(ref: str) -> bytes:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(world.store, "get", away)
    async with http_door(world) as port:
        found = await ask(port, path)
    assert (found.status, "Retry-After" in found.headers) == (503, True)


async def test_only_so_many_files_are_in_memory_and_who_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 1)
    world = World()
    path = await link(world, content=b"x" * 30_000_000)
    async with http_door(world, msgspec.structs.replace(HTTP, body_timeout=0.5)) as port:
        slow = socket.create_connection(("127.0.0.1", port), timeout=60)
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await asyncio.to_thread(slow.recv, 12)).startswith(b"HTTP/1.1 200")
        assert (await ask(port, path)).status == 503
        other = await link(world)
        answers = [await ask(port, other)]
        while answers[-1].status == 503:  # the test's time-out ends it
            await asyncio.sleep(0.1)
            answers.append(await ask(port, other))
        assert answers[-1].status == 200
        slow.close()
