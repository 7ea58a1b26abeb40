"""Two verifiers of DKIM signatures that are not ours: Perl's Mail::DKIM, and dkimpy's canonicalisation with OpenSSL."""

import asyncio
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256

import dkim
import dkim.util
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dkim.canonicalization import Relaxed

_B = re.compile(rb"([;\s]b\s*=)[^;]*")
_PERL = r"""
use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS::Resolver;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => [$ARGV[0]], port => $ARGV[1], udppacketsize => 4096));
binmode STDIN; $/ = "\0";
while (my $message = <STDIN>) {
    my $verifier = Mail::DKIM::Verifier->new; chomp $message; $verifier->PRINT($message); $verifier->CLOSE;
    my @said = map { join " ", $_->algorithm, $_->domain, $_->selector, $_->result_detail } $verifier->signatures;
    print join("\t", @said), "\n";
}
"""


def verified(message: bytes, published: Mapping[str, str] | Callable[[str], str]) -> list[str]:
    """Each signature from the top, as "algorithm domain selector pass"; what fails, and where."""
    found = published.get if isinstance(published, Mapping) else published
    fields, body = dkim.rfc822_parse(message)
    return [_verified(field, fields, body, found) for field in fields if field[0].lower() == b"dkim-signature"]


def _verified(own: list[bytes], fields: list[list[bytes]], body: bytes, found: Callable[[str], str | None]) -> str:
    unfolded = re.sub(rb"\r\n", b"", own[1])
    tags = {name: re.sub(rb"\s", b"", value).decode() for name, value in dkim.util.parse_tag_value(unfolded).items()}
    named = f"{tags[b'a']} {tags[b'd']} {tags[b's']}"
    if sha256(Relaxed.canonicalize_body(body)).digest() != b64decode(tags[b"bh"]):
        return f"{named} fail (body)"
    names = [name.lower().encode() for name in tags[b"h"].split(":")]
    canonical = Relaxed.canonicalize_headers(fields)
    chosen = dkim.select_headers(canonical, names)
    [(name, value)] = Relaxed.canonicalize_headers([(own[0], _B.sub(rb"\1", own[1]))])
    octets = b"".join(name + b":" + value for name, value in chosen) + name + b":" + value.rstrip(b"\r\n")
    record = dkim.util.parse_tag_value((found(f"{tags[b's']}._domainkey.{tags[b'd']}") or "p=").encode())
    try:
        _check(tags[b"a"], b64decode(record[b"p"]), b64decode(tags[b"b"]), octets)
    except (InvalidSignature, ValueError):
        return f"{named} fail"
    return f"{named} pass"


def _check(algorithm: str, public: bytes, signature: bytes, octets: bytes) -> None:
    """Raises InvalidSignature, or ValueError for what is no key."""
    if algorithm == "ed25519-sha256":  # RFC 8463 3: the hash is what is signed
        Ed25519PublicKey.from_public_bytes(public).verify(signature, sha256(octets).digest())
        return
    key = load_der_public_key(public)
    assert isinstance(key, RSAPublicKey)
    key.verify(signature, octets, PKCS1v15(), SHA256())


@cache
def absent() -> str:
    """Why Perl's Mail::DKIM cannot be asked; empty if it can."""
    if not shutil.which("perl"):
        return "perl is not installed"
    found = subprocess.run(["perl", "-MMail::DKIM", "-MNet::DNS", "-e1"], capture_output=True, check=False)
    return "" if found.returncode == 0 else "Perl's Mail::DKIM is not installed (Debian: libmail-dkim-perl)"


async def asked_of_perl(messages: Iterable[bytes], dns: str) -> list[list[str]]:
    """What Mail::DKIM says of each signature of each message, keys from the DNS server at "host:port".

    Of Ed25519 it knows nothing.
    """
    process = await asyncio.create_subprocess_exec(
        *("perl", "-e", _PERL, *dns.split(":")), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(b"\0".join(messages))
    assert process.returncode == 0
    return [line.split("\t") for line in said.decode().splitlines()]
