"""`postroad history`: who changed what and when stays readable (D10)."""

import os

from tests.cli.conftest import Running


def test_a_row_is_followed_through_its_names_with_every_difference(running: Running) -> None:
    running.good("alias", "add", "Jobs@example.com", "--type", "hr.job", "--by", "mary")
    running("alias", "rename", "jobs@example.com", "bounce", "--by", "otto")
    running.good("alias", "rename", "jobs@example.com", "careers", "--by", "otto")
    running.good("alias", "disable", "careers@example.com", "--by", "mary")
    for name in ("careers@example.com", "alias/careers@example.com", "alias/jobs@example.com"):
        told = running.good("history", name).splitlines()
        what = [line[21:] for line in told]
        assert what[0].startswith("mary: alias/jobs@example.com: local_part 'jobs', domain 'example.com', record_type")
        assert what[1].startswith("otto: alias/bounce@example.com, was alias/jobs@example.com: REFUSED: bounce@")
        assert what[2] == "otto: alias/careers@example.com, was alias/jobs@example.com: local_part 'jobs' -> 'careers'"
        assert what[3] == "mary: alias/careers@example.com: active True -> False"
        times = [line[:19] for line in told[:4]]
        assert times == sorted(times)
    assert "alias/careers@example.com stands as mary left it" in running.good("history", "careers@example.com")


def test_for_programs(running: Running) -> None:
    name = "mail.gateway.loop.threshold"
    running.good("params", "set", name, "7", "--by", "mary")
    running("params", "set", name, "seven", "--by", "otto")
    *changes, stands = running.lines("history", name)
    assert [(line["change"]["by"], line["change"]["refused"]) for line in changes] == [
        ("mary", ""),
        ("otto", f"{name} is a whole number, not 'seven'"),
    ]
    assert (stands["stands"], stands["by"]) == (f"parameter/{name}", "mary")


def test_all_of_it_and_nothing_by_that_name(running: Running) -> None:
    told = running.good("history")
    assert [
        word for word in ("domain/example.com", "alias/sales@example.com", "signing_key/a") if word not in told
    ] == []
    assert running("history", "nosuch").code == os.EX_NOINPUT


def test_before_anything_ever_ran(stopped: Running) -> None:
    said = stopped("history")
    assert (said.code, "`postroad apply FILE` does" in said.err) == (os.EX_NOINPUT, True), said
