"""The first signing key of an installation: made once, kept, and not made where there is one."""

import asyncio
import logging
import stat
from pathlib import Path

import pytest

from postroad.routing.gate import GATE
from postroad.runtime import signing
from postroad.runtime.signing import sign_with_own_key
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import RowProposed, SigningKey
from tests.runtime.running import START, running


async def test_a_key_is_made_once_and_survives_a_restart(path: Path, tmp_path: Path) -> None:
    async with running(path, GATE) as runner:
        await sign_with_own_key(runner.tools, tmp_path)
        made = runner.views.keys.keys[runner.views.keys.current]
        await sign_with_own_key(runner.tools, tmp_path)
    async with running(path, GATE) as runner:
        await sign_with_own_key(runner.tools, tmp_path)
        assert runner.views.keys.keys == {"a": made}
        assert len(list(runner.read("directory.proposed"))) == 1
    assert len(made) == 64
    assert stat.S_IMODE((tmp_path / "signing.key").stat().st_mode) == 0o600
    assert not (tmp_path / "signing.key.new").exists()


async def test_a_key_that_a_crash_left_half_written_is_made_anew(path: Path, tmp_path: Path) -> None:
    (tmp_path / "signing.key.new").write_text("ab")
    async with running(path, GATE) as runner:
        await sign_with_own_key(runner.tools, tmp_path)
        assert len(runner.views.keys.keys["a"]) == 64


async def test_a_declared_key_stands(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = SigningKey(key_id="b", secret="env:POSTROAD_TEST_KEY")
    async with running(path, GATE) as runner:
        await runner.publish([RowProposed(event_id="e", occurred_at=START, trace_id="e", row=row)])
        await runner.idle()
        with caplog.at_level(logging.WARNING):
            await sign_with_own_key(runner.tools, tmp_path)
        assert "no signing key can be read" in caplog.text
    assert not (tmp_path / "signing.key").exists()


async def test_a_folder_that_cannot_be_written_to_is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with running(path, GATE) as runner:
        with pytest.raises(Unavailable, match="check the folder and its rights"):
            await sign_with_own_key(runner.tools, tmp_path / "file")


async def test_without_the_gate_it_does_not_wait_for_ever(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "PATIENCE", 0.05)
    async with running(path) as runner:
        with pytest.raises(Unavailable, match="is the routing worker running"):
            await asyncio.wait_for(sign_with_own_key(runner.tools, tmp_path), 5)
