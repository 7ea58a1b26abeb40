"""A process that polls a mailbox and is killed once an event is acknowledged: `killed_poller FOLDER FILE ROW`."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from postroad.ingest.doors.mailboxes import Mailboxes
from postroad.runtime.config import Config
from postroad.runtime.config import Mailboxes as Settings
from postroad_schemas.directory import IncomingMailbox, row_key
from tests.support.declared import tools


async def main(folder: str, acknowledged: str, row: str) -> None:
    async def publish(events: Sequence[Any]) -> None:
        with open(acknowledged, "w") as file:  # noqa: ASYNC230, PTH123  # nothing else runs
            file.write(events[0].event_id)
        os.kill(os.getpid(), signal.SIGKILL)

    given = tools(publish, config=Config(mailboxes=Settings(folder=folder)))
    mailbox = msgspec.json.decode(row, type=IncomingMailbox)
    given.views.apply("directory", row_key(mailbox), mailbox)
    await Mailboxes(given).start()
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
