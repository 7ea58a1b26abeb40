"""A Postfix of its own (Debian: postfix), on the loopback, with its queue in a folder that goes with it.

with postfix(relay_to=("127.0.0.1", sink.port)) as peer:
    peer.send(raw, "anna@example.org", "sales@example.com")  # or any client, at 127.0.0.1:peer.port
    ...
    assert peer.queued() == []
"""

import contextlib
import json
import os
import pwd
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from postroad.runtime.broker_files.loopback import free_ports
from tests.support.mailservers import wait_for_ports
from tests.support.smtp_sink import Certificate, make_certificate

PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/usr/lib/postfix/sbin:/usr/libexec/postfix"
SETTINGS = {
    "compatibility_level": "3.6",
    "queue_directory": "{folder}/queue",
    "data_directory": "{folder}/lib",
    "maillog_file": "{folder}/log",
    "maillog_file_prefixes": "{folder}",
    "myhostname": "postfix.example",
    "mydestination": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_tls_security_level": "may",
    "smtpd_tls_chain_files": "{folder}/key.pem, {folder}/certificate.pem",
    "smtp_tls_loglevel": "1",
    "biff": "no",
    "queue_run_delay": "1s",
    "minimal_backoff_time": "2s",  # after one second it may find the mail locked by itself, and waits for a minute
    "maximal_backoff_time": "2s",
    "transport_retry_time": "1s",
}
QUEUE = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private", "public"),
    *("saved", "trace"),
)
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
showq unix n - n - - showq
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """Running. What it cannot pass on it tries again every two or three seconds."""

    port: int
    folder: Path
    certificate: Certificate

    def send(self, raw: bytes, mail_from: str, *rcpt_to: str) -> None:
        """Into its queue."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.sendmail(mail_from, rcpt_to, raw)

    def queued(self) -> Sequence[str]:
        """The recipients whose mail is still there, each with why it waits."""
        listed = subprocess.run(
            [_program("postqueue"), "-c", self.folder / "etc", "-j"], check=True, capture_output=True, text=True
        )
        mails = map(json.loads, listed.stdout.splitlines())
        return [f"{it['address']}: {it.get('delay_reason', '')}" for mail in mails for it in mail["recipients"]]

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")


@contextlib.contextmanager
def postfix(
    relay_to: tuple[str, int] | None = None,
    *,
    routes: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    services: str = "",
) -> Iterator[Postfix]:
    """Relays all mail of the loopback to one place; `routes` are others, by domain, as in transport(5).

    `settings` are more of main.cf, `services` lines of master.cf; "{folder}" in them is the Postfix's own. It offers
    STARTTLS with `certificate`. Skips, saying why, where there is no Postfix, or nobody may start it.
    """
    if shutil.which("postfix", path=PLACES) is None:
        pytest.skip("no Postfix here: apt-get install postfix")
    if os.getuid() != 0:
        pytest.skip("a Postfix is started by root alone")
    with tempfile.TemporaryDirectory(prefix="pf") as place:  # short, and open to Postfix's user: pytest's is not
        folder, [port] = Path(place), free_ports(1)
        folder.chmod(0o755)
        _folders(folder)
        certificate = make_certificate(folder)
        all_settings = {**SETTINGS, **_relaying(relay_to, routes or {}), **(settings or {})}
        lines = "".join(f"{name} = {value}\n" for name, value in all_settings.items())
        (folder / "etc/main.cf").write_text(lines.replace("{folder}", str(folder)))
        offered = f"{SERVICES}{services}\n".replace("{port}", str(port))
        (folder / "etc/master.cf").write_text(offered.replace("{folder}", str(folder)))
        with _running(folder, port):
            yield Postfix(port, folder, certificate)


def _folders(folder: Path) -> None:
    """With the rights that `postfix check` gives them, which takes its time."""
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "lib", "queue", "queue/pid", *(f"queue/{name}" for name in QUEUE)):
        (folder / name).mkdir(mode=0o755)
        if name not in ("etc", "queue", "queue/pid"):
            os.chown(folder / name, owner.pw_uid, owner.pw_gid)


def _relaying(relay_to: tuple[str, int] | None, routes: Mapping[str, str]) -> dict[str, str]:
    made = {"relayhost": f"[{relay_to[0]}]:{relay_to[1]}"} if relay_to else {"default_transport": "error:no route"}
    if routes:
        lines = ", ".join(f"{{ {domain} = {route} }}" for domain, route in routes.items())
        made["transport_maps"] = f"inline:{{ {lines} }}"
    return made


@contextlib.contextmanager
def _running(folder: Path, port: int) -> Iterator[None]:
    """Its master in the foreground, in a session of its own: at its end it ends all that it started."""
    etc, log = folder / "etc", folder / "log"
    log.touch()
    process = subprocess.Popen([_program("master"), "-c", etc, "-d"], stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for_ports([port], lambda: process.poll() is None, log)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _program(name: str) -> str:
    return shutil.which(name, path=PLACES) or name
