"""The first signing key of an installation on one machine: made once, kept in a file that only its user reads."""

import asyncio
import logging
import os
import secrets
from pathlib import Path

from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas import event_id
from postroad_schemas.directory import KeyState, RowProposed, SigningKey

KEY_ID = "a"
PATIENCE = 5.0  # seconds until the gate must have answered
LOOK = 0.01

log = logging.getLogger(__name__)


async def sign_with_own_key(tools: Tools, folder: Path) -> None:
    """Proposes a key if the directory has none, and returns when it signs. Raises Unavailable."""
    if tools.views.directory.rows("signing_key"):
        if not tools.views.keys.current:
            log.warning(
                "no signing key can be read: replies find no thread by our ids; see `postroad show signing_key`"
            )
        return
    path = await asyncio.to_thread(key_file, folder / "signing.key")
    now = tools.clock()
    new_id = event_id("own signing key", now.isoformat())
    row = SigningKey(key_id=KEY_ID, secret=f"file:{path}", state=KeyState.CURRENT)
    await tools.publish([RowProposed(event_id=new_id, occurred_at=now, trace_id=new_id, row=row, by="postroad")])
    for _ in range(int(PATIENCE / LOOK)):
        if tools.views.keys.current:
            return
        await asyncio.sleep(LOOK)
    raise Unavailable("the signing key that was proposed does not stand: is the routing worker running?")


def key_file(path: Path) -> Path:
    """256 bits, written once. The whole path. Raises Unavailable."""
    path = path.absolute()
    try:
        if not path.exists():
            written = path.with_name(f"{path.name}.new")
            written.unlink(missing_ok=True)
            handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            written.rename(path)  # whole, or not there
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}): check the folder and its rights") from error
    return path
