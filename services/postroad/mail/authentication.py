"""What an edge found out about a mail: Authentication-Results (RFC 8601). Whom to trust, the caller knows (I7)."""

import re
from dataclasses import dataclass

from postroad.mail.header import Headers

MAX_FIELDS = 50
MAX_RESULTS = 100

_LONGEST = 20_000
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[;()]|[^\s;()\"]+|\"", re.DOTALL)
_METHOD = re.compile(r"([A-Za-z0-9-]+)(?:/\d+)?=([A-Za-z0-9-]+)\Z")
_PROPERTY = re.compile(r"([A-Za-z0-9-]+(?:\.[A-Za-z0-9_-]+)?)=(.*)\Z", re.DOTALL)
_AROUND_EQUALS = re.compile(r"[ \t]*=[ \t]*")


@dataclass(frozen=True, slots=True)
class MethodResult:
    """RFC 8601 2.2, one resinfo: method and result in lower case, properties as (ptype.property, value) in order."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()

    def property(self, name: str) -> str:
        """The first value of a property such as "smtp.mailfrom"; "" when absent."""
        return next((value for key, value in self.properties if key == name), "")


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """One field: who says so ("" when the field omits it), and what of each method; "none" leaves no results."""

    authserv_id: str
    results: tuple[MethodResult, ...] = ()

    def of(self, method: str) -> tuple[MethodResult, ...]:
        """All results of one method: a mail may carry several signatures."""
        return tuple(result for result in self.results if result.method == method)


def authentication_results(headers: Headers) -> tuple[AuthenticationResults, ...]:
    """Every Authentication-Results field, topmost first."""
    fields = headers.all_unfolded("authentication-results")[:MAX_FIELDS]
    return tuple(_field(_AROUND_EQUALS.sub("=", field[:_LONGEST])) for field in fields)


def _field(text: str) -> AuthenticationResults:
    sections = _sections(text)
    first = sections[0]
    identity = ""
    if first and not _METHOD.match(first[0]):
        identity, first = first[0].strip('"').lower(), first[1:]
    results = [result for section in [first, *sections[1:]] if (result := _result(section)) is not None]
    return AuthenticationResults(identity, tuple(results[:MAX_RESULTS]))


def _sections(text: str) -> list[list[str]]:
    """The words between semicolons, comments left out."""
    sections: list[list[str]] = [[]]
    depth = 0
    for piece in _PIECE.findall(text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif depth or piece == '"':
            continue
        elif piece == ";":
            sections.append([])
        elif piece.startswith('"') and sections[-1] and sections[-1][-1].endswith("="):
            sections[-1][-1] += piece.strip('"')  # reason="quoted"
        else:
            sections[-1].append(piece)
    return sections


def _result(words: list[str]) -> MethodResult | None:
    if not words or (method := _METHOD.match(words[0])) is None:
        return None
    named = [(match[1].lower(), match[2].strip('"')) for word in words[1:] if (match := _PROPERTY.match(word))]
    return MethodResult(method[1].lower(), method[2].lower(), tuple(named))
