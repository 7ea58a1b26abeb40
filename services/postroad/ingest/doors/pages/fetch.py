"""Small documents of providers, such as the certificate that signs their webhooks."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from postroad.runtime.worker import Unavailable

MOST = 64 * 1024  # octets
PATIENCE = 5.0  # seconds

Fetch = Callable[[str], Awaitable[bytes]]


async def fetch(url: str) -> bytes:
    """Follows nothing: the address was checked, another was not. Raises Unavailable."""
    try:
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession() as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise Unavailable(f"{url} answers {response.status}")
            content = await response.content.read(MOST + 1)
            while len(content) <= MOST and (more := await response.content.read(MOST)):
                content += more
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable(f"{url} cannot be had: {error or type(error).__name__}") from error
    if len(content) > MOST:
        raise Unavailable(f"{url} is larger than {MOST} octets")
    return content
