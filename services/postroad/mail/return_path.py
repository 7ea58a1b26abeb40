"""Return paths that say whose message failed (VERP with a signature): `bounce+<notification><signature>@domain`."""

from postroad.mail.message_id import Keyring, unb32

_ID_LETTERS = 16
_TOKEN_LETTERS = _ID_LETTERS + 17


def return_path_token(keys: Keyring, notification_id: str) -> str:
    """33 letters: the notification's id, signed. Raises KeyError without a current key."""
    return notification_id + keys.sign("return-path", notification_id.encode())


def notification_of(keys: Keyring, token: str) -> str | None:
    """The notification that a return path's token names, if it is validly ours."""
    token = token.lower()
    if len(token) != _TOKEN_LETTERS or unb32(token[:_ID_LETTERS]) is None:
        return None
    notification_id = token[:_ID_LETTERS]
    return notification_id if keys.proves(token[_ID_LETTERS:], "return-path", notification_id.encode()) else None
