"""Test connection (O12): all steps of a transaction but the message."""

from postroad.dispatch.attempt import Step
from postroad.dispatch.probe import ACCEPTED, Probe
from postroad.dispatch.transports.session import Command, Ended, Session, Told


async def try_out(session: Session, probe: Probe, told: Told) -> None:
    """Connects, secures, logs in, goes as far as the reply to DATA, and closes.

    Raises Ended for the step that did not go on.
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
    option = "" if (probe.mail_from + probe.rcpt_to).isascii() else session.smtputf8()
    return (
        Command(Step.MAIL, f"MAIL FROM:<{probe.mail_from}>{option}".encode(), 2),
        Command(Step.RCPT, f"RCPT TO:<{probe.rcpt_to}>".encode(), 2),
        Command(Step.DATA, b"DATA", 3),
    )
