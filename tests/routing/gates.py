"""The gate, with a view that sees what it writes or does not, as its tests need it."""

from datetime import timedelta
from typing import Any

from postroad.routing.gate import GateState, decide
from postroad.stage import Decision
from postroad.views import Views
from postroad_schemas import Tombstone, event_id
from postroad_schemas.directory import Alias, AliasDomain, Credentials, RowProposed, RowRefused, row_key
from tests.routing.mails import START

EXAMPLE = AliasDomain(name="example.com", default=True)
OTHER = AliasDomain(name="other.example")
SALES = Alias(local_part="sales", domain="example.com", record_type="lead")
LOGIN = Credentials(username="u", secret="env:PASSWORD")


class Gate:
    """The gate and a view that sees what it writes, at once or not."""

    def __init__(self, *rows: Any, sees: bool = True) -> None:
        self.views = Views()
        self.state = GateState()
        self.sees = True
        self.count = 0
        for row in rows:
            self.propose(row)
        self.sees = sees

    def propose(self, row: Any = None, remove: str = "", name: str = "") -> list[Any]:
        self.count += 1
        decision = self.decide(proposal(row, remove, name or str(self.count), self.count))
        self.state = decision.state
        if self.sees:
            for written in decision.emit:
                key = written.key if isinstance(written, Tombstone) else row_key(written)  # type: ignore[arg-type]
                self.views.apply("directory", key, None if isinstance(written, Tombstone) else written)
        return list(decision.emit)

    def decide(self, event: RowProposed) -> Decision[GateState]:
        return decide(event, self.state, self.views)


def proposal(row: Any, remove: str = "", name: str = "p", minute: float = 0) -> RowProposed:
    named = event_id("proposal", name)
    at = START + timedelta(minutes=minute)
    return RowProposed(event_id=named, trace_id=named, occurred_at=at, row=row, remove=remove, by="ann")


def reason(written: list[Any]) -> str:
    (refused,) = written
    assert isinstance(refused, RowRefused)
    return refused.reason
