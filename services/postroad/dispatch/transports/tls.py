"""TLS towards a server, as its row says: verified unless it says otherwise (D7)."""

import ssl
from functools import lru_cache
from pathlib import Path

from postroad_schemas.directory import Smarthost


def tls_context(server: Smarthost) -> ssl.SSLContext:
    """Verifies chain and name unless the row says not to; a private CA beside none of the public ones.

    Raises OSError for a CA file that cannot be read. A file that changed is read again.
    """
    changed = Path(server.ca_file).stat().st_mtime_ns if server.ca_file else 0
    return _context(server.ca_file, changed, server.verify)


@lru_cache(maxsize=64)
def _context(ca_file: str, _changed: int, verify: bool) -> ssl.SSLContext:
    """Kept: to read the public CAs takes longer than to send ten mails."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
