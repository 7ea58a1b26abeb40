"""HTML as plain text, to find the reply in mails that have nothing else. Linear; nothing here makes HTML safe."""

import re
from html import escape, unescape

MAX_QUOTES = 50
"""Levels of blockquote that are marked."""

_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]{0,15})([^<>]*)>")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SILENT = {"style", "script", "head", "title"}
_BREAKS = {
    *("br", "p", "div", "li", "tr", "ul", "ol", "table", "blockquote", "pre", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "header", "footer", "body"),
}
_PARAGRAPHS = {"p", "blockquote", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"}


def html_to_text(html: str) -> str:
    """The words with their line breaks; what stands in a blockquote is prefixed with ">" per level."""
    lines = _Lines()
    at, silent = 0, ""
    html = _without_comments(html)
    for tag in _TAG.finditer(html):
        name, closing = tag[1].lower(), html[tag.start() + 1] == "/"
        if not silent:
            lines.words(html[at : tag.start()])
        at = tag.end()
        if silent:
            silent = "" if closing and name == silent else silent
        elif name in _SILENT:
            silent = "" if closing else name
        elif name in _BREAKS:
            lines.end(paragraph=name in _PARAGRAPHS, forced=name == "br")
            if name == "blockquote":
                lines.level = max(lines.level - 1, 0) if closing else lines.level + 1
    if not silent:
        lines.words(html[at:])
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

    def words(self, text: str) -> None:
        if text:
            self.current.append(text)

    def end(self, *, paragraph: bool = False, forced: bool = False) -> None:
        line = _SPACE.sub(" ", unescape("".join(self.current))).replace("\xa0", " ").strip()
        self.current = []
        prefix = ">" * min(self.level, MAX_QUOTES) + " " if self.level else ""
        if line or forced:
            self.done.append((prefix + line).rstrip())
        if paragraph and self.done and self.done[-1].strip("> "):
            self.done.append(prefix.rstrip())


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
