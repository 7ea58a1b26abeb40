"""Takes bytes in at every door, stores them, reads them once, says what they are."""

from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.worker import Worker

WORKER = Worker(name="ingest", doors=(SmtpDoor,), tables=("directory",))
