"""HTML as plain text, to find the reply in mails that have nothing else. Linear; nothing here makes HTML safe."""

import re
from html import escape, unescape

from postroad.mail.quotation import INTRODUCTION, MESSAGE_BELOW

MAX_QUOTES = 50
"""Levels of blockquote that are marked."""

_TAG = re.compile(r"<(/?)([a-zA-Z?][a-zA-Z0-9:-]{0,30})(?=[\s/>])([^<>]*)>")
_SILENT = {"style", "script", "head", "title"}
_BREAKS = {
    *("br", "p", "div", "li", "tr", "ul", "ol", "table", "blockquote", "pre", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "header", "footer", "body"),
}
_PARAGRAPHS = {"p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"}
_SAYS_FORWARDED = ("-", "\u2014")  # what is below such a line is a message, not a quote
# How Outlook, Yahoo, Spark, Gmail and Thunderbird mark what is no longer the author's.
_MARKS_MESSAGE = re.compile(
    r"\bid=[\"']?(?:\w+_)?(?:divRplyFwdMsg|appendonsend|mail-editor-reference-message|yahoo_quoted)"
    r"|\bclass=[\"']?\w*yahoo_quoted|\bname=[\"']?messageReplySection",
    re.IGNORECASE,
)
_MARKS_INTRODUCTION = re.compile(r"\bclass=[\"']?(?:gmail_attr|moz-cite-prefix)\b", re.IGNORECASE)


def html_to_text(html: str, *, marks: bool = False) -> str:
    """The words with their line breaks; what stands in a blockquote is prefixed with ">" per level.

    With `marks`, what HTML says of quotes beyond that is told by the marks of `quotation`, for `strip_reply` alone.
    """
    lines = _Lines()
    pieces = _TAG.split(_without_comments(html))
    lines.words(pieces[0])
    silent, introduced = "", ""
    for closing, name, attributes, text in zip(*(pieces[at::4] for at in range(1, 5)), strict=True):
        name = name.lower()
        if silent:
            silent = "" if closing and name == silent else silent
        elif name in _SILENT:
            silent = "" if closing else name
        elif name in _BREAKS:
            lines.end(paragraph=name in _PARAGRAPHS, forced=name == "br")
            if name == "blockquote":
                lines.level = max(lines.level - 1, 0) if closing else lines.level + 1
            if introduced and closing and name == introduced:
                introduced = lines.introduce()
            elif marks and not closing and "=" in attributes:
                if _MARKS_MESSAGE.search(attributes):
                    lines.mark(MESSAGE_BELOW)
                elif not introduced and _MARKS_INTRODUCTION.search(attributes):
                    introduced = name
                    lines.marked = len(lines.done)
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
        self.marked = 0  # where an introduction begins

    def words(self, text: str) -> None:
        if text:
            self.current.append(text)

    def end(self, *, paragraph: bool = False, forced: bool = False) -> None:
        line = ""
        if self.current:
            line = "".join(self.current)
            line = " ".join((unescape(line) if "&" in line else line).split())
            self.current = []
        prefix = ">" * min(self.level, MAX_QUOTES) + " " if self.level else ""
        if line or forced:
            self.done.append((prefix + line).rstrip() if prefix else line)
        if paragraph and self.done and self.done[-1].strip("> "):
            self.done.append(prefix.rstrip())

    def mark(self, mark: str) -> None:
        if not self.level:
            self.done.append(mark)

    def introduce(self) -> str:
        """Puts the mark in the place of the introduction that ends here, unless it says "Forwarded message"."""
        words = [line for line in self.done[self.marked :] if line.strip()]
        if not self.level and words and not words[0].startswith(_SAYS_FORWARDED):
            self.done[self.marked :] = [INTRODUCTION]
        return ""


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
