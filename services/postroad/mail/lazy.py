"""Answers worked out when first asked for, and kept. Without the lock of functools.cached_property, which costs more
than many an answer here; a mail is read by one thread."""

from collections.abc import Callable
from typing import Generic, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")


class lazy(Generic[S, T]):  # noqa: N801 - a decorator, named like property
    """A property that is worked out once: its value stands in the instance under the same name from then on."""

    def __init__(self, work_out: Callable[[S], T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    @overload
    def __get__(self, instance: None, owner: type[S]) -> "lazy[S, T]": ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> T: ...
    def __get__(self, instance: S | None, owner: type[S]) -> "lazy[S, T] | T":
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work_out(instance)
        return value
