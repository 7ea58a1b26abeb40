"""dispatch: chooses the server, composes, sends, retries, and reports what became of each message."""

from postroad.dispatch.caller import SmtpCaller, built_in_server
from postroad.dispatch.core import sender
from postroad.dispatch.meter import METER
from postroad.runtime.config import Config
from postroad.runtime.worker import Sending, Worker


def worker(config: Config) -> Worker:
    """The worker of this installation: what `config` says of the relay is part of its plans (O5)."""
    return Worker(
        name="dispatch",
        stages=(METER,),
        sendings=(Sending(sender(built_in_server(config.relay)), SmtpCaller),),
        tables=("directory", "suppressions"),
    )


WORKER = worker(Config())
"""With the default relay in its plans; the call goes where the running configuration says all the same."""
