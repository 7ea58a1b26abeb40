"""`deploy/postroad.toml` names every key of the settings at its default, and examples of what can be declared."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.runtime.config import Config, load
from postroad.views.declared import TABLES, declared

FILE = Path(__file__).parents[2] / "deploy/postroad.toml"
TEXT = FILE.read_text("utf-8")
MARKER = re.compile(r"^# -{20,}\n", re.MULTILINE)
KEY = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)  # a key that is commented out; words have a space behind the sign


def differences(text: str) -> list[str]:
    """Keys that the file misses, has beyond the settings, or shows at another value than the default."""
    settings, _ = MARKER.split(text)
    document = tomllib.loads(KEY.sub("", settings))
    return list(_differ(document, Config(), ""))


def _differ(shown: dict[str, Any], default: msgspec.Struct, place: str) -> list[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(default)}
    found = [f"{place}{name} is no key" for name in shown.keys() - fields.keys()]
    for name, field in fields.items():
        value = getattr(default, field.name)
        if name not in shown:
            found.append(f"{place}{name} is missing")
        elif isinstance(value, msgspec.Struct):
            found += _differ(shown[name], value, f"{place}{name}.")
        elif value is None:  # TOML has no such value: an example of the key's form stands there
            msgspec.convert(shown[name], field.type)
        elif msgspec.convert(shown[name], field.type) != value:
            found.append(f"{place}{name} is {shown[name]!r}, the default {value!r}")
    return found


def test_every_key_stands_at_its_default() -> None:
    assert differences(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("#port = 2525", "#port = 25", "smtp.port is 25, the default 2525", id="another value"),
        pytest.param("#rebalance = 60.0\n", "", "kafka.rebalance is missing", id="a key that is missing"),
        pytest.param("#url =", "#uri =", "store.uri is no key", id="a key that there is not"),
        pytest.param("[store]", "[stores]", "store is missing", id="a table under another name"),
    ],
)
def test_a_file_that_says_otherwise_is_caught(old: str, new: str, found: str) -> None:
    assert old in TEXT
    assert found in differences(TEXT.replace(old, new, 1))


def test_as_it_stands_it_changes_nothing() -> None:
    assert load(FILE) == (Config(), {})


def test_what_it_shows_can_be_declared() -> None:
    _, examples = MARKER.split(TEXT)
    document = tomllib.loads(re.sub(r"^#(?! )", "", examples, flags=re.MULTILINE))
    assert document.keys() <= set(TABLES)
    found = declared(document)
    assert found.rows
    assert found.contacts
