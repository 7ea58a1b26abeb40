"""`postroad alias`: through the gate, told as stored (D2, D3, D4, D9)."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.installation import Installation
from tests.cli.test_installation import soon

JOBS = ("alias", "add", "jobs@example.com", "--type", "hr.applicant")


def test_add_tells_the_row_as_it_is_stored(running: Running) -> None:
    (told,) = running.lines(
        *("alias", "add", "Crème Brûlée!@Example.com", "--type", "hr.job", "--policy", "contacts", "--by", "mary"),
        *("--default", "team=3", "--default", "city=Ghent", "--threshold", "5", "--scope", "alias"),
    )
    assert told["key"] == "alias/creme-brulee-@example.com"
    row = told["row"]
    assert (row["record_type"], row["policy"], row["changed_by"]) == ("hr.job", "contacts", "mary")
    assert row["defaults"] == {"team": "3", "city": "Ghent"}
    assert row["limits"] == {"threshold": 5, "minutes": None, "scope": "alias"}
    assert "creme-brulee-" in running.good("alias", "list")
    (same,) = running.lines("alias", "add", "named@example.com", "--record-type", "hr.job")  # as of a mailbox
    assert same["row"]["record_type"] == "hr.job"


def test_a_change_is_effective_soon(running: Running) -> None:
    took = []
    for number in range(3):  # the best of some: the machine may be busy
        running.good("alias", "add", f"a{number}@example.com", "--type", "crm.lead")
        took.append(running.took)
    assert min(took) < 10


def test_an_alias_lives_through_its_commands(running: Running) -> None:
    directory = running.embedded.views.directory
    running.good(*JOBS)
    assert directory.ours("jobs@example.com") is not None
    running.good("alias", "disable", "Jobs@example.com")
    assert directory.ours("jobs@example.com") is None
    assert running.good("alias", "disable", "jobs@example.com").startswith("nothing to change\n")
    running.good("alias", "enable", "jobs@example.com")
    told = running.lines("alias", "rename", "jobs@example.com", "Careers")
    assert [line["key"] for line in told] == [
        *("alias/jobs@example.com", "alias/careers@example.com", "former/jobs@example.com")
    ]
    assert told[0]["row"] is None
    found = directory.ours("jobs@example.com")
    assert found is not None
    assert [alias.local_part for alias in found.aliases] == ["careers"]
    assert running.good("alias", "remove", "careers@example.com").startswith("- alias/careers@example.com\n")
    running.good("alias", "add", "careers@example.com", "--type", "hr.applicant")
    assert [line["row"]["local_part"] for line in running.lines("alias", "list")] == ["careers", "sales"]


def test_an_alias_on_a_domain_that_is_not_declared_stands_with_a_remark(running: Running) -> None:
    """D1."""
    said = running("alias", "add", "jobs@example.org", "--type", "hr.applicant")
    assert (said.code, said.out.startswith("alias/jobs@example.org: ")) == (os.EX_OK, True)
    assert "postroad: domain example.org is not declared" in said.err
    running.good("domain", "add", "example.org")
    assert running("alias", "rename", "jobs@example.org", "work").err == ""


def test_an_alias_flagged_invalid_is_said(running: Running) -> None:
    """D2, R12."""
    running.good("alias", "add", "team@example.com", "--type", "t", "--policy", "followers", "--owner-thread", "team/1")
    running.mail(to="team@example.com")
    assert "team@example.com is flagged invalid: only followers may write" in running("alias", "list").err


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(
            ["add", "bounce@example.com", "--type", "a"], 65, "is the bounce address", id="D4 the bounce address"
        ),
        pytest.param(["add", "sales@example.com", "--type", "a"], 65, "is an alias already", id="D4 twice"),
        pytest.param(["add", "new@example.com"], 65, "needs a record type to open or a thread", id="opens nothing"),
        pytest.param(["add", "n@example.com", "--type", "a", "--default", "x"], 64, "write NAME=VALUE", id="no value"),
        pytest.param(["rename", "sale@example.com", "x"], 66, "did you mean sales@example.com?", id="rename none"),
        pytest.param(["rename", "sales@example.com", "catchall"], 65, "is the catchall address", id="D4 the catchall"),
        pytest.param(["remove", "sale@example.com"], 66, "did you mean sales@example.com?", id="remove none"),
        pytest.param(["disable", "x"], 66, "there is no alias x", id="disable none"),
    ],
)
def test_what_is_refused_changes_nothing(running: Running, words: list[str], code: int, reason: str) -> None:
    before = running.rows()
    said = running("alias", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
    assert {key: row for key, row in running.rows().items() if not key.startswith("refusal/")} == before


def test_effective_in_a_running_postroad_within_a_second(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.up():
        installation("apply")
        with installation.session() as client:
            client.ehlo()
            client.mail("a@example.org")
            assert client.rcpt("jobs@example.com")[0] == 550
            assert installation(*JOBS).code == os.EX_OK
            assert soon(lambda: client.rcpt("jobs@example.com")[0] == 250) < 1
            assert installation("alias", "disable", "jobs@example.com").code == os.EX_OK
            assert soon(lambda: client.rcpt("jobs@example.com")[0] == 550) < 1
