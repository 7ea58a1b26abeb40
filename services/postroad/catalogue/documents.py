"""JSON Schema (2020-12) of every topic, and an AsyncAPI 3 document of them all."""

from typing import Any

import msgspec

from postroad import __version__
from postroad_schemas import TOPICS, Topic, tag_of

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def topic_schema(topic: Topic) -> dict[str, Any]:
    """Of the values on one topic: one of its events."""
    events = tuple(topic.events)
    _, components = msgspec.json.schema_components(events, ref_template="#/$defs/{name}")
    return {
        "$schema": _DRAFT,
        "title": topic.name,
        "description": topic.meaning,
        "oneOf": [{"$ref": f"#/$defs/{event.__name__}"} for event in events],
        "$defs": dict(sorted(components.items())),
    }


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: channels are topics, messages are events, each operation names a worker and what it does there."""
    events = tuple(dict.fromkeys(event for topic in TOPICS.values() for event in topic.events))
    _, schemas = msgspec.json.schema_components(events, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "postroad",
            "version": __version__,
            "description": "Events and tables of an e-mail gateway. Values are JSON; keys are UTF-8.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": {name: operation for topic in TOPICS.values() for name, operation in _operations(topic)},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "messages": {
                event.__name__: {
                    "name": tag_of(event),
                    "summary": (event.__doc__ or event.__name__).strip().splitlines()[0],
                    "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
                }
                for event in events
            },
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.meaning}. Key: {topic.key}.",
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in topic.events},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["compact" if topic.table else "delete"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic.name}"}
    return [
        (
            f"{worker}.{action}.{topic.name}",
            {"action": action, "channel": channel, "summary": f"{worker}: {topic.meaning}"},
        )
        for action, workers in (("send", topic.writers), ("receive", topic.readers))
        for worker in workers
    ]
