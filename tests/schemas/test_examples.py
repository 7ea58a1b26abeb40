"""The golden examples: every event as it was published, for ever readable (design promise 6)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.catalogue.samples import sample
from postroad.cli.schemas import add_examples
from postroad_schemas import TOPICS, Unreadable, encode, read, tag_of

FOLDER = Path(__file__).parents[2] / "schemas/examples"
FILES = sorted(FOLDER.rglob("*.json"))
EVENTS = [
    pytest.param(topic.name, event, id=f"{topic.name} {tag_of(event)}")
    for topic in TOPICS.values()
    if not topic.name.startswith("outbound.deferred.") or topic.name.endswith(".1m")
    for event in topic.events
]
OPEN = {"defaults"}  # objects whose keys are the app's own


def lost(topic: str, content: bytes) -> list[str]:
    """Where what was published does not come back as it was. Raises Unreadable if it cannot be read at all."""
    again = msgspec.json.decode(encode(read(topic, content)))
    return list(_missing(msgspec.json.decode(content), again, "$"))


def _missing(published: Any, again: Any, place: str) -> list[str]:
    match published, again:
        case dict(), dict():
            return [
                found
                for name, value in published.items()
                for found in (
                    [f"{place}.{name}"] if name not in again else _missing(value, again[name], f"{place}.{name}")
                )
            ]
        case list(), list() if len(published) == len(again):
            pairs = enumerate(zip(published, again, strict=True))
            return [found for at, (left, right) in pairs for found in _missing(left, right, f"{place}[{at}]")]
        case _:
            return [] if published == again else [place]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_an_example_comes_back(path: Path) -> None:
    assert lost(path.parent.name, path.read_bytes()) == []


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        pytest.param({"occurred_at": None}, Unreadable, id="a value that is of the type no more"),
        pytest.param({"type": "thread.gone"}, Unreadable, id="a type that is gone"),
        pytest.param({"dropped": "x"}, ["$.dropped"], id="a field that was dropped"),
        pytest.param({"occurred_at": "2026-11-24T09:30:00+00:00"}, ["$.occurred_at"], id="another form of a time"),
    ],
)
def test_an_example_that_is_read_no_more_is_caught(edit: dict[str, Any], found: Any) -> None:
    published = msgspec.json.decode((FOLDER / "chatter.published/thread.closed.1.json").read_bytes())
    content = msgspec.json.encode(published | edit)
    if found is Unreadable:
        with pytest.raises(Unreadable):
            lost("chatter.published", content)
    else:
        assert lost("chatter.published", content) == found


@pytest.mark.parametrize(("topic", "event"), EVENTS)
def test_every_event_has_an_example_with_all_its_fields(topic: str, event: type) -> None:
    versions = list((FOLDER / topic).glob(f"{tag_of(event)}.*.json"))
    fields = {"type", *event.__struct_encode_fields__}  # type: ignore[attr-defined]
    assert any(msgspec.json.decode(path.read_bytes()).keys() == fields for path in versions), "run `make schemas`"


def test_examples_are_of_events_that_there_are() -> None:
    known = {(topic, tag_of(event)) for param in EVENTS for topic, event in [param.values]}  # type: ignore[arg-type]
    assert {(path.parent.name, path.stem.rpartition(".")[0]) for path in FILES} == known


def test_a_new_field_gets_a_file_beside_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "closed-threads/thread.shut.1.json"
    old.parent.mkdir()
    old.write_text('{"type":"thread.shut"}')
    add_examples(tmp_path)
    assert old.read_text() == '{"type":"thread.shut"}'
    second = tmp_path / "closed-threads/thread.shut.2.json"
    assert lost("closed-threads", second.read_bytes()) == []

    add_examples(tmp_path)
    assert len(list(old.parent.iterdir())) == 2


def with_unknown(value: Any) -> Any:
    """A field that nobody knows in each object."""
    match value:
        case dict():
            inner = {name: each if name in OPEN else with_unknown(each) for name, each in value.items()}
            return inner | {"of_tomorrow": {"a": [1]}}
        case list():
            return [with_unknown(each) for each in value]
        case _:
            return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_unknown_fields_are_ignored(path: Path) -> None:
    content, topic = path.read_bytes(), path.parent.name
    assert read(topic, msgspec.json.encode(with_unknown(msgspec.json.decode(content)))) == read(topic, content)


@pytest.mark.parametrize(("topic", "event"), EVENTS)
def test_missing_fields_get_their_defaults(topic: str, event: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(event)
    whole = msgspec.json.decode(encode(sample(event)))
    bare = {"type": tag_of(event)} | {field.encode_name: whole[field.encode_name] for field in fields if field.required}
    found = read(topic, msgspec.json.encode(bare))
    for field in (field for field in fields if not field.required):
        made = field.default_factory is not msgspec.NODEFAULT
        assert getattr(found, field.name) == (field.default_factory() if made else field.default)
