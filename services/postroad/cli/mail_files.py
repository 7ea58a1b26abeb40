"""What commands that read mails from files have in common: files named, or paths line by line in a batch."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def answer(
    mails: Sequence[Path],
    read: Callable[[bytes], T],
    described: Callable[[T], dict[str, object]],
    readable: Callable[[T], str],
    *,
    as_json: bool,
    batch: bool,
) -> int:
    """Reads each file and prints what `described` or `readable` make of it. An exit code.

    A batch answers each path of standard input with one JSON line before the next is read.
    """
    if batch:
        return _batch(lambda raw: described(read(raw)))
    if not mails:
        print("no mail named: give the path of one or more .eml files, or --batch", file=sys.stderr)
        return os.EX_USAGE

    status = os.EX_OK
    for path in mails:
        try:
            raw = path.read_bytes()
        except OSError as error:
            print(f"{path}: cannot be read: {error.strerror}", file=sys.stderr)
            status = os.EX_NOINPUT
            continue
        found = read(raw)
        print(json.dumps(described(found)) if as_json else f"{path}\n{readable(found)}")
    return status


def _batch(described: Callable[[bytes], dict[str, object]]) -> int:
    for line in sys.stdin.buffer:
        path = os.fsdecode(line.rstrip(b"\r\n"))
        try:
            answered = described(Path(path).read_bytes())
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            answered = {"error": f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"}
        print(json.dumps(answered), flush=True)
    return os.EX_OK
