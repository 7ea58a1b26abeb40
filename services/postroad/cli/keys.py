"""`postroad keys`: the keys that sign our Message-IDs, reply addresses, return paths and links."""

import os
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from postroad.cli.dkim_keys import app as dkim
from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, json_line, propose, standing
from postroad.runtime.config import secret as resolved
from postroad.runtime.signing import key_file
from postroad_schemas.directory import KeyState, SigningKey, row_key

app = cyclopts.App(
    name="keys",
    help="""The keys that sign what we send, so that answers prove themselves: list, rotate, retire.

    One key signs (current); earlier ones go on proving (accepted) until they are retired.""",
)

app.command(dkim)

IDS = string.ascii_lowercase + "234567"  # base 32, in order
SAID = {
    KeyState.CURRENT: "signs and proves",
    KeyState.ACCEPTED: "proves, signs no more",
    KeyState.RETIRED: "proves nothing",
}


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every key: its id, what it is good for, and where its secret is (never the secret itself)."""
    keys = _keys(where)
    for key in keys:
        if where.json:
            print(json_line({"key": row_key(key), "row": msgspec.to_builtins(key)}))
        else:
            here = "" if resolved(key.secret) else " (cannot be read from here)"
            since = f", since {key.changed_at:%Y-%m-%d %H:%M:%S}" if key.changed_at else ""
            print(f"{key.key_id}: {key.state}, {SAID[key.state]}{since}; {key.secret}{here}")
    if not keys and not where.json:
        complain("no key yet: `postroad up` makes one at its first start, `postroad keys rotate` another", os.EX_OK)
    return os.EX_OK


@app.command
def rotate(
    *,
    secret: Annotated[str, Parameter(help="By reference: env:NAME or file:PATH, as every worker resolves it.")] = "",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Sign with a new key from now on. The one before goes on proving, so that answers to old mails still arrive.

    Without --secret the key is made in a file beside the log; on a cluster it is always given by reference.
    """
    keys = _keys(who)
    used = {key.key_id for key in keys}
    new = next((letter for letter in after(used) if letter not in used), "")
    if not new:
        return complain("all 32 key ids were used: postroad cannot name another key", os.EX_UNAVAILABLE)
    config = who.settings
    if not secret and config.kafka.bootstrap:
        return complain(
            "on a cluster every worker must find the key: put 32 random bytes in hex where they all reach it, "
            "and give --secret env:NAME or file:PATH",
            os.EX_USAGE,
        )
    if secret and secret.partition(":")[0] not in ("env", "file"):
        return complain("--secret is a reference: write env:NAME or file:PATH", os.EX_USAGE)
    if secret and not config.kafka.bootstrap and resolved(secret) is None:
        return complain(f"{secret} cannot be read: nothing would be signed; make it readable first", os.EX_NOINPUT)
    if not secret:
        secret = f"file:{key_file(Path(config.log.path).parent / f'signing-{new}.key')}"
    return propose(who, SigningKey(key_id=new, secret=secret, state=KeyState.CURRENT))


@app.command
def retire(key_id: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Let an earlier key prove nothing any more: for one that others may know.

    Answers to mails that it signed are then found by their reply address and by what is remembered of them.

    Parameters
    ----------
    key_id
        Its letter; `postroad keys list` shows them.
    """
    keys = {key.key_id: key for key in _keys(who)}
    if key_id not in keys:
        return absent("key", key_id, keys)
    if keys[key_id].state is KeyState.CURRENT:
        return complain(f"key {key_id} signs: `postroad keys rotate` first", os.EX_DATAERR)
    return propose(who, msgspec.structs.replace(keys[key_id], state=KeyState.RETIRED))


def after(used: Iterable[str]) -> str:
    """Ids in the order in which they are taken: those behind the last one first."""
    last = max((IDS.index(key_id) for key_id in used if key_id in IDS), default=-1)
    return IDS[last + 1 :] + IDS[: last + 1]


def _keys(where: Where) -> list[SigningKey]:
    found = standing(where.reach()).values()
    return sorted((row for row in found if isinstance(row, SigningKey)), key=lambda row: IDS.find(row.key_id))
