"""`postroad suppression`: who gets no bulk mail, why, and what a person does about it (B3-B6, O6)."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postroad.bounces.worker import WORKER as BOUNCES
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config, Log, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad_schemas.address import AddressFailed, AddressHeardFrom, AddressLeft
from postroad_schemas.values import Stream
from tests.cli.conftest import Running
from tests.cli.installation import Said
from tests.support.thread_loop import in_thread

ADA, BOB, CAT = "ada@example.net", "bob@example.net", "cat@example.net"
NOW = datetime.now(UTC)
SPREAD = (20, 19, 18, 17, 11)  # days ago


class WithBounces(Running):
    """Routing for the directory, and bounces."""

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        super().__init__(folder, run)
        url = f"file:{folder}/objects"
        config = Config(store=Store(url=url), log=Log(path=str(folder / "log.sqlite")))
        self.embedded = Embedded(folder / "log.sqlite", (ROUTING, BOUNCES), open_store(url), config)

    def tell(self, *events: Any) -> None:
        """Worked to rest on return."""

        async def told() -> None:
            await self.embedded.tools.publish(events)
            await self.embedded.idle()

        self.wait(told())


@pytest.fixture
def idle(tmp_path: Path, run: Callable[..., Said]) -> WithBounces:
    """Nothing runs."""
    made = WithBounces(tmp_path, run)
    assert run("apply", made.file).code == os.EX_OK
    return made


@pytest.fixture
def bounces(idle: WithBounces) -> Iterator[WithBounces]:
    with in_thread(idle):
        yield idle


def failed(address: str, days: float, **fields: Any) -> AddressFailed:
    given: dict[str, Any] = {
        "notification_id": f"n{days}",
        "status": "5.1.1",
        "permanent": True,
        "hard": True,
        "proven": True,
        "diagnostic": "no such \x1b[2Juser",
        "stream": Stream.BULK,
    }
    event_id = f"f {address} {days}"
    at = NOW - timedelta(days=days)
    return AddressFailed(event_id=event_id, occurred_at=at, trace_id=event_id, address=address, **(given | fields))


@pytest.fixture
def three(bounces: WithBounces) -> WithBounces:
    """One blacklisted by its failures, one near it who left a list, one heard from."""
    bounces.tell(
        *(failed(ADA, days) for days in SPREAD),
        *(failed(BOB, days) for days in SPREAD[:3]),
        failed(BOB, 1, stream=Stream.CHATTER),
        *(failed(CAT, days) for days in SPREAD[:2]),
        AddressHeardFrom(event_id="h", occurred_at=NOW - timedelta(days=5), trace_id="h", address=CAT),
        AddressLeft(event_id="l", occurred_at=NOW, trace_id="l", address=BOB, list_name="news", how="one-click"),
    )
    return bounces


def test_list_tells_who_and_why(three: WithBounces) -> None:
    """B5, O6."""
    [ada] = three.lines("suppression", "list")
    assert (ada["address"], ada["rule"], ada["blacklisted"], len(ada["evidence"])) == (ADA, "B4", True, 5)
    assert three.good("suppression", "list").startswith(f"{ADA}  blacklisted ")
    assert "[B4] Bulk mail stopped: 5 failures between" in three.good("suppression", "list")
    [left] = three.lines("suppression", "list", "--lists")
    assert (left["address"], left["list"], left["how"]) == (BOB, "news", "one-click")
    assert f"{BOB}  left news" in three.good("suppression", "list", "--lists")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param(
            "Ada@EXAMPLE.net", [f"{ADA}  blacklisted", "evidence", "5.1.1  no such", "(hard)"], id="B4 blacklisted"
        ),
        pytest.param(
            BOB,
            [
                f"{BOB}  not blacklisted",
                "heard from: 4",
                "does not count: chatter mail",
                "left news",
                "3 failures count within 30 days; 2 more blacklist it [B4]",
            ],
            id="B4 near it",
        ),
        pytest.param(CAT, ["failures since it was last heard from: none", "last heard from: 20"], id="B3 heard from"),
        pytest.param("new@example.net", ["not blacklisted", "5 more blacklist it, the last of them after"], id="new"),
    ],
)
def test_show_explains_an_address_on_one_screen(three: WithBounces, address: str, words: list[str]) -> None:
    shown = three.good("suppression", "show", address)
    assert [word for word in words if word not in shown] == []
    assert len(shown.splitlines()) < 25
    assert "\x1b" not in shown
    [known] = three.lines("suppression", "show", address)
    assert (known["blacklisted"] is not None) is (address.lower() == ADA)
    assert (known["next"] is None) is (address.lower() == ADA)


def test_lift_forgets_what_came_before_and_a_later_entry_revives_the_row(three: WithBounces) -> None:
    """B5."""
    said = three.good("suppression", "lift", ADA, "--note", "she called")
    assert f"{ADA}  lifted" in said
    assert "[B5] she called" in said
    assert three.lines("suppression", "list") == []
    shown = three.good("suppression", "show", ADA)
    assert "heard from: none" in shown
    assert "lifted by hand: 20" in shown
    assert three("suppression", "lift", ADA).code == os.EX_NOINPUT
    three.good("suppression", "add", ADA, "--by", "otto")
    [row] = three.lines("suppression", "list")
    assert (row["address"], row["rule"], row["by"]) == (ADA, "B5", "otto")
    assert len([key for key in three.rows("suppressions") if key == ADA]) == 1


def test_lift_clears_failures_of_an_address_that_is_not_blacklisted_yet(three: WithBounces) -> None:
    assert three.lines("suppression", "lift", BOB)[0]["blacklisted"] is False
    assert "heard from: none" in three.good("suppression", "show", BOB)
    assert [row["list"] for row in three.lines("suppression", "list", "--lists")] == ["news"]  # that he chose himself


@pytest.mark.parametrize(
    ("words", "would", "summary"),
    [
        pytest.param([], {ADA: True}, "5 failures within 30 days, more than 7 days apart", id="as it is"),
        pytest.param(["--count", "3"], {ADA: True}, "1 of", id="three in a bad week"),
        pytest.param(["--count", "3", "--span-days", "1"], {ADA: True, BOB: True}, "2 of", id="a shorter span"),
        pytest.param(["--window-days", "5"], {ADA: False}, "0 of", id="a shorter window"),
        pytest.param(
            ["--count", "4", "--streams", "bulk", "--streams", "chatter"], {ADA: True, BOB: True}, "2 of", id="streams"
        ),
        pytest.param(["--failures", "hard"], {ADA: True}, "hard of bulk", id="hard alone"),
        pytest.param(["all", "--count", "99"], {ADA: False}, "now 1", id="nobody any more"),
        pytest.param([BOB, "--count", "9"], {BOB: False}, "0 of 1", id="one address"),
    ],
)
def test_what_if_asks_without_changing(
    three: WithBounces, words: list[str], would: dict[str, bool], summary: str
) -> None:
    """B6."""
    before = three.rows("suppressions")
    assert {line["address"]: line["would"] for line in three.lines("suppression", "what-if", *words)} == would
    said = three("suppression", "what-if", *words)
    assert said.code == os.EX_OK
    assert summary in said.err
    assert len(said.out.splitlines()) == len(would)
    assert three.rows("suppressions") == before


def test_by_hand_stays_whatever_the_numbers(bounces: WithBounces) -> None:
    bounces.good("suppression", "add", CAT)
    assert "stays blacklisted: by hand or complaint" in bounces.good("suppression", "what-if", "--count", "99")


def test_while_nothing_runs_it_waits_in_the_log(idle: WithBounces) -> None:
    assert "it takes effect when bounces runs" in idle.good("suppression", "add", ADA)
    assert idle.lines("suppression", "list") == []
    again = WithBounces(idle.folder, idle._run)
    with in_thread(again):
        again.wait(again.embedded.idle())
        assert [row["address"] for row in again.lines("suppression", "list")] == [ADA]


def test_before_anything_ever_ran(tmp_path: Path, run: Callable[..., Said]) -> None:
    made = WithBounces(tmp_path, run)
    said = made("suppression", "list")
    assert (said.code, said.out, said.err.count("\n")) == (os.EX_OK, "", 1)
    assert said.err.startswith("postroad: no address is blacklisted, but ")
    assert "is not there: --config names" in said.err
    assert "nobody has left a list" in made("suppression", "list", "--lists").err
    assert "not blacklisted" in made.good("suppression", "show", ADA)
    assert made("suppression", "what-if").err.endswith("0 of 0 blacklisted, now 0\n")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["show", "ada"], 64, "ada is no address", id="no address"),
        pytest.param(["add", "ada"], 64, "ada is no address", id="none to add"),
        pytest.param(["what-if", "ada"], 64, "neither an address nor all", id="none to ask about"),
        pytest.param(["what-if", "--count", "-1"], 64, "--count is a number of at least 0", id="below zero"),
        pytest.param(["lift", "new@example.net"], 66, "nothing is held against new@example.net", id="none to lift"),
    ],
)
def test_wrong_orders(idle: WithBounces, words: list[str], code: int, reason: str) -> None:
    said = idle("suppression", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1), said
    assert reason in said.err
