"""L1-L4, L6, L9: which counts a mail must pass, in a fixed order."""

from dataclasses import dataclass
from operator import attrgetter

from postroad.routing.case import Case
from postroad.routing.facts import name_of
from postroad.views.directory import Directory
from postroad_schemas.directory import Limits
from postroad_schemas.mail import Budget, Route, Scope


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    threshold: int = 20
    minutes: int = 120
    scope: Scope = Scope.AUTHOR
    shadow: bool = True  # also count all authors of an alias together, without blocking
    allowed: tuple[str, ...] = ()  # senders that are never limited: addresses and domains

    def under(self, limits: Limits) -> "LoopPolicy":
        """An alias's own numbers, where it has any."""
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


def limited_aliases(directory: Directory) -> dict[str, tuple[str, LoopPolicy]]:
    """Aliases with limits of their own, by name: the thread each is bound to, and its policy."""
    policy = directory.policy(loop_policy)
    limited = (alias for alias in directory.aliases() if alias.limits != Limits())
    return {name_of(alias): (alias.thread, policy.under(alias.limits)) for alias in limited}


def budgets(case: Case, routes: tuple[Route, ...]) -> tuple[Budget, ...]:
    """The fingerprint first (L6), then what is enforced, route by route, then what only counts."""
    policy = case.views.directory.policy(loop_policy)
    found: dict[str, Budget] = {}
    if case.facts.catchall and case.mail.fingerprint and case.mail.release is None and case.ask.only is None:
        key = f"fingerprint {case.mail.fingerprint}"
        found[key] = Budget(key=key, scope=Scope.FINGERPRINT, limit=1, window=policy.minutes * 60)
    if case.facts.sender and not _allowed(case.facts.sender, policy):
        for route in routes:
            for budget in _of_route(route, case.facts.sender, _under(route, policy, case.views.directory)):
                former = found.get(budget.key)
                found[budget.key] = _added(former, budget) if former else budget
    return tuple(sorted(found.values(), key=attrgetter("shadow")))


def _allowed(sender: str, policy: LoopPolicy) -> bool:
    """L4."""
    return sender in policy.allowed or sender.rpartition("@")[2] in policy.allowed


def _under(route: Route, policy: LoopPolicy, directory: Directory) -> LoopPolicy:
    """Under the limits of the alias that the record is opened through, or that is bound to the thread."""
    bound_to, own = directory.policy(limited_aliases).get(route.alias, ("", policy))
    return own if route.new or bound_to == route.thread else policy


def _of_route(route: Route, sender: str, policy: LoopPolicy) -> list[Budget]:
    if not route.new:
        return [_budget(policy, Scope.THREAD, route.thread, sender)]
    if not route.alias:
        return [_budget(policy, Scope.TYPE, route.record_type, sender)]
    match policy.scope:
        case Scope.ALIAS:
            return [_budget(policy, Scope.ALIAS, route.alias)]
        case Scope.TYPE:
            enforced = _budget(policy, Scope.TYPE, route.record_type, sender)
        case _:
            enforced = _budget(policy, Scope.AUTHOR, route.alias, sender)
    return [enforced, _budget(policy, Scope.ALIAS, route.alias, shadow=True)] if policy.shadow else [enforced]


def _budget(policy: LoopPolicy, scope: Scope, *counted: str, shadow: bool = False) -> Budget:
    key = " ".join((scope, *counted))
    return Budget(key=key, scope=scope, limit=policy.threshold, window=policy.minutes * 60, shadow=shadow)


def _added(former: Budget, new: Budget) -> Budget:
    """Two routes of one mail under one count take two; the narrower limit holds."""
    return Budget(
        key=new.key,
        scope=new.scope,
        limit=min(former.limit, new.limit),
        window=max(former.window, new.window),
        amount=former.amount + new.amount,
        shadow=former.shadow and new.shadow,
    )
