"""`postroad contact`: who is known (R12, R15), where no app says it."""

import pytest

from tests.cli.conftest import Running


def test_a_contact_comes_and_goes(running: Running) -> None:
    contacts = running.embedded.views.contacts
    words = ("contact", "add", "7", "Mary@example.org", "m@example.net", "--name", "Mary", "--kind", "internal")
    (told,) = running.lines(*words)
    assert (told["key"], told["row"]["addresses"]) == ("contact/7", ["Mary@example.org", "m@example.net"])
    assert contacts.known("mary@example.org")
    first = running.rows("contacts")["7"].created_at
    running.good("contact", "add", "7", "mary@example.org", "--archived")
    assert not contacts.known("mary@example.org")
    assert running.rows("contacts")["7"].created_at == first, "R15: how old it is does not change"
    assert "name=Mary" not in running.good("contact", "list", "MARY@example.org")
    assert running.good("contact", "remove", "7") == "- contact/7\n"
    assert running.rows("contacts") == {}


def test_who_may_write_changes_with_it(running: Running) -> None:
    """R12."""
    running.good("alias", "add", "jobs@example.com", "--type", "hr.applicant", "--policy", "contacts")
    assert [end.outcome for end in running.became(running.mail(to="jobs@example.com"))] == ["refused"]
    running.good("contact", "add", "7", "bob@example.org")
    assert [end.outcome for end in running.became(running.mail(to="jobs@example.com"))] == ["delivered"]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["add", "7", "nobody"], 65, "'nobody' is no address", id="no address"),
        pytest.param(["add", "", "mary@example.org"], 65, "the ID is empty", id="no id"),
        pytest.param(["list"], 0, "no contact yet: `postroad contact add", id="none at all"),
        pytest.param(["remove", "7"], 66, "there is no contact 7", id="none by this id"),
        pytest.param(["list", "a@example.org"], 66, "no contact has the address", id="none by this address"),
    ],
)
def test_what_is_refused(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running("contact", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err


def test_while_nothing_runs_it_waits_in_the_log(stopped: Running) -> None:
    assert "takes effect when routing runs" in stopped.good("contact", "add", "7", "mary@example.org")
