"""DKIM with real keys (O13), verified by others than ourselves."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from msgspec.structs import replace

from postroad.dispatch.signing import NoKey, Signer, keys_for, public_octets
from postroad.mail.compose import File, compose
from postroad.mail.dkim import key_name, key_record
from postroad.runtime.config import secret
from postroad_schemas.directory import DkimKey
from postroad_schemas.outbound import Header
from postroad_schemas.values import Mailbox, Stream
from tests.dispatch.made import AT, submitted, views_of
from tests.support.dkim import absent, asked_of_perl, verified
from tests.support.dns import DnsServer

RSA, ED = "rsa-sha256", "ed25519-sha256"
LETTERS = "".join(f"word{number} " for number in range(40))


def pem(key: Any, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return octets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys")
    (made / "rsa.pem").write_bytes(pem(new_rsa(65537, 2048)))
    (made / "ed.pem").write_bytes(pem(Ed25519PrivateKey.generate()))
    return made


def row(folder: Path, algorithm: str = RSA, selector: str = "s1", domain: str = "example.com", **f: Any) -> DkimKey:
    file = folder / ("rsa.pem" if algorithm == RSA else "ed.pem")
    return DkimKey(**{"domain": domain, "selector": selector, "algorithm": algorithm, "secret": f"file:{file}", **f})


def published(*rows: DkimKey) -> dict[str, str]:
    signer = Signer(secret)
    return {key_name(r.domain, r.selector): key_record(r.algorithm, public_octets(signer.key(r))) for r in rows}


MESSAGES = {
    "a short text": compose(submitted(), Mailbox(address="a@example.com"), AT, "Hello\n"),
    "no text at all": compose(submitted(), Mailbox(address="a@example.com"), AT, ""),
    "text and HTML": compose(submitted(), Mailbox(address="a@example.com", name="Ann"), AT, "Hello\n", "<p>Hello</p>"),
    "blanks and empty lines at the end": compose(
        submitted(), Mailbox(address="a@example.com"), AT, "a  \t b \n\n c\t\n \n\n\n"
    ),
    "a long subject, folded": compose(submitted(subject=LETTERS), Mailbox(address="a@example.com"), AT, LETTERS),
    "a subject in any script": compose(
        submitted(subject="Grüße 報價 " * 20), Mailbox(address="a@example.com"), AT, "é"
    ),
    "a file": compose(
        submitted(), Mailbox(address="a@example.com"), AT, "see", "", [File("a.bin", "image/png", bytes(9_000))]
    ),
    "an address in UTF-8": compose(submitted(), Mailbox(address="zoë@example.com"), AT, "Hello\n"),
    "list mail": compose(
        submitted(
            stream=Stream.BULK,
            headers=(
                Header(name="List-Unsubscribe", value="<https://example.com/leave/aaaa>"),
                Header(name="List-Unsubscribe-Post", value="List-Unsubscribe=One-Click"),
                Header(name="List-Id", value="News <news.example.com>"),
            ),
            references=tuple(f"<{n}@example.com>" for n in range(30)),
        ),
        Mailbox(address="a@example.com"),
        AT,
        "Hello\n",
    ),
}


@pytest.mark.parametrize("message", [pytest.param(m, id=name) for name, m in MESSAGES.items()])
def test_signatures_hold(message: bytes, folder: Path) -> None:
    """RFC 6376, RFC 8463."""
    rows = (row(folder, RSA, "r"), row(folder, ED, "e"))
    signed = Signer(secret).sign(message, rows, AT)
    assert verified(signed, published(*rows)) == [f"{RSA} example.com r pass", f"{ED} example.com e pass"]
    assert signed.endswith(message), "nothing of the message has changed"
    assert Signer(secret).sign(message, rows, AT) == signed, "the same octets at every attempt"
    assert f"t={int(AT.timestamp())};".encode() in signed


@pytest.mark.skipif(bool(absent()), reason=absent())
@pytest.mark.parametrize("message", [pytest.param(m, id=name) for name, m in MESSAGES.items()])
async def test_a_foreign_verifier_accepts_them(message: bytes, folder: Path) -> None:
    rows = (row(folder, RSA, "r"), row(folder, ED, "e"))
    async with DnsServer({f"{name} TXT": [text] for name, text in published(*rows).items()}) as server:
        signed = Signer(secret).sign(message, rows, AT)
        changed = Signer(secret).sign(message, rows[:1], AT).replace(b"\r\nFrom: ", b"\r\nFrom: x")
        said, [forged] = await asked_of_perl((signed, changed), server.address)
    assert f"{RSA} example.com r pass" in said
    assert forged.startswith(f"{RSA} example.com r fail")


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda m: m.replace(b"Hello", b"Hullo"), id="another text"),
        pytest.param(lambda m: m.replace(b"Subject: Hello", b"Subject: Pay"), id="another subject"),
        pytest.param(lambda m: b"Subject: Pay\r\n" + m, id="a second subject"),
        pytest.param(lambda m: b"Reply-To: eve@example.net\r\n" + m, id="a Reply-To where there was none"),
        pytest.param(lambda m: m.replace(b"To: bob", b"To: eve"), id="another recipient shown"),
    ],
)
def test_what_is_changed_on_the_way_shows(forge: Callable[[bytes], bytes], folder: Path) -> None:
    message = compose(submitted(), Mailbox(address="a@example.com"), AT, "Hello\n")
    forged = forge(Signer(secret).sign(message, [row(folder)], AT))
    assert "fail" in verified(forged, published(row(folder)))[0]


@pytest.mark.parametrize(
    ("rows", "from_", "selectors"),
    [
        pytest.param([], "a@example.com", [], id="no key"),
        pytest.param([("s1", {})], "a@example.com", ["s1"], id="the domain's own"),
        pytest.param([("s1", {})], "A@EXAMPLE.COM", ["s1"], id="in any case"),
        pytest.param([("s1", {})], "a@news.eu.example.com", ["s1"], id="that of a domain above"),
        pytest.param(
            [("s1", {}), ("own", {"domain": "news.example.com"})], "a@news.example.com", ["own"], id="the nearest"
        ),
        pytest.param([("s1", {"domain": "news.example.com"})], "a@example.com", [], id="never one below"),
        pytest.param([("s1", {})], "a@badexample.com", [], id="nor one that only ends alike"),
        pytest.param([("s1", {})], "a@[192.0.2.1]", [], id="an address literal has none"),
        pytest.param([("s1", {"active": False})], "a@example.com", [], id="one that was retired"),
        pytest.param(
            [("b", {"version": 3}), ("a", {"version": 7})], "a@example.com", ["a"], id="the one declared last"
        ),
        pytest.param(
            [("old", {"version": 3}), ("new", {"version": 7, "active": False})],
            "a@example.com",
            ["old"],
            id="the one declared last that is active",
        ),
        pytest.param(
            [("e", {"algorithm": ED}), ("r", {"version": 9})], "a@example.com", ["r", "e"], id="one of each algorithm"
        ),
        pytest.param(
            [("s1", {"domain": "xn--bcher-kva.example"})], "a@bücher.example", ["s1"], id="a domain in any script"
        ),
    ],
)
def test_which_keys_sign(rows: list[tuple[str, dict[str, Any]]], from_: str, selectors: list[str]) -> None:
    made = [DkimKey(**{"domain": "example.com", "selector": name, "secret": "env:K", **f}) for name, f in rows]
    directory = views_of(*made).directory
    assert [key.selector for key in keys_for(directory, from_)] == selectors
    for key in made:
        directory.apply(f"dkim_key/{key_name(key.domain, key.selector)}", None)
    assert keys_for(directory, from_) == (), "a change counts at once"


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        pytest.param(b"", "no private key", id="an empty file"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key", id="junk"),
        pytest.param(pem(Ed25519PrivateKey.generate()), "is not for rsa-sha256", id="another algorithm's key"),
        pytest.param(pem(generate_private_key(SECP256R1())), "is not for rsa-sha256", id="a key of no algorithm"),
        pytest.param(pem(new_rsa(65537, 1024), b"secret"), "without password", id="a key with a password"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_keys_that_cannot_be_used(octets: bytes | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    if octets is not None:
        file.write_bytes(octets)
    with pytest.raises(NoKey, match=why) as error:
        Signer(secret).key(row(tmp_path, secret=f"file:{file}"))
    assert str(file) in str(error.value)
    assert "BEGIN" not in str(error.value)


def test_a_key_is_read_again_when_it_has_changed(folder: Path, tmp_path: Path) -> None:
    file, reads = tmp_path / "rsa.pem", list[str]()

    def reading(reference: str) -> bytes | None:
        reads.append(reference)
        return secret(reference)

    file.write_bytes((folder / "rsa.pem").read_bytes())
    signer, key = Signer(reading), row(tmp_path)
    first = [signer.key(key) for _ in range(3)]
    assert len(reads) == 1
    file.write_bytes(pem(new_rsa(65537, 2048)))
    later = file.stat().st_mtime + 10
    os.utime(file, (later, later))
    assert public_octets(signer.key(key)) != public_octets(first[0])
    file.unlink()
    with pytest.raises(NoKey):
        signer.key(key)


def test_a_key_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, message = row(folder, secret="env:DKIM_KEY"), MESSAGES["a short text"]
    monkeypatch.setenv("DKIM_KEY", (folder / "rsa.pem").read_text())
    signer = Signer(secret)
    assert verified(signer.sign(message, [key], AT), published(row(folder)))[0].endswith("pass")
    monkeypatch.setenv("DKIM_KEY", pem(new_rsa(65537, 2048)).decode())
    changed = signer.sign(message, [replace(key, version=2)], AT + timedelta(days=1))
    assert verified(changed, published(row(folder)))[0].endswith("fail")
    assert verified(changed, published(key))[0].endswith("pass")
