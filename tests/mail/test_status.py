"""What a failure means: P6."""

import pytest

from postroad.mail.status import judge, parse_status, reply_code


@pytest.mark.parametrize(
    ("status", "reply", "action", "text", "permanence", "hard"),
    [
        pytest.param("5.1.1", None, "failed", "", "permanent", True, id="no such user"),
        pytest.param("5.1.2", None, "failed", "", "permanent", True, id="no such host"),
        pytest.param("5.1.10", None, "failed", "", "permanent", True, id="null MX"),
        pytest.param("5.2.1", None, "failed", "", "permanent", True, id="account disabled"),
        pytest.param(
            "5.2.2", None, "failed", "user unknown", "permanent", False, id="full: the status beats the words"
        ),
        pytest.param("5.7.26", None, "failed", "", "permanent", False, id="policy is not the address"),
        pytest.param("4.4.1", None, "failed", "550 no", "temporary", False, id="the class beats the reply code"),
        pytest.param("4.1.1", None, "failed", "", "temporary", False, id="never hard when temporary"),
        pytest.param("5.0.0", None, "failed", "550 5.1.1 no", "permanent", True, id="a vague status made precise"),
        pytest.param("5.0.0", None, "failed", "450 4.2.2 full", "permanent", False, id="not by another class"),
        pytest.param("5.0.0", None, "failed", "User unknown", "permanent", True, id="a vague status, then the words"),
        pytest.param("", 550, "", "", "permanent", False, id="the reply code alone"),
        pytest.param("", 421, "", "", "temporary", False, id="the reply code alone, 4yz"),
        pytest.param("", None, "failed", "smtp; 550 no such user here", "permanent", True, id="a code in the words"),
        pytest.param("", None, "failed", "", "permanent", False, id="nothing but the action"),
        pytest.param("", None, "failed", "mailbox is full", "temporary", False, id="the words alone, temporary"),
        pytest.param("", None, "", "The account has been disabled", "permanent", True, id="the words alone"),
        pytest.param("", None, "", "hello", "unknown", False, id="nothing"),
        pytest.param("4.4.7", None, "delayed", "", "none", False, id="a delay is no failure"),
        pytest.param("5.1.1", None, "delayed", "", "none", False, id="whatever its status"),
        pytest.param("2.0.0", None, "delivered", "", "none", False, id="delivered"),
        pytest.param("2.1.5", None, "", "", "none", False, id="class 2"),
    ],
)
def test_judges(status: str, reply: int | None, action: str, text: str, permanence: str, hard: bool) -> None:
    verdict = judge(status, reply, action, text)
    assert (verdict.permanence, verdict.hard) == (permanence, hard)


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        pytest.param("5.1.1", "550 5.7.1 no", "5.1.1", id="the field"),
        pytest.param("5.0.0", "550 5.1.1 no", "5.1.1", id="a vague field made precise"),
        pytest.param("5.0.0", "450 4.2.2 full", "5.0.0", id="not by another class"),
        pytest.param("", "550 5.2.1 no", "5.2.1", id="the words alone"),
        pytest.param("", "no", "None", id="nothing"),
    ],
)
def test_tells_the_most_precise_status(status: str, text: str, told: str) -> None:
    assert str(judge(status, None, "failed", text).status) == told


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.1.1", "5.1.1"),
        ("5.1.1 (bad mailbox)", "5.1.1"),
        ("550 5.7.26 no", "5.7.26"),
        ("[5.1.1.2] 192.0.5.1", None),
        ("3.1.1", None),
        ("15.1.1", None),
        ("", None),
    ],
)
def test_finds_enhanced_statuses(text: str, status: str | None) -> None:
    found = parse_status(text)
    assert (str(found) if found else None) == status


@pytest.mark.parametrize(
    ("text", "code"),
    [("550 no", 550), ("550-5.1.1 no", 550), ("host 192.0.2.250 said: 421 later", 421), ("554", 554), ("5500", None)],
)
def test_finds_reply_codes(text: str, code: int | None) -> None:
    assert reply_code(text) == code
