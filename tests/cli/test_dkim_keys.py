"""`postroad keys dkim`: a key is made, published, added, and retired (O13)."""

import json
import re
from pathlib import Path

import pytest

from postroad.dispatch.signing import Signer, keys_for, public_octets
from postroad.mail.dkim import key_record
from postroad.runtime.config import secret
from postroad_schemas.directory import DkimKey
from tests.cli.conftest import Running


def signing(running: Running) -> list[str]:
    return [key.selector for key in keys_for(running.embedded.views.directory, "anna@example.com")]


def row(running: Running, selector: str) -> DkimKey:
    found = running.rows()[f"dkim_key/{selector}._domainkey.example.com"]
    assert isinstance(found, DkimKey)
    return found


def made(running: Running, selector: str, *words: str) -> Path:
    """A new key, added."""
    file = running.folder / f"{selector}.pem"
    running.good("keys", "dkim", "generate", "example.com", selector, "--to", file, *words)
    running.good("keys", "dkim", "add", "example.com", selector, "--secret", f"file:{file}", *words)
    return file


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
def test_a_key_is_made_published_and_then_signs(running: Running, algorithm: str) -> None:
    file = running.folder / "s1.pem"
    words = ("--algorithm", algorithm)
    told = running.good("keys", "dkim", "generate", "Example.com", "S1", "--to", file, *words)
    assert (file.stat().st_mode & 0o777, file.read_bytes()[:27]) == (0o600, b"-----BEGIN PRIVATE KEY-----")
    record = key_record(algorithm, public_octets(Signer(secret).key(row(running, "s1"))))
    name, _, text = told.splitlines()[1].partition(" TXT ")
    assert name == "to publish: s1._domainkey.example.com."
    pieces = re.findall(r'"([^"]*)"', text)
    assert "".join(pieces) == record
    assert all(len(piece) <= 255 for piece in pieces)
    assert signing(running) == [], "nobody could verify it yet"

    add = told.splitlines()[2].partition("postroad ")[2]
    assert record in running.good(*add.split()).replace('" "', "")
    assert signing(running) == ["s1"]
    assert row(running, "s1").algorithm == algorithm


def test_the_key_added_last_signs_and_a_retired_one_does_not(running: Running) -> None:
    for selector in ("s1", "s2"):
        made(running, selector)
    made(running, "e1", "--algorithm", "ed25519-sha256")
    assert signing(running) == ["s2", "e1"]
    listed = running.good("keys", "dkim", "list").splitlines()
    assert [line.partition(";")[0] for line in listed] == [
        "e1._domainkey.example.com: ed25519-sha256, signs",
        "s1._domainkey.example.com: rsa-sha256, active, but a newer key signs",
        "s2._domainkey.example.com: rsa-sha256, signs",
    ]
    running.good("keys", "dkim", "retire", "example.com", "s2")
    assert signing(running) == ["s1", "e1"]
    assert "s2._domainkey.example.com: rsa-sha256, does not sign; " in running.good("keys", "dkim", "list")


def test_as_json_with_the_records_and_no_secret(running: Running) -> None:
    file = made(running, "s1")
    [line] = running.lines("keys", "dkim", "list")
    assert line["key"] == "dkim_key/s1._domainkey.example.com"
    assert line["publish"]["value"].startswith("v=DKIM1; k=rsa; p=")
    assert line["row"]["secret"] == f"file:{file}"
    assert "PRIVATE" not in json.dumps(line)
    file.unlink()
    assert running.lines("keys", "dkim", "list")[0]["publish"] is None
    assert "(cannot be used from here)" in running.good("keys", "dkim", "list")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(
            ["generate", "example.com", "s1", "--to", "{}/new.pem"], 65, "take another", id="declared already"
        ),
        pytest.param(
            ["generate", "example.com", "s9", "--to", "{}/s1.pem"], 73, "name a new file", id="a file is there"
        ),
        pytest.param(["generate", "example.com", "s9", "--to", "{}/no/k"], 73, "No such file", id="no such folder"),
        pytest.param(["generate", "exa mple", "s9", "--to", "{}/new.pem"], 65, "is no domain name", id="no domain"),
        pytest.param(["add", "example.com", "s9", "--secret", "env:NO_SUCH"], 66, "cannot be read", id="no secret"),
        pytest.param(["add", "example.com", "s9", "--secret", "hunter2"], 66, "cannot be read", id="a value"),
        pytest.param(
            ["add", "example.com", "s9", "--secret", "file:{}/s1.pem", "--algorithm", "ed25519-sha256"],
            66,
            "is not for ed25519-sha256",
            id="another algorithm's key",
        ),
        pytest.param(["retire", "example.com", "s2"], 66, "did you mean s1._domainkey", id="no such key"),
    ],
)
def test_what_is_refused(running: Running, words: list[str], code: int, reason: str) -> None:
    made(running, "s1")
    said = running("keys", "dkim", *(word.format(running.folder) for word in words))
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
    assert not (running.folder / "new.pem").exists(), "what is refused leaves no key behind"
