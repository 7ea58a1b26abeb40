"""Test connection (O12): all steps of a transaction but the message."""

from collections.abc import Callable

from postroad.dispatch.attempt import Step
from postroad.dispatch.probe import ACCEPTED, Probe
from postroad.dispatch.transports.session import Command, Ended, Session
from postroad_schemas.values import FailureType, Reply

Told = Callable[[Step, Reply], None]


async def try_out(session: Session, probe: Probe, told: Told) -> None:
    """Connects, secures, logs in, goes as far as the reply to DATA, and closes. `told`: each step that went on.

    Raises Ended for the one that did not.
    """
    try:
        await session.open(told)
        for command in _commands(session, probe):
            reply = await session.ask(command)
            if reply.code not in ACCEPTED[command.step]:
                raise Ended(command.step, reply)
            told(command.step, reply)
    finally:
        session.close()


def _commands(session: Session, probe: Probe) -> tuple[Command, ...]:
    option = ""
    if not (probe.mail_from + probe.rcpt_to).isascii():
        option = " SMTPUTF8"
        if "smtputf8" not in session.offers:
            why = "a non-ASCII address needs SMTPUTF8, which this server does not offer"
            raise Ended(Step.MAIL, Reply(text=why), FailureType.SMTPUTF8_NEEDED, "5.6.7")
    return (
        Command(Step.MAIL, f"MAIL FROM:<{probe.mail_from}>{option}".encode(), 2),
        Command(Step.RCPT, f"RCPT TO:<{probe.rcpt_to}>".encode(), 2),
        Command(Step.DATA, b"DATA", 3),
    )
