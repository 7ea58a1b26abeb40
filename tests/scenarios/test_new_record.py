"""A mail to an alias opens a record (R9, R14, R15)."""

from tests.support.scenario import ANNA, EVE, Story


def test_a_stranger_writes_to_an_alias(story: Story) -> None:
    story.apply(alias=[{"address": "sales@example.com", "record_type": "crm.lead", "defaults": {"team": 7}}])
    mail = story.mail("Bob Baker <bob@example.org>", "Sales <SALES@Example.COM>", subject="Pens, please")

    assert story.settled(mail) == ["delivered R9"]
    (record,) = story.events("record.requested")
    assert record["thread"] == story.thread(mail)
    assert record["thread"].startswith("crm.lead/")
    assert record["title"] == "Pens, please"
    assert record["alias"] == "sales@example.com"
    assert record["defaults"] == {"team": 7}
    assert record["post"]["author"] == {"address": "bob@example.org", "name": "Bob Baker", "contact": ""}
    assert not record.get("followers")
    assert story.sent() == []


def test_a_known_contact_follows_what_he_opens(story: Story) -> None:
    story.apply(contact=[EVE, ANNA])
    mail = story.mail("Eve <Eve@Customer.example>")

    (record,) = story.events("record.requested")
    assert [follower["contact"] for follower in record["followers"]] == ["eve"]
    story.post(story.thread(mail))
    assert [copy.recipient for copy in story.sent()] == ["eve@customer.example"]


def test_every_alias_among_the_recipients_gives_a_route(story: Story) -> None:
    story.apply(alias=[{"address": "jobs@example.com", "record_type": "hr.applicant"}])
    mail = story.mail(to="sales@example.com", headers={"Cc": "jobs@example.com, carl@example.net"})

    assert story.settled(mail) == ["delivered R9"]
    assert sorted(thread.partition("/")[0] for thread in story.threads(mail)) == ["crm.lead", "hr.applicant"]


def test_an_envelope_recipient_counts_even_if_no_header_names_it(story: Story) -> None:
    mail = story.mail(
        to="undisclosed-recipients:;", door="smtp", mail_from="bob@example.org", rcpt_to=["sales@example.com"]
    )
    assert story.settled(mail) == ["delivered R9"]


def test_a_mail_without_author_subject_and_text(story: Story) -> None:
    mail = story.mail("", text="", subject="")
    assert story.settled(mail) == ["delivered R9"]


def test_a_mailbox_opens_its_default_type(story: Story) -> None:
    box = {"name": "shop", "host": "imap.example.com", "record_type": "sale.order"}
    story.apply(mailbox=[{**box, "credentials": {"username": "shop", "secret": "env:SHOP"}}])
    mail = story.mail(to="shop@elsewhere.example", door="imap", mailbox="shop")
    assert story.settled(mail) == ["delivered R10"]
    assert story.thread(mail).startswith("sale.order/")


def test_an_unroutable_mail_waits_for_a_person_without_a_notice(story: Story) -> None:
    mail = story.mail(to="nobody@example.com")
    assert story.settled(mail) == ["held R11"]
    assert list(story.held().values()) == ["R11"]
    assert story.sent() == []
