"""The certificate of a door: read again when its files change, for new sessions (RFC 3207, RFC 8314)."""

import ssl
from pathlib import Path

from postroad.runtime.config import ConfigError


class Certificate:
    """PEM files of a chain and its key; the key may stand in the same file."""

    def __init__(self, chain: str, key: str) -> None:
        self._chain, self._key = chain, key
        self._read: tuple[tuple[int, int, int], ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """None without a certificate. A changed one that cannot be used leaves the last in use.

        Raises ConfigError when there never was one that can be used.
        """
        if not self._chain:
            return None
        try:
            stands = tuple(_stands(path) for path in (self._chain, self._key) if path)
            if stands != self._read:
                self._context = _load(self._chain, self._key)
                self._read = stands
        except (OSError, ValueError) as error:
            if self._context is None:
                raise ConfigError(
                    f"[smtp] certificate {self._chain} cannot be used ({error}): name PEM files that match"
                ) from error
        return self._context


def _load(chain: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key or None)
    return context


def _stands(path: str) -> tuple[int, int, int]:
    found = Path(path).stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
