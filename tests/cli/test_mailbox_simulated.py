"""`postroad simulate`: polls of a pretended mailbox, by the checkpoint of the real ones (I2-I4, I8, M9, R10)."""

import json
from typing import Any

import pytest

from postroad.simulate.play import Simulation


def raw(number: int) -> str:
    return f"From: anna@example.org\r\nMessage-ID: <{number}@example.org>\r\n\r\nPens?\r\n"


def message(uid: int, **fields: Any) -> dict[str, Any]:
    return {"uid": uid, "raw": raw(uid), **fields}


class Played:
    """A mailbox "office" that opens leads, and what was answered."""

    def __init__(self, **fields: Any) -> None:
        self.answers: list[dict[str, Any]] = []
        self._simulation = Simulation(self.answers.append)
        entry = {
            "name": "office",
            "host": "imap.example.net",
            "credentials": {"username": "office", "secret": "env:OFFICE"},
            "record_type": "crm.lead",
            **fields,
        }
        domain = {"name": "example.com", "default": True}
        assert self.play(apply={"domain": [domain], "mailbox": [entry]})

    def play(self, **line: Any) -> bool:
        self.answers.clear()
        return self._simulation.line(json.dumps(line))

    def fetch(self, *messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
        """What became of each message that was to be taken."""
        assert self.play(fetch={"mailbox": "office", "messages": messages, **fields}), self.answers
        return [answer["mailbox"] for answer in self.answers if "mailbox" in answer]

    @property
    def received(self) -> list[dict[str, Any]]:
        return [answer["event"] for answer in self.answers if answer.get("topic") == "mail.received"]


def stands(uid: int, *, seen: bool = False, deleted: bool = False) -> dict[str, Any]:
    return {"mailbox": "office", "uid": uid, "seen": seen, "deleted": deleted}


def test_i4_imap_poll_by_poll() -> None:
    played = Played()
    assert played.fetch(message(1, seen=True), message(2), message(3, fault="store"), message(4)) == [
        stands(2, seen=True),
        stands(3),
        stands(4, seen=True),
    ]
    first = [event["message_id"] for event in played.received]
    assert first == ["<2@example.org>", "<4@example.org>"]
    # Not yet accepted and read by a person meanwhile; a new one that was read before we looked; one marked unread.
    assert played.fetch(message(1, seen=False), message(3, seen=True), message(5, seen=True)) == [
        stands(1, seen=True),
        stands(3, seen=True),
        stands(5, seen=True),
    ]
    assert played.fetch(message(3, seen=True), message(5, seen=True)) == []
    assert played.fetch() == []


def test_i4_another_uidvalidity_starts_anew() -> None:
    played = Played()
    played.fetch(message(7))
    [before] = played.received
    assert played.fetch(message(7), message(8, seen=True), uidvalidity=2) == [stands(7, seen=True)]
    assert played.received[0]["event_id"] != before["event_id"]


def test_i8_a_repeat_is_the_same_acceptance() -> None:
    """A mail marked unread is taken again, and changes nothing."""
    played = Played()
    played.fetch(message(1))
    [before] = played.received
    assert played.fetch(message(1)) == [stands(1, seen=True)]
    assert [event["event_id"] for event in played.received] == [before["event_id"]]
    assert not [
        answer
        for answer in played.answers
        if answer.get("topic") == "chatter.published"
        and answer["event"]["type"] == "record.requested"
        and answer["event"]["cause_id"] != before["event_id"]
    ]


def test_i3_pop3_deletes_what_was_accepted() -> None:
    played = Played(protocol="pop3")
    assert played.fetch(message(1, fault="broker"), message(2)) == [stands(1), stands(2, deleted=True)]
    assert [event["door"] for event in played.received] == ["pop3"]
    assert played.fetch(message(1)) == [stands(1, deleted=True)]


def test_m9_and_r10_are_the_mailboxs() -> None:
    played = Played(keep_original=True)
    played.fetch(message(1))
    [event] = played.received
    assert (event["mailbox"], event["record_type"], event["original"]) == ("office", "crm.lead", event["raw"])
    requested = [a["event"] for a in played.answers if (a.get("event") or {}).get("type") == "record.requested"]
    assert [event["record_type"] for event in requested] == ["crm.lead"]
    [attached] = requested[0]["post"]["contents"]["attachments"]  # what the app gets
    assert (attached["name"], attached["content"]) == ("original_email.eml", event["raw"])


def test_too_large_is_left() -> None:
    played = Played()
    assert played.play(apply={"parameters": {"mail.smtp.size": 50}})
    assert played.fetch(message(1)) == [stands(1)]
    assert played.received == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param({"mailbox": "sales"}, "declared: office", id="no such mailbox"),
        pytest.param({"mailbox": "office", "messages": [message(1), message(1)]}, "twice", id="a uid twice"),
        pytest.param({"mailbox": "office", "messages": [{"uid": 1, "raw": "", "fault": "x"}]}, "fault", id="no fault"),
    ],
)
def test_what_cannot_be_played(line: dict[str, Any], words: str) -> None:
    played = Played()
    assert not played.play(fetch=line)
    assert words in played.answers[-1]["error"]
