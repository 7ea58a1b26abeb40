"""Any value of a struct, made from its types: what hypothesis draws events and states from."""

import types
import typing
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

EXACT = 2**53  # whole numbers up to here are the same in every JSON reader


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Of a struct with all its fields set, or of a field's type. Times are UTC, as events have them."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values(option) for option in arguments))
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(item) for item in arguments))
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=2)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field: values(hints[field]) for field in kind.__struct_fields__})
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(0, EXACT),  # counts, octets, seconds, places
        float: st.floats(allow_nan=False, allow_infinity=False),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }
    return plain[kind] if kind in plain else st.from_type(kind)
