"""What is made from the catalogue is as it stands on disk; an AsyncAPI reader can use it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.cli.schemas import generated
from postroad_schemas import TOPICS, tag_of

FOLDER = Path(__file__).parents[2] / "schemas"
NAME = re.compile(r"[a-zA-Z0-9.\-_]+")  # of components, AsyncAPI 3.0.0
EVENTS = list(dict.fromkeys(event for topic in TOPICS.values() for event in topic.events))
MADE = generated()


def stale(made: Mapping[str, str], folder: Path) -> set[str]:
    """Files that are missing, differ, or are made no more."""
    there = {f"json/{path.name}" for path in (folder / "json").iterdir()} | {"README.md"}
    differ = {name for name in made.keys() & there if (folder / name).read_text("utf-8") != made[name]}
    return differ | (made.keys() ^ there)


def test_generated_files_are_current() -> None:
    assert stale(MADE, FOLDER) == set(), "run `make schemas`"


def test_a_changed_byte_a_missing_and_a_forgotten_file_are_caught(tmp_path: Path) -> None:
    for name, content in MADE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
    assert stale(MADE, tmp_path) == set()

    (tmp_path / "README.md").write_text(MADE["README.md"].replace("k", "K", 1), "utf-8")
    (tmp_path / "json/held.json").unlink()
    (tmp_path / "json/no.topic.json").write_text("{}")
    assert stale(MADE, tmp_path) == {"README.md", "json/held.json", "json/no.topic.json"}


def unresolved(document: Any) -> set[str]:
    """Every `$ref` that leads nowhere in its own document."""
    return {ref for ref in _refs(document) if not _leads(document, ref)}


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _leads(document: Any, ref: str) -> bool:
    """RFC 6901."""
    for part in ref.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    return ref.startswith("#/")


def flaws(document: Any) -> list[str]:
    """Where it is no AsyncAPI 3.0.0 document: required keys, names and kinds of reference."""
    channels, operations = document.get("channels", {}), document.get("operations", {})
    components = document.get("components", {})
    checks = {
        "asyncapi": document.get("asyncapi") == "3.0.0",
        "info": {"title", "version"} <= document.get("info", {}).keys(),
        "names": all(NAME.fullmatch(name) for part in components.values() for name in part),
        "keys": document.keys()
        <= {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"},
        **{
            f"channel {name}": isinstance(channel.get("address"), str)
            and all(message["$ref"].startswith("#/components/messages/") for message in channel["messages"].values())
            for name, channel in channels.items()
        },
        **{
            f"operation {name}": operation.get("action") in ("send", "receive")
            and operation.get("channel", {}).get("$ref", "").startswith("#/channels/")
            for name, operation in operations.items()
        },
        **{f"message {name}": "payload" in message for name, message in components.get("messages", {}).items()},
    }
    return [place for place, sound in checks.items() if not sound] + sorted(unresolved(document))


def test_asyncapi_is_sound() -> None:
    document = msgspec.json.decode(MADE["json/asyncapi.json"])
    assert flaws(document) == []
    assert document["channels"].keys() == TOPICS.keys()
    assert document["components"]["messages"].keys() == {event.__name__ for event in EVENTS}


@pytest.mark.parametrize(
    ("place", "value", "flaw"),
    [
        pytest.param(("asyncapi",), "2.6.0", "asyncapi", id="another version"),
        pytest.param(("info",), {"title": "postroad"}, "info", id="no version of its own"),
        pytest.param(("channels", "held", "address"), None, "channel held", id="a channel without address"),
        pytest.param(("operations", "x"), {"action": "read"}, "operation x", id="an operation that is none"),
        pytest.param(("x",), {"$ref": "#/components/schemas/Lost"}, "#/components/schemas/Lost", id="a lost reference"),
        pytest.param(("components", "messages", "x y"), {"payload": {}}, "names", id="a name with a space"),
    ],
)
def test_a_flaw_of_asyncapi_is_caught(place: tuple[str, ...], value: Any, flaw: str) -> None:
    document = msgspec.json.decode(MADE["json/asyncapi.json"])
    inner = document
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    assert flaw in flaws(document)


@pytest.mark.parametrize("name", [name for name in MADE if name.endswith(".json")])
def test_every_reference_leads_somewhere(name: str) -> None:
    assert unresolved(msgspec.json.decode(MADE[name])) == set()


@pytest.mark.parametrize("event", EVENTS, ids=tag_of)
def test_every_event_says_what_it_is_in_its_own_words(event: type) -> None:
    words = vars(event).get("__doc__") or ""
    assert words.strip()
    assert [other for other in EVENTS if other.__doc__ == words] == [event]


def test_every_event_is_on_the_page() -> None:
    assert [event for event in EVENTS if f"**`{tag_of(event)}`** {event.__name__}. " not in MADE["README.md"]] == []


def test_the_page_shows_the_example_app() -> None:
    app = Path(__file__).parents[2] / "services/postroad/catalogue/app.py"
    blocks = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks == [app.read_text("utf-8")]


def test_output_is_the_same_each_time() -> None:
    assert generated() == MADE
