"""A real Postfix as the sender at our door: what it queues arrives, what we refuse for now it keeps (I2, I5)."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.worker import Unavailable
from tests.ingest.dialog import door

POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/local/sbin:/usr/bin")
MAIL = "From: anna@example.org\nTo: sales@example.com\nSubject: From a Postfix\n\nHello\n.\n.. two dots\n"
pytestmark = pytest.mark.skipif(
    POSTFIX is None or not shutil.which("sendmail", path="/usr/sbin:/usr/lib"),
    reason="no Postfix on this machine: install the package postfix to let a real peer speak to the door",
)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Path]:
    """A Postfix of its own that listens nowhere; its configuration folder."""
    folder = tmp_path / "etc"
    shutil.copytree("/etc/postfix", folder)
    (tmp_path / "queue").mkdir()
    (tmp_path / "lib").mkdir()
    shutil.chown(tmp_path / "lib", "postfix")
    tmp_path.chmod(0o755)
    (folder / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {tmp_path}/queue\ndata_directory = {tmp_path}/lib\n"
        f"myhostname = postfix.example\nmydestination =\nmaillog_file = {tmp_path}/log\n"
        "inet_interfaces = loopback-only\ninet_protocols = ipv4\nmaillog_file_prefixes = /\n"
    )
    master = folder / "master.cf"
    kept = (line for line in master.read_text().splitlines() if not line.startswith("smtp      inet"))
    master.write_text("\n".join(kept) + "\n")
    yield folder
    subprocess.run([str(POSTFIX), "-c", str(folder), "stop"], check=False, capture_output=True)


async def run(*command: str, given: str = "") -> None:
    await asyncio.to_thread(subprocess.run, command, input=given, text=True, check=True, capture_output=True)


async def test_a_postfix_delivers_and_tries_again(queue: Path) -> None:
    """First the log cannot be had (451), then it can: one event, the text as it was sent."""
    published, tried = list[Any](), asyncio.Event()

    async def publish(events: Sequence[Any]) -> None:
        if not tried.is_set():
            tried.set()
            raise Unavailable("not yet")
        published.extend(events)

    async with door(publish) as opened:
        with (queue / "main.cf").open("a") as settings:
            settings.write(f"relayhost = [127.0.0.1]:{opened.port}\n")
        await run(str(POSTFIX), "-c", str(queue), "start")
        await run(
            "/usr/sbin/sendmail", "-C", str(queue), "-i", "-f", "anna@example.org", "sales@example.com", given=MAIL
        )
        async with asyncio.timeout(60):
            await tried.wait()
            while not published:
                await asyncio.sleep(1)
                await run(str(POSTFIX), "-c", str(queue), "flush")
        raw = await opened._tools.store.get(published[0].raw.ref)
    assert raw.endswith(b"\r\n\r\nHello\r\n.\r\n.. two dots\r\n")
