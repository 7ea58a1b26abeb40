"""L5, R8, R12, R14: what a notice says, in which language."""

from typing import Any

import msgspec
import pytest

from postroad.fanout.notice_files import load
from postroad.fanout.notice_text import Texts, body, checked
from postroad_schemas import Row
from postroad_schemas.directory import Alias, AliasDomain, Contact
from postroad_schemas.mail import Notice, Refusal, RefusalReason
from postroad_schemas.values import Mailbox
from tests.fanout.facts import DOMAIN, views
from tests.fanout.test_notices import refused

TEXTS = load()


def said(*refusals: Refusal, rows: tuple[Row, ...] = (), domain: bool = True, **fields: Any) -> str:
    event = msgspec.structs.replace(refused("m1"), refusals=refusals, **fields)
    return body(TEXTS, event, views(*rows, domain=domain))


def because(reason: RefusalReason, alias: str = "sales@example.com", text: str = "") -> Refusal:
    return Refusal(reason=reason, rule="R12", alias=alias, text=text)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        pytest.param(because(RefusalReason.POLICY), "may write to sales@example.com", id="R12 names the alias"),
        pytest.param(
            because(RefusalReason.POLICY, "sales@"), "write to sales@example.com", id="R13 a local alias whole"
        ),
        pytest.param(because(RefusalReason.POLICY, ""), "write to catchall@example.com", id="no alias: catchall"),
        pytest.param(because(RefusalReason.MISCONFIGURED), "cannot receive mail", id="R12 misconfigured is neutral"),
        pytest.param(because(RefusalReason.RECORD_REJECTED), "could not be processed", id="R14 rejected is neutral"),
        pytest.param(because(RefusalReason.LOOP_LIMIT), "has been kept", id="L5 kept"),
        pytest.param(because(RefusalReason.LOOP_LIMIT), "do not send it again", id="L5 not to be sent again"),
        pytest.param(because(RefusalReason.CATCHALL), "\n  sales@example.com\n", id="R8 which address to use"),
        pytest.param(because(RefusalReason.POLICY, text="Members only.\n"), "\n\nMembers only.\n\n", id="R12 own text"),
        pytest.param(because(RefusalReason.POLICY, text="{alias} {0}"), "\n\n{alias} {0}\n\n", id="own text as it is"),
    ],
)
def test_the_reason_is_told(refusal: Refusal, words: str) -> None:
    text = said(refusal)
    assert words in text
    assert text.startswith('Hello,\n\nthis is an automatic answer to your message "Chairs".\n\n')
    assert text.endswith("\n\nExample\n")


def test_an_own_text_stands_for_ours() -> None:
    assert "Your message was not taken" not in said(because(RefusalReason.POLICY, text="Members only."))


@pytest.mark.parametrize(
    ("rows", "named", "hidden"),
    [
        pytest.param((), "sales@example.com", "support@example.com", id="not those that only contacts may write to"),
        pytest.param(
            (Alias(local_part="old", domain="example.com", active=False),), "sales@", "old@", id="nor inactive"
        ),
        pytest.param(
            (AliasDomain(name="other.example"), Alias(local_part="info", domain="other.example")),
            "sales@example.com",
            "info@",
            id="nor another company's",
        ),
        pytest.param((Alias(local_part="jobs"),), "jobs@example.com", "support@", id="those by local part too"),
        pytest.param(
            (
                Alias(local_part="sales", domain="example.com", active=False),
                msgspec.structs.replace(DOMAIN, company_address="hello@example.org"),
            ),
            "hello@example.org",
            "sales@",
            id="no open alias: the company's address",
        ),
        pytest.param(
            (Alias(local_part="sales", domain="example.com", active=False),),
            "contact us in another way",
            "sales@",
            id="no address at all",
        ),
    ],
)
def test_catchall_names_where_anybody_may_write(rows: tuple[Row, ...], named: str, hidden: str) -> None:
    text = said(because(RefusalReason.CATCHALL, ""), rows=rows)
    assert named in text
    assert hidden not in text


def test_one_notice_for_all_refused_routes_says_each_thing_once() -> None:
    text = said(
        because(RefusalReason.POLICY),
        because(RefusalReason.POLICY, "jobs@example.com"),
        because(RefusalReason.MISCONFIGURED, "a@example.com"),
        because(RefusalReason.MISCONFIGURED, "b@example.com"),
    )
    assert text.count("may write to") == 2
    assert text.count("cannot receive mail") == 1
    assert text.count("Hello") == 1


def test_the_subject_cannot_break_the_text() -> None:
    text = said(because(RefusalReason.POLICY), subject="{company}\r\n\r\nBuy!" + "x" * 1000)
    assert 'message "{company} Buy!x' in text
    assert len(text) < 700


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"author": Mailbox(address="Mary@customer.example")}, "Bonjour", id="the contact's: fr-CA is fr"),
        pytest.param({"author": Mailbox(address="kim@x.example")}, "Hello", id="nobody we know: English"),
        pytest.param(
            {"notice": Notice(addressee="mary@customer.example"), "author": None}, "Bonjour", id="of the addressee"
        ),
    ],
)
def test_language(fields: dict[str, Any], words: str) -> None:
    assert said(because(RefusalReason.POLICY), **fields).startswith(words)


def without(language: str, name: str) -> Texts:
    return {**TEXTS, language: {key: text for key, text in TEXTS[language].items() if key != name}}


def with_text(language: str, name: str, text: str) -> Texts:
    return {**TEXTS, language: {**TEXTS[language], name: text}}


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        pytest.param({"fr": TEXTS["fr"]}, "'en' is missing", id="no English"),
        pytest.param(without("fr", "policy"), "notices/fr/policy.txt is missing", id="a missing text"),
        pytest.param(
            with_text("en", "frame", "{subject} {refusals}"), "en/frame.txt lacks .*{company}", id="a missing one"
        ),
        pytest.param(
            with_text("fr", "policy", "{alias} {reason}"), "fr/policy.txt has .*{reason}", id="an unknown one"
        ),
        pytest.param(with_text("en", "policy", "{alias"), "en/policy.txt: .*write {{ and }}", id="a lone brace"),
        pytest.param(
            with_text("fr", "policy", "{alias:d}"), "fr/policy.txt does not render", id="a format for numbers"
        ),
        pytest.param(with_text("fr", "policy", "{alias!x}"), "fr/policy.txt does not render", id="no such conversion"),
        pytest.param(
            with_text("fr", "policy", "{alias:{alias}}"), "fr/policy.txt does not render", id="a placeholder in another"
        ),
        pytest.param(with_text("en", "policy", "{alias.x}"), "en/policy.txt lacks .*{alias}", id="an attribute"),
        pytest.param(with_text("en", "loop_limit", " \n"), "en/loop_limit.txt is empty", id="no words"),
    ],
)
def test_texts_that_cannot_be_used_fail_at_start(texts: Texts, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        checked(texts)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_reason_is_told_in_every_language_that_is_shipped(language: str, reason: RefusalReason) -> None:
    """Bad texts stop the worker when it is loaded: what was loaded renders."""
    reader = Contact(contact_id="mona", addresses=("mona@customer.example",), language=language)
    seen = views()
    seen.apply("contacts", "mona", reader)
    event = msgspec.structs.replace(
        refused("m1"), refusals=(because(reason),), author=Mailbox(address="mona@customer.example")
    )
    text = body(TEXTS, event, seen)
    assert text.startswith({"en": "Hello,", "fr": "Bonjour,"}[language])
    assert "{" not in text
    assert "Chairs" in text


def test_languages_that_are_shipped() -> None:
    assert set(TEXTS) == {"en", "fr"}
