"""L8: whether the sender of a mail that is not taken may be told, and where."""

from postroad.routing.case import Case
from postroad.routing.routes import domain_of
from postroad.views import Views
from postroad.views.directory import Kind
from postroad_schemas.mail import MailReceived, Notice
from postroad_schemas.values import Verdict


def notice(case: Case) -> Notice:
    """To the reverse-path, else to the author; to nobody where a notice could go round or hit a stranger."""
    mail, facts = case.mail, case.facts
    addressee = facts.sender if facts.reverse_path is None else facts.reverse_path
    if why_not := _why_not(case, mail, addressee):
        return Notice(why_not=why_not)
    return Notice(addressee=addressee, domain=_in_whose_name(case))


def _why_not(case: Case, mail: MailReceived, addressee: str) -> str:
    facts = case.facts
    if facts.reverse_path == "":
        return "null reverse-path"
    if facts.automatic is not None:
        return f"automatic mail: {facts.automatic.reason}"
    if mail.list_id:
        return f"list mail: {mail.list_id}"
    if "@" not in addressee:
        return "no address to tell"
    if facts.own_sender if addressee == facts.sender else case.views.directory.own(addressee):
        return "one of our own addresses"
    if _operator(addressee, case.views):
        return "one of our own addresses"
    if mail.suppress_notices:
        return "X-Auto-Response-Suppress"
    return "forged reverse-path" if _forged(mail.verdict) else ""


def _operator(address: str, views: Views) -> bool:
    found = views.directory.ours(address)
    return found is not None and found.kind is Kind.OPERATOR


def _forged(verdict: Verdict) -> bool:
    """SPF (RFC 7208) speaks of the reverse-path itself; DMARC (RFC 7489) of From, and counts where SPF vouches not."""
    return verdict.spf == "fail" or (verdict.dmarc == "fail" and verdict.spf != "pass")


def _in_whose_name(case: Case) -> str:
    default = case.views.directory.domain()
    return domain_of(case) or (default.name if default else "")
