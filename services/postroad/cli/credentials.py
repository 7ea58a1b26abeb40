"""Options of a login: by a password, or by a token of OAuth 2.0 (RFC 6749)."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from postroad_schemas.directory import Credentials, OAuth2


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ByToken:
    """A login by OAuth 2.0 (RFC 6749): then the secret is the refresh token."""

    url: Annotated[str, Parameter(name="--oauth2-token-url", help="Where access tokens are given, https://...")] = ""
    client: Annotated[str, Parameter(name="--oauth2-client-id", help="As which client; with --oauth2-token-url.")] = ""
    secret: Annotated[
        str, Parameter(name="--oauth2-client-secret", help="The client's secret by reference, if it has one.")
    ] = ""
    scope: Annotated[str, Parameter(name="--oauth2-scope", help="What is asked for, if the server needs it.")] = ""

    def made(self) -> OAuth2 | None:
        """Raises ValueError for one without the other."""
        if bool(self.url) != bool(self.client) or (not self.url and (self.secret or self.scope)):
            raise ValueError("--oauth2-token-url and --oauth2-client-id go together, and the other --oauth2 with them")
        if not self.url:
            return None
        return OAuth2(token_url=self.url, client_id=self.client, client_secret=self.secret, scope=self.scope)


def credentials_of(username: str, secret: str, by_token: ByToken) -> Credentials | None:
    """None where nobody logs in. Raises ValueError for one without the other."""
    oauth2 = by_token.made()
    if bool(username) != bool(secret) or (oauth2 and not secret):
        raise ValueError("--username and --secret go together, and --oauth2 with them")
    return Credentials(username=username, secret=secret, oauth2=oauth2) if secret else None
