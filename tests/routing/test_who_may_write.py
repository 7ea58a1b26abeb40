"""Who may write, what a new record is, and under whom a mail is shown (R12, R14, R15)."""

import pytest

from postroad_schemas.directory import AliasState, RowProposed
from postroad_schemas.mail import MailRouted, RefusalReason
from tests.routing.mails import BOB, CATCHALL, START, contact, end, mail, take, views


@pytest.mark.parametrize(
    ("to", "sender", "reason"),
    [
        pytest.param("jobs@example.com", BOB, RefusalReason.POLICY, id="contacts, a stranger"),
        pytest.param("jobs@example.com", "", RefusalReason.POLICY, id="contacts, no author"),
        pytest.param("jobs@example.com", "sales@example.com", RefusalReason.POLICY, id="contacts, an address of ours"),
        pytest.param("jobs@example.com", "old@example.org", RefusalReason.POLICY, id="contacts, an archived one"),
        pytest.param("jobs@example.com", "CAROL@example.org", None, id="contacts, a known one in any case"),
        pytest.param("nobody@example.com", BOB, RefusalReason.MISCONFIGURED, id="followers, and nobody could follow"),
        pytest.param("team@example.com", "", RefusalReason.POLICY, id="followers, no author"),
    ],
)
def test_r12_policies(to: str, sender: str, reason: RefusalReason | None) -> None:
    seen = views()
    contact(seen, "c2", "old@example.org", active=False)
    found = end(take(mail(to=[to], sender=sender), seen).emit)
    assert [refusal.reason for refusal in found.refusals] == ([reason] if reason else [])


def test_r12_the_aliass_own_words_and_one_refusal_for_all_routes() -> None:
    found = end(take(mail(to=["jobs@example.com", "nobody@example.com", "sales@example.com"]), views()).emit)
    assert isinstance(found, MailRouted)
    assert [route.alias for route in found.routes] == ["sales@example.com"]
    assert [(r.alias, r.text) for r in found.refusals] == [("jobs@example.com", "Call us."), ("nobody@example.com", "")]


def test_r12_a_misconfigured_alias_is_flagged_and_the_next_permitted_mail_clears_it() -> None:
    seen = views()
    (flag,) = [e for e in take(mail(to=["nobody@example.com"]), seen).emit if isinstance(e, RowProposed)]
    assert isinstance(flag.row, AliasState)
    assert (flag.row.alias, flag.row.invalid) == ("nobody@example.com", True)
    seen.directory.apply("alias_state/sales@example.com", AliasState(alias="sales@example.com", invalid=True))
    (cleared,) = [e for e in take(mail(to=["sales@example.com"]), seen).emit if isinstance(e, RowProposed)]
    assert cleared.row == AliasState(alias="sales@example.com", invalid=False)


# R14, R15


def test_r14_a_new_record_is_named_by_the_mail_and_takes_the_aliass_defaults() -> None:
    one, two = (end(take(mail(to=["sales@example.com"]), views()).emit) for _ in range(2))
    assert isinstance(one, MailRouted)
    assert one == two
    (route,) = one.routes
    assert route.thread.startswith("lead/")
    assert len(route.thread) == len("lead/") + 16
    assert (route.new, route.defaults, route.domain, route.parent) == (True, {"team": 3}, "example.com", "")
    assert (one.post.message_id, one.post.subject, one.post.posted_at) == ("<m1@example.org>", "A question", START)


def test_r15_a_known_contact_is_shown_and_follows() -> None:
    found = end(take(mail(to=["sales@example.com"], sender="Carol@Example.org"), views()).emit)
    assert isinstance(found, MailRouted)
    author = found.routes[0].author
    assert (author.address, author.name, author.contact) == ("carol@example.org", "Carol", "c1")
    assert found.routes[0].follow


@pytest.mark.parametrize(
    ("sender", "address", "follow"),
    [
        pytest.param(BOB, BOB, False, id="an unknown one does not follow"),
        pytest.param("old@example.org", "old@example.org", False, id="an archived one does not follow"),
        pytest.param(CATCHALL, "", False, id="catchall is never author"),
        pytest.param("bounce@example.com", "", False, id="bounce is never author"),
        pytest.param("notifications@example.com", "", False, id="default From is never author"),
        pytest.param("support+x@example.com", "", False, id="an alias is never author"),
        pytest.param("", "", False, id="no author at all"),
    ],
)
def test_r15_authors(sender: str, address: str, follow: bool) -> None:
    seen = views()
    contact(seen, "c2", "old@example.org", active=False)
    found = end(take(mail(to=["sales@example.com"], sender=sender), seen).emit)
    assert isinstance(found, MailRouted)
    assert (found.routes[0].author.address, found.routes[0].follow) == (address, follow)
