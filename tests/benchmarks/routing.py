"""How fast routing decides."""

from time import perf_counter

from postroad.routing.core import ROUTING
from postroad.routing.state import EMPTY
from tests.routing.mails import mail, views

_DECISIONS = 50_000
_SENDERS = 500


def decisions_per_second() -> float:
    """Decisions a second in one process, nothing encoded: each mail opens a record, from one of 500 senders."""
    mails = [
        mail(f"m{n}", to=["sales@example.com"], sender=f"bob{n % _SENDERS}@example.org") for n in range(_DECISIONS)
    ]
    seen = views()
    start = perf_counter()
    for event in mails:
        ROUTING.decide(event, EMPTY, seen)
    return _DECISIONS / (perf_counter() - start)
