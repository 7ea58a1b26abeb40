"""`postroad simulate`: a scenario through all stages in memory."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain


def simulate(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    /,
    *,
    shuffle: int | None = None,
    contents: bool = False,
    schema: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play a scenario in memory: JSON lines in, JSON lines out. Nothing leaves, nothing is kept.

    Each line is worked to rest and answered before the next is read, so that a program can drive it.
    Try: echo '{"state": {"message": "<a@example.org>"}}' | postroad simulate -

    Parameters
    ----------
    file
        The scenario; - is standard input.
    shuffle
        Deliver topics in a random relative order drawn from this seed. Order per key is kept.
    contents
        Also print each object that is written: bodies, attachments, raw mails.
    schema
        Print the format of the lines, and stop.
    """
    if schema:
        from postroad.simulate.schema import schema as describe

        _print(describe())
        return os.EX_OK
    if not file:
        return complain("simulate needs a FILE of JSON lines, or - for standard input; see --schema", os.EX_USAGE)
    from postroad.simulate.play import Simulation

    simulation = Simulation(_print, shuffle=shuffle, contents=contents)
    try:
        lines = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        return complain(f"{file}: {error.strerror}", os.EX_NOINPUT)
    with lines:
        return _play(simulation.line, lines)


def _play(line: Any, lines: BinaryIO) -> int:
    good = True
    for text in iter(lines.readline, b""):
        good = line(text) and good
    return os.EX_OK if good else os.EX_DATAERR


def _print(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
