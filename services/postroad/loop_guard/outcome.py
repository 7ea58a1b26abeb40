"""What follows for a mail: on to its next budget, into its threads, or held."""

from collections.abc import Iterator

import msgspec

from postroad.stage import Emission, descent
from postroad_schemas import event_id
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.mail import (
    Budget,
    BudgetReturned,
    HeldMail,
    MailRefused,
    MailRouted,
    Refusal,
    RefusalReason,
    Route,
    Scope,
)
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Author, Follower, Post, PostKind, ThreadLink

RULES: dict[Scope, str] = {
    Scope.AUTHOR: "L1",
    Scope.ALIAS: "L2",
    Scope.TYPE: "L2",
    Scope.THREAD: "L3",
    Scope.FINGERPRINT: "L6",
}

_COUNTED = {
    Scope.AUTHOR: "through one alias by one author",
    Scope.ALIAS: "through one alias by all authors together",
    Scope.TYPE: "of one record type by one author",
    Scope.THREAD: "on one thread by one author",
}

_DEFAULT_WINDOW = 7200  # seconds, where no budget says


def passed(routed: MailRouted) -> MailRouted:
    """The same mail at its next budget's key."""
    position = routed.position + 1
    return msgspec.structs.replace(
        routed,
        event_id=event_id(routed.event_id, "passed", str(position)),
        cause_id=routed.event_id,
        position=position,
    )


def let_through(routed: MailRouted) -> tuple[Emission, ...]:
    """All budgets passed: its chatter, one refusal for all refused routes (R12), one outcome (R16)."""
    return (*_chatter(routed), *_refused_routes(routed), _delivered(routed))


def _chatter(routed: MailRouted) -> Iterator[Emission]:
    for ordinal, route in enumerate(routed.routes):
        after = descent(routed, "route", str(ordinal))
        post = _post(routed.post, route)
        if route.new:
            yield RecordRequested(
                **after,
                thread=route.thread,
                record_type=route.record_type,
                title=post.subject,
                alias=route.alias,
                defaults=route.defaults,
                domain=route.domain,
                owner_thread=route.owner_thread,
                followers=_followers(route),
                post=post,
                notice=routed.notice,
                mail_id=routed.mail_id,
                rule=route.rule,
                directory_version=routed.directory_version,
            )
        else:
            yield ChatterPosted(
                **after,
                thread=route.thread,
                post=post,
                follow=route.follow,
                mail_id=routed.mail_id,
                rule=route.rule,
                directory_version=routed.directory_version,
            )


def _post(post: Post, route: Route) -> Post:
    notify = post.notify
    if route.tell:
        told = Follower(address=route.tell) if "@" in route.tell else Follower(contact=route.tell)
        notify = (*notify, told)
    return msgspec.structs.replace(post, kind=route.kind, parent=route.parent, author=route.author, notify=notify)


def _followers(route: Route) -> tuple[Follower, ...]:
    author = route.author
    if not route.follow or not (author.contact or author.address):
        return ()
    if author.contact:
        return (Follower(contact=author.contact, name=author.name),)
    return (Follower(address=author.address, name=author.name),)


def _refused_routes(routed: MailRouted) -> Iterator[Emission]:
    if routed.refusals:
        yield _refused(routed, routed.refusals, max((b.window for b in routed.budgets), default=_DEFAULT_WINDOW))


def _refused(routed: MailRouted, refusals: tuple[Refusal, ...], window: int) -> MailRefused:
    return MailRefused(
        **descent(routed, "refused"),
        mail_id=routed.mail_id,
        message_id=routed.message_id,
        refusals=refusals,
        notice=routed.notice,
        subject=routed.mail.subject,
        references=routed.mail.references,
        author=routed.mail.author,
        window=window,
        directory_version=routed.directory_version,
    )


def _delivered(routed: MailRouted) -> MessageSettled:
    return _settled(
        routed,
        Outcome.DELIVERED if routed.routes else Outcome.REFUSED,
        rule=routed.rule,
        why=routed.why,
        refusals=routed.refusals,
        links=tuple(_link(route, routed.message_id) for route in routed.routes),
    )


def _link(route: Route, message_id: str) -> ThreadLink:
    return ThreadLink(
        thread=route.thread,
        alias=route.alias,
        record_type=route.record_type,
        first_message=message_id if route.new else route.parent,
        new=route.new,
    )


def _settled(
    routed: MailRouted,
    outcome: Outcome,
    *,
    rule: str,
    why: str,
    refusals: tuple[Refusal, ...] = (),
    links: tuple[ThreadLink, ...] = (),
) -> MessageSettled:
    author = _author(routed)
    release = routed.mail.release
    if routed.shadowed:
        why = "; ".join(filter(None, (why, f"over in shadow (L9): {', '.join(routed.shadowed)}")))
    return MessageSettled(
        **descent(routed, "settled"),
        settled=routed.message_id,
        mail_id=routed.mail_id,
        outcome=outcome,
        rule=rule,
        links=links,
        note=any(route.kind == PostKind.NOTE for route in routed.routes),
        automatic=routed.post.acknowledgement,
        opens_new=routed.post.opens_new,
        author=author.address,
        author_contact=author.contact,
        refusals=refusals,
        former=f"held {release.rule}" if release else "",
        directory_version=routed.directory_version,
        why=why,
    )


def _author(routed: MailRouted) -> Author:
    return routed.routes[0].author if routed.routes else routed.post.author


def stopped(routed: MailRouted, budget: Budget) -> tuple[Emission, ...]:
    """A budget blocks: repeated (L6), else held with a notice that it is kept (L5). Earlier budgets get theirs back."""
    rule = RULES[budget.scope]
    back = tuple(_returned(routed))
    minutes = f"{budget.window / 60:g} minutes"
    if budget.scope is Scope.FINGERPRINT:
        return (*back, _settled(routed, Outcome.REPEATED, rule=rule, why=f"the same words came within {minutes}"))
    reason = f"more than {budget.limit} within {minutes} {_COUNTED[budget.scope]}: {budget.key.partition(' ')[2]}"
    refusals = (Refusal(reason=RefusalReason.LOOP_LIMIT, rule=rule, alias=_alias(routed, budget)),)
    return (
        *back,
        HeldMail(**descent(routed, "held"), mail=routed.mail, rule=rule, reason=reason),
        _refused(routed, refusals, budget.window),
        _settled(routed, Outcome.HELD, rule=rule, why=reason, refusals=refusals),
    )


def _returned(routed: MailRouted) -> Iterator[Emission]:
    """A fingerprint stays: the mail was received. A shadow budget counts what came, blocked elsewhere or not."""
    for ordinal, budget in enumerate(routed.budgets[: routed.position]):
        if not budget.shadow and budget.scope is not Scope.FINGERPRINT:
            after = descent(routed, "returned", str(ordinal))
            after["occurred_at"] = routed.received_at
            yield BudgetReturned(**after, budget=budget.key, mail_id=routed.mail_id)


def _alias(routed: MailRouted, budget: Budget) -> str:
    named = budget.key.split(" ")
    return next((route.alias for route in routed.routes if route.alias and route.alias in named), "")
