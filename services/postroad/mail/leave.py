"""What lets people leave a list: the handle of a message's leave links, and the header fields that carry it (O6).

RFC 2369 (List-Unsubscribe), RFC 8058 (one click), RFC 2919 (List-Id).
"""

import re

from postroad.mail.message_id import Keyring
from postroad.mail.return_path import proven_notification, signed_notification
from postroad_schemas.event import short_id
from postroad_schemas.outbound import Header

PATH = "leave"
"""What stands between base and handle."""

ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058 3.1
_LEAVE = "leave"
_MAX_LOCAL_PART = 64  # octets, RFC 5321 4.5.3.1.1
_MAX_LABEL = 63
_NO_LABEL = re.compile(r"[^a-z0-9]+")


def leave_token(keys: Keyring, notification_id: str) -> str:
    """The handle, 33 letters: the notification's id signed for leaving alone. Raises KeyError without a current key."""
    return signed_notification(keys, _LEAVE, notification_id)


def left_by(keys: Keyring, token: str) -> str | None:
    """The notification whose recipient leaves; None for a handle that is forged, cut, foreign or of a return path."""
    return proven_notification(keys, _LEAVE, token)


def leave_headers(keys: Keyring, notification_id: str, bounce: str, base: str) -> tuple[Header, ...]:
    """List-Unsubscribe by https and mailto, as far as there is a way; one-click only by https (RFC 8058 3.1).

    `bounce`: the address whose `+handle` is a leave; `base`: where the HTTP door is reached. Empty: there is none.
    """
    if not keys.current:
        return ()
    token = leave_token(keys, notification_id)
    ways = [f"<{base.rstrip('/')}/{PATH}/{token}>"] if base else []
    local, _, domain = bounce.rpartition("@")
    if local and len(f"{local}+{token}") <= _MAX_LOCAL_PART:
        ways.append(f"<mailto:{local}+{token}@{domain}?subject=leave>")
    if not ways:
        return ()
    one_click = (Header(name="List-Unsubscribe-Post", value=ONE_CLICK),) if base else ()
    return (Header(name="List-Unsubscribe", value=", ".join(ways)), *one_click)


def list_id(list_name: str, domain: str) -> str:
    """`<label.domain>`, the same for the same list (RFC 2919 2). A name without a plain letter gets a label of its own.

    `domain` is one of ours.
    """
    label = _NO_LABEL.sub("-", list_name.lower()).strip("-")[:_MAX_LABEL].rstrip("-")
    return f"<{label or short_id('list', list_name)}.{domain}>"
