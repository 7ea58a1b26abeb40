"""What providers are told of a message (B1): fields that each documents, short lines, nobody's address."""

import pytest

from postroad.ingest.webhooks import PROVIDERS
from postroad.mail.compose_header import text_field
from postroad.mail.provider import WRITERS, provider_of, told
from postroad_schemas.directory import Provider

TOKEN = "q" * 16 + "a" + "7" * 16
OURS = "<pr1.aiahk5ghhoxnqgyzs5ubc4lhpubq.q5xj5p3q6h3h5kqq2@example.com>"
NAMED = f'{{"postroad": "{TOKEN}", "message_id": "{OURS}"}}'
LONG = f"<{'x' * 200}@example.com>"
EVERY = [pytest.param(provider, id=provider) for provider in Provider]


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        pytest.param(Provider.SES, [("X-SES-MESSAGE-TAGS", f"postroad={TOKEN}")], id="ses: letters and digits alone"),
        pytest.param(
            Provider.POSTMARK,
            [
                ("X-PM-Metadata-postroad", TOKEN),
                ("X-PM-Metadata-message_id", OURS),
                ("X-PM-KeepID", "true"),
            ],
            id="postmark: a field for each",
        ),
        pytest.param(Provider.MAILGUN, [("X-Mailgun-Variables", NAMED)], id="mailgun"),
        pytest.param(Provider.SENDGRID, [("X-SMTPAPI", f'{{"unique_args": {NAMED}}}')], id="sendgrid"),
        pytest.param(Provider.BREVO, [("X-Mailin-custom", NAMED)], id="brevo"),
        pytest.param(Provider.MAILJET, [("X-MJ-EventPayload", NAMED)], id="mailjet: the custom id is left to apps"),
        pytest.param(Provider.SPARKPOST, [("X-MSYS-API", f'{{"metadata": {NAMED}}}')], id="sparkpost"),
    ],
)
def test_is_told(provider: Provider, fields: list[tuple[str, str]]) -> None:
    assert [(field.name, field.value) for field in told(provider, TOKEN, OURS)] == fields


@pytest.mark.parametrize("provider", EVERY)
def test_lines_are_short_and_fold_between_words(provider: Provider) -> None:
    """RFC 5322 2.1.1, as far as a Message-ID can; no blank within a value, where unfolding might leave another."""
    for message_id in (OURS, LONG):
        for field in told(provider, TOKEN, message_id):
            lines = text_field(field.name, field.value).removesuffix(b"\r\n").split(b"\r\n")
            assert all(len(line) <= 78 for line in lines if message_id.encode() not in line)
            assert all(len(line) <= 998 for line in lines)
            assert " ".join(field.value.split()) == field.value
            assert b"=?" not in b"".join(lines)
            assert b"".join(lines).partition(b": ")[2].decode() == field.value


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize(
    "message_id",
    [
        pytest.param("", id="none"),
        pytest.param("bare@example.com", id="without brackets"),
        pytest.param('<"a\\"b"@example.com>', id="quoted"),
        pytest.param("<=?utf-8?q?x?=@example.com>", id="like an encoded word"),
        pytest.param("<zoë@example.com>", id="not ASCII"),
        pytest.param("<a@example.com>\r\nBcc: x@example.org", id="a field smuggled in"),
        pytest.param(f"<{'x' * 251}>", id="very long"),
    ],
)
def test_a_message_id_that_is_not_plain_is_left_out(provider: Provider, message_id: str) -> None:
    assert told(provider, TOKEN, message_id) == tuple(
        field for field in told(provider, TOKEN, "") if "message_id" not in field.name
    )
    assert any(TOKEN in field.value for field in told(provider, TOKEN, message_id))


def test_postmark_takes_80_characters() -> None:
    within, beyond = f"<{'x' * 78}>", f"<{'x' * 79}>"
    assert within in [field.value for field in told(Provider.POSTMARK, TOKEN, within)]
    assert beyond not in [field.value for field in told(Provider.POSTMARK, TOKEN, beyond)]


def test_every_provider_that_reports_can_be_told() -> None:
    assert list(WRITERS) == list(Provider)
    assert set(PROVIDERS) == set(Provider)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        pytest.param("email-smtp.eu-west-1.amazonaws.com", Provider.SES, id="ses"),
        pytest.param("email-smtp-fips.us-east-1.amazonaws.com", Provider.SES, id="ses, FIPS"),
        pytest.param("mail.compute.amazonaws.com", None, id="somebody's machine at Amazon"),
        pytest.param("smtp-broadcasts.postmarkapp.com", Provider.POSTMARK, id="postmark"),
        pytest.param("SMTP.EU.mailgun.org.", Provider.MAILGUN, id="mailgun, written otherwise"),
        pytest.param("smtp.sendgrid.net", Provider.SENDGRID, id="sendgrid"),
        pytest.param("smtp-relay.brevo.com", Provider.BREVO, id="brevo"),
        pytest.param("smtp-relay.sendinblue.com", Provider.BREVO, id="brevo, by its old name"),
        pytest.param("in-v3.mailjet.com", Provider.MAILJET, id="mailjet"),
        pytest.param("smtp.eu.sparkpostmail.com", Provider.SPARKPOST, id="sparkpost"),
        pytest.param("smtp.mailgun.org.example.com", None, id="another's name that begins alike"),
        pytest.param("", None, id="none"),
    ],
)
def test_whose_server_it_seems_to_be(host: str, provider: Provider | None) -> None:
    assert provider_of(host) is provider
