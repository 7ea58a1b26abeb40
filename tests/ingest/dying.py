"""`postroad up` that dies at a point of its first acceptance: `python -m tests.ingest.dying POINT SETTINGS`."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from postroad.cli.main import main
from postroad.ingest import accept
from postroad.ingest.doors import desk
from postroad.runtime.worker import Tools
from postroad_schemas.mail import MailReceived

STORED, ACKNOWLEDGED = "stored", "acknowledged"


async def dying(raw: Any, envelope: Any, origin: Any, tools: Tools) -> MailReceived:
    async def publish(events: Sequence[Any]) -> None:
        if POINT == ACKNOWLEDGED:
            await tools.publish(events)
        os.kill(os.getpid(), signal.SIGKILL)

    return await accept.accept(raw, envelope, origin, replace(tools, publish=publish))


if __name__ == "__main__":
    POINT = sys.argv[1]
    desk.accept = dying  # type: ignore[attr-defined]
    sys.argv[1:] = ["up", "--config", sys.argv[2]]
    main()
