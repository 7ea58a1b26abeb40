"""Every event of the catalogue says in one line what it is."""

from typing import Any

import pytest

from postroad.catalogue.samples import sample
from postroad.story.sentences import SENTENCES, sentence
from postroad_schemas import TOPICS, Event, tag_of
from postroad_schemas.directory import Alias, RowProposed
from postroad_schemas.mail import MailReceived, MailRouted
from postroad_schemas.message import ThreadSought
from postroad_schemas.outbound import DeliveryReported, OutboundGranted

EVENTS = sorted(
    {event for topic in TOPICS.values() for event in topic.events if issubclass(event, Event)}, key=lambda e: e.__name__
)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=tag_of(kind)) for kind in EVENTS])
def test_every_event_has_a_sentence(kind: type) -> None:
    said = sentence(sample(kind))
    assert kind in SENTENCES
    assert len(said) > 10
    assert said != kind.__name__


def made(kind: type[Any], **fields: Any) -> Any:
    value = sample(kind)
    return kind(**{name: getattr(value, name) for name in kind.__struct_fields__} | fields)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        pytest.param(made(MailReceived, author=None), "from nobody to", id="a mail without author"),
        pytest.param(made(MailRouted, budgets=()), "no budget to pass", id="no budget"),
        pytest.param(made(ThreadSought, sought="", best=None, handle=None), "the answer: not found", id="not found"),
        pytest.param(made(OutboundGranted, not_before=None), "may send", id="granted"),
        pytest.param(
            made(RowProposed, row=Alias(local_part="a", domain="b.example"), remove="", by="mary"),
            "mary proposes alias/a@b.example",
            id="a row",
        ),
        pytest.param(
            made(RowProposed, row=None, remove="alias/a@b.example", by=""),
            "somebody proposes to remove alias/a@b.example",
            id="a removal",
        ),
        pytest.param(
            made(RowProposed, row=Alias(local_part="a", domain="b.example"), remove="alias/c@b.example"),
            "alias/a@b.example in place of alias/c@b.example",
            id="a rename",
        ),
    ],
)
def test_what_it_says(event: Event, words: str) -> None:
    assert words in sentence(event)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        pytest.param("550-no\r\n550 such user", "550-no 550 such user", id="several lines become one"),
        pytest.param("550 \x1b[2J\x07", "550 �[2J�", id="nothing steers the terminal"),
        pytest.param("550 ‮moc", "550 �moc", id="nothing turns the line around"),
        pytest.param("550 Größe 大", "550 Größe 大", id="other languages stay"),
    ],
)
def test_strangers_words_are_one_harmless_line(hostile: str, shown: str) -> None:
    assert sentence(made(DeliveryReported, diagnostic=hostile)).endswith(f": {shown}")
