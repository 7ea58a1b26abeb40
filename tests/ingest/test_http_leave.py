"""`/leave/HANDLE` with real requests: one click leaves, a look does not (O6, RFC 8058)."""

import asyncio
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from postroad.mail.leave import leave_token
from postroad.mail.return_path import return_path_token
from postroad.runtime.worker import Unavailable
from postroad_schemas import notification_id
from postroad_schemas.outbound import LeaveAsked
from tests.ingest.acceptance import World, http_door
from tests.support.declared import AT, views

MINE = notification_id("<m1@example.com>", "ada@example.net")
HANDLE = leave_token(views().keys, MINE)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CLICK = b"List-Unsubscribe=One-Click"
PARTS = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


class Page(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]


async def ask(
    port: int, method: str = "POST", handle: str = HANDLE, body: bytes = CLICK, headers: dict[str, str] = FORM
) -> Page:
    def talk() -> Page:
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        client.request(method, f"/leave/{handle}", body if method == "POST" else None, headers)
        response = client.getresponse()
        page = Page(response.status, response.read().decode(), dict(response.headers))
        client.close()
        return page

    return await asyncio.to_thread(talk)


@pytest.mark.parametrize(
    ("body", "headers", "handle"),
    [
        pytest.param(CLICK, FORM, HANDLE, id="urlencoded"),
        pytest.param(PARTS, {"Content-Type": "multipart/form-data; boundary=x"}, HANDLE, id="multipart"),
        pytest.param(CLICK, FORM, HANDLE.upper(), id="a handle whose case was folded"),
    ],
)
async def test_one_click_leaves_once_it_is_acknowledged(body: bytes, headers: dict[str, str], handle: str) -> None:
    world = World()
    async with http_door(world) as port:
        page = await ask(port, body=body, headers=headers, handle=handle)
        world.order.append("answered")
    [event] = world.events
    assert isinstance(event, LeaveAsked)
    assert (event.notification_id, event.how, event.occurred_at) == (MINE, "one-click", AT)
    assert (page.status, "You have left the list" in page.text) == (200, True)
    assert world.order == ["acknowledged", "answered"]


async def test_twice_is_one_event() -> None:
    world = World()
    async with http_door(world) as port:
        assert [(await ask(port)).status for _ in range(2)] == [200, 200]
    assert world.events[0] == world.events[1]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_only_looks_leaves_nothing(method: str) -> None:
    """Link scanners do."""
    world = World()
    async with http_door(world) as port:
        page = await ask(port, method)
    assert (page.status, world.events) == (200, [])
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    if method == "GET":  # the button posts what one click posts
        assert '<form method="post">' in page.text
        assert 'name="List-Unsubscribe" value="One-Click"' in page.text


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param("x", id="none at all"),
        pytest.param(HANDLE[:-1] + ("a" if HANDLE[-1] != "a" else "b"), id="forged"),
        pytest.param(return_path_token(views().keys, MINE), id="a return path's token"),
        pytest.param("%C3%A9" * 33, id="not ASCII"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_not_ours_is_404(handle: str, method: str) -> None:
    world = World()
    async with http_door(world) as port:
        page = await ask(port, method, handle)
    assert (page.status, "not one of ours" in page.text, world.events) == (404, True, [])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"", FORM, 400, id="no form"),
        pytest.param(b"List-Unsubscribe=Two-Clicks", FORM, 400, id="another value"),
        pytest.param(CLICK, {"Content-Type": "text/plain"}, 400, id="no form by its type"),
        pytest.param(b"--x", {"Content-Type": "multipart/form-data; boundary=x"}, 400, id="a broken form"),
        pytest.param(b"--x", {"Content-Type": "multipart/form-data"}, 400, id="parts without boundary"),
        pytest.param(b"a=" + b"x" * 5000, FORM, 413, id="too large"),
        pytest.param(CLICK, FORM | {"Content-Encoding": "gzip"}, 415, id="compressed"),
    ],
)
async def test_only_the_form_of_the_standard_leaves(body: bytes, headers: dict[str, str], status: int) -> None:
    world = World()
    async with http_door(world) as port:
        page = await ask(port, body=body, headers=headers)
    assert (page.status, world.events) == (status, [])


async def test_while_the_broker_is_away_nobody_is_told_that_he_left() -> None:
    world = World(raises=Unavailable("no broker"))
    async with http_door(world) as port:
        page = await ask(port)
    assert (page.status, "try again later" in page.text, "Retry-After" in page.headers) == (503, True, True)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", "text/html", id="a person's browser"),
        pytest.param("*/*", "application/json", id="a program"),
    ],
)
async def test_a_broken_link_is_told_to_people_on_a_page(accept: str, kind: str) -> None:
    world = World()
    async with http_door(world) as port:
        page = await ask(port, "GET", HANDLE[:-1], headers={"Accept": accept})
    assert (page.status, page.headers["Content-Type"].startswith(kind)) == (404, True)
    assert "his link is not one of ours" in page.text
