"""The settings that rules name (D5): their names, defaults and what they may be."""

import re
from dataclasses import dataclass

from postroad_schemas.values import Stream

_ADDRESS_OR_DOMAIN = re.compile(r"([^\s@]+@)?[^\s@]+\Z")
# RFC 3986 3, nothing that must be quoted in a header field; no query, no fragment: a path is put behind it.
_HTTPS = re.compile(r"https://[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?\Z")


DAYS = 36_500  # a hundred years: a calendar takes no more
MINUTES = DAYS * 24 * 60
MOST = 10**12  # of anything else: every reader of the directory takes it


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter. `kind` is "number" (`least` to `most`), "text", "flag", "https", "choice" or "list".

    A list is written with commas: some of `choices`, else addresses and domains.
    """

    name: str
    default: str
    meaning: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = MOST

    def fault(self, value: str) -> str:
        """Why a value cannot stand; empty if it can."""
        match self.kind:
            case "number" if not (value.isascii() and value.isdigit()):
                return f"{self.name} is a whole number, not {value!r}"
            case "number" if len(value) > len(str(MOST)) or not self.least <= int(value) <= self.most:
                return f"{self.name} is a whole number from {self.least} to {self.most}, not {value[:20]}"
            case "flag" if value not in ("true", "false"):
                return f"{self.name} is true or false, not {value!r}"
            case "https" if value and not _HTTPS.match(value):
                return f"{self.name} is an https address such as https://mail.example.com, not {value!r}"
            case "choice" if value not in self.choices:
                return f"{self.name} is one of {', '.join(self.choices)}, not {value!r}"
            case "list" if bad := [entry for entry in listed(value) if not self._lists(entry)]:
                some = ", ".join(self.choices) or "addresses and domains"
                return f"{self.name} lists {some}, not {bad[0]!r}"
            case _:
                return ""

    def _lists(self, entry: str) -> bool:
        return entry in self.choices if self.choices else _ADDRESS_OR_DOMAIN.match(entry) is not None


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "mail.gateway.loop.minutes",
            "120",
            "the loop guard's sliding window, in minutes (L1)",
            "number",
            most=MINUTES,
        ),
        Setting("mail.gateway.loop.threshold", "20", "how many within the window are let through (L1)", "number"),
        Setting(
            "mail.gateway.loop.scope", "author", "what a budget counts (L2)", "choice", ("author", "alias", "type")
        ),
        Setting(
            "mail.gateway.loop.shadow",
            "true",
            "also count all authors of an alias together, without blocking (L2, L9)",
            "flag",
        ),
        Setting("mail.gateway.allowed", "", "senders that are never limited: addresses and domains (L4)", "list"),
        Setting("mail.gateway.automatic", "hold", "answers by machine to an alias (L7)", "choice", ("hold", "allow")),
        Setting("mail.catchall.domain.allowed", "", "domains on which aliases match by local part (D6)", "list"),
        Setting("mail.default.from_filter", "", "from_filter of the built-in server (O5)", "list"),
        Setting("mail.server.order", "doc", "the order of server choice (O1)", "choice", ("doc", "code")),
        Setting(
            "mail.server.no_filter.from",
            "encapsulate",
            "From on a server without filter (O2)",
            "choice",
            ("encapsulate", "keep"),
        ),
        Setting("mail.daily.limit", "200", "mails a day through the built-in server (O5); 0: no limit", "number"),
        Setting(
            "mail.server.port_25",
            "allow",
            "outgoing servers on port 25, which hosted platforms block (D7)",
            "choice",
            ("allow", "forbid"),
        ),
        Setting("mail.retry.days", "5", "how long a deferred mail is tried (O8)", "number", most=DAYS),
        Setting(
            "mail.smtp.unknown",
            "refuse",
            "unknown recipients on our domains at RCPT (I5)",
            "choice",
            ("refuse", "accept"),
        ),
        Setting("mail.smtp.size", "26214400", "largest mail taken, in octets (I5)", "number", least=1),
        Setting("mail.reply_to.any_alias", "false", "any alias of the type before catchall in Reply-To (F4)", "flag"),
        Setting("mail.blacklist.chatter", "false", "the blacklist silences chatter too (O7)", "flag"),
        Setting("mail.links.base", "", "where links in mails reach our HTTP door (O6, O14); empty: no links", "https"),
        Setting(
            "mail.links.days",
            "90",
            "how many days a link leads to an attachment (O14); 0: for ever",
            "number",
            most=DAYS,
        ),
        Setting("mail.bounce.blacklist.count", "5", "failures that blacklist (B4)", "number"),
        Setting("mail.bounce.blacklist.window_days", "30", "within so many days (B4)", "number", most=DAYS),
        Setting(
            "mail.bounce.blacklist.span_days", "7", "first and last further apart than this (B4)", "number", most=DAYS
        ),
        Setting(
            "mail.bounce.blacklist.streams",
            "bulk",
            "streams whose failures count (B4)",
            "list",
            tuple(Stream),
        ),
        Setting(
            "mail.bounce.blacklist.failures",
            "address",
            "which failures count (B4)",
            "choice",
            ("address", "hard", "all"),
        ),
        Setting("mail.bounce.blacklist.proven", "true", "only proven failures count (B4)", "flag"),
        Setting(
            "mail.former.policy", "accept", "mail to former addresses (D9)", "choice", ("accept", "warn", "refuse")
        ),
        Setting(
            "mail.message.days",
            "400",
            "how long a Message-ID is remembered after it was last put",
            "number",
            least=1,
            most=DAYS,
        ),
    )
}

# D5: these are fields of the default alias domain under their old names.
DOMAIN_FIELDS = {
    "mail.catchall.alias": "catchall",
    "mail.bounce.alias": "bounce",
    "mail.catchall.domain": "name",
    "mail.default.from": "default_from",
}


def listed(value: str) -> tuple[str, ...]:
    """D6: a comma list, trimmed, lower-cased, empty entries dropped."""
    return tuple(entry for part in value.split(",") if (entry := part.strip().lower()))
