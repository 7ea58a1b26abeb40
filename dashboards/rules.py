"""When a figure is amber and when red: one list for the alerts, the panels' colours and the runbook.

In expressions `@` stands for the dashboard's choice of job and instance (nothing in alerts), `~` for the interval of a
rate.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """Amber is a ticket, red a page; both when the figure is *above* the limit for as long as `hold` says."""

    name: str
    expression: str
    amber: float
    red: float
    says: str  # with {{ $labels }} and {{ $value }} of Prometheus
    means: str  # what red means
    act: str  # what to do
    command: str  # that shows the cases
    hold: str = "5m"


RULES: tuple[Rule, ...] = (
    Rule(
        "PostroadDown",
        'max by (instance) (1 - up{job="postroad",@})',
        0.0,
        0.5,
        "{{ $labels.instance }} does not answer",
        "A process is gone, or hangs. Its share of the mail waits for others to take it over.",
        "See how it ended: 69 the brokers stayed away, 70 too many dead letters in a row, 78 topics or settings.",
        "postroad doctor",
        "2m",
    ),
    Rule(
        "PostroadNotReady",
        "max by (instance, worker) ("
        "(1 - postroad_ready{@}) * on (job, instance) group_left (worker) postroad_worker_info{@})",
        0.0,
        0.5,
        "{{ $labels.worker }} at {{ $labels.instance }} is not ready",
        "A process runs and does no work: it waits for Kafka, for its partitions or for its states.",
        "Its /readyz names what it waits for. See whether the brokers answer and all topics are there.",
        "postroad doctor",
    ),
    Rule(
        "PostroadLoopLate",
        "max by (instance) (postroad_loop_late_seconds{@})",
        1.0,
        5.0,
        "the event loop at {{ $labels.instance }} comes {{ $value | humanizeDuration }} late",
        "Something keeps the process from answering anybody; after 10 s /healthz says that it is dead.",
        "Look for want of processor time (limits, neighbours), a slow disk, or one enormous mail being read.",
        "postroad trace ID",
        "2m",
    ),
    Rule(
        "PostroadMailsUnsettled",
        "max(postroad_mails_unsettled_oldest_seconds{@})",
        120.0,
        900.0,
        "a mail accepted {{ $value | humanizeDuration }} ago has no outcome",
        "A mail was acknowledged and is not routed. A chain of look-ups ends within 10 minutes: this one does not.",
        "See which stage is behind, and whether its mail is a dead letter; trace the mail.",
        "postroad trace ID",
    ),
    Rule(
        "PostroadStageBehind",
        "max by (stage) (postroad_events_waiting_oldest_seconds{@})",
        60.0,
        300.0,
        "{{ $labels.stage }} has work before it since {{ $value | humanizeDuration }}",
        "A stage stands still or cannot follow: mail is late, none is lost.",
        "Is the process up and ready? Add processes, up to the number of partitions; look at the times of store and "
        "servers.",
        "postroad doctor",
    ),
    Rule(
        "PostroadEventsOld",
        "histogram_quantile(0.95, sum by (le, stage) (rate(postroad_event_age_seconds_bucket{@}[~])))",
        60.0,
        300.0,
        "one event in twenty is older than {{ $value | humanizeDuration }} when {{ $labels.stage }} works on it",
        "What is worked on now is old: a backlog is worked off, or an earlier stage is slow.",
        "Find the first stage on the way whose events are old; that one is slow, those behind it only wait.",
        "postroad trace ID",
        "10m",
    ),
    Rule(
        "PostroadDeadLetters",
        "sum by (worker, reason) (increase(postroad_dead_letters_total{@}[15m]))",
        0.0,
        50.0,
        "{{ $labels.worker }} buried {{ $value | humanize }} records ({{ $labels.reason }}) within 15 minutes",
        "Records that cannot be worked on, many at once: a bad release, or a writer that does not keep to the schemas.",
        "List them, mend what made them, and send them back. More than 100 in a row stop the worker (exit 70).",
        "postroad dead list",
        "0m",
    ),
    Rule(
        "PostroadHeldMails",
        "max(postroad_held_oldest_seconds{@})",
        86400.0,
        259200.0,
        "a held mail has waited {{ $value | humanizeDuration }} for a person",
        "Somebody's mail lies for days without a decision.",
        "Release or drop what is held; several at once by rule, alias or age.",
        "postroad held list",
        "15m",
    ),
    Rule(
        "PostroadLoopBlocks",
        'sum by (rule) (increase(postroad_mails_held_total{rule=~"L.*",@}[1h]))',
        0.0,
        50.0,
        "the loop guard held {{ $value | humanize }} mails by {{ $labels.rule }} within an hour",
        "A loop or a flood: one author or alias sends far more than its budget lets through.",
        "See who it is. A loop is ended at its other side; a sender that may send that much is allowed "
        "(mail.gateway.allowed, or the alias's own limits).",
        "postroad held list --rule L1",
        "0m",
    ),
    Rule(
        "PostroadBudgetsNearLimit",
        "sum by (scope) (postroad_budgets_near_limit{@})",
        10.0,
        50.0,
        "{{ $value | humanize }} budgets ({{ $labels.scope }}) are nearly used up",
        "Many senders are about to be held: limits are too low for this traffic, or a flood begins.",
        "See who they are, and raise the limit or allow them before mails are held.",
        "postroad budgets --near 0.8",
    ),
    Rule(
        "PostroadDoorRefuses",
        'sum by (door) (rate(postroad_mails_refused_total{door!="http",code=~"4..",@}[~]) or '
        'rate(postroad_mails_refused_total{door="http",code=~"429|503",@}[~])) / '
        "(sum by (door) (rate(postroad_mails_refused_total{@}[~])) "
        "+ sum by (door) (rate(postroad_mails_accepted_total{@}[~])) > 0)",
        0.1,
        0.5,
        "{{ $value | humanizePercentage }} of mails at the {{ $labels.door }} door are put off",
        "Senders are told to come back: broker or store cannot be written to, or limits of the door are too low.",
        "451 is broker or store, 452 too much at once, 421 too many connections. Senders keep the mail and try again.",
        "postroad doctor",
    ),
    Rule(
        "PostroadDeliveriesFail",
        'sum by (server) (rate(postroad_deliveries_total{action="failed",@}[15m])) / '
        "(sum by (server) (rate(postroad_deliveries_total{@}[15m])) > 0)",
        0.1,
        0.3,
        "{{ $value | humanizePercentage }} of what goes to {{ $labels.server }} fails for good",
        "A server refuses what we send: credentials, From address, reputation, or a mailing to dead addresses.",
        "Read the reasons on the dispatch dashboard, then one refused message's story.",
        "postroad smarthost test NAME",
        "10m",
    ),
    Rule(
        "PostroadServerDelays",
        'sum by (server) (rate(postroad_deliveries_total{action="delayed",@}[15m])) / '
        "(sum by (server) (rate(postroad_deliveries_total{@}[15m])) > 0)",
        0.5,
        0.9,
        "{{ $value | humanizePercentage }} of attempts at {{ $labels.server }} are put off",
        "A server is away, greylists or limits us. Messages are tried again for days; nothing fails yet.",
        "Is the server there, are its credentials right? A daily limit shows as tier `day`.",
        "postroad smarthost test NAME",
        "15m",
    ),
    Rule(
        "PostroadRetriesOverdue",
        "max by (step) (-postroad_retry_due_seconds{@})",
        300.0,
        1800.0,
        "tier {{ $labels.step }} has messages that were due {{ $value | humanizeDuration }} ago",
        "Messages whose time has come are not tried: dispatch cannot follow, or stands.",
        "See whether dispatch is up, and whether a slow server holds all its connections.",
        "postroad outbound list",
    ),
    Rule(
        "PostroadBouncesRise",
        'sum(rate(postroad_bounces_total{action="failed",reason=~"user_unknown|host_unknown|suspended",@}[1h])) / '
        '(sum(rate(postroad_deliveries_total{action="relayed",@}[1h])) > 0)',
        0.05,
        0.1,
        "{{ $value | humanizePercentage }} of messages come back from dead addresses",
        "Large providers stop taking our mail at about this share of dead addresses.",
        "Find the mailing or import they come from; blacklisted addresses are skipped by bulk mail.",
        "postroad suppression list",
        "15m",
    ),
    Rule(
        "PostroadComplaints",
        "sum(rate(postroad_complaints_total{@}[6h])) / "
        '(sum(rate(postroad_deliveries_total{action="relayed",@}[6h])) > 0)',
        0.001,
        0.003,
        "{{ $value | humanizePercentage }} of recipients complain",
        "More than three in a thousand call it spam: providers will sort all our mail away.",
        "Stop the mailing they complain about; see that its leave link works.",
        "postroad suppression list",
        "15m",
    ),
    Rule(
        "PostroadBlacklistings",
        "sum by (rule) (increase(postroad_blacklistings_total{@}[1h]))",
        20.0,
        100.0,
        "{{ $value | humanize }} addresses were blacklisted by {{ $labels.rule }} within an hour",
        "A whole list of dead addresses, or one receiving server that refuses all of ours.",
        "Look at the evidence of some. If the fault was ours or one server's, lift them.",
        "postroad suppression list",
        "0m",
    ),
    Rule(
        "PostroadStoreSlow",
        "histogram_quantile(0.95, sum by (le, operation) (rate(postroad_store_seconds_bucket{@}[~])))",
        0.5,
        2.0,
        "one {{ $labels.operation }} in twenty takes the object store more than {{ $value | humanizeDuration }}",
        "Every accepted mail waits for the store: doors are slow and their connections fill up.",
        "Look at the disk or the bucket; a full or dying disk is slow before it fails.",
        "postroad doctor",
    ),
    Rule(
        "PostroadStoreFails",
        "sum by (operation) (increase(postroad_store_failures_total{@}[5m]))",
        0.0,
        10.0,
        "the object store failed {{ $value | humanize }} times ({{ $labels.operation }}) within 5 minutes",
        "Mails cannot be stored or read: doors answer 451, sending waits.",
        "Free disk space; see address, credentials and rights of the store.",
        "postroad doctor",
        "1m",
    ),
    Rule(
        "PostroadLogFails",
        "sum by (what) (increase(postroad_log_failures_total{@}[5m]))",
        0.0,
        20.0,
        "{{ $value | humanize }} failures with the log ({{ $labels.what }}) within 5 minutes",
        "Events cannot be written: doors answer 451, stages begin again and again. Nothing accepted is lost.",
        "See whether the brokers answer, have room, and have enough replicas in sync; on one machine, the disk.",
        "postroad doctor",
        "2m",
    ),
    Rule(
        "PostroadViewsStale",
        "max by (instance) (postroad_views_age_seconds{@})",
        30.0,
        300.0,
        "{{ $labels.instance }} sees directory and contacts as of {{ $value | humanizeDuration }} ago",
        "Changes of aliases, servers and settings have no effect in this process.",
        "See whether it reaches the brokers; start it again if the others see newer tables.",
        "postroad history",
        "2m",
    ),
    Rule(
        "PostroadRebalances",
        "sum by (stage) (increase(postroad_rebalances_total{@}[1h]))",
        6.0,
        30.0,
        "{{ $labels.stage }} was given partitions anew {{ $value | humanize }} times within an hour",
        "Processes come and go: each time the stage stands still until its states are back.",
        "Look for processes that are killed (memory, probes) or too slow for their session.",
        "postroad doctor",
        "0m",
    ),
    Rule(
        "PostroadRecoverySlow",
        "max by (stage) (postroad_recovery_seconds{@})",
        60.0,
        300.0,
        "{{ $labels.stage }} took {{ $value | humanizeDuration }} to have its states back",
        "Every restart of this stage stops its share of the mail for minutes.",
        "See whether its changelog is compacted; more partitions and processes make each share smaller.",
        "postroad doctor",
        "0m",
    ),
)

BY_NAME = {rule.name: rule for rule in RULES}
