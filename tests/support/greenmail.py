"""GreenMail, a mail server in Java: fetched once with Maven, pinned by version and SHA-256, on the loopback."""

import contextlib
import imaplib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from postroad.runtime.broker_files import BrokerError
from postroad.runtime.broker_files.jars import cache_folder, sha256
from postroad.runtime.broker_files.java import find_java
from postroad.runtime.broker_files.loopback import free_ports
from postroad_schemas.directory import Protocol
from tests.support.mailservers import PASSWORD, USERS, MailServer, wait_for_ports
from tests.support.smtp_sink import Certificate, make_certificate

VERSION = "2.1.5"
SHA256 = "4649d8d16eca356b3812b992a278d8af9f2d2ab32b3e1f6d266603c59336087e"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
FETCH_SECONDS = 300
NAMES = {"imap": (Protocol.IMAP, False), "imaps": (Protocol.IMAP, True)} | {
    "pop3": (Protocol.POP3, False),
    "pop3s": (Protocol.POP3, True),
}


@contextlib.contextmanager
def greenmail(folder: Path) -> Iterator[MailServer]:
    """Runs until the block ends, without any mails. Skips, saying why, where it cannot be fetched."""
    try:
        java, jar = find_java(), fetch()
    except (BrokerError, FetchError) as error:
        pytest.skip(f"no GreenMail here: {error}")
    certificate = make_certificate(folder)
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    settings = {
        **{f"{name}.hostname": "127.0.0.1" for name in NAMES},
        **{f"{name}.port": str(port) for name, port in ports.items()},
        "users": ",".join(f"{user}:{PASSWORD}@example.com" for user in USERS),
        "tls.keystore.file": str(_keystore(certificate, folder)),
        "tls.keystore.password": PASSWORD,
    }
    log = folder / "greenmail.log"
    with log.open("wb") as output:
        options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"]
        command = [str(java), *options, *(f"-Dgreenmail.{name}={value}" for name, value in settings.items())]
        process = subprocess.Popen([*command, "-jar", str(jar)], cwd=folder, stdout=output, stderr=output)
    try:
        wait_for_ports([*ports.values()], lambda: process.poll() is None, log)
        server = MailServer("greenmail", {NAMES[name]: port for name, port in ports.items()}, certificate)
        _wait_for_users(server)
        yield server
    finally:
        process.kill()
        process.wait(60)


def _wait_for_users(server: MailServer, within: float = 90.0) -> None:
    """It listens first and makes its users then."""
    deadline = time.monotonic() + within
    while True:
        try:
            server.login(server.mailbox(username=USERS[-1])).logout()
        except imaplib.IMAP4.error:
            assert time.monotonic() < deadline, "GreenMail does not make its users"
            time.sleep(0.05)
        else:
            return


class FetchError(Exception):
    pass


def fetch() -> Path:
    """The checked jar. Raises FetchError."""
    jar = cache_folder() / f"greenmail-standalone-{VERSION}.jar"
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jar.parent) as workplace:
            _download(Path(workplace))
            Path(workplace, jar.name).replace(jar)
    if sha256(jar) != SHA256:
        jar.unlink()
        raise AssertionError(f"{jar.name} has another SHA-256 than the pinned one; it was removed")
    return jar


def _download(to: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise FetchError("Maven is needed once, to fetch it, and is not on the PATH")
    goal = [PLUGIN, f"-Dartifact=com.icegreen:greenmail-standalone:{VERSION}", f"-DoutputDirectory={to}"]
    environment = os.environ | {"JAVA_HOME": str(find_java().resolve().parent.parent)}
    try:
        run = subprocess.run(
            [maven, "-q", "-B", *goal], cwd=to, env=environment, capture_output=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"Maven did not fetch it within {FETCH_SECONDS} s") from None
    if run.returncode != 0:
        raise FetchError(f"Maven could not fetch it: {run.stdout.decode('utf-8', 'replace')[:200]}")


def _keystore(certificate: Certificate, folder: Path) -> Path:
    key = serialization.load_pem_private_key(certificate.key_file.read_bytes(), None)
    chain = x509.load_pem_x509_certificate(certificate.ca_file.read_bytes())
    store = folder / "keystore.p12"
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    store.write_bytes(
        pkcs12.serialize_key_and_certificates(b"postroad", key, chain, None, encryption)  # type: ignore[arg-type]
    )
    return store
