"""Links that stand for attachments (O14): what they carry, and what is no link of ours."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from postroad.mail.links import LinkedFile, file_link, read_file_link
from postroad.mail.message_id import Keyring, unb32
from postroad_schemas.values import Attachment, ObjectRef

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
KEYS = Keyring("b", {"a": b"old", "b": b"new"})
REF = "sha256/" + "0123456789abcdef" * 4
BASE = "https://mail.example.com"


def attachment(name: str = "offer.pdf", media_type: str = "application/pdf", ref: str = REF) -> Attachment:
    return Attachment(name=name, media_type=media_type, content=ObjectRef(ref=ref, size=1))


def token(made: Attachment | None = None, until: datetime | None = None, keys: Keyring = KEYS) -> str:
    return file_link(keys, BASE, made or attachment(), until).rpartition("/")[2]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        pytest.param("offer.pdf", "application/pdf", id="a plain name"),
        pytest.param("Angebot für Zoë – 報價.pdf", "application/pdf", id="a name in any script"),
        pytest.param("", "", id="neither name nor type"),
        pytest.param("a/b\\..\r\nX: y\0z", "text/html; charset=utf-8", id="a hostile name stays a name"),
    ],
)
def test_a_link_carries_the_file(name: str, media_type: str) -> None:
    made = file_link(KEYS, f"{BASE}/gate/", attachment(name, media_type), None)
    base, _, last = made.rpartition("/files/")
    assert base == f"{BASE}/gate"
    assert re.fullmatch(r"[a-z2-7]+\.[a-z2-7]{17}", last), "nothing that needs escaping, nothing that folding harms"
    assert read_file_link(KEYS, last.upper(), NOW) == LinkedFile(REF, name, media_type)
    assert file_link(KEYS, f"{BASE}/gate", attachment(name, media_type), None) == made


def test_long_names_are_cut_between_characters() -> None:
    found = read_file_link(KEYS, token(attachment("ü" * 300)), NOW)
    assert found is not None
    assert found.name == "ü" * 127


@pytest.mark.parametrize(
    ("after", "leads"),
    [
        pytest.param(timedelta(seconds=-1), True, id="one second before its end"),
        pytest.param(timedelta(), False, id="at its end"),
        pytest.param(timedelta(days=1), False, id="later"),
    ],
)
def test_a_link_ends(after: timedelta, leads: bool) -> None:
    until = NOW + timedelta(days=30)
    assert (read_file_link(KEYS, token(until=until), until + after) is not None) is leads


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda t: t[:0], id="nothing"),
        pytest.param(lambda t: "." + t.partition(".")[2], id="no payload"),
        pytest.param(lambda t: t.partition(".")[0], id="no signature"),
        pytest.param(lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"), id="another signature"),
        pytest.param(lambda t: "aaaaaaac" + t[8:], id="another end"),
        pytest.param(lambda t: t[:-20] + "7" + t[-19:], id="another name"),
        pytest.param(lambda t: t[:30] + "1" + t[31:], id="letters that are none of base 32"),
        pytest.param(lambda t: t + "é", id="not ASCII"),
        pytest.param(lambda t: t * 20, id="very long"),
        pytest.param(lambda _: token(keys=Keyring("c", {"c": b"theirs"})), id="a key that is not ours"),
        pytest.param(lambda _: token(keys=Keyring("b", {"b": b"theirs"})), id="a key of the same name"),
    ],
)
def test_what_is_no_link_of_ours_leads_nowhere(change: Callable[[str], str]) -> None:
    assert read_file_link(KEYS, change(token()), NOW) is None


def test_earlier_keys_prove_until_they_are_retired() -> None:
    old = token(keys=Keyring("a", KEYS.keys))
    assert read_file_link(KEYS, old, NOW)
    assert read_file_link(Keyring("b", {"b": b"new"}), old, NOW) is None


def test_a_signature_for_something_else_makes_no_link() -> None:
    encoded = token().partition(".")[0]
    payload = unb32(encoded)
    assert payload
    assert read_file_link(KEYS, f"{encoded}.{KEYS.sign('message-id', payload)}", NOW) is None


def test_what_cannot_be_minted_says_so() -> None:
    with pytest.raises(KeyError):
        token(keys=Keyring())
    with pytest.raises(ValueError, match="no object reference"):
        token(attachment(ref="sha256/short"))
