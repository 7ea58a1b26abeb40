"""What a worker is made of, and what it is given: the ports between the workers and whatever runs them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from postroad.runtime.config import Config
from postroad.stage import Clock, Emission, Sender, Stage
from postroad.views import Views
from postroad_schemas.values import ObjectRef


class Unavailable(Exception):  # noqa: N818  # a world that is down, not a fault of ours
    """Log or store cannot be written to now. What was asked for is not done; ask again later."""


class NotThere(Unavailable):
    """No log is there yet: nothing was ever started here."""


class Unusable(Unavailable):
    """It stays so until a person changes something here, such as a folder that cannot be written."""


class ObjectStore(Protocol):
    """Bytes by their digest. All methods raise Unavailable when the store cannot be had, get LookupError if absent."""

    async def put(self, content: bytes) -> ObjectRef:
        """Durable on return. The same bytes give the same ref."""
        ...

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """All of them durable on return, in their order."""
        ...

    async def get(self, ref: str) -> bytes: ...

    async def delete(self, ref: str) -> None: ...


Publish = Callable[[Sequence[Emission]], Awaitable[None]]  # acknowledged on return; raises Unavailable


@dataclass(frozen=True, slots=True)
class Tools:
    """What a runner gives to doors and senders."""

    publish: Publish
    views: Views
    store: ObjectStore
    clock: Clock
    config: Config


class Door(Protocol):
    """Something with a socket on its side that takes mail in."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Drains: what was begun is finished or answered with 4xx."""
        ...


@dataclass(frozen=True, slots=True)
class Sending:
    """A sender and what makes its call to the world. `open` is called once; `close` of what it gives at the end."""

    sender: Sender[Any, Any, Any]
    open: Callable[[Tools], "Caller"]


class Caller(Protocol):
    async def __call__(self, request: Any) -> Any:
        """The world's answer. An outcome of mail is an answer, never an exception."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the six processes of a cluster; all of them together in one process on one machine."""

    name: str
    stages: tuple[Stage[Any], ...] = ()
    sendings: tuple[Sending, ...] = ()
    doors: tuple[Callable[[Tools], Door], ...] = ()
    tables: tuple[str, ...] = ()  # what its doors and callers look at, beside the tables of its stages
