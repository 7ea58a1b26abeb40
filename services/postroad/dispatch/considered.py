"""Why a server was chosen and the others were passed over (O1): for people who ask beforehand."""

from collections.abc import Iterator, Sequence

from postroad.dispatch.attempt import Plan
from postroad.dispatch.choose import DEDICATED, ORDERS, STEPS, compared, serving
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Stream

# Why each step of O1 takes a server.
WORDS = {
    DEDICATED: "the message names it",
    "from address": "its filter has the From address",
    "from domain": "its filter has the domain of From",
    "no filter": "it has no filter",
    "default address": "its filter has the default From",
    "default domain": "its filter has the domain of the default From",
    "priority": "its filter has nothing of this message",
}


def considered(
    servers: Sequence[Smarthost], plan: Plan, default_from: str, stream: Stream, order: str
) -> Iterator[tuple[Smarthost, str]]:
    """Every server with why it was chosen or not, in the order in which they were looked at; inactive ones last."""
    for server in sorted(servers, key=lambda each: (not each.active, *_rank(each))):
        yield server, _verdict(server, plan, default_from, stream, ORDERS[order])


def _rank(server: Smarthost) -> tuple[int, float, str]:
    """O1, within a step: smallest priority, then oldest."""
    return server.priority, server.created_at.timestamp() if server.created_at else 0.0, server.name


def _verdict(server: Smarthost, plan: Plan, default_from: str, stream: Stream, order: Sequence[str]) -> str:
    chosen = plan.server
    if server.name == chosen.name:
        return f"chosen: {WORDS[plan.rule]} ({plan.rule})"
    if not server.active:
        return "inactive"
    if plan.rule == DEDICATED:
        return f"the message names {chosen.name}"
    if stream not in server.streams:
        return f"sends {', '.join(server.streams) or 'nothing'}, not {stream}"
    own = step_of(server, plan.from_before.address, default_from, order)
    if own != plan.rule:
        return f"{WORDS[own]} ({own}): that counts after {plan.rule}"
    if server.priority != chosen.priority:
        return f"{WORDS[own]} too, but its priority {server.priority} comes after {chosen.priority}"
    return f"{WORDS[own]} too, but {chosen.name} is older"


def step_of(server: Smarthost, sender: str, default_from: str, order: Sequence[str]) -> str:
    """The first step at which a server matches."""
    alone, from_, default = serving([server], server.streams[0]), compared(sender), compared(default_from)
    return next(step for step in order if STEPS[step](alone, from_, default))
