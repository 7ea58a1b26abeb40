"""What DKIM signs, in which form (RFC 6376), and keys as DNS has them."""

from base64 import b64encode
from hashlib import sha256

import pytest

from postroad.mail.dkim import (
    canonical_body,
    canonical_field,
    key_name,
    key_record,
    read_key_record,
    read_tags,
    signature_field,
    signed_names,
    to_sign,
    unsigned,
    with_value,
)
from tests.support.dkim import verified

# RFC 8463 A.3: both signatures of one message.
VECTOR = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
PUBLISHED = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
}


def test_the_vector_of_rfc_8463() -> None:
    """The verifier of these tests accepts it, and our canonical body has its hash."""
    assert verified(VECTOR, PUBLISHED) == ["ed25519-sha256 football.example.com brisbane pass"]
    assert verified(VECTOR.replace(b"hungry", b"angry"), PUBLISHED)[0].endswith("fail (body)")
    assert verified(VECTOR.replace(b"dinner", b"supper"), PUBLISHED)[0].endswith("fail")
    assert unsigned(VECTOR).body_hash == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        pytest.param(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", id="RFC 6376 3.4.5, example 1"),
        pytest.param(b"", b"", id="RFC 6376 3.4.4: an empty body stays empty"),
        pytest.param(b"\r\n\r\n", b"", id="nothing but empty lines"),
        pytest.param(b" \t\r\n \r\n", b"", id="nothing but blanks"),
        pytest.param(b"x", b"x\r\n", id="no line end"),
        pytest.param(b"x \t", b"x\r\n", id="blanks for a line end"),
        pytest.param(b"a\r\n\r\n\r\nb\r\n", b"a\r\n\r\n\r\nb\r\n", id="empty lines within stay"),
        pytest.param(b"a\r\n \r\n\t\r\n", b"a\r\n", id="blank lines at the end go"),
    ],
)
def test_the_relaxed_body(body: bytes, canonical: bytes) -> None:
    assert canonical_body(body) == canonical


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        pytest.param("A", b" X\r\n", b"a:X\r\n", id="RFC 6376 3.4.5, A"),
        pytest.param("B", b" Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n", id="RFC 6376 3.4.5, B"),
        pytest.param("Subject", b"", b"subject:\r\n", id="an empty field"),
        pytest.param("Subject", " Grüße  \r\n und".encode(), "subject:Grüße und\r\n".encode(), id="octets as they are"),
    ],
)
def test_a_relaxed_field(name: str, value: bytes, canonical: bytes) -> None:
    assert canonical_field(name, value) == canonical


def test_what_is_signed() -> None:
    """O13: fields that are there, From, To, Subject and Reply-To once more, so that none can be added."""
    assert signed_names({"from": 1, "subject": 1, "received": 3, "list-unsubscribe-post": 1, "list-help": 2}) == (
        *("From", "From", "To", "Subject", "Subject", "Reply-To", "List-Help", "List-Help", "List-Unsubscribe-Post"),
    )


def test_of_several_fields_the_last_is_signed_first() -> None:
    """RFC 6376 5.4.2."""
    message = b"List-Help: 1\r\nFrom: a\r\nList-Help: 2\r\n 3\r\n\r\nbody\r\n"
    assert unsigned(message).header == b"from:a\r\nlist-help:2 3\r\nlist-help:1\r\n"


def test_the_signature_is_the_last_value_and_folds_within_lines() -> None:
    parts = unsigned(VECTOR)
    empty = signature_field(parts, "example.com", "s1", "rsa-sha256", 1_700_000_000)
    field = with_value(empty, bytes(256))
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    tags = read_tags(field.decode().partition(":")[2].replace("\r\n", ""))
    assert tags is not None
    assert list(tags) == ["v", "a", "c", "d", "s", "t", "h", "bh", "b"]
    assert tags["h"].replace(" ", "") == "From:From:To:To:Subject:Subject:Date:Message-ID:Reply-To"
    assert tags["b"].replace(" ", "") == b64encode(bytes(256)).decode()
    last = to_sign(parts, empty).rpartition(b"\r\n")[2]
    assert last.startswith(
        b"dkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1; t=1700000000; h="
    )
    assert last.endswith(b"; b=")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("v=DKIM1; k=rsa; p=AAAA", "", id="whole"),
        pytest.param("p=AA AA", "", id="nothing but the key, cut"),
        pytest.param("k=ed25519;p=AAAA;h=sha1:sha256;s=*;t=s;n=note;", "", id="every tag"),
        pytest.param("v=DKIM1; p=", "p= is empty: the key is revoked", id="revoked"),
        pytest.param("v=DKIM1; k=rsa", "it has no p=", id="no key"),
        pytest.param("k=rsa; v=DKIM1; p=AAAA", "v= is not DKIM1 at the beginning", id="its version is not first"),
        pytest.param("v=DKIM2; p=AAAA", "v= is not DKIM1 at the beginning", id="another version"),
        pytest.param("v=DKIM1; k=dsa; p=AAAA", "k=dsa is no type of key", id="another type"),
        pytest.param("p=AAAA; h=sha1", "h=sha1 does not allow sha256", id="hashes that we do not use"),
        pytest.param("p=AAAA; s=tlsrpt", "s=tlsrpt does not allow mail", id="not for mail"),
        pytest.param("p=A!AA", "p= is not base 64", id="not base 64"),
        pytest.param("p=AAAA; p=BBBB", "it is no list of tags", id="a tag twice"),
        pytest.param("hello", "it is no list of tags", id="some other text"),
    ],
)
def test_a_key_in_dns(text: str, fault: str) -> None:
    assert read_key_record(text).fault == fault


def test_a_key_as_it_is_published() -> None:
    public = sha256(b"any").digest()
    text = key_record("ed25519-sha256", public)
    read = read_key_record(text)
    assert text.startswith("v=DKIM1; k=ed25519; p=")
    assert (read.type, read.public, read.testing, read.fault) == ("ed25519", public, False, "")
    assert read_key_record(f"{text}; t=y:s").testing
    assert key_name("example.com", "s1") == "s1._domainkey.example.com"
