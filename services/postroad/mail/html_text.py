"""HTML as plain text, to find the reply in mails that have nothing else. Linear; nothing here makes HTML safe."""

import re
from html import escape, unescape

from postroad.mail.quotation import INTRODUCTION, MESSAGE_BELOW, SIGNATURE

MAX_QUOTES = 50
"""Levels of blockquote that are marked."""

_TAG = re.compile(r"<(/?)([a-zA-Z?][a-zA-Z0-9:-]{0,30})(?=[\s/>])([^<>]*)>")
_SILENT = {"style", "script", "head", "title"}
_BREAKS = {
    *("br", "p", "div", "li", "tr", "ul", "ol", "table", "blockquote", "pre", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "signature", "section", "article", "header", "footer", "body"),
}
_CELLS = {"td", "th"}
_HOLDS_SIGNATURE = {"div", "p", "pre", "table", "section", "signature"}
_PARAGRAPHS = {"p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"}
_UNSEEN = "> " + SIGNATURE
_SAYS_FORWARDED = ("-", "\u2014")  # what is below such a line is a message, not a quote
# How Outlook, Yahoo, Spark, Gmail and Thunderbird mark what is no longer the author's.
_MARKS_MESSAGE = re.compile(
    r"\bid=[\"']?(?:\w+_)?(?:divRplyFwdMsg|appendonsend|mail-editor-reference-message|yahoo_quoted)"
    r"|\bclass=[\"']?\w*yahoo_quoted|\bname=[\"']?messageReplySection",
    re.IGNORECASE,
)
# "gmail_signature", "moz-signature", "Signature" of Outlook and the like; not Apple's line break in front of it.
_MARKS_SIGNATURE = re.compile(r"\b(?:id|class|name|data)[=-][^=<>]{0,80}(?<!beginningof)signature", re.IGNORECASE)
_MARKS_INTRODUCTION = re.compile(r"\bclass=[\"']?(?:gmail_attr|moz-cite-prefix)\b", re.IGNORECASE)


def html_to_text(html: str, *, marks: bool = False) -> str:
    """The words with their line breaks; what stands in a blockquote is prefixed with ">" per level.

    With `marks`, what HTML says of quotes beyond that is told by the marks of `quotation`, for `strip_reply` alone.
    """
    lines = _Lines()
    pieces = _TAG.split(_without_comments(html))
    lines.words(pieces[0])
    marked = _Marked(lines)
    silent = ""
    for closing, name, attributes, text in zip(*(pieces[at::4] for at in range(1, 5)), strict=True):
        name = name.lower()
        if silent:
            silent = "" if closing and name == silent else silent
        elif name in _SILENT:
            silent = "" if closing else name
        elif name in _BREAKS:
            lines.end(paragraph=name in _PARAGRAPHS, forced=name == "br")
            if name == "blockquote":
                lines.nest(-1 if closing else 1)
            elif name == "pre":
                lines.preformatted = not closing
                text = text.removeprefix("\r").removeprefix("\n")
            if marks:
                if closing:
                    marked.close(name)
                else:
                    marked.open(name, attributes)
        elif name in _CELLS:
            lines.words(" ")
        if not silent:
            lines.words(text)
    lines.end()
    return "\n".join(lines.done).strip("\n")


def preformatted(text: str) -> str:
    """Plain text as HTML: escaped, its line breaks kept (M6)."""
    return f"<pre>{escape(text, quote=False)}</pre>"


class _Lines:
    """Lines being filled; white space folds as HTML has it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.current: list[str] = []
        self.level = 0
        self.prefix = ""  # of lines in no quote
        self.preformatted = False

    def words(self, text: str) -> None:
        if self.preformatted and "\n" in text:
            *whole, text = text.split("\n")
            for line in whole:
                self.current.append(line)
                self.end(forced=True)
        if text:
            self.current.append(text)

    def end(self, *, paragraph: bool = False, forced: bool = False) -> None:
        line = ""
        if self.current:
            line = "".join(self.current)
            line = unescape(line) if "&" in line else line
            line = line.rstrip() if self.preformatted else " ".join(line.split())
            self.current = []
        prefix = self._prefix()
        if line or forced:
            self.done.append((prefix + line).rstrip() if prefix else line)
        if paragraph and self.done and self.done[-1].strip(_UNSEEN):
            self.done.append(prefix.rstrip())

    def nest(self, levels: int) -> None:
        """Into a quote or out of it."""
        self.level = max(self.level + levels, 0)
        if levels < 0:
            self.leave()

    def leave(self) -> None:
        """The blank line below a quote or a signature is not part of it."""
        if self.done and not self.done[-1].strip(_UNSEEN):
            self.done[-1] = self._prefix().rstrip()

    def _prefix(self) -> str:
        return ">" * min(self.level, MAX_QUOTES) + " " if self.level else self.prefix


class _Marked:
    """What the attributes of elements say of quotes and signatures, put among the lines."""

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self.introduced = ""  # the element that holds an introduction,
        self.at = 0  # and the line at which that begins
        self.signed = ""  # the element that holds a signature,
        self.depth = 0  # and how many of its name are open in it

    def open(self, name: str, attributes: str) -> None:
        if name == self.signed:
            self.depth += 1
        if "=" not in attributes:
            return
        if not self.signed and name in _HOLDS_SIGNATURE and _MARKS_SIGNATURE.search(attributes):
            self.signed, self.depth, self.lines.prefix = name, 1, SIGNATURE
        if _MARKS_MESSAGE.search(attributes):
            if not self.lines.level:
                self.lines.done.append(MESSAGE_BELOW)
        elif not self.introduced and _MARKS_INTRODUCTION.search(attributes):
            self.introduced, self.at = name, len(self.lines.done)

    def close(self, name: str) -> None:
        if name == self.signed:
            self.depth -= 1
            if not self.depth:
                self.signed = self.lines.prefix = ""
                self.lines.leave()
        if name == self.introduced:
            self.introduced = ""
            self._introduce()

    def _introduce(self) -> None:
        """Puts the mark in the place of the introduction that ends here, unless it says "Forwarded message"."""
        words = [line for line in self.lines.done[self.at :] if line.strip()]
        if not self.lines.level and words and not words[0].startswith(_SAYS_FORWARDED):
            self.lines.done[self.at :] = [INTRODUCTION]


def _without_comments(html: str) -> str:
    """Comments and declarations cut; one that is never closed is cut at its opening mark alone."""
    if "<!" not in html:
        return html
    kept, at = [], 0
    while (start := html.find("<!", at)) >= 0:
        kept.append(html[at:start])
        comment = html.startswith("<!--", start)
        end = html.find("-->" if comment else ">", start)
        if end < 0:
            at = start + 2
            break
        at = end + (3 if comment else 1)
    return "".join(kept) + html[at:]
