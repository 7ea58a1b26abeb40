"""`postroad mailbox`: a login that worked confirms, and from then on the mailbox is polled (D8)."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.reach import rows
from postroad_schemas.directory import Credentials, IncomingMailbox, OAuth2, Protocol
from tests.cli.installation import DECLARED, ENVIRONMENT, Installation, Said, postroad
from tests.cli.test_installation import soon
from tests.support.dovecot import dovecot
from tests.support.greenmail import greenmail
from tests.support.mailservers import PASSWORD, MailServer, mail
from tests.support.token_endpoint import token_endpoint

SECRET = "POSTROAD_TEST_MAILBOX"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with greenmail(tmp_path_factory.mktemp("greenmail")) as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setitem(ENVIRONMENT, SECRET, PASSWORD)
    monkeypatch.setenv(SECRET, PASSWORD)
    made = Installation(tmp_path)
    made.declare(polling(made) + DECLARED)
    return made


def declare(installation: Installation, row: IncomingMailbox, **fields: object) -> Said:
    installation.declare(f"{polling(installation)}{DECLARED}{_table(row, fields)}")
    return installation("apply")


def polling(installation: Installation) -> str:
    return f'[mailboxes]\nfolder = "{installation.folder}/mailboxes"\n'


def _table(row: IncomingMailbox, fields: Mapping[str, object]) -> str:
    entry = {
        "name": f'"{row.name}"',
        "host": f'"{row.host}"',
        "port": row.port,
        "security": '"none"',
        "interval": 1,
        "credentials": f'{{ username = "{row.credentials.username}", secret = "env:{SECRET}" }}',
        **fields,
    }
    return "\n[[mailbox]]\n" + "".join(f"{name} = {value}\n" for name, value in entry.items())


Mailbox = Callable[..., Said]


@pytest.fixture
def mailbox(run: Callable[..., Said]) -> Mailbox:
    """The command, in this process."""

    def said(installation: Installation, *words: str) -> Said:
        return run("mailbox", *words, "--config", installation.file)

    return said


def confirmed(installation: Installation, name: str) -> bool:
    row = rows(installation.log, "directory").get(f"mailbox/{name}")
    return isinstance(row, IncomingMailbox) and row.confirmed


def test_confirmed_it_is_polled_and_stays_so_when_declared_anew(
    installation: Installation, server: MailServer, mailbox: Mailbox
) -> None:
    row = server.mailbox()
    server.append(row, mail(1))
    server.append(row, mail(2), flags="(\\Seen)")
    declare(installation, row)
    with installation.up():
        soon(lambda: f"mailbox/{row.name}" in rows(installation.log, "directory"))
        assert not confirmed(installation, row.name)
        assert server.seen(row) == [2]  # a draft is not polled

        told = mailbox(installation, "confirm", row.name)
        assert (told.code, told.err) == (os.EX_OK, "")
        assert f"logged in at 127.0.0.1:{row.port} as {row.name}; 2 messages in INBOX, 1 to be taken" in told.out
        assert "confirmed=True" in told.out
        soon(lambda: server.seen(row) == [1, 2])
        soon(lambda: len(installation.settled()) == 1)

        declare(installation, row, interval=2)
        soon(lambda: rows(installation.log, "directory")[f"mailbox/{row.name}"].interval == 2)
        assert confirmed(installation, row.name)
        declare(installation, row, folder='"Leads"')
        soon(lambda: not confirmed(installation, row.name))

        told = mailbox(installation, "confirm", row.name, "--json")
        assert told.code == os.EX_UNAVAILABLE
        assert told.err.count("\n") == 1
        assert "has no folder 'Leads' for us" in told.err
        assert not confirmed(installation, row.name)


def test_without_workers_it_waits_in_the_log(installation: Installation, server: MailServer, mailbox: Mailbox) -> None:
    row = server.mailbox()
    declare(installation, row)
    with installation.up():
        soon(lambda: f"mailbox/{row.name}" in rows(installation.log, "directory"))
    told = mailbox(installation, "confirm", row.name, "--json")
    assert told.code == os.EX_OK
    saw, waits = map(json.loads, told.out.splitlines())
    assert saw["saw"] | {"capabilities": []} == {
        "folder": "INBOX",
        "messages": 0,
        "unseen": 0,
        "capabilities": [],
        "remarks": [],
    }
    assert waits == {"key": f"mailbox/{row.name}", "waits": True}
    with installation.up():
        soon(lambda: confirmed(installation, row.name))


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory, server: MailServer) -> Installation:
    """Two mailboxes that stand in the directory, nothing running."""
    made = Installation(tmp_path_factory.mktemp("drafts"))
    tables = [_table(server.mailbox(name="office"), {}), _table(server.mailbox(name="away"), {"port": 1})]
    made.declare(DECLARED + "".join(tables))
    made("apply")
    with made.up():
        soon(lambda: {"mailbox/office", "mailbox/away"} <= rows(made.log, "directory").keys())
    return made


@pytest.mark.parametrize(
    ("name", "secret", "code", "words"),
    [
        pytest.param("away", PASSWORD, os.EX_UNAVAILABLE, "127.0.0.1:1: Connection refused", id="nobody listens"),
        pytest.param("office", "wrong", os.EX_UNAVAILABLE, "refuses the login of", id="another password"),
        pytest.param("office", "", os.EX_UNAVAILABLE, f"env:{SECRET} cannot be read here", id="no password"),
        pytest.param("ofice", "", os.EX_NOINPUT, "there is no incoming mailbox ofice; did you mean office?", id="slip"),
    ],
)
def test_what_does_not_work_confirms_nothing(
    drafts: Installation,
    mailbox: Mailbox,
    name: str,
    secret: str,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECRET, secret)
    told = mailbox(drafts, "confirm", name)
    assert (told.code, told.out) == (code, "")
    assert words in told.err
    assert "b'" not in told.err  # Python's quotes are not the server's
    assert told.err.count("\n") == 1


def row_of(installation: Installation, name: str) -> IncomingMailbox:
    row = rows(installation.log, "directory")[f"mailbox/{name}"]
    assert isinstance(row, IncomingMailbox)
    return row


def test_added_confirmed_and_removed(installation: Installation, server: MailServer, mailbox: Mailbox) -> None:
    """All fields of D8 and M9; what it is afterwards is what was said."""
    row = server.mailbox(Protocol.POP3)
    where = ("127.0.0.1", "--port", str(row.port), "--security", "none", "--protocol", "pop3")
    login = ("--username", row.credentials.username, "--secret", f"env:{SECRET}")
    more = ("--interval", "1", "--no-keep-attachments", "--keep-original", "--record-type", "crm.lead", "--no-verify")
    server.append(row, mail(1))
    with installation.up():
        told = mailbox(installation, "add", "office", *where, *login, *more)
        assert (told.code, "office is a draft: `postroad mailbox confirm office`" in told.err) == (os.EX_OK, True)
        added = row_of(installation, "office")
        assert added == msgspec.structs.replace(
            row,
            name="office",
            interval=1,
            verify=False,
            keep_attachments=False,
            keep_original=True,
            record_type="crm.lead",
            confirmed=False,
            credentials=Credentials(username=row.credentials.username, secret=f"env:{SECRET}"),
            **{name: getattr(added, name) for name in ("version", "created_at", "changed_at", "changed_by")},
        )
        assert mailbox(installation, "confirm", "office").code == os.EX_OK
        soon(lambda: len(installation.settled()) == 1)
        told = mailbox(installation, "add", "office", *where, *login, *more)
        assert (told.code, told.err) == (os.EX_OK, "")  # it stays confirmed
        assert mailbox(installation, "remove", "ofice").code == os.EX_NOINPUT
        told = mailbox(installation, "remove", "office")
        assert (told.code, told.out) == (os.EX_OK, "- mailbox/office\n")
        assert "mailbox/office" not in rows(installation.log, "directory")


def test_a_login_by_token_is_added_and_confirmed(installation: Installation) -> None:
    """RFC 6749: Dovecot believes what the endpoint gives. Each command has tokens of its own, as a process has."""

    def mailbox(*words: str) -> Said:
        return postroad("mailbox", *words, "--config", installation.file)

    with token_endpoint() as endpoint, dovecot(endpoint.introspection) as server:
        row = server.mailbox()
        endpoint.username = row.credentials.username
        words = ("127.0.0.1", "--port", str(row.port), "--security", "none", "--username", endpoint.username)
        token = ("--secret", f"env:{SECRET}", "--oauth2-token-url", endpoint.url, "--oauth2-client-id", "postroad")
        with installation.up():
            assert mailbox("add", "office", *words, *token, "--oauth2-scope", "imap").code == os.EX_OK
            oauth2 = OAuth2(token_url=endpoint.url, client_id="postroad", scope="imap")
            assert row_of(installation, "office").credentials.oauth2 == oauth2
            told = mailbox("confirm", "office")
            assert (told.code, f"as {endpoint.username} by a token of {endpoint.url}" in told.out) == (os.EX_OK, True)
            assert endpoint.forms[0] == {
                "grant_type": "refresh_token",
                "refresh_token": PASSWORD,
                "client_id": "postroad",
                "scope": "imap",
            }
            soon(lambda: len(endpoint.forms) == 2)  # the poller has a token of its own now, and keeps it
            endpoint.answers.append((400, b'{"error": "invalid_grant"}'))
            told = mailbox("confirm", "office")
            assert (told.code, "renew the refresh token" in told.err) == (os.EX_UNAVAILABLE, True)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--oauth2-token-url", "https://login.example/"), id="no client"),
        pytest.param(("--oauth2-client-id", "postroad"), id="no endpoint"),
        pytest.param(("--oauth2-scope", "imap"), id="a scope alone"),
    ],
)
def test_half_a_login_by_token(installation: Installation, mailbox: Mailbox, words: tuple[str, ...]) -> None:
    told = mailbox(installation, "add", "office", "h.example", "--username", "a", "--secret", "env:A", *words)
    assert (told.code, "go together" in told.err) == (os.EX_USAGE, True)


def test_list(installation: Installation, drafts: Installation, mailbox: Mailbox) -> None:
    assert "declare a [[mailbox]]" in mailbox(installation, "list").err
    told = mailbox(drafts, "list", "--json")
    assert [json.loads(line)["row"]["name"] for line in told.out.splitlines()] == ["away", "office"]
    assert PASSWORD not in told.out
