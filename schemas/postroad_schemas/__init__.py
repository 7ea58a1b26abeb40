"""The events of postroad: what an app installs to publish chatter and to read what mail did to its records."""

from postroad_schemas.event import Event, Row, Ticked, Tombstone, event_id, notification_id, short_id, tag_of
from postroad_schemas.topics import TIERS, TOPICS, TYPES, WORKERS, Topic, key_of, topic_of
from postroad_schemas.wire import Record, Unreadable, encode, read, record

__all__ = [
    "TIERS",
    "TOPICS",
    "TYPES",
    "WORKERS",
    "Event",
    "Record",
    "Row",
    "Ticked",
    "Tombstone",
    "Topic",
    "Unreadable",
    "encode",
    "event_id",
    "key_of",
    "notification_id",
    "read",
    "record",
    "short_id",
    "tag_of",
    "topic_of",
]
