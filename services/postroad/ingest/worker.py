"""Takes bytes in at every door, stores them, reads them once, says what they are."""

from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.worker import Door, Tools, Worker


class Shut:
    """A door that the settings leave shut."""

    async def start(self) -> None:
        """Nothing listens."""

    async def stop(self) -> None:
        """Nothing did."""


def lmtp(tools: Tools) -> Door:
    if not (tools.config.lmtp.port or tools.config.lmtp.path):
        return Shut()
    from postroad.ingest.doors.lmtp import LmtpDoor

    return LmtpDoor(tools)


def http(tools: Tools) -> Door:
    if not tools.config.http.port:
        return Shut()
    from postroad.ingest.doors.http import HttpDoor  # its library is only loaded where it is used

    return HttpDoor(tools)


def mailboxes(tools: Tools) -> Door:
    if not tools.config.mailboxes.enabled:
        return Shut()
    from postroad.ingest.doors.mailboxes import Mailboxes

    return Mailboxes(tools)


WORKER = Worker(name="ingest", doors=(SmtpDoor, lmtp, http, mailboxes), tables=("directory",))
