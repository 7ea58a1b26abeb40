"""O5: how many mails a server may still take today. One count per server and UTC day, exact by submission."""

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

import msgspec

from postroad.stage import Decision, Stage, descent
from postroad.views import Views
from postroad_schemas.event import Ticked
from postroad_schemas.outbound import OutboundGranted, OutboundMetered

_KEPT = timedelta(days=2)  # a repeat around midnight finds its grant of yesterday
_OCTETS = 8  # of an id: two submissions of one day share them once in 10^10 days
_MOST = 50_000  # marks of a day: with those of the day before 800 kB, which fits a record of Kafka


class Day(msgspec.Struct, frozen=True, array_like=True):
    """What was granted on one UTC day: the first octets of the submissions' ids, packed; beyond the most, a number.

    Up to 50,000 a day a submission counts once, however often it is asked about. Beyond that a repeat counts again.
    """

    day: date
    marks: bytes = b""
    beyond: int = 0

    @property
    def granted(self) -> int:
        return len(self.marks) // _OCTETS + self.beyond

    def has(self, mark: bytes) -> bool:
        at = self.marks.find(mark)
        while at % _OCTETS:  # -1 is no multiple: found across two marks, or not at all
            if at < 0:
                return False
            at = self.marks.find(mark, at + 1)
        return True

    def with_(self, mark: bytes) -> "Day":
        if len(self.marks) >= _MOST * _OCTETS:
            return Day(self.day, self.marks, self.beyond + 1)
        return Day(self.day, self.marks + mark, self.beyond)


class Metered(msgspec.Struct, frozen=True, array_like=True):
    """The last days of one server, oldest first."""

    days: tuple[Day, ...] = ()


def decide(event: OutboundMetered, state: Metered, _: Views) -> Decision[Metered]:
    """Grants in order until the day is full. A submission counts once: asked again, it is granted again.

    A question from a day that is no longer kept is a replay, or very late: it is to ask again with a new date.
    """
    mark = sha256(event.submission.event_id.encode()).digest()[:_OCTETS]
    if any(day.has(mark) for day in state.days):
        return Decision(state, (_granted(event, None),))
    today = event.occurred_at.astimezone(UTC).date()
    newest = max((day.day for day in state.days), default=today)
    current = next((day for day in state.days if day.day == today), Day(today))
    if today <= newest - _KEPT or (event.limit and current.granted >= event.limit):
        tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
        return Decision(state, (_granted(event, tomorrow),))
    oldest = max(newest, today) - _KEPT
    others = [day for day in state.days if day.day != today and day.day > oldest]
    days = sorted((*others, current.with_(mark)), key=lambda day: day.day)
    return Decision(Metered(days=tuple(days)), (_granted(event, None),))


def _granted(event: OutboundMetered, not_before: datetime | None) -> OutboundGranted:
    return OutboundGranted(
        **descent(event, "granted", not_before.isoformat() if not_before else ""),
        server=event.server,
        submission=event.submission,
        not_before=not_before,
    )


def due(state: Metered) -> datetime | None:
    """When the newest day is no longer asked about."""
    if not state.days:
        return None
    return datetime.combine(state.days[-1].day + _KEPT, time(), UTC)


def sweep(tick: Ticked, state: Metered, _: Views) -> Decision[Metered]:
    ends = due(state)
    return Decision(Metered() if ends and ends <= tick.occurred_at else state)


METER = Stage(
    name="meter",
    worker="dispatch",
    reads=("outbound.metered",),
    writes=("outbound.granted",),
    state=Metered,
    decide=decide,
    due=due,
    sweep=sweep,
)
