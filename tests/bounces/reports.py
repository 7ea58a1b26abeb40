"""Reports, observations and small drivers as the bounce tests need them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from postroad.bounces.addresses import ADDRESSES, AddressLog, Observed
from postroad.bounces.fate import Report
from postroad.bounces.notifications import NOTIFICATIONS, Notification
from postroad.stage import Emission
from postroad.views import Views
from postroad_schemas import Event, Ticked
from postroad_schemas.address import AddressBlacklisted, AddressFailed
from postroad_schemas.directory import Parameter
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, LeaveAsked, Source
from postroad_schemas.values import FailureType, Reply, Stream

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADA = "ada@example.net"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def dispatched(name: str, action: Action, minute: float = 0, **fields: object) -> DeliveryReported:
    """What dispatch says: it alone knows thread, author and stream."""
    told = DeliveryReported(
        event_id=name,
        occurred_at=at(minute),
        trace_id="t",
        notification_id="n1",
        recipient=ADA,
        action=action,
        source=Source.SMTP,
        proven=True,
        message_id="<m@example.com>",
        thread="ticket/7",
        author="c1",
        stream=Stream.CHATTER,
        server="main",
        reply=Reply(code=250, text="queued"),
    )
    return msgspec.structs.replace(told, **fields)


def refused(name: str, minute: float = 0, **fields: object) -> DeliveryReported:
    """A 5yz reply."""
    said: dict[str, object] = {
        "status": "5.1.1",
        "diagnostic": "no such user",
        "permanent": True,
        "hard": True,
        "failure": FailureType.REFUSED,
        "reply": Reply(code=550, text="5.1.1 no such user"),
    }
    return dispatched(name, Action.FAILED, minute, **(said | fields))


def reported(name: str, action: Action = Action.FAILED, minute: float = 5, **fields: object) -> DeliveryReported:
    """What a report or a webhook says: nothing about thread, author or stream."""
    told = DeliveryReported(
        event_id=name,
        occurred_at=at(minute),
        trace_id="t2",
        notification_id="n1",
        recipient=ADA,
        action=action,
        status="5.1.1",
        diagnostic="no such user",
        permanent=True,
        hard=True,
        failure=FailureType.REFUSED if action is Action.FAILED else None,
        source=Source.REPORT,
        proven=True,
    )
    return msgspec.structs.replace(told, **fields)


def complained(name: str, minute: float = 9, recipient: str = ADA) -> FeedbackReported:
    return FeedbackReported(
        event_id=name,
        occurred_at=at(minute),
        trace_id="t3",
        notification_id="n1",
        recipient=recipient,
        feedback_type="abuse",
        proven=True,
    )


def words(emissions: Iterable[Emission]) -> list[str]:
    """Emissions by their tags, complaints told apart."""
    return [
        str(type(e).__struct_config__.tag) + (" by complaint" if getattr(e, "complaint", 0) else "") for e in emissions
    ]


class Fates:
    """The notifications stage at one key."""

    def __init__(self, *reports: Report | LeaveAsked) -> None:
        self.state = Notification()
        self.out: list[Emission] = []
        for report in reports:
            self.take(report)

    def take(self, report: Report | LeaveAsked) -> list[Emission]:
        decision = NOTIFICATIONS.decide(report, self.state, Views())
        self.state = msgspec.json.decode(msgspec.json.encode(decision.state), type=Notification)
        self.out += decision.emit
        return list(decision.emit)

    @property
    def address_failures(self) -> set[tuple[str, str, bool]]:
        """As the address's log tells them apart."""
        return {(e.address, e.notification_id, e.complaint) for e in self.out if isinstance(e, AddressFailed)}


def views(**parameters: str) -> Views:
    """With `mail.bounce.blacklist.<name>` set."""
    result = Views()
    for name, value in parameters.items():
        full = f"mail.bounce.blacklist.{name}"
        result.apply("directory", f"parameter/{full}", Parameter(name=full, value=value))
    return result


class Address:
    """The addresses stage at one key."""

    def __init__(self, *observed: Observed, rules: Views | None = None) -> None:
        self.state = AddressLog()
        self.rules = rules or Views()
        self.rows: list[Event] = []
        for event in observed:
            self.take(event)

    def take(self, event: Observed) -> list[Emission]:
        decision = ADDRESSES.decide(event, self.state, self.rules)
        self.state = msgspec.json.decode(msgspec.json.encode(decision.state), type=AddressLog)
        self.rows += [row for row in decision.emit if isinstance(row, Event)]
        return list(decision.emit)

    @property
    def listed(self) -> bool:
        """As the table has it."""
        rows = [row for row in self.rows if isinstance(row, AddressBlacklisted)]
        return bool(rows) and rows[-1].active


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def failed_on(number: float, **fields: object) -> AddressFailed:
    """A proven, hard failure of a bulk mail."""
    failure = AddressFailed(
        event_id=f"f{number}",
        occurred_at=day(number),
        trace_id="t",
        address=ADA,
        notification_id=f"n{number}",
        status="5.1.1",
        permanent=True,
        hard=True,
        proven=True,
        diagnostic="no such user",
        stream=Stream.BULK,
    )
    return msgspec.structs.replace(failure, **fields)


def tick(when: datetime) -> Ticked:
    return Ticked(event_id="tick", occurred_at=when, trace_id="t", stage="s")
