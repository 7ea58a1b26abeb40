"""AUTH (RFC 4954): PLAIN, LOGIN or CRAM-MD5 with a password, XOAUTH2 with an access token."""

import asyncio
from collections.abc import Callable

import aiosmtplib

from postroad.runtime.oauth2 import access_token
from postroad_schemas.directory import Credentials

_MECHANISMS = ("plain", "login", "cram-md5")  # in the order of trying
_BEARER = "Bearer "
_REFUSED = 535  # RFC 4954 6: these credentials are wrong

Secret = Callable[[str], bytes | None]


async def log_in(client: aiosmtplib.SMTP, credentials: Credentials, secret: Secret) -> aiosmtplib.SMTPResponse:
    """The reply that lets us in. Raises what the client raises, and OAuth2Refused, OAuth2Unavailable."""
    if credentials.oauth2 is not None:
        return await _with_token_of_endpoint(client, credentials, secret)
    found = await asyncio.to_thread(secret, credentials.secret)
    if found is None:
        raise aiosmtplib.SMTPException(f"the secret {credentials.secret} cannot be had")
    word = found.decode("utf-8", "surrogateescape")
    if word.startswith(_BEARER):
        return await _with_token(client, credentials.username, word.removeprefix(_BEARER).strip())
    return await _with_password(client, credentials.username, word)


async def _with_password(client: aiosmtplib.SMTP, username: str, password: str) -> aiosmtplib.SMTPResponse:
    """By the next mechanism where one that is offered is not taken; not where the password is called wrong."""
    offered = [mechanism for mechanism in _MECHANISMS if mechanism in client.server_auth_methods]
    if not offered:
        raise _not_offered(client, "PLAIN, LOGIN or CRAM-MD5")
    say = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    for mechanism in offered[:-1]:
        try:
            return await say[mechanism](username, password)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code == _REFUSED or error.code // 100 != 5:
                raise
    return await say[offered[-1]](username, password)


async def _with_token_of_endpoint(
    client: aiosmtplib.SMTP, credentials: Credentials, secret: Secret
) -> aiosmtplib.SMTPResponse:
    """A token that was kept may have been revoked: once more with another."""
    token = await asyncio.to_thread(access_token, credentials, secret)
    try:
        return await _with_token(client, credentials.username, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code != _REFUSED:
            raise
        token = await asyncio.to_thread(access_token, credentials, secret, fresh=True)
        return await _with_token(client, credentials.username, token)


async def _with_token(client: aiosmtplib.SMTP, username: str, token: str) -> aiosmtplib.SMTPResponse:
    if "xoauth2" not in client.server_auth_methods:
        raise _not_offered(client, "XOAUTH2")
    return await client.auth_xoauth2(username, token)


def _not_offered(client: aiosmtplib.SMTP, wanted: str) -> aiosmtplib.SMTPException:
    offers = " ".join(client.server_auth_methods).upper()
    return aiosmtplib.SMTPException(f"AUTH needs {wanted}; the server offers {offers or 'no AUTH'}")
