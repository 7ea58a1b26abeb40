"""Webhooks of providers that send for us: one file each, and what they tell in our words (B1).

A new provider is a file with its two dicts, `parse` and `verify`, a line here, and payloads for the conformance suite.
"""

from postroad.ingest.webhooks import brevo, mailgun, mailjet, postmark, sendgrid, ses, sparkpost
from postroad.ingest.webhooks.notice import Provider

PROVIDERS: dict[str, Provider] = {
    "ses": Provider(ses.parse, ses.verify, signed=True, certificate=ses.certificate, confirmation=ses.confirmation),
    "postmark": Provider(postmark.parse, postmark.verify),
    "mailgun": Provider(mailgun.parse, mailgun.verify, signed=True),
    "sendgrid": Provider(sendgrid.parse, sendgrid.verify, signed=True),
    "brevo": Provider(brevo.parse, brevo.verify),
    "mailjet": Provider(mailjet.parse, mailjet.verify),
    "sparkpost": Provider(sparkpost.parse, sparkpost.verify),
}
