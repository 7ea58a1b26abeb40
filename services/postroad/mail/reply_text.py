"""The new words of a reply: quotes and signature left out (M6, L6). Line by line and linear.

A quote among one's own words, with an answer below it, stays as what the answer is about; `fold` drops it too.
What is introduced goes with its introduction, unless more is answered below it, part by part.
"""

import re

from postroad.mail.advertisement import is_advertisement
from postroad.mail.flowed import unwrapped
from postroad.mail.quotation import (
    BLANK,
    INTRODUCTION,
    MESSAGE_BELOW,
    SIGNATURE,
    closes_bracket,
    introduction,
    is_quoted,
    may_turn,
    names_message,
    opens_between_arrows,
    opens_message,
)

MAX_LINES = 20_000
"""Lines that are looked at; what comes after is kept as one."""

_SIGNATURE = re.compile(r"-- ?\s*\Z")
_UNMARKED = re.compile(f"[{INTRODUCTION}{MESSAGE_BELOW}{SIGNATURE}]")
_RULE = re.compile(r"[\s_\-*#~=+ᐧ—]+\Z")
_UNDERLINE = re.compile(r"\s*_{10,}\s*\Z")
_FOOTER_LINES = 10  # lines with words that may follow a line of underscores and still be a signature or a list's footer
_SENTENCE_ENDS = (".", "?", "!", ":", "\u3002", "\uff1f")
_WRAPPING = 60  # columns at which careless programs begin to wrap the lines of others


def strip_reply(text: str, *, flowed: bool = False, delsp: bool = False) -> str:
    """The words that are new in this mail; all of it when nothing seems new.

    `flowed`, `delsp`: the text's parameters of RFC 3676; what is kept is then unwrapped.
    """
    kept = _own_lines(text.split("\n", MAX_LINES))
    kept = unwrapped(kept, delsp=delsp) if flowed else [line.rstrip() for line in kept]
    return "\n".join(kept).strip("\n") or _UNMARKED.sub("", text).strip()


def fold(words: str) -> str:
    """What `strip_reply` left, without any quoted line and with white space folded, for comparing (L6)."""
    own = " ".join([line for line in words.split("\n") if not is_quoted(line)]).split() if ">" in words else []
    return " ".join(own or words.split())


def _own_lines(lines: list[str]) -> list[str]:
    """The lines that are not introduced as somebody else's, up to the signature."""
    own: list[str] = []
    introduced: list[str] = []  # the last quote that was introduced and so left out
    left_out = 0  # where in `own` that was
    at, stretch, begun = 0, 0, -1  # the line looked at; the first after those left out; where own words begin in `own`
    gap = True  # whether a blank line stands above
    while at < len(lines):
        line = lines[at]
        bare = line.strip(BLANK)
        if not bare or (bare[0] == ">" and not closes_bracket(bare) and not opens_between_arrows(lines, at)):
            own.append(line)
            at, gap = at + 1, not bare
            continue
        if bare[0] == SIGNATURE:
            at += 1
            continue
        turning = may_turn(bare)
        if begun >= 0 and (turning or gap) and _ends_words(lines, at, bare):
            break
        if turning and opens_message(lines, at):
            if begun >= 0:
                break
            at = stretch = _after_header(lines, at)  # nothing but a forwarded mail: its words
            continue
        if turning and (size := introduction(lines, at, stretch)):
            del own[len(own) - size + 1 :]
            begun = begun if begun < len(own) else -1
            end = _after_quote(lines, at + 1)
            if begun >= 0 and end == at + 1:
                break  # quoted without marks: the rest is theirs
            while own and not own[-1].strip(BLANK) and end < len(lines) and not lines[end].strip(BLANK):
                own.pop()
            introduced, left_out = lines[at + 1 : end], len(own)
            at = stretch = end
            continue
        if begun >= 0 or not is_advertisement(bare):
            if begun < 0 and not _RULE.match(line):
                begun = len(own)
            own.append(line)
        at, gap = at + 1, False
    own = _without_tail(own)
    if introduced and any(map(is_quoted, own[left_out:])):
        own[left_out:left_out] = ["", *introduced] if left_out and own[left_out - 1].strip(BLANK) else introduced
    return own


def _ends_words(lines: list[str], at: int, bare: str) -> bool:
    """A signature, a list's footer, or what a telephone adds, standing alone."""
    if bare[0] == "-":
        return _SIGNATURE.match(lines[at]) is not None
    if bare[0] == "_":
        rest = lines[at + 1 : at + 1 + 4 * _FOOTER_LINES]
        short = at + 1 + len(rest) == len(lines) and sum(1 for line in rest if line.strip()) <= _FOOTER_LINES
        return short and _UNDERLINE.match(lines[at]) is not None
    if lines[at - 1].strip(BLANK) or (at + 1 < len(lines) and lines[at + 1].strip(BLANK)):
        return False
    return is_advertisement(bare)


def _without_tail(lines: list[str]) -> list[str]:
    """Trailing quotes, rules and advertisements removed."""
    end = len(lines)
    while end and _is_tail(lines[end - 1].strip(BLANK)):
        end -= 1
    return lines[:end]


def _is_tail(bare: str) -> bool:
    return not bare or bare[0] == ">" or _RULE.match(bare) is not None or is_advertisement(bare) or names_message(bare)


def _after_header(lines: list[str], at: int) -> int:
    """Past the separator and the fields that follow it."""
    at += 1
    while at < len(lines) and lines[at].strip():
        at += 1
    return at


def _after_quote(lines: list[str], at: int) -> int:
    """The end of the marked quote that begins here, blank lines in it included; `at` when there is none."""
    end = at
    while at < len(lines):
        bare = lines[at].lstrip(BLANK)
        if bare.startswith(">") or (bare and end == at and _is_wrapped(lines, at)):
            end = at + 1
        elif bare:
            break
        at += 1
    return end


def _is_wrapped(lines: list[str], at: int) -> bool:
    """The rest of a quoted line that a program has wrapped without its mark."""
    before = lines[at - 1].rstrip()
    return (
        is_quoted(before)
        and len(before) >= _WRAPPING
        and not before.endswith(_SENTENCE_ENDS)
        and at + 1 < len(lines)
        and is_quoted(lines[at + 1])
    )
