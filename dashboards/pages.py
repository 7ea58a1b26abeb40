"""What is on each dashboard."""

from dataclasses import dataclass

from dashboards.panels import (
    ACCEPTED,
    BEHIND,
    BLACKLISTINGS,
    COMPLAINTS,
    DEAD,
    DEAD_ADDRESSES,
    FAILING,
    HELD,
    HELD_AGE,
    LOG_FAILS,
    LOOP_BLOCKS,
    NOT_READY,
    OVERDUE,
    RED,
    REFUSING,
    RELAYED,
    RETRIES_WAITING,
    SETTLED,
    STORE_FAILS,
    STORE_SLOW,
    UNSETTLED,
    Panel,
    worker_rows,
)


@dataclass(frozen=True, slots=True)
class Page:
    name: str  # also the file's
    title: str
    question: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...] = ()


PAGES: tuple[Page, ...] = (
    Page(
        "overview",
        "postroad",
        "Is mail flowing, what waits, what hurts?",
        (
            ("Is mail flowing?", (ACCEPTED, SETTLED, RELAYED, REFUSING)),
            ("What waits?", (UNSETTLED, BEHIND, HELD, HELD_AGE, RETRIES_WAITING, OVERDUE)),
            (
                "What hurts?",
                (DEAD, FAILING, DEAD_ADDRESSES, COMPLAINTS, LOG_FAILS, STORE_FAILS, NOT_READY, LOOP_BLOCKS),
            ),
        ),
    ),
    Page(
        "ingest",
        "postroad: ingest",
        "Do the doors take mail in, and how fast?",
        (
            (
                "Doors",
                (
                    ACCEPTED,
                    Panel(
                        "Refused",
                        "cps",
                        "Refusals a second, by door and code of the reply: 4yz for now, 5yz for good (RFC 5321 4.2).",
                        (("sum by (door, code) (rate(postroad_mails_refused_total{@}[~]))", "{{door}} {{code}}"),),
                        command="postroad explain ADDRESS",
                    ),
                    REFUSING,
                    Panel(
                        "Connections",
                        "short",
                        "Clients connected now, by door.",
                        (("sum by (door) (postroad_connections_open{@})", "{{door}}"),),
                        command="postroad doctor",
                    ),
                    Panel(
                        "Mailboxes",
                        "s",
                        "Since when each incoming mailbox was last polled to its end. 0 without any.",
                        (
                            (
                                "max by (mailbox) (time() - postroad_mailbox_polled_timestamp_seconds{@}) or vector(0)",
                                "{{mailbox}}",
                            ),
                        ),
                        command="postroad mailbox list",
                    ),
                    Panel(
                        "New connections",
                        "cps",
                        "Connections a second, by door.",
                        (("sum by (door) (rate(postroad_connections_taken_total{@}[~]))", "{{door}}"),),
                        command="postroad doctor",
                    ),
                ),
            ),
            ("Store", (STORE_SLOW, STORE_FAILS)),
            *worker_rows("ingest"),
        ),
    ),
    Page(
        "routing",
        "postroad: routing",
        "What becomes of accepted mails, and does each get its outcome?",
        (
            (
                "Decisions",
                (
                    Panel(
                        "Decisions by rule",
                        "cps",
                        "Outcomes a second with the rule that decided.",
                        (
                            (
                                "sum by (outcome, rule) (rate(postroad_mails_settled_total{@}[~]))",
                                "{{outcome}} {{rule}}",
                            ),
                        ),
                        command="postroad explain MAIL",
                    ),
                    Panel(
                        "Suppressed",
                        "cps",
                        "Mails dropped a second: duplicates (R1), answers to notices (R2), the same words again (L6).",
                        (
                            (
                                "sum by (outcome) (rate(postroad_mails_settled_total"
                                '{outcome=~"duplicate|answer_to_notice|repeated",@}[~]))',
                                "{{outcome}}",
                            ),
                        ),
                        command="postroad trace MESSAGE-ID",
                    ),
                    Panel(
                        "Refused after acceptance",
                        "cps",
                        "Mails refused a second, by reason, and whether the sender is told.",
                        (
                            (
                                "sum by (reason, told) (rate(postroad_refusals_total{@}[~]))",
                                "{{reason}}, told: {{told}}",
                            ),
                        ),
                        command="postroad explain MAIL",
                    ),
                    HELD,
                    HELD_AGE,
                ),
            ),
            (
                "Acknowledged, not routed",
                (
                    UNSETTLED,
                    Panel(
                        "Mails without outcome",
                        "short",
                        "Mails that routing has read and that wait for a look-up or the loop guard.",
                        (("sum(postroad_mails_unsettled{@})", "mails"),),
                        command="postroad trace MESSAGE-ID",
                    ),
                ),
            ),
            (
                "Directory",
                (
                    Panel(
                        "Version of the directory",
                        "short",
                        "What decisions see, by process: all show the same within seconds.",
                        (("postroad_directory_version{@}", "{{instance}}"),),
                        command="postroad history",
                    ),
                ),
            ),
            *worker_rows("routing"),
        ),
    ),
    Page(
        "loop_guard",
        "postroad: loop guard",
        "Who comes near a limit, and what is held?",
        (
            (
                "Budgets",
                (
                    Panel(
                        "Budgets near their limit",
                        "short",
                        "Budgets of which four fifths or more are used, by scope.",
                        rule="PostroadBudgetsNearLimit",
                        legend="{{scope}}",
                    ),
                    LOOP_BLOCKS,
                ),
            ),
            *worker_rows("loop_guard"),
        ),
    ),
    Page(
        "bounces",
        "postroad: bounces",
        "What comes back, and what follows from it?",
        (
            (
                "Reports",
                (
                    Panel(
                        "Bounces",
                        "cps",
                        "Reports a second, by where they came from, action and reason (P6).",
                        (
                            (
                                "sum by (source, action, reason) (rate(postroad_bounces_total{@}[~]))",
                                "{{source}} {{action}} {{reason}}",
                            ),
                        ),
                        command="postroad bounce MAIL",
                    ),
                    Panel(
                        "Bounces by status",
                        "cps",
                        "Reports a second by class and subject of their status (RFC 3463; 5.1: address, 5.2: mailbox, "
                        "5.4: network, 5.7: policy; 4.x: for now).",
                        (("sum by (family) (rate(postroad_bounces_total{@}[~]))", "{{family}}"),),
                        command="postroad bounce MAIL",
                    ),
                    Panel(
                        "Webhooks",
                        "cps",
                        "Events a second that providers posted, and what was made of them. 0 without any.",
                        (
                            (
                                "sum by (provider, outcome) (rate(postroad_webhook_events_total{@}[~])) or vector(0)",
                                "{{provider}} {{outcome}}",
                            ),
                        ),
                        command="postroad trace NOTIFICATION",
                    ),
                    DEAD_ADDRESSES,
                    COMPLAINTS,
                ),
            ),
            ("What follows", (RED, BLACKLISTINGS)),
            *worker_rows("bounces"),
        ),
    ),
    Page(
        "fanout",
        "postroad: fan-out",
        "Who is told of posts and refusals?",
        (
            (
                "Messages for people",
                (
                    Panel(
                        "Messages handed to dispatch",
                        "cps",
                        "Messages for one recipient each, a second, by stream.",
                        (("sum by (stream) (rate(postroad_messages_submitted_total{@}[~]))", "{{stream}}"),),
                        command="postroad trace ID",
                    ),
                    Panel(
                        "Posts",
                        "cps",
                        "Records requested and posts made by mail, plans of who is told of them, a second.",
                        (
                            (
                                "sum by (type) (rate(postroad_events_published_total"
                                '{type=~"record.requested|chatter.posted|notification.planned",@}[~]))',
                                "{{type}}",
                            ),
                        ),
                        command="postroad trace ID",
                    ),
                ),
            ),
            *worker_rows("fanout"),
        ),
    ),
    Page(
        "dispatch",
        "postroad: dispatch",
        "Do outgoing servers take our mail?",
        (
            (
                "Servers",
                (
                    Panel(
                        "Attempts",
                        "cps",
                        "What each server made of messages, a second.",
                        (
                            (
                                "sum by (server, action) (rate(postroad_deliveries_total{@}[~]))",
                                "{{server}} {{action}}",
                            ),
                        ),
                        command="postroad smarthost list",
                    ),
                    FAILING,
                    Panel(
                        "Attempts that are put off",
                        "percentunit",
                        "Share of attempts that a server answers with 4yz, or that do not reach it.",
                        rule="PostroadServerDelays",
                        legend="{{server}}",
                    ),
                    Panel(
                        "At the server",
                        "short",
                        "Messages on their way to a server now, or waiting for one of its connections. 0 at rest.",
                        (("sum by (server) (postroad_lane_messages{@}) or vector(0)", "{{server}}"),),
                        command="postroad smarthost list",
                    ),
                    Panel(
                        "Servers left alone",
                        "short",
                        "1 for a server that could not be had and is asked again later. 0 for the others.",
                        (("max by (server) (postroad_lane_paused{@}) or vector(0)", "{{server}}"),),
                        command="postroad smarthost test NAME",
                    ),
                    Panel(
                        "Failures",
                        "cps",
                        "Messages that failed for good a second, by type.",
                        (("sum by (failure) (rate(postroad_delivery_failures_total{@}[~]))", "{{failure}}"),),
                        command="postroad trace NOTIFICATION",
                    ),
                ),
            ),
            (
                "Retries",
                (
                    Panel(
                        "Put off",
                        "cps",
                        "Messages put off a second, by tier. `day`: a daily limit was reached.",
                        (("sum by (step) (rate(postroad_retries_total{@}[~]))", "{{step}}"),),
                        command="postroad outbound list",
                    ),
                    RETRIES_WAITING,
                    OVERDUE,
                ),
            ),
            ("Store", (STORE_SLOW, STORE_FAILS)),
            *worker_rows("dispatch"),
        ),
    ),
)
