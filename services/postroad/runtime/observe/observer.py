"""One process under observation: its heartbeat, its gauges, its port."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import structlog

from postroad import __version__
from postroad.runtime.config import Metrics
from postroad.runtime.observe import metrics
from postroad.runtime.observe.health import EVERY, Condition, Health, beat
from postroad.runtime.observe.held import HeldTable
from postroad.runtime.observe.watch import Observed, sample
from postroad.runtime.worker import Unavailable
from postroad.views import Views
from postroad_schemas import WORKERS

log = structlog.get_logger("postroad.metrics")
FIRST_PORT = 9464  # of `postroad up`; each worker has its own after it, so that all fit on one machine
UP = "up"
SILENT = Metrics(port=0)


class Observer:
    """Serves and beats inside its block. Raises Unavailable at the start when its configured port cannot be had."""

    def __init__(self, name: str, settings: Metrics = SILENT, every: float = EVERY) -> None:
        self.health = Health()
        self.port = 0  # the one really taken; 0: nothing is served
        self.trouble = ""  # why nothing is served although nobody said so
        self._name = name
        self._settings = settings
        self._every = every
        self._conditions: dict[str, Condition] = {"the start": lambda: False}
        self._runners: Sequence[Observed] = ()
        self._views: Views | None = None
        self._held: HeldTable | None = None
        self._views_age: Callable[[], float] = lambda: 0.0
        self._stop: Callable[[], None] = lambda: None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        metrics.WORKER.replace({(self._name, __version__): 1.0})  # one process is one worker
        if self._settings.port != 0:
            self._serve()
        self._beating = asyncio.create_task(beat(self.health, self._conditions, self._sample, self._every))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        await asyncio.to_thread(self._stop)

    @property
    def address(self) -> str:
        """Where it answers; empty: nowhere."""
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}" if self.port else ""

    def look_at(
        self,
        runners: Sequence[Observed],
        views: Views,
        age: Callable[[], float] = lambda: 0.0,
        held: HeldTable | None = None,
    ) -> None:
        """What the gauges are taken from. `age`: seconds since the views were last known to be as the tables are."""
        self._runners, self._views, self._views_age, self._held = runners, views, age, held

    def ready_when(self, conditions: Mapping[str, Condition]) -> None:
        """It has started; ready is what meets all of these. Each is named by what is waited for."""
        self._conditions.clear()
        self._conditions.update(conditions)

    def stopping(self) -> None:
        """Nobody shall send anything here any more."""
        self.health.stopping = True

    def _serve(self) -> None:
        from postroad.runtime.observe.server import Server  # loads the client library

        host, port = self._settings.host, self._settings.port
        wanted = default_port(self._name) if port is None else port
        try:
            server = Server(host, wanted, self.health)
        except OSError as error:
            why = f"{host}:{wanted} cannot be listened on ({os.strerror(error.errno or 0)})"
            if port is not None:
                raise Unavailable(f"{why}: choose host and port in [metrics], or --metrics-port; 0 is none") from error
            self.trouble = f"no metrics: {why}; choose host and port in [metrics]"
            return
        server.start()
        self.port, self._stop = server.port, server.stop

    def _sample(self) -> None:
        now = time.time()
        try:
            sample(self._runners, now)
            if self._held is not None:
                self._held.sample(now)
            if self._views is not None:
                metrics.DIRECTORY_VERSION.set(self._views.directory.version)
                metrics.VIEWS_AGE.set(self._views_age())
        except Exception as error:  # a gauge that cannot be had must not stop the heart
            log.warning("not sampled", error=f"{type(error).__name__}: {error}")


def default_port(name: str) -> int:
    """Where nothing is configured."""
    return FIRST_PORT + (UP, *WORKERS).index(name)
