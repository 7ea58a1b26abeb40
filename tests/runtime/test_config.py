"""`postroad.toml`: what cannot be used is named in one line; secrets are by reference."""

from pathlib import Path

import pytest

from postroad.runtime.config import Config, ConfigError, load, secret


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "postroad.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_settings_and_declarations_share_a_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[smtp]\nport = 25\n[relay]\ncredentials = { username = "u", secret = "env:P" }\n[[domain]]\nname = "a"',
    )
    settings, declared = load(path)
    assert (settings.smtp.port, settings.smtp.host) == (25, "127.0.0.1")
    assert settings.relay.credentials is not None
    assert declared == {"domain": [{"name": "a"}]}


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == (Config(), {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("[smtp]\nprot = 25", r"unknown key 'prot' in \[smtp\]; did you mean 'port'", id="a key"),
        pytest.param("[smpt]\nport = 25", "unknown key 'smpt'; did you mean 'smtp'", id="a table"),
        pytest.param("[[domains]]\nname = 'a'", "unknown key 'domains'; did you mean 'domain'", id="a declared table"),
        pytest.param("[log]\nzzz = 1", r"unknown key 'zzz' in \[log\]; known: path", id="a key like no other"),
        pytest.param("[smtp]\nport = '25'", "smtp.port: Expected `int`, got `str`", id="a text for a number"),
        pytest.param("[smtp]\nport = 70000", "smtp.port: Expected `int` <= 65535", id="no port"),
        pytest.param("[smtp]\nmax_connections = 0", "smtp.max_connections: Expected `int` >= 1", id="no connections"),
        pytest.param("smtp = 25", "smtp: Expected `object`, got `int`", id="a number for a table"),
        pytest.param(
            "[relay]\nsecurity = 'ssl'",
            "relay.security: Invalid enum value 'ssl'; it is one of none, starttls, tls",
            id="no such security",
        ),
        pytest.param("[kafka]\nsasl = 'X'", "kafka.sasl: .* it is one of PLAIN, SCRAM-SHA-256", id="no such mechanism"),
        pytest.param("[smtp", "not TOML", id="not TOML"),
        pytest.param(f"[smtp]\nport = {'9' * 5000}", "not TOML: Exceeds the limit", id="a number without end"),
        pytest.param(b"\xff\xfe", "not TOML", id="not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigError, match=words) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [("none.toml", "No such file or directory"), (".", "Is a directory")],
)
def test_a_file_that_cannot_be_had(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path / path)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        pytest.param("env:POSTROAD_TEST_SECRET", b"hush", id="from the environment, white space stripped"),
        pytest.param("file:{folder}/secret", b"hush", id="from a file, white space stripped"),
        pytest.param("env:POSTROAD_TEST_NOTHING", None, id="not set"),
        pytest.param("file:{folder}/none", None, id="no such file"),
        pytest.param("file:{folder}", None, id="a folder"),
        pytest.param("file:a\0b", None, id="no path at all"),
        pytest.param("hush", None, id="a value is no reference"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_secrets_by_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, found: bytes | None
) -> None:
    monkeypatch.setenv("POSTROAD_TEST_SECRET", " hush\n")
    (tmp_path / "secret").write_bytes(b"hush\n")
    assert secret(reference.format(folder=tmp_path)) == found
