"""TLS and the PROXY protocol at the SMTP door (RFC 3207, RFC 8314)."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.replies import Says
from postroad.runtime.broker_files.loopback import free_ports
from postroad.runtime.config import ConfigError
from tests.ingest.dialog import MAIL, TRANSACTION, client, door, greeted, trusting
from tests.support.smtp_sink import make_certificate


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, Any]:
    made = make_certificate(tmp_path)
    return {"certificate": str(made.ca_file), "key": str(made.key_file)}


async def test_starttls_forgets_what_was_said_before(pem: dict[str, Any]) -> None:
    """RFC 3207 4.2."""
    async with door(**pem) as opened, greeted(opened.port) as peer:
        await peer.say("EHLO c.example", "MAIL FROM:<a@example.org>")
        assert await peer.say("STARTTLS") == Says.START_TLS
        await peer.starttls(trusting())
        assert await peer.say("MAIL FROM:<a@example.org>") == Says.HELLO_FIRST
        assert (await peer.mail()).startswith("250")


async def test_commands_injected_behind_starttls_are_not_heard(pem: dict[str, Any]) -> None:
    async with door(**pem) as opened, greeted(opened.port) as peer:
        await peer.say("EHLO c.example")
        assert await peer.raw(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@example.org>\r\n") == Says.START_TLS
        await peer.starttls(trusting())
        assert await peer.say("MAIL FROM:<a@example.org>") == Says.HELLO_FIRST


async def test_tls_from_the_first_octet(pem: dict[str, Any]) -> None:
    port = free_ports(1)[0]
    async with door(tls_port=port, require_tls=True, **pem), client(port, trusting()) as peer:
        assert (await peer.reply()).startswith("220")
        assert (await peer.mail()).startswith("250")
        assert await peer.say("STARTTLS") == Says.HAS_TLS


@pytest.mark.parametrize("port", ["tls", "starttls"])
async def test_a_handshake_that_fails_leaves_no_session(pem: dict[str, Any], port: str) -> None:
    tls_port = free_ports(1)[0]
    async with door(tls_port=tls_port, **pem) as opened:
        async with client(tls_port if port == "tls" else opened.port) as peer:
            if port == "starttls":
                await peer.reply()
                await peer.say("STARTTLS")
            peer.writer.write(b"EHLO this is no handshake\r\n" * 3)
            await opened._desk.left()
        async with greeted(opened.port) as other:
            assert (await other.mail()).startswith("250")


async def test_older_than_tls_1_2_is_not_spoken(pem: dict[str, Any]) -> None:
    async with door(**pem) as opened:
        context = opened._desk.certificate.context()
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_new_certificate_is_shown_to_new_sessions_and_a_broken_one_to_none(
    pem: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    new = make_certificate(tmp_path / "new")

    async def shown(port: int) -> bytes:
        async with greeted(port) as peer:
            await peer.say("STARTTLS")
            await peer.starttls(trusting())
            return bytes(peer.writer.get_extra_info("ssl_object").getpeercert(binary_form=True))

    async with door(**pem) as opened:
        first = await shown(opened.port)
        assert await shown(opened.port) == first
        await asyncio.to_thread(Path(pem["certificate"]).write_text, "half of a file")
        assert await shown(opened.port) == first
        shutil.copy(new.key_file, pem["key"])
        shutil.copy(new.ca_file, pem["certificate"])
        assert await shown(opened.port) == ssl.PEM_cert_to_DER_cert(await asyncio.to_thread(new.ca_file.read_text))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"certificate": "/nowhere.pem"}, "name PEM files that match", id="no such certificate"),
        pytest.param({"require_tls": True}, "need a certificate", id="TLS required, none to be had"),
        pytest.param({"tls_port": 1}, "need a certificate", id="a TLS port without a certificate"),
        pytest.param({"spool": "/nowhere"}, "no folder that can be written to", id="no folder for large mails"),
    ],
)
async def test_settings_that_cannot_be_used_are_named_at_the_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        async with door(**settings):
            pass


def version_2(command: int, source: str, family: int = 0x11) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.9") + (1234).to_bytes(2, "big") * 2
    head = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family])
    return head + len(addresses).to_bytes(2, "big") + addresses


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        pytest.param(b"PROXY TCP4 198.51.100.7 192.0.2.9 1234 25\r\n", "198.51.100.7", id="version 1"),
        pytest.param(b"PROXY TCP6 2001:db8::7 2001:db8::9 1234 25\r\n", "2001:db8::7", id="version 1, IPv6"),
        pytest.param(b"PROXY UNKNOWN\r\n", "127.0.0.1", id="version 1, unknown"),
        pytest.param(version_2(1, "198.51.100.7"), "198.51.100.7", id="version 2"),
        pytest.param(version_2(0, "198.51.100.7"), "127.0.0.1", id="version 2, the proxy itself"),
        pytest.param(b"PROXY TCP4 nonsense\r\n", None, id="malformed"),
        pytest.param(b"EHLO c.example\r\n", None, id="no header"),
        pytest.param(b"PROXY TCP4 " + b"1" * 300_000 + b"\r\n", None, id="endless"),
    ],
)
async def test_the_peer_is_who_the_proxy_names(header: bytes, peer: str | None) -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async with door(publish, proxy=True) as opened, client(opened.port, first=header) as through:
        greeting = await through.reply()
        if peer is not None:
            assert greeting.startswith("220")
            assert (await through.mail()).startswith("250")
        else:
            assert greeting == ""
    assert [event.peer for event in published] == ([peer] if peer else [])


async def test_limits_count_who_is_behind_the_proxy() -> None:
    async with door(proxy=True, max_connections_per_peer=1) as opened:
        header = b"PROXY TCP4 %b 192.0.2.9 1 25\r\n"
        async with client(opened.port, first=header % b"198.51.100.7") as one:
            assert (await one.reply()).startswith("220")
            async with client(opened.port, first=header % b"198.51.100.8") as another:
                assert (await another.reply()).startswith("220")
            async with client(opened.port, first=header % b"198.51.100.7") as same:
                assert await same.reply() == Says.TOO_MANY_OF_PEER


async def test_a_proxy_before_tls_from_the_first_octet(pem: dict[str, Any]) -> None:
    """The header is in the clear, and the handshake's beginning may come with it."""
    port, published = free_ports(1)[0], list[Any]()

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    def talk() -> bytes:
        hello, answers = ssl.MemoryBIO(), ssl.MemoryBIO()
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            tls = trusting().wrap_bio(answers, hello, server_hostname="localhost")
            first = b"PROXY TCP4 198.51.100.7 192.0.2.9 1 25\r\n"

            def step(work: Any) -> Any:
                nonlocal first
                while True:
                    try:
                        done = work()
                    except ssl.SSLWantReadError:
                        raw.sendall(first + hello.read())
                        first = b""
                        answers.write(raw.recv(65536))
                    else:
                        raw.sendall(hello.read())
                        return done

            step(tls.do_handshake)
            reply = step(lambda: tls.read(4096))
            for line in (*TRANSACTION, MAIL.decode() + "."):
                step(lambda line=line: tls.write(line.encode() + b"\r\n"))
                reply = step(lambda: tls.read(4096))
            return bytes(reply)

    async with door(publish, tls_port=port, proxy=True, **pem):
        assert (await asyncio.to_thread(talk)).startswith(b"250 2.0.0")
    assert [event.peer for event in published] == ["198.51.100.7"]
