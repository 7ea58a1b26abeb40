"""`postroad schemas`, and `make schemas`: everything that is made from the catalogue."""

import os
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import msgspec

from postroad.catalogue.documents import asyncapi, topic_schema
from postroad.catalogue.page import page
from postroad.catalogue.samples import sample
from postroad_schemas import TOPICS, encode, tag_of


def schemas(topic: str = "", /, *, write: str = "") -> int:
    """Print the AsyncAPI document, or the JSON Schema of one topic.

    Parameters
    ----------
    topic
        A topic of the catalogue; without one the AsyncAPI document of all is printed.
    write
        A folder: everything that is made from the catalogue is written there.
    """
    if write:
        for name, content in generated().items():
            path = Path(write) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
        add_examples(Path(write) / "examples")
        return os.EX_OK
    if topic and topic not in TOPICS:
        print(f"postroad: no topic {topic!r}; known: {', '.join(TOPICS)}", file=sys.stderr)
        return os.EX_USAGE
    print(_json(topic_schema(TOPICS[topic]) if topic else asyncapi()), end="")
    return os.EX_OK


def generated() -> dict[str, str]:
    """Every generated file of `schemas/` by its name; examples are not among them, for they are never rewritten."""
    app = resources.files("postroad.catalogue").joinpath("app.py").read_text("utf-8")
    files = {"README.md": page(app), "json/asyncapi.json": _json(asyncapi())}
    for topic in TOPICS.values():
        if not topic.name.startswith("outbound.deferred.") or topic.name.endswith(".1m"):
            files[f"json/{topic.name.removesuffix('.1m')}.json"] = _json(topic_schema(topic))
    return files


def examples() -> Iterator[tuple[str, bytes]]:
    """A sample of every event and row, by "<topic>/<type>"."""
    for topic in TOPICS.values():
        if topic.name.startswith("outbound.deferred.") and not topic.name.endswith(".1m"):
            continue
        for event in topic.events:
            yield f"{topic.name}/{tag_of(event)}", msgspec.json.format(encode(sample(event)), indent=1)


def add_examples(folder: Path) -> None:
    """Writes an example for each event that has none, and a new one beside the old where fields were added."""
    for name, content in examples():
        versions = sorted(folder.glob(f"{name}.*.json"), key=lambda path: int(path.suffixes[-2][1:]))
        if versions and msgspec.json.decode(versions[-1].read_bytes()).keys() == msgspec.json.decode(content).keys():
            continue
        path = folder / f"{name}.{len(versions) + 1}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"\n")


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


if __name__ == "__main__":
    sys.exit(schemas(write="schemas"))
