"""Scenarios told once more, each mail explained before it comes: what was explained is what happens."""

from typing import Any

import pytest

from postroad_schemas.mail import Door
from tests.support.scenario import Story


class Explained(Story):
    """Every mail is explained first, and then compared with what became of it."""

    def play(self, **line: Any) -> list[dict[str, Any]]:
        if "mail" not in line:
            return super().play(**line)
        answers = super().play(explain=line["mail"])
        happened = super().play(**line)
        accepted = [a["answer"] for a in happened if a.get("answer", {}).get("code") in (250, 202, 0)]
        if accepted and not _judged_otherwise(line["mail"], happened):
            mail_id = accepted[0]["text"].rpartition(" ")[2]
            said = next(answer["explained"] for answer in answers if "explained" in answer)
            assert told_of(said) == became(happened, mail_id)
        return happened


def _judged_otherwise(mail: dict[str, Any], happened: list[dict[str, Any]]) -> bool:
    """A door that refuses some recipients takes another mail than the one explained."""
    return mail.get("door") in (Door.SMTP, Door.LMTP) and any(
        answer.get("answer", {}).get("code", 0) >= 500 for answer in happened
    )


def told_of(said: list[dict[str, Any]]) -> dict[str, Any]:
    end = said[-1]
    return {
        "outcome": [(end["outcome"], end["rule"], end["why"])],
        "threads": sorted(thread.removesuffix(" (new)") for thread in end["threads"]),
        "notice": [end["notice"].removeprefix("to ")] if end["notice"].startswith("to ") else [],
        "told": sorted((one["thread"], one["who"], one["channel"], one["reason"]) for one in end["told"]),
    }


def became(happened: list[dict[str, Any]], mail_id: str) -> dict[str, Any]:
    events = [answer["event"] for answer in happened if answer.get("event")]
    ends = [event for event in events if event["type"] == "message.settled" and event["mail_id"] == mail_id]
    plans = [event for event in events if event["type"] == "notification.planned"]
    return {
        "outcome": [(end["outcome"], end["rule"], end["why"]) for end in ends],
        "threads": sorted(link["thread"] for end in ends for link in end["links"]),
        "notice": [e["recipient"] for e in events if e["type"] == "outbound.submitted" and e["stream"] == "notice"],
        "told": sorted(
            (plan["thread"], one["address"] or one["contact"], one["channel"], one["reason"])
            for plan in plans
            for one in plan["followers"]
        ),
    }


@pytest.fixture
def story() -> Story:
    return Explained()
