"""L1-L4, L6, L9: which counts a mail must pass, in a fixed order."""

from dataclasses import dataclass

from postroad.routing.case import Case
from postroad.views import Views
from postroad.views.directory import Directory
from postroad_schemas.directory import Alias, Limits
from postroad_schemas.mail import Budget, Route, Scope

_NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    threshold: int = 20
    minutes: int = 120
    scope: Scope = Scope.AUTHOR
    shadow: bool = True  # also count all authors of an alias together, without blocking
    allowed: tuple[str, ...] = ()  # senders that are never limited: addresses and domains

    def under(self, limits: Limits) -> "LoopPolicy":
        """An alias's own numbers, where it has any."""
        if limits == _NO_LIMITS:
            return self
        return LoopPolicy(
            self.threshold if limits.threshold is None else limits.threshold,
            self.minutes if limits.minutes is None else limits.minutes,
            self.scope if limits.scope is None else limits.scope,
            self.shadow,
            self.allowed,
        )


def loop_policy(directory: Directory) -> LoopPolicy:
    return LoopPolicy(
        threshold=directory.number("mail.gateway.loop.threshold"),
        minutes=directory.number("mail.gateway.loop.minutes"),
        scope=Scope(directory.setting("mail.gateway.loop.scope")),
        shadow=directory.flag("mail.gateway.loop.shadow"),
        allowed=directory.listed("mail.gateway.allowed"),
    )


def budgets(case: Case, routes: tuple[Route, ...]) -> tuple[Budget, ...]:
    """The fingerprint first (L6), then what is enforced, route by route, then what only counts."""
    policy = case.views.directory.policy(loop_policy)
    found = dict[str, Budget]()
    if case.facts.catchall and case.mail.fingerprint and case.mail.release is None and case.only is None:
        key = f"fingerprint {case.mail.fingerprint}"
        found[key] = Budget(key=key, scope=Scope.FINGERPRINT, limit=1, window=policy.minutes * 60)
    if case.facts.sender and not _allowed(case.facts.sender, policy):
        for route in routes:
            for budget in _of_route(route, case.facts.sender, policy.under(_limits(route, case.views))):
                found[budget.key] = _added(found.get(budget.key), budget)
    return tuple(sorted(found.values(), key=lambda budget: budget.shadow))


def _allowed(sender: str, policy: LoopPolicy) -> bool:
    """L4."""
    return sender in policy.allowed or sender.rpartition("@")[2] in policy.allowed


def _limits(route: Route, views: Views) -> Limits:
    alias = views.directory.row(f"alias/{route.alias}") if route.alias else None
    return alias.limits if isinstance(alias, Alias) and (route.new or alias.thread == route.thread) else _NO_LIMITS


def _of_route(route: Route, sender: str, policy: LoopPolicy) -> list[Budget]:
    if not route.new:
        return [_budget(Scope.THREAD, f"{route.thread} {sender}", policy)]
    if not route.alias:
        return [_budget(Scope.TYPE, f"{route.record_type} {sender}", policy)]
    match policy.scope:
        case Scope.ALIAS:
            return [_budget(Scope.ALIAS, route.alias, policy)]
        case Scope.TYPE:
            enforced = _budget(Scope.TYPE, f"{route.record_type} {sender}", policy)
        case _:
            enforced = _budget(Scope.AUTHOR, f"{route.alias} {sender}", policy)
    return [enforced, _budget(Scope.ALIAS, route.alias, policy, shadow=True)] if policy.shadow else [enforced]


def _budget(scope: Scope, counted: str, policy: LoopPolicy, *, shadow: bool = False) -> Budget:
    return Budget(
        key=f"{scope.value} {counted}", scope=scope, limit=policy.threshold, window=policy.minutes * 60, shadow=shadow
    )


def _added(former: Budget | None, new: Budget) -> Budget:
    """Two routes of one mail under one count take two; the narrower limit holds."""
    if former is None:
        return new
    return Budget(
        key=new.key,
        scope=new.scope,
        limit=min(former.limit, new.limit),
        window=max(former.window, new.window),
        amount=former.amount + new.amount,
        shadow=former.shadow and new.shadow,
    )
