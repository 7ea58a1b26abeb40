"""Mail at our return path that no program was meant to read: what counts as a failure, and what as an answer (P4)."""

import pytest

from postroad.mail.bounce.reading import read_bounce
from postroad.mail.parse import read
from postroad.mail.report import Report, read_report
from postroad.mail.tree import read_tree

GONE = "Your message could not be delivered. The mailbox does not exist.\n"


def mail(*fields: str, text: str = GONE) -> bytes:
    head = ["From: Eve <eve@customer.example>", "To: bounce+token@example.com", *fields]
    return ("\n".join(head) + "\n\n" + text).encode()


def at_return_path(raw: bytes, *, null: bool = False) -> Report:
    return read_report(read_tree(raw), returned=True, null=null)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(mail("Subject: Your message"), GONE.strip(), id="a subject that says nothing"),
        pytest.param(mail(), GONE.strip(), id="no subject"),
        pytest.param(mail("Subject: Undeliverable"), GONE.strip(), id="a subject that says so"),
        pytest.param(
            mail(text="Your mail to eve@customer.example was not delivered: user unknown."),
            "Your mail to eve@customer.example was not delivered: user unknown.",
            id="the author's own address is no proof, the token is",
        ),
        pytest.param(
            mail(text="Ihre Nachricht konnte nicht zugestellt werden.\n\n550 5.1.1 Der Empfänger ist unbekannt.\n"),
            "550 5.1.1 Der Empfänger ist unbekannt.",
            id="German, with a code further below",
        ),
    ],
)
def test_p4_few_words_that_an_address_is_dead_are_a_failure(raw: bytes, reason: str) -> None:
    (one,) = at_return_path(raw).recipients
    assert (one.final_recipient, one.action, one.witness, one.diagnostic_code) == ("", "failed", "text", reason)
    assert read_report(read_tree(raw)).recipients == ()  # anywhere else a person may have written it


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(mail("Subject: Your message", "Auto-Submitted: auto-replied"), id="RFC 3834 says that it answers"),
        pytest.param(mail("Subject: Automatic reply: Offer"), id="its subject says that it answers"),
        pytest.param(mail("Subject: Re: Offer"), id="the subject of a reply"),
        pytest.param(mail("In-Reply-To: <ours@example.com>"), id="it names what it answers"),
        pytest.param(mail("List-Id: <l.example>"), id="over a list"),
        pytest.param(mail(text=GONE + "> Dear Eve,\n"), id="it quotes"),
        pytest.param(mail(text="Hello, my message to you could not be delivered. Does not exist?"), id="a person asks"),
        pytest.param(
            mail(text="I have left. Your message was not delivered, this mailbox does not exist any more."),
            id="who left speaks of himself",
        ),
        pytest.param(mail(text=GONE + "We have moved to another system. " * 10), id="many words"),
        pytest.param(mail(text="Your message could not be delivered. The mailbox is full."), id="it passes by itself"),
        pytest.param(mail(text="Your message was not delivered yet."), id="no reason that lies in the address"),
        pytest.param(mail(text="The office is closed until Monday."), id="nothing of a delivery"),
    ],
)
def test_p4_whatever_else_it_is_counts_nothing(raw: bytes) -> None:
    assert at_return_path(raw).recipients == ()


def test_the_null_reverse_path_is_a_sign_by_whatever_door_it_came() -> None:
    raw = mail("Subject: Undeliverable mail", text="It was not delivered to bob@b.example:\n550 5.7.1 no\n")
    by_field = read_report(read_tree(b"Return-Path: <>\n" + raw))
    assert [(one.final_recipient, one.action) for one in by_field.recipients] == [("bob@b.example", "failed")]
    assert at_return_path(raw, null=True).recipients == by_field.recipients


NAMELESS = b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nYour message could not be delivered.\n"
COPY = (
    b"--- Below this line is a copy of the message.\n\nReceived: from x\nMessage-ID: <o@example.com>\nTo: a@b.example\n"
)


@pytest.mark.parametrize(
    ("raw", "blamed", "single"),
    [
        pytest.param(NAMELESS, (), [], id="the return path alone may say who"),
        pytest.param(NAMELESS + COPY, ("a@b.example",), ["a@b.example"], id="To of what came back may"),
        pytest.param(NAMELESS + COPY + b"List-Id: <l.example>\n", (), [], id="of a list a member failed"),
    ],
)
def test_p4_a_notice_that_names_nobody_is_a_failure_all_the_same(
    raw: bytes, blamed: tuple[str, ...], single: list[str]
) -> None:
    found = read(raw)
    assert [(one.final_recipient, one.action) for one in found.as_report.recipients] == [("", "failed")]
    assert found.as_report.original_to == blamed
    told = read_bounce(found.root, found.as_report)
    assert (told.kind, [one.address for one in told.recipients]) == ("bounce", single)
