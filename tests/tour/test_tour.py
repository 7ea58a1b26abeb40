"""The tour happens, and a step that does not happen is named: each with a planted fault."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postroad.cli import demo as command
from postroad.cli.demo import demo
from postroad.ingest.doors import conversation
from postroad.ingest.doors.sink import Sink, Sunk
from postroad.tour import story
from postroad.tour.letters import CUSTOMER, MARY, letter
from postroad.tour.story import STEPS
from postroad_schemas.values import Reply


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The demo silences logs; others shall hear theirs."""
    yield
    logging.disable(logging.NOTSET)


def test_every_step_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo() == 0
    told = capsys.readouterr().out
    assert [f"\n{number}. {step.__doc__}\n" in told for number, step in enumerate(STEPS, 1)] == [True] * len(STEPS)
    assert "All of it happened" in told


def losing(lost: Callable[[Sunk], bool]) -> type[Sink]:
    """A sink that says 250 and forgets."""

    class Losing(Sink):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            answer = await super().handle_DATA(server, session, envelope)
            self.mails = [mail for mail in self.mails if not lost(mail)]
            return answer

    return Losing


class Copying(Sink):
    """A sink to which the sender has somehow addressed Mary too."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        self.mails.append(Sunk(self.mails[-1].mail_from, (MARY,), self.mails[-1].raw))
        return answer


def refusing(*_: object) -> Reply:
    return Reply(code=550, text="5.1.1 no such address here")


def without_signs(author: str, to: str, subject: str, text: str, **_: str) -> Any:
    return letter(author, to, subject, text)


def no_report(recipient: str, return_path: str, returned: bytes) -> Any:
    return letter("someone@customer.example", return_path, "Hello", "This says nothing about any failure.\n")


Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        pytest.param(
            lambda m: m.setattr(conversation, "judge", refusing),
            ["step 1, A customer writes to sales", "no such address here"],
            id="the door refuses",
        ),
        pytest.param(
            lambda m: m.setattr(command, "Sink", losing(lambda mail: mail.rcpt_to == (CUSTOMER,))),
            ["step 2, Mary and Paul follow it", "the customer got no mail"],
            id="a mail is lost",
        ),
        pytest.param(
            lambda m: m.setattr(command, "Sink", Copying),
            ["step 2, Mary and Paul follow it", "Mary was mailed her own post"],
            id="one mail too many",
        ),
        pytest.param(
            lambda m: m.setattr(command, "Sink", losing(lambda mail: mail.rcpt_to == (MARY,))),
            ["step 3, The customer answers", "Mary was not told of the reply"],
            id="a reply is not relayed",
        ),
        pytest.param(
            lambda m: m.setattr(command, "Sink", losing(lambda mail: not mail.mail_from)),
            ["step 4, A colleague writes to catchall", "Paul got no notice"],
            id="a notice is lost",
        ),
        pytest.param(
            lambda m: m.setattr(story, "letter", without_signs),
            ["step 5, An auto-responder answers", "'Out of office' was to be answer_to_notice, and is refused by R8"],
            id="an auto-responder that hides what it answers",
        ),
        pytest.param(
            lambda m: m.setattr(story, "delivery_report", no_report),
            ["step 6, The customer's server reports a failure", "no red envelope"],
            id="a bounce that says nothing",
        ),
        pytest.param(
            lambda m: m.setattr(story, "story", lambda *_: []),
            ["step 7, Why did the answer land there?", "the log tells no story"],
            id="no story",
        ),
    ],
)
def test_a_step_that_does_not_happen_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plant: Plant, words: list[str]
) -> None:
    monkeypatch.setattr(story, "PATIENCE", 0.7)
    plant(monkeypatch)
    assert demo() == 70
    shown = capsys.readouterr()
    assert [word for word in words if word not in shown.err] == []
    assert shown.err.startswith("postroad: this did not happen: step ")
    assert shown.err.count("\n") == 1
    assert "All of it happened" not in shown.out
