"""`postroad domain` and `postroad smarthost`: the other rows an operator enters (D1, D7, D9)."""

import pytest

from tests.cli.conftest import Running


def test_a_domain_lives_through_its_commands(running: Running) -> None:
    directory = running.embedded.views.directory
    told = running.lines("domain", "add", "Straße.example", "--company", "Zwei", "--redirect", "us@gmail.example")
    assert [line["key"] for line in told] == ["domain/xn--strae-oqa.example"]
    assert told[0]["row"]["default"] is False
    running.good("domain", "set", "straße.example", "--catchall", "answers", "--default")
    assert directory.catchall_address() == "answers@xn--strae-oqa.example"
    assert {line["row"]["name"]: line["row"]["default"] for line in running.lines("domain", "list")} == {
        "example.com": False,
        "xn--strae-oqa.example": True,
    }
    running.good("domain", "set", "example.com", "--rename", "example.net", "--default")
    assert directory.ours("sales@example.com") is not None, "D9"
    assert directory.ours("sales@example.net") is not None
    assert running.good("domain", "remove", "straße.example").startswith("- domain/xn--strae-oqa.example\n")


def test_a_server_lives_through_its_commands(running: Running) -> None:
    words = ("smtp.example.com", "--security", "tls", "--filter", "Example.com", "--filter", "a@b.example")
    (told,) = running.lines("smarthost", "add", "main", *words, "--stream", "bulk", "--priority", "3")
    row = told["row"]
    assert (row["port"], row["from_filter"], row["streams"]) == (465, ["example.com", "a@b.example"], ["bulk"])
    (server,) = running.embedded.views.directory.smarthosts()
    assert server.priority == 3
    running.good("smarthost", "add", "main", "smtp.example.com", "--username", "u", "--secret", "env:SMTP")
    login = {"username": "u", "secret": "env:SMTP"}
    assert running.lines("smarthost", "list")[0]["row"]["credentials"] == {**login, "oauth2": None}
    assert f"credentials={login}, " in running.good("smarthost", "list")
    assert running.good("smarthost", "remove", "main") == "- smarthost/main\n"
    assert "the relay of postroad.toml sends everything" in running("smarthost", "list").err


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["domain", "add", "example.com"], 65, "is an alias domain already", id="a domain twice"),
        pytest.param(["domain", "set", "example.org"], 66, "did you mean example.com?", id="set no domain"),
        pytest.param(
            ["domain", "set", "example.com", "--bounce", "sales"], 65, "an alias has that", id="D4 onto an alias"
        ),
        pytest.param(["domain", "remove", "example.com"], 65, "still has aliases", id="with aliases"),
        pytest.param(["domain", "remove", "x"], 66, "there is no domain x", id="remove no domain"),
        pytest.param(["smarthost", "add", "m", "h", "--username", "u"], 64, "go together", id="half of AUTH"),
        pytest.param(
            ["smarthost", "add", "m", "h", "--username", "u", "--secret", "hunter2"],
            65,
            "given by reference",
            id="D7 a password as value",
        ),
        pytest.param(["smarthost", "remove", "m"], 66, "there is no outgoing server m", id="remove no server"),
    ],
)
def test_what_is_refused(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running(*words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
