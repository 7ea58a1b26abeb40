"""The secrets of [http], which its settings name by reference."""

from postroad.runtime.config import ConfigError, secret


def secret_of(what: str, reference: str) -> bytes:
    """Raises ConfigError. Only a reference is repeated there: what was written in its place may be the secret."""
    if found := secret(reference):
        return found
    if reference.startswith(("env:", "file:")):
        raise ConfigError(f"{what} cannot be had: {reference} is not set here, is empty, or cannot be read")
    raise ConfigError(f'{what} cannot be had: name a variable or a file that holds it, "env:NAME" or "file:PATH"')
