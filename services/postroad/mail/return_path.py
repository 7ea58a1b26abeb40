"""Return paths that say whose message failed (VERP with a signature): `bounce+<notification><signature>@domain`.

A notification's id signed for a purpose is 33 letters. Signed for one purpose it proves nothing for another.
"""

from postroad.mail.message_id import Keyring, unb32

_ID_LETTERS = 16
_TOKEN_LETTERS = _ID_LETTERS + 17
_RETURN_PATH = "return-path"


def return_path_token(keys: Keyring, notification_id: str) -> str:
    """33 letters: the notification's id, signed. Raises KeyError without a current key."""
    return signed_notification(keys, _RETURN_PATH, notification_id)


def notification_of(keys: Keyring, token: str) -> str | None:
    """The notification that a return path's token names, if it is validly ours."""
    return proven_notification(keys, _RETURN_PATH, token)


def signed_notification(keys: Keyring, purpose: str, notification_id: str) -> str:
    """33 letters for one purpose. Raises KeyError without a current key."""
    return notification_id + keys.sign(purpose, notification_id.encode())


def proven_notification(keys: Keyring, purpose: str, token: str) -> str | None:
    """The notification that the token names, if we signed it for this purpose. Never raises."""
    token = token.lower()
    if len(token) != _TOKEN_LETTERS or unb32(token[:_ID_LETTERS]) is None:
        return None
    notification_id = token[:_ID_LETTERS]
    return notification_id if keys.proves(token[_ID_LETTERS:], purpose, notification_id.encode()) else None
