"""What is asked on several dashboards, and what a panel is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """One question. Without own `queries` the rule's is drawn; with a rule its limits colour it."""

    title: str
    unit: str  # Grafana's name of it
    shows: str
    queries: tuple[tuple[str, str], ...] = ()  # expression as in `rules`, legend
    rule: str = ""
    legend: str = ""  # of the rule's own query
    command: str = ""  # that shows the cases; empty: the rule's


ACCEPTED = Panel(
    "Accepted",
    "cps",
    "Mails accepted a second, by door. They are stored and acknowledged.",
    (("sum by (door) (rate(postroad_mails_accepted_total{@}[~]))", "{{door}}"),),
    command="postroad trace MESSAGE-ID",
)
SETTLED = Panel(
    "Outcomes",
    "cps",
    "What accepted mails became, a second: each ends in exactly one outcome.",
    (("sum by (outcome) (rate(postroad_mails_settled_total{@}[~]))", "{{outcome}}"),),
    command="postroad trace MESSAGE-ID",
)
RELAYED = Panel(
    "Sent",
    "cps",
    "Messages that outgoing servers took, a second.",
    (('sum by (server) (rate(postroad_deliveries_total{action="relayed",@}[~]))', "{{server}}"),),
    command="postroad trace NOTIFICATION",
)
UNSETTLED = Panel(
    "Oldest mail without outcome",
    "s",
    "Since when the oldest mail that was acknowledged waits for its outcome.",
    rule="PostroadMailsUnsettled",
    legend="oldest",
)
BEHIND = Panel(
    "Oldest event that waits",
    "s",
    "Since when each stage has had something to do that is not done.",
    rule="PostroadStageBehind",
    legend="{{stage}}",
)
HELD = Panel(
    "Held mails",
    "short",
    "Mails that wait for a person now, by the rule that holds them.",
    (("sum by (rule) (postroad_held_mails{@})", "{{rule}}"),),
    command="postroad held list",
)
HELD_AGE = Panel(
    "Oldest held mail",
    "s",
    "How long the longest waiting held mail has waited.",
    rule="PostroadHeldMails",
    legend="oldest",
)
RETRIES_WAITING = Panel(
    "Retries that wait",
    "short",
    "Messages put off, by the tier they wait in.",
    (('sum by (topic) (postroad_events_waiting{topic=~"outbound.deferred.*",@})', "{{topic}}"),),
    command="postroad outbound list",
)
OVERDUE = Panel(
    "Retries overdue",
    "s",
    "Since when the next message of a tier is due; below 0 its time is still to come.",
    rule="PostroadRetriesOverdue",
    legend="{{step}}",
)
DEAD = Panel(
    "Dead letters",
    "short",
    "Records buried within 15 minutes, by worker and reason.",
    rule="PostroadDeadLetters",
    legend="{{worker}} {{reason}}",
)
REFUSING = Panel(
    "Put off at the doors",
    "percentunit",
    "Share of mails that a door answers with 4yz (RFC 5321): come back later.",
    rule="PostroadDoorRefuses",
    legend="{{door}}",
)
FAILING = Panel(
    "Deliveries that fail",
    "percentunit",
    "Share of attempts that a server refuses for good.",
    rule="PostroadDeliveriesFail",
    legend="{{server}}",
)
DEAD_ADDRESSES = Panel(
    "Dead addresses",
    "percentunit",
    "Bounces that say the address is dead (P6: user_unknown, host_unknown, suspended), per message sent.",
    rule="PostroadBouncesRise",
    legend="bounced",
)
COMPLAINTS = Panel(
    "Complaints",
    "percentunit",
    "Complaints (RFC 5965) per message sent.",
    rule="PostroadComplaints",
    legend="complained",
)
LOG_FAILS = Panel(
    "Trouble with the log",
    "short",
    "Failures within 5 minutes: events not written, sessions that ended.",
    rule="PostroadLogFails",
    legend="{{what}}",
)
STORE_FAILS = Panel(
    "Trouble with the store",
    "short",
    "Calls of the object store that failed within 5 minutes.",
    rule="PostroadStoreFails",
    legend="{{operation}}",
)
STORE_SLOW = Panel(
    "Time of the store",
    "s",
    "What 95 of 100 calls of the object store take at most.",
    rule="PostroadStoreSlow",
    legend="{{operation}}",
)
NOT_READY = Panel(
    "Not ready",
    "short",
    "1 for a process that waits for brokers, partitions or states.",
    rule="PostroadNotReady",
    legend="{{worker}} {{instance}}",
)
BLACKLISTINGS = Panel(
    "Blacklistings",
    "short",
    "Addresses blacklisted within an hour, by rule.",
    rule="PostroadBlacklistings",
    legend="{{rule}}",
)
RED = Panel(
    "Red envelopes",
    "cps",
    "Notifications that failed or were skipped a second, by type of failure: what authors see.",
    (("sum by (failure) (rate(postroad_red_envelopes_total{@}[~]))", "{{failure}}"),),
    command="postroad trace NOTIFICATION",
)
LOOP_BLOCKS = Panel(
    "Held by the loop guard",
    "short",
    "Mails held within an hour because a budget was used up, by rule.",
    rule="PostroadLoopBlocks",
    legend="{{rule}}",
)
VIEWS = Panel(
    "Age of the directory",
    "s",
    "How long ago it was last known that directory and contacts are seen as they are.",
    rule="PostroadViewsStale",
    legend="{{instance}}",
)

STAGES = {
    "ingest": (),
    "routing": ("routing", "gate"),
    "loop_guard": ("budgets",),
    "bounces": ("notifications", "addresses"),
    "fanout": ("threads", "notices"),
    "dispatch": ("dispatch", "meter"),
}


def of_stages(worker: str) -> tuple[Panel, ...]:
    """What every worker with stages is asked."""
    mine = f'stage=~"{"|".join(STAGES[worker])}",@'
    return (
        Panel(
            "Age at processing",
            "s",
            "How old 95 of 100 events are at most when they are worked on: since acceptance, or since they were due.",
            (
                (
                    "histogram_quantile(0.95, sum by (le, stage) "
                    f"(rate(postroad_event_age_seconds_bucket{{{mine}}}[~])))",
                    "{{stage}}",
                ),
            ),
            rule="PostroadEventsOld",
        ),
        Panel(
            "Oldest event that waits",
            "s",
            "Since when each stage has had something to do that is not done.",
            ((f"max by (stage) (postroad_events_waiting_oldest_seconds{{{mine}}})", "{{stage}}"),),
            rule="PostroadStageBehind",
        ),
        Panel(
            "Events that wait",
            "short",
            "Records that are not done with, by topic.",
            ((f"sum by (topic) (postroad_events_waiting{{{mine}}})", "{{topic}}"),),
            command="postroad doctor",
        ),
        Panel(
            "Events worked on",
            "cps",
            "Events a second, and those of them without effect: most of these are repeats that were recognised.",
            (
                (f"sum by (stage) (rate(postroad_event_age_seconds_count{{{mine}}}[~]))", "{{stage}}"),
                (
                    f"sum by (stage) (rate(postroad_events_without_effect_total{{{mine}}}[~]))",
                    "{{stage}} without effect",
                ),
            ),
            command="postroad trace ID",
        ),
        Panel(
            "Dead letters",
            "short",
            "Records that this worker buried within 15 minutes, by reason.",
            (
                (
                    f'sum by (worker, reason) (increase(postroad_dead_letters_total{{worker="{worker}",@}}[15m]))',
                    "{{reason}}",
                ),
            ),
            rule="PostroadDeadLetters",
        ),
    )


PROCESS = (
    Panel(
        "Not answering",
        "short",
        "1 for a process that Prometheus cannot ask.",
        rule="PostroadDown",
        legend="{{instance}}",
    ),
    NOT_READY,
    Panel(
        "Event loop late",
        "s",
        "How late each process came to its last heartbeat.",
        rule="PostroadLoopLate",
        legend="{{instance}}",
    ),
    Panel(
        "Memory",
        "bytes",
        "Resident memory of each process.",
        (("process_resident_memory_bytes{@}", "{{instance}}"),),
        command="postroad doctor",
    ),
    Panel(
        "Processor",
        "percentunit",
        "Share of one core that each process takes. A process uses one core at most.",
        (("rate(process_cpu_seconds_total{@}[~])", "{{instance}}"),),
        command="postroad doctor",
    ),
)
CLUSTER = (
    Panel(
        "Partitions given anew",
        "short",
        "How often a stage was given partitions within an hour. None on one machine without Kafka.",
        (("sum by (stage) (increase(postroad_rebalances_total{@}[1h])) or vector(0)", "{{stage}}"),),
        rule="PostroadRebalances",
    ),
    Panel(
        "Time of recovery",
        "s",
        "How long each stage took last to have its states back. None on one machine without Kafka.",
        (("max by (stage) (postroad_recovery_seconds{@}) or vector(0)", "{{stage}}"),),
        rule="PostroadRecoverySlow",
    ),
    VIEWS,
    LOG_FAILS,
)


def worker_rows(worker: str) -> tuple[tuple[str, tuple[Panel, ...]], ...]:
    """The rows below a worker's own."""
    stages = (("Its stages", of_stages(worker)),) if STAGES[worker] else ()
    return (*stages, ("Processes", PROCESS), ("Cluster", CLUSTER))
