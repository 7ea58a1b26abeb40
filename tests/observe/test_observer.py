"""The port of a process: what it answers when it lives, when it waits, and when its event loop stands still."""

import asyncio
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from postroad.runtime.broker_files.loopback import free_ports
from postroad.runtime.config import Metrics
from postroad.runtime.objects import MemoryStore
from postroad.runtime.observe import health, metrics
from postroad.runtime.observe.observer import Observer, default_port
from postroad.runtime.observe.store import TimedStore
from postroad.runtime.worker import Unavailable
from postroad_schemas import WORKERS
from postroad_schemas.values import ObjectRef
from tests.cli.installation import Installation, postroad
from tests.support.six import until


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def asked(port: int, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(get, port, path)


async def becomes(port: int, path: str, answer: tuple[int, str]) -> None:
    """What is told is as old as the last beat."""
    async with asyncio.timeout(60):
        while await asked(port, path) != answer:  # noqa: ASYNC110  # the server has a thread of its own
            await asyncio.sleep(0.02)


def observer() -> Observer:
    return Observer("routing", Metrics(port=free_ports(1)[0]), every=0.02)


async def test_it_is_ready_when_all_that_it_waits_for_is_there() -> None:
    recovered = False
    async with observer() as observed:
        assert await asked(observed.port, "/readyz") == (HTTPStatus.SERVICE_UNAVAILABLE, "the start\n")
        observed.ready_when({"routing: assigned and recovered": lambda: recovered, "views": lambda: True})
        await becomes(observed.port, "/readyz", (503, "routing: assigned and recovered\n"))
        assert metrics.READY.read()[()] == 0
        recovered = True
        await becomes(observed.port, "/readyz", (200, "ready\n"))
        assert metrics.READY.read()[()] == 1
        observed.stopping()
        assert await asked(observed.port, "/readyz") == (503, "it stops\n")
        assert (await asked(observed.port, "/healthz"))[0] == HTTPStatus.OK, "who drains lives"


async def test_a_blocked_event_loop_is_told_while_it_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEAD_AFTER", 0.3)
    async with observer() as observed:
        observed.ready_when({})
        await becomes(observed.port, "/healthz", (200, "alive\n"))
        with ThreadPoolExecutor() as pool:  # what nobody may do: the loop stands still until all have answered
            alive, ready, figures = pool.map(lambda path: _later(observed.port, path), PATHS)
        for answer in (alive, ready):
            assert answer[0] == HTTPStatus.SERVICE_UNAVAILABLE
            assert re.fullmatch(r"the event loop has stood still for [1-9]\d* s\n", answer[1])
        assert figures[0] == HTTPStatus.OK
        await becomes(observed.port, "/healthz", (200, "alive\n"))  # when it goes on it lives


PATHS = ("/healthz", "/readyz", "/metrics")


def _later(port: int, path: str) -> tuple[int, str]:
    time.sleep(0.6)
    return get(port, path)


async def test_a_gauge_that_cannot_be_had_does_not_stop_the_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with observer() as observed:
        monkeypatch.setattr(observed, "_views_age", lambda: 1 / 0)
        monkeypatch.setattr(observed, "_runners", None)
        observed.ready_when({})
        beat = observed.health.beat
        async with asyncio.timeout(60):
            while observed.health.beat == beat:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("/metrics", 200, "# HELP postroad_mails_accepted_total", id="figures"),
        pytest.param("/metrics?name=x", 200, "postroad_worker_info", id="with a query"),
        pytest.param("/", 404, "/metrics, /healthz, /readyz", id="anything else says what there is"),
    ],
)
async def test_pages(path: str, status: int, words: str) -> None:
    async with observer() as observed:
        got, text = await asked(observed.port, path)
        assert (got, words in text) == (status, True), text[:500]


async def test_nothing_is_served_where_the_port_is_0() -> None:
    async with Observer("routing", Metrics(port=0)) as observed:
        assert observed.port == 0


async def test_it_listens_on_ipv6() -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no ::1")
    async with Observer("routing", Metrics(host="::1", port=free_ports(1)[0])) as observed:
        assert (await asyncio.to_thread(get, observed.port, "/healthz", "[::1]"))[0] == HTTPStatus.OK


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_a_port_that_is_configured_and_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{port} cannot be listened on .*: choose host and port in"):
            async with Observer("routing", Metrics(port=port)):
                pass


async def test_without_configuration_a_taken_port_stops_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr("postroad.runtime.observe.observer.default_port", lambda _: other.getsockname()[1])
        async with Observer("routing", Metrics()) as observed:
            assert observed.port == 0
            assert observed.trouble.startswith("no metrics: 127.0.0.1:")


def test_each_worker_has_a_port_of_its_own() -> None:
    names: Sequence[str] = ("up", *WORKERS)
    assert [default_port(name) for name in names] == list(range(9464, 9471))


# -- `postroad up` -----------------------------------------------------------------------------------------------------


def test_up_serves_what_is_configured(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    installation = Installation(tmp_path)
    installation.declare(f"[metrics]\nport = {port}\n")
    with installation.up() as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"postroad: figures at http://127.0.0.1:{port}/metrics\n"
        until("it is not ready", lambda: get(port, "/readyz") == (200, "ready\n"))
        assert 'postroad_worker_info{version="' in get(port, "/metrics")[1]


def test_up_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        installation = Installation(tmp_path)
        installation.declare(f"[metrics]\nport = {port}\n")
        said = installation("up")
    assert said.code == os.EX_UNAVAILABLE
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in said.err
    assert said.err.count("\n") == 1


# -- the store ---------------------------------------------------------------------------------------------------------


class Broken(MemoryStore):
    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        raise Unavailable("disk full")


async def test_calls_of_the_store_are_timed() -> None:
    before = {operation: sum(counts) for (operation,), (counts, _) in metrics.STORE.read_series().items()}
    store = TimedStore(MemoryStore())
    ref = await store.put(b"one")
    await store.put_all([b"two", b"three"])
    assert await store.get(ref.ref) == b"one"
    await store.delete(ref.ref)
    after = {operation: sum(counts) for (operation,), (counts, _) in metrics.STORE.read_series().items()}
    assert {operation: after[operation] - before.get(operation, 0) for operation in after} == {
        "put": 2,
        "get": 1,
        "delete": 1,
    }


async def test_a_store_that_fails_is_counted_and_an_absent_object_is_not() -> None:
    before = metrics.STORE_FAILURES.read()
    with pytest.raises(Unavailable):
        await TimedStore(Broken()).put_all([b"one"])
    with pytest.raises(LookupError):
        await TimedStore(MemoryStore()).get("sha256/0")
    after = metrics.STORE_FAILURES.read()
    assert {operation: after[operation] - before[operation] for operation in after} == {
        ("put",): 1,
        ("get",): 0,
        ("delete",): 0,
    }


def test_a_worker_says_which_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = postroad("worker", "routing", "--kafka", "127.0.0.1:9", "--metrics-port", str(port))
    assert said.code == os.EX_UNAVAILABLE
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use): choose host and port" in said.err


@pytest.mark.parametrize("port", [pytest.param("70000", id="too high"), pytest.param("-1", id="below 0")])
def test_a_port_that_cannot_be_is_a_wrong_use(port: str) -> None:
    said = postroad("worker", "routing", "--kafka", "127.0.0.1:9", "--metrics-port", port)
    assert (said.code, "--metrics-port" in said.err + said.out) == (os.EX_USAGE, True)
