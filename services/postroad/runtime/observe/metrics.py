"""The catalogue of figures: everything that a postroad process tells is declared here, and nowhere else.

Labels are members of enumerations, names of topics, stages and workers, rule ids, reply codes, or names that operators
gave to servers and mailboxes: never an address, a subject or anything else that a stranger can choose.
"""

from itertools import product

from postroad.runtime.observe.figures import Counter, Figure, Gauge, Histogram
from postroad_schemas import WORKERS
from postroad_schemas.event import tag_of
from postroad_schemas.mail import Door, RefusalReason, Scope
from postroad_schemas.message import Outcome
from postroad_schemas.outbound import Action, Source
from postroad_schemas.topics import TIERS, TOPICS
from postroad_schemas.values import FailureType, Stream

BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)  # seconds
QUICK = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
DOORS = tuple((door,) for door in Door)
POISON = ("unknown_topic", "unknown_type", "invalid", "no_value", "raised", "too_large", "state")
OPERATIONS = ("put", "get", "delete")
TROUBLES = ("publish", "session", "write")

# -- mail coming in

ACCEPTED = Counter("postroad_mails_accepted_total", "Mails accepted: stored, acknowledged, answered", ("door",), DOORS)
REFUSED = Counter(
    "postroad_mails_refused_total",
    "Refusals at a door, by the code of its reply (RFC 5321 4.2): 4yz is for now, 5yz for good",
    ("door", "code"),
    [(door, code) for door in (Door.SMTP, Door.LMTP) for code in ("451", "452", "550", "552")],
)
CONNECTIONS = Gauge("postroad_connections_open", "Clients connected to a door now", ("door",), DOORS)
CONNECTED = Counter("postroad_connections_taken_total", "Connections that clients made", ("door",), DOORS)
POLLED = Gauge(
    "postroad_mailbox_polled_timestamp_seconds", "When an incoming mailbox was last polled to its end", ("mailbox",)
)

# -- what becomes of it

SETTLED = Counter(
    "postroad_mails_settled_total",
    "Accepted mails by what became of them (R16) and the rule that decided",
    ("outcome", "rule"),
    [(outcome, "") for outcome in Outcome if outcome is not Outcome.POSTED],
)
UNSETTLED = Gauge("postroad_mails_unsettled", "Mails that routing has read and that have no outcome yet")
UNSETTLED_AGE = Gauge(
    "postroad_mails_unsettled_oldest_seconds", "Since when the oldest of them was accepted; 0 where there is none"
)
REFUSALS = Counter(
    "postroad_refusals_total",
    "Mails refused after they were accepted, and whether their sender is told",
    ("reason", "told"),
    list(product(RefusalReason, ("yes", "no"))),
)
HELD = Counter(
    "postroad_mails_held_total",
    "Mails held for a person, by the rule that held them",
    ("rule",),
    [(rule,) for rule in ("L1", "L2", "L3", "L7", "R11")],
)
HELD_NOW = Gauge("postroad_held_mails", "Mails that wait for a person now, by the rule that holds them", ("rule",))
HELD_AGE = Gauge("postroad_held_oldest_seconds", "Since when the oldest of them waits; 0 where there is none")
RELEASED = Counter("postroad_mails_released_total", "Held mails that a person let go on (R17)")
NEAR_LIMIT = Gauge(
    "postroad_budgets_near_limit",
    "Budgets of the loop guard of which four fifths or more are used (L1-L3)",
    ("scope",),
    [(scope,) for scope in Scope if scope is not Scope.FINGERPRINT],
)

# -- the pipeline

AGE = Histogram(
    "postroad_event_age_seconds",
    "How old an event was when its stage worked on it: since the mail it follows from was accepted, or it was due",
    ("stage",),
    bounds=BUCKETS,
)
WITHOUT_EFFECT = Counter(
    "postroad_events_without_effect_total",
    "Events that changed no state and led to nothing: most of them repeats that were recognised",
    ("stage",),
)
WAITING = Gauge("postroad_events_waiting", "Records of a topic that a stage has not done with", ("stage", "topic"))
WAITING_AGE = Gauge(
    "postroad_events_waiting_oldest_seconds",
    "Since when the oldest of them could have been worked on; 0 where there is none",
    ("stage",),
)
PUBLISHED = Counter(
    "postroad_events_published_total",
    "Events and table rows that this process put on the log, acknowledged",
    ("type",),
    sorted({(tag_of(event),) for topic in TOPICS.values() for event in topic.events}),
)
DEAD_LETTERS = Counter(
    "postroad_dead_letters_total",
    "Records that could not be worked on",
    ("worker", "reason"),
    list(product(WORKERS, POISON)),
)
LOG_FAILURES = Counter(
    "postroad_log_failures_total",
    "The log could not be written to, or a session with it ended",
    ("what",),
    [(trouble,) for trouble in TROUBLES],
)
RECOVERY = Gauge("postroad_recovery_seconds", "How long a stage took last to have its states back", ("stage",))
REBALANCES = Counter("postroad_rebalances_total", "How often a stage was given partitions anew", ("stage",))
VIEWS_AGE = Gauge(
    "postroad_views_age_seconds", "How long ago it was last known that directory and contacts are seen as they are"
)
DIRECTORY_VERSION = Gauge("postroad_directory_version", "The version of the directory that decisions see")

# -- mail going out

SUBMITTED = Counter(
    "postroad_messages_submitted_total",
    "Messages for one recipient each, handed to dispatch",
    ("stream",),
    [(stream,) for stream in Stream],
)
DELIVERIES = Counter(
    "postroad_deliveries_total",
    "What outgoing servers made of messages (RFC 3464 actions): relayed, delayed, failed",
    ("server", "action"),
    [("default", action) for action in (Action.RELAYED, Action.DELAYED, Action.FAILED)],
)
DELIVERY_FAILURES = Counter(
    "postroad_delivery_failures_total",
    "Messages that went to no server, or that it refused, by type of failure (O9)",
    ("failure",),
    [(failure,) for failure in FailureType],
)
RETRIES = Counter(
    "postroad_retries_total", "Messages put off to be tried again (O8), by tier", ("step",), [(step,) for step in TIERS]
)
RETRY_DUE = Gauge(
    "postroad_retry_due_seconds", "Until the next message of a tier is due; below 0 it is overdue", ("step",)
)
LANE_MESSAGES = Gauge(
    "postroad_lane_messages",
    "Messages at an outgoing server now: on their way, or waiting for a connection",
    ("server",),
)
LANE_PAUSED = Gauge("postroad_lane_paused", "1 while a server is left alone because it could not be had", ("server",))

# -- and coming back

BOUNCES = Counter(
    "postroad_bounces_total",
    "Reports about our messages, by where they came from, RFC 3464 action, reason (P6), and class and subject of their "
    'status (RFC 3463: "5.1" is a dead address)',
    ("source", "action", "reason", "family"),
    [(source, Action.FAILED, "user_unknown", "5.1") for source in (Source.REPORT, Source.WEBHOOK)],
)
WEBHOOKS = Counter(
    "postroad_webhook_events_total", "Events that providers posted, and what was made of them", ("provider", "outcome")
)
COMPLAINTS = Counter("postroad_complaints_total", "Complaints about our messages (RFC 5965)")
RED_ENVELOPES = Counter(
    "postroad_red_envelopes_total",
    "Notifications that failed or were skipped, by type of failure: what authors see in red",
    ("failure",),
    [(failure,) for failure in FailureType],
)
BLACKLISTED = Counter(
    "postroad_blacklistings_total", "Addresses blacklisted, by rule (B4, B5)", ("rule",), [("B4",), ("B5",)]
)

# -- the process

STORE = Histogram(
    "postroad_store_seconds",
    "How long the object store took",
    ("operation",),
    [(operation,) for operation in OPERATIONS],
    bounds=QUICK,
)
STORE_FAILURES = Counter(
    "postroad_store_failures_total",
    "Calls of the object store that failed",
    ("operation",),
    [(operation,) for operation in OPERATIONS],
)
LOOP_LATE = Gauge("postroad_loop_late_seconds", "How late the event loop came to its last heartbeat")
READY = Gauge("postroad_ready", "1 when everything is assigned, recovered and loaded, else 0")
WORKER = Gauge("postroad_worker_info", "Always 1: which worker this is, in which version", ("worker", "version"))

CATALOGUE: dict[str, Figure] = {
    figure.name: figure for figure in tuple(globals().values()) if isinstance(figure, Figure)
}
