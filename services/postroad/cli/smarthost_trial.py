"""`postroad smarthost test`: connect, TLS, AUTH, MAIL, RCPT, DATA, close; nothing is sent (O12)."""

import asyncio
import os
import socket
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, directory_of, json_line, plain, standing
from postroad.cli.smarthost import unknown
from postroad.dispatch.attempt import Step
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.plan import BUILT_IN, built_in
from postroad.dispatch.probe import Probe, probe
from postroad.dispatch.server import port_of
from postroad.dispatch.transports.session import Ended, Session, Timeouts
from postroad.dispatch.transports.trial import try_out
from postroad.runtime.config import secret
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import FailureType, Reply

PATIENCE = Timeouts(connect=20.0, command=60.0)  # somebody waits for the answer


def trial(
    name: str,
    /,
    *,
    tester: Annotated[str, Parameter(name="--from")] = "",
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Try a server: connect, TLS, AUTH, MAIL, RCPT, DATA, and close before anything is sent.

    Secrets are resolved in this process: give it what the dispatch worker has.

    Parameters
    ----------
    name
        The server's; default for the relay of postroad.toml while no server is declared.
    tester
        Your own address: it stands in RCPT, and in MAIL too for a server without filter.
    """
    found, settings = standing(where.reach()), where.settings
    directory = directory_of(found)
    server = found.get(f"smarthost/{name}")
    if name == BUILT_IN and not directory.rows("smarthost"):
        server = built_in(directory, built_in_server(settings.relay))
    if not isinstance(server, Smarthost):
        return unknown(name, found)
    made = probe(server, tester, directory)
    if isinstance(made, str):
        _say(where.json, {"smarthost": name, "passed": False, "step": "configuration", "why": made})
        return complain(f"{made} (postroad smarthost test {name} --from ADDRESS)", os.EX_CONFIG)
    return asyncio.run(_tested(server, made, settings.smtp.hostname or socket.gethostname(), where.json))


async def _tested(server: Smarthost, made: Probe, hostname: str, json: bool) -> int:
    last = Step.CONNECT

    def told(step: Step, reply: Reply) -> None:
        nonlocal last
        last = step
        _tell(step, reply, json)

    envelope = {"mail_from": made.mail_from, "rcpt_to": made.rcpt_to}
    about = {"smarthost": server.name, "host": server.host, "port": port_of(server), **envelope}
    if not json:
        print(f"{server.name} at {server.host}:{port_of(server)}, from {made.mail_from} to {made.rcpt_to}", flush=True)
    try:
        await try_out(Session(server, hostname, secret, PATIENCE), made, told)
    except Ended as ended:
        _say(json, {**about, "passed": False, "step": ended.step, "reply": msgspec.to_builtins(ended.reply)})
        return complain(f"{server.name} fails at {ended.step}: {_words(ended.reply)}", _code(ended))
    _say(json, {**about, "passed": True, "step": last})
    if not json:
        print(f"{server.name} works; nothing was sent")
    return os.EX_OK


def _code(ended: Ended) -> int:
    """Whose turn it is: the operator's, time's, or somebody else's."""
    if ended.failure is FailureType.CONFIGURATION or (ended.step is Step.AUTH and ended.reply.code // 100 == 5):
        return os.EX_CONFIG
    return os.EX_TEMPFAIL if ended.reply.code // 100 == 4 else os.EX_UNAVAILABLE


def _tell(step: Step, reply: Reply, json: bool) -> None:
    _say(json, {"step": step, "code": reply.code, "text": reply.text})
    if not json:
        print(f"  {step:8}{_words(reply)}", flush=True)


def _say(json: bool, answer: dict[str, Any]) -> None:
    if json:
        print(json_line(answer), flush=True)


def _words(reply: Reply) -> str:
    """In one line."""
    text = plain(reply.text.replace("\n", " / "))
    return f"{reply.code} {text}".strip() if reply.code else text
