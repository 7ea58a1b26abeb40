"""Which recipients a door takes (I5), decided from the directory before any bytes of the mail are read."""

from datetime import datetime

from postroad.mail.address import normalise
from postroad.views.directory import Directory, Kind
from postroad_schemas.values import Reply

ACCEPTED = Reply(code=250, text="2.1.5 recipient ok")


def judge(recipient: str, directory: Directory, now: datetime) -> Reply:
    """The reply to RCPT TO (RFC 5321 4.3.2, RFC 3463): 250, or why not.

    `now` decides about former addresses that are refused after a date (D9).
    """
    if recipient.lower() == "postmaster":  # RFC 5321 4.5.1: also without domain
        return ACCEPTED
    address = normalise(recipient)
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        return Reply(code=501, text="5.1.3 bad recipient address: local-part@domain is needed")
    found = directory.ours(address)
    if found and not (found.kind is Kind.ALIAS and not directory.own(address)):  # R13: by local part, elsewhere
        if found.former and directory.refused_now(found.former, now):
            moved = f"; write to {found.former.now}" if found.former.now else ""
            return Reply(code=550, text=f"5.1.6 this address is no longer in use{moved}")
        return ACCEPTED
    if not directory.serves(domain):
        return Reply(code=550, text=f"5.7.1 relaying denied: {domain} is not served here")
    if directory.setting("mail.smtp.unknown") == "accept":
        return ACCEPTED
    return Reply(code=550, text="5.1.1 no such address here")
