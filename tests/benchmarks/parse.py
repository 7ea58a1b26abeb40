"""How fast mails are read: by CPU time, beside the standard library's parser in the same run."""

import email
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from postroad.cli.parse import described
from postroad.mail.parse import read

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
SECONDS = 1.0

_SUFFIXES = (".eml", ".raw", ".golden", ".txt")
_HEADER = (
    "Return-Path: <mary@a.example>\r\n"
    "Received: from mx.a.example (mx.a.example [192.0.2.1])\r\n\tby in.b.example with ESMTPS id 4ABC\r\n"
    "\tfor <sales@b.example>; Mon, 1 May 2023 10:00:00 +0200\r\n"
    "Authentication-Results: in.b.example; dkim=pass header.d=a.example; spf=pass smtp.mailfrom=a.example\r\n"
    "From: Mary Smith <mary@a.example>\r\nTo: Sales <sales@b.example>, Bob <bob@b.example>\r\n"
    "Date: Mon, 1 May 2023 10:00:00 +0200\r\nSubject: A question about your offer\r\n"
    "Message-ID: <abc123.456@a.example>\r\nReferences: <prev0@b.example> <prev1@b.example>\r\nMIME-Version: 1.0\r\n"
)
_LINE = "the quick brown fox jumps over the lazy dog and then some more of it\r\n"
_INTRODUCTION = "On Sun, 30 Apr 2023 at 10:00, Sales <sales@b.example> wrote:"
_TEXT = f"Hello,\r\n\r\n{_LINE * 24}\r\nMary\r\n\r\n{_INTRODUCTION}\r\n" + f"> {_LINE}" * 22
_HTML = (
    f"<div>Hello,</div>{f'<div>{_LINE}</div>' * 24}<div class=gmail_quote><div class=gmail_attr>"
    f"{_INTRODUCTION}<br></div><blockquote>{f'<p>{_LINE}</p>' * 22}</blockquote></div>"
)
_PLAIN = f"{_HEADER}Content-Type: text/plain; charset=utf-8\r\n\r\n{_TEXT}"
_ALTERNATIVE = (
    f"{_HEADER}Content-Type: multipart/alternative; boundary=b1\r\n\r\n"
    f"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{_TEXT}\r\n"
    f"--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{_HTML}\r\n--b1--\r\n"
)


def report() -> Iterator[str]:
    mails = [path.read_bytes() for path in _corpora()]
    if mails:
        ours, theirs = _a_second(_leaves, mails), _a_second(_standard, mails)
        yield f"leaves of the corpora     {ours:9,.0f} mails/s of CPU time ({ours / theirs:.2f} of `email`'s)"
        yield f"`postroad parse` of them  {_a_second(_whole, mails):9,.0f} mails/s, all that it prints"
    else:
        yield f"no corpora at {CORPORA}: their mails are left out"
    for name, raw in (("plain text", _PLAIN.encode()), ("text and HTML", _ALTERNATIVE.encode())):
        yield (
            f"{name}, {len(raw) / 1000:.1f} kB".ljust(25)
            + f" {1e6 / _a_second(_whole, [raw]):9,.0f} µs, all that it prints"
        )


def _corpora() -> list[Path]:
    return [path for path in CORPORA.rglob("*") if path.suffix in _SUFFIXES and path.parent.name != "trimmed"]


def _a_second(read_: Callable[[bytes], object], mails: Sequence[bytes]) -> float:
    done, begun = 0, time.process_time()
    while time.process_time() - begun < SECONDS:
        for raw in mails:
            read_(raw)
        done += len(mails)
    return done / (time.process_time() - begun)


def _leaves(raw: bytes) -> object:
    return read(raw).leaves


def _whole(raw: bytes) -> object:
    return json.dumps(described(read(raw)))


def _standard(raw: bytes) -> object:
    try:
        return [
            part.get_payload(decode=True) for part in email.message_from_bytes(raw).walk() if not part.is_multipart()
        ]
    except (LookupError, ValueError):  # it raises on some
        return None
