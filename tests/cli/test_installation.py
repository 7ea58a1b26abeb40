"""`postroad up` on one machine, and the commands beside it, with real SMTP sessions."""

import contextlib
import json
import os
import signal
import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.installation import DECLARED, Installation, mail

JOBS = '[[alias]]\naddress = "jobs@example.com"\nrecord_type = "hr.applicant"\n'


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def soon(holds: Callable[[], bool], seconds: float = 60.0) -> float:
    """How long it took. Fails when it takes longer."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it does not come"
        time.sleep(0.02)
    return time.monotonic() - started


def test_declared_before_the_first_start_it_stands_after_it(installation: Installation) -> None:
    assert installation("apply", "--dry-run").out == "+ domain/example.com\n+ alias/sales@example.com\n"
    assert not (installation.folder / "log.sqlite").exists()
    before = installation("apply")
    assert before.code == os.EX_OK
    assert "2 changes are in the log and will take effect when routing runs (`postroad up`)" in before.out
    with installation.up() as process:
        soon(lambda: len(installation.events("directory")) == 3)  # and a signing key
        assert installation("apply").out == "nothing to change\n"
        with installation.session() as client:
            assert client.send_message(mail(1), "author1@example.org", ["sales@example.com"]) == {}
        soon(lambda: len(installation.settled()) == 1)
    assert process.returncode == os.EX_OK

    told = installation("trace", "1@example.org")
    assert told.code == os.EX_OK
    assert [
        words for words in ("accepted at smtp", "[R9]", "a crm.lead is to be created") if words not in told.out
    ] == []
    lines = [json.loads(line) for line in installation("trace", "<1@example.org>", "--json").out.splitlines()]
    assert len(lines) == len(told.out.splitlines())
    assert {line["topic"] for line in lines} >= {"mail.received", "mail.routed", "chatter.published", "message.settled"}
    assert installation("trace", "<2@example.org>").code == os.EX_NOINPUT


def test_what_is_applied_takes_effect_soon_without_a_restart(installation: Installation) -> None:
    with installation.up():
        assert "will take effect" not in installation("apply").out
        with installation.session() as client:
            client.ehlo()
            client.mail("a@example.org")
            assert client.rcpt("sales@example.com")[0] == 250
            assert client.rcpt("jobs@example.com") == (550, b"5.1.1 no such address here")
            installation.declare(DECLARED + JOBS)
            assert installation("apply").out == "+ alias/jobs@example.com\n"
            assert soon(lambda: client.rcpt("jobs@example.com")[0] == 250) < 10

        shown = installation("show", "alias")
        assert "alias/jobs@example.com: " in shown.out
        assert "record_type=hr.applicant" in shown.out
        one = installation("show", "alias/jobs@example.com", "--json")
        assert json.loads(one.out)["row"]["changed_by"]

        assert installation("apply", "--prune", "--by", "mary").out == "nothing to change\n"
        installation.declare(DECLARED)
        assert installation("apply").out == "nothing to change\n"
        assert installation("apply", "--prune", "--dry-run").out == "- alias/jobs@example.com\n"
        assert installation("apply", "--prune", "--by", "mary").out == "- alias/jobs@example.com\n"
        assert installation("show", "alias/jobs@example.com").code == os.EX_NOINPUT
        assert installation("show", "alias", "sales@example.com").out == installation("show", "alias").out
        assert "changed_by=mary" in installation("show", "former").out


def test_what_the_gate_refuses_is_65_with_its_reason_and_the_rest_stands(installation: Installation) -> None:
    with installation.up():
        installation.declare(DECLARED + JOBS.replace("jobs@", "bounce@") + JOBS)
        said = installation("apply")
        assert said.code == os.EX_DATAERR
        assert said.err == (
            "postroad: refused alias/bounce@example.com: bounce@example.com is the bounce address, "
            "so it cannot be an alias\n"
        )
        assert "will take effect" not in said.out
        assert {"alias/sales@example.com", "alias/jobs@example.com"} == {
            line.partition(":")[0] for line in installation("show", "alias").out.splitlines()
        }
        assert "is the bounce address" in installation("show", "refusal").out


def outcomes(installation: Installation, *words: str) -> dict[str, str]:
    said = installation("apply", "--json", *words)
    return {line["key"]: line["outcome"] for line in map(json.loads, said.out.splitlines())}


def test_a_program_hears_what_became_of_each_change(installation: Installation) -> None:
    contact = '[[contact]]\nid = 7\naddress = "anna@example.org"\n'
    installation.declare(DECLARED + contact)
    keys = ("domain/example.com", "alias/sales@example.com", "contact/7")
    assert outcomes(installation, "--dry-run") == dict.fromkeys(keys, "planned")
    assert outcomes(installation) == dict.fromkeys(keys, "waits")
    with installation.up():
        soon(lambda: "addresses" in installation("show", "contact/7").out)
        assert outcomes(installation) == {}
        installation.declare(DECLARED + contact.replace("anna@", "new@") + JOBS + JOBS.replace("jobs@", "bounce@"))
        said = installation("apply", "--json")
    found = {line["key"]: line for line in map(json.loads, said.out.splitlines())}
    assert {key: line["outcome"] for key, line in found.items()} == {
        "alias/jobs@example.com": "done",
        "alias/bounce@example.com": "refused",
        "contact/7": "done",
    }
    assert "is the bounce address" in found["alias/bounce@example.com"]["reason"]
    assert found["contact/7"]["change"].startswith("~ contact/7: addresses")
    assert said.code == os.EX_DATAERR


def test_a_domain_that_is_not_declared_is_remarked_once(installation: Installation) -> None:
    """D1: of the directory as it will be."""
    elsewhere = JOBS.replace("example.com", "example.org")
    installation.declare(DECLARED + JOBS + elsewhere + elsewhere.replace("jobs", "work"))
    said = installation("apply", "--dry-run")
    assert (said.code, said.err.count("\n")) == (os.EX_OK, 1)
    assert "domain example.org is not declared, answers are sent in the name of example.com" in said.err
    installation.declare('[parameters]\n"mail.catchall.domain" = "example.org"\n' + elsewhere)
    assert installation("apply", "--dry-run").err == ""


def test_contacts_come_and_go(installation: Installation) -> None:
    with installation.up():
        installation.declare('[[contact]]\nid = 7\naddress = "anna@example.org"\n')
        assert installation("apply").out == "+ contact/7\n"
        soon(lambda: "addresses" in installation("show", "contact/7").out)
        assert installation("apply").out == "nothing to change\n"
        installation.declare('[[contact]]\nid = 7\naddress = "new@example.org"\n')
        assert "~ contact/7: addresses" in installation("apply").out
        installation.file.write_text('remove = ["contact/7"]\n' + installation.declare("").read_text())
        soon(lambda: "new@example.org" in installation("show", "contact").out)
        assert installation("apply").out == "- contact/7\n"
        soon(lambda: installation("show", "contact/7").code == os.EX_NOINPUT)


def test_a_second_one_on_the_same_file_is_told_so(installation: Installation) -> None:
    with installation.up():
        said = installation("up")
    assert said.code == os.EX_UNAVAILABLE
    assert said.err == (
        f"postroad: {installation.folder}/log.sqlite is used by another postroad: "
        "stop it first, or give this one another path\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_soon_with_sessions_open_and_nothing_lost(
    installation: Installation, number: signal.Signals
) -> None:
    installation("apply")
    with installation.up() as process:
        soon(lambda: len(installation.events("directory")) == 3)
        with contextlib.suppress(smtplib.SMTPException), installation.session() as client:  # QUIT finds nobody there
            client.send_message(mail(1), "a@example.org", ["sales@example.com"])
            process.send_signal(number)
            started = time.monotonic()
            assert process.wait(60) == os.EX_OK
            assert time.monotonic() - started < 60
    assert [event.settled for event in installation.settled()] == ["<1@example.org>"]
