"""`postroad` that dies at a point of its first acceptance by any door: `-m tests.faults.doors_dying POINT ...`."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from postroad.cli.main import main
from postroad.ingest import accept
from postroad.runtime.worker import Tools
from postroad_schemas.mail import MailReceived

STORED, ACKNOWLEDGED = "stored", "acknowledged"
USERS = (
    "postroad.ingest.doors.desk",
    "postroad.ingest.doors.pages.mail",
    "postroad.ingest.doors.mailboxes",
    "postroad.cli.pipe",
)


async def dying(raw: Any, envelope: Any, origin: Any, tools: Tools) -> MailReceived:
    async def publish(events: Sequence[Any]) -> None:
        if POINT == ACKNOWLEDGED:
            await tools.publish(events)
        os.kill(os.getpid(), signal.SIGKILL)

    return await accept.accept(raw, envelope, origin, replace(tools, publish=publish))


if __name__ == "__main__":
    POINT = sys.argv.pop(1)
    for name in USERS:
        import_module(name).accept = dying  # type: ignore[attr-defined]
    main()
