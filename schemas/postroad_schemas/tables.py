"""The tables of the catalogue: compacted, the newest row of a key stands."""

from postroad_schemas.address import (
    AddressBlacklisted,
    ListLeft,
    ThreadShut,
)
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    Contact,
    DkimKey,
    FormerAddress,
    IncomingMailbox,
    Parameter,
    RowRefused,
    SigningKey,
    Smarthost,
    row_key,
)
from postroad_schemas.mail import HeldMail
from postroad_schemas.topic import Topic, normalise

TABLES: tuple[Topic, ...] = (
    Topic(
        "directory",
        "What operators and apps declared, and what was refused",
        "kind and name",
        "directory",
        dict.fromkeys(
            (
                AliasDomain,
                Alias,
                AliasState,
                Smarthost,
                IncomingMailbox,
                Parameter,
                FormerAddress,
                SigningKey,
                DkimKey,
                RowRefused,
            ),
            row_key,
        ),
        ("routing",),
        ("ingest", "routing", "bounces", "fanout", "dispatch", "operators"),
        table=True,
    ),
    Topic(
        "contacts",
        "The people an app knows",
        "the app's contact id",
        "contacts",
        {Contact: lambda e: e.contact_id},
        ("apps", "operators"),
        ("routing", "fanout"),
        table=True,
    ),
    Topic(
        "closed-threads",
        "Threads that take no more posts",
        "thread",
        "thread-table",
        {ThreadShut: lambda e: e.thread},
        ("fanout",),
        ("routing",),
        table=True,
    ),
    Topic(
        "suppressions",
        "Blacklisted addresses with evidence, and lists left",
        "normalised address; with a list's name behind a space for a list left",
        "address-table",
        {
            AddressBlacklisted: lambda e: normalise(e.address),
            ListLeft: lambda e: f"{normalise(e.address)} {e.list_name}",
        },
        ("bounces",),
        ("fanout", "dispatch", "apps"),
        table=True,
    ),
    Topic(
        "held",
        "Mails that wait for a person",
        "event id of the mail",
        "held",
        {HeldMail: lambda e: e.mail.event_id},
        ("routing", "loop_guard", "operators"),
        ("operators",),
        table=True,
    ),
)
