"""Real mails, odd ones, reports: all are read, and each that is accepted ends in exactly one outcome (R16)."""

import asyncio
import json
import smtplib
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.installation import COMMAND, ENVIRONMENT
from tests.faults.system import deliver, system

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
SUFFIXES = (".eml", ".raw", ".golden", ".txt")
SESSIONS = 4

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"the mail corpora are not at {CORPORA}")


def mails() -> list[Path]:
    return sorted(path for path in CORPORA.rglob("*") if path.suffix in SUFFIXES and path.parent.name != "trimmed")


def test_the_command_reads_them_all_in_one_process() -> None:
    files = mails()
    done = subprocess.run(
        [*COMMAND, "parse", "--batch"],
        input="".join(f"{path}\n" for path in files),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr, len(answers)) == (0, "", len(files))
    assert len(files) > 500
    assert [path.name for path, answer in zip(files, answers, strict=True) if "error" in answer] == []


async def test_the_pipeline_takes_them_all_and_each_ends_in_one_outcome(tmp_path: Path) -> None:
    """Through real SMTP sessions, side by side."""
    files = mails()

    async with system(tmp_path) as running:

        def send(client: smtplib.SMTP, part: list[Path]) -> list[tuple[str, int, str]]:
            return [(path.name, *deliver(client, path.read_bytes())) for path in part]

        parts = [files[first::SESSIONS] for first in range(SESSIONS)]
        answers = await asyncio.gather(
            *(running.session(lambda client, part=part: send(client, part)) for part in parts)  # type: ignore[misc]
        )
        await asyncio.wait_for(running.idle(), 60)
        settled = Counter(event.mail_id for event in running.settled())
        rules = Counter(event.rule for event in running.settled())
        dead = [dict(letter.headers) for letter in running.dead()]

    given = [answer for part in answers for answer in part]
    accepted = {text.rpartition(" ")[2]: name for name, code, text in given if code == 250}
    refused = [(name, text) for name, code, text in given if code != 250]
    assert len(given) == len(files)
    assert dead == []
    assert settled == Counter(accepted.keys())
    assert [name for name, text in refused if not text.startswith(("5.6.0", "5.3.4"))] == []
    assert len(refused) < 5
    assert rules["R9"] > 100
    assert rules["P1"] > 50
