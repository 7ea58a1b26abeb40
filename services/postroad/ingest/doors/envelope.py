"""The envelope as a command line or an HTTP request says it, where no RCPT TO was asked and answered."""

from collections.abc import Sequence

from postroad_schemas.values import Envelope

LONGEST = 998  # characters: RFC 5322 2.1.1, what stands on one line
NULL = ("", "MAILER-DAEMON")  # the second is how Postfix's pipe(8) writes the null reverse-path for a command


def envelope(mail_from: str | None, rcpt_to: Sequence[str]) -> Envelope:
    """None and no recipients mean that they are not known: then the mail's own fields count (M2).

    Raises ValueError, which says what to write instead.
    """
    recipients = tuple(map(_path, rcpt_to))
    for recipient in recipients:
        local, _, domain = recipient.rpartition("@")
        if not (local and domain) and recipient.lower() != "postmaster":  # RFC 5321 4.5.1: also without domain
            raise ValueError(f"recipient {recipient!r} is no address: write local-part@domain")
    reverse_path = None if mail_from is None else _path(mail_from)
    return Envelope(mail_from="" if reverse_path in NULL else reverse_path, rcpt_to=recipients or None)


def _path(given: str) -> str:
    """RFC 5321 4.1.2, with or without its angle brackets."""
    address = given.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    if len(address) > LONGEST or not address.isprintable():
        raise ValueError(f"{address[:40]!r} is no address: one line of at most {LONGEST} characters is")
    return address
