"""The message of DATA: where it ends, what its dots mean, what is too much (I5)."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.ingest.doors.data import Bounds, header_refused, read_message
from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.spool import IN_MEMORY, Spool

LIMIT = 64  # of the reader: every message below is longer than a bite or shorter
WIDE = Bounds(size=10_000, line=1000)


async def read(sent: bytes, bounds: Bounds = WIDE, limit: int = LIMIT) -> tuple[bytes | Says, bytes]:
    """The message or why it is not taken, and what stands behind it for the next command."""
    reader = asyncio.StreamReader(limit=limit)
    reader.feed_data(sent)
    spool = Spool()
    try:
        refused = await read_message(reader, spool, bounds)
        content = spool.content() if refused is None else refused
    finally:
        spool.close()
    reader.feed_eof()
    return content, await reader.read()


@pytest.mark.parametrize(
    ("sent", "message", "behind"),
    [
        pytest.param(b"Hello\r\n.\r\n", b"Hello\r\n", b"", id="a line"),
        pytest.param(b".\r\n", b"", b"", id="an empty message"),
        pytest.param(b"\r\n.\r\n", b"\r\n", b"", id="an empty line"),
        pytest.param(b"..\r\n.\r\n", b".\r\n", b"", id="a stuffed dot alone on the first line"),
        pytest.param(b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", b"", id="a stuffed dot"),
        pytest.param(b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n", b"", id="a dot that was not stuffed goes too"),
        pytest.param(b"a\nb\rc\r\n.\r\n", b"a\nb\rc\r\n", b"", id="bare CR and LF stay as they are"),
        pytest.param(b"a\n.b\r\n.\r\n", b"a\n.b\r\n", b"", id="a dot behind a bare LF stays"),
        pytest.param(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n", id="commands behind it stay"),
        pytest.param(b"x" * 200 + b"\r\n.\r\nRSET\r\n", b"x" * 200 + b"\r\n", b"RSET\r\n", id="longer than a bite"),
    ],
)
async def test_a_message_ends_with_crlf_dot_crlf_and_nothing_else(sent: bytes, message: bytes, behind: bytes) -> None:
    assert await read(sent) == (message, behind)


SMUGGLED = [
    pytest.param(b"\n.\n", id="LF dot LF"),
    pytest.param(b"\n.\r\n", id="LF dot CRLF"),
    pytest.param(b"\n.\r", id="LF dot CR"),
    pytest.param(b"\r.\r", id="CR dot CR"),
    pytest.param(b"\r.\n", id="CR dot LF"),
    pytest.param(b"\r.\r\n", id="CR dot CRLF"),
    pytest.param(b"\r\n.\r", id="CRLF dot CR"),
    pytest.param(b"\r\n.\n", id="CRLF dot LF"),
    pytest.param(b"\r\n.\r\r\n", id="CRLF dot CR CRLF"),
    pytest.param(b"\r\r\n.\r\r\n", id="CR CRLF dot CR CRLF"),
    pytest.param(b"\r\n\0.\r\n", id="CRLF NUL dot CRLF"),
    pytest.param(b"\r\n.\0\r\n", id="CRLF dot NUL CRLF"),
    pytest.param(b"\n\0.\0\n", id="LF NUL dot NUL LF"),
]
INNER = b"MAIL FROM:<b@example.org>\r\nRCPT TO:<sales@example.com>\r\nDATA\r\n"


@pytest.mark.parametrize("ending", SMUGGLED)
@pytest.mark.parametrize("before", [0, 1, *range(45, 75)])
async def test_what_others_may_take_for_an_end_is_refused_wherever_it_stands(ending: bytes, before: int) -> None:
    """Bites of 64 octets: it stands in one, at its edges, and across two."""
    sent = b"x" * before + ending + INNER + b"\r\n.\r\nNOOP\r\n"
    assert await read(sent) == (Says.SMUGGLED, b"NOOP\r\n")


@pytest.mark.parametrize("ending", SMUGGLED)
async def test_or_taken_as_text_when_that_is_wished(ending: bytes) -> None:
    content, behind = await read(b"x" + ending + INNER + b"\r\n.\r\nNOOP\r\n", Bounds(10_000, 1000, endings=True))
    assert isinstance(content, bytes)
    assert content.startswith(b"x")
    assert content.endswith(INNER + b"\r\n")
    assert behind == b"NOOP\r\n"


@pytest.mark.parametrize("at_start", [b".\n", b".\r", b"\0.\r\n"])
async def test_the_same_at_the_very_beginning(at_start: bytes) -> None:
    assert await read(at_start + INNER + b"\r\n.\r\n") == (Says.SMUGGLED, b"")


@pytest.mark.parametrize(
    ("octets", "refused"),
    [
        pytest.param(98, False, id="exactly the limit"),
        pytest.param(99, True, id="one over"),
        pytest.param(5000, True, id="far over"),
    ],
)
async def test_what_is_too_large_is_read_to_its_end_and_refused(octets: int, refused: bool) -> None:
    content, behind = await read(b"x" * octets + b"\r\n.\r\nQUIT\r\n", Bounds(100, 1000))
    assert (content is Says.TOO_LARGE, behind) == (refused, b"QUIT\r\n")
    assert refused or len(content) == 100


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        pytest.param(b"short\r\n" + b"x" * 80 + b"\r\n" + b"short\r\n", False, id="exactly the limit"),
        pytest.param(b"short\r\n" + b"x" * 81 + b"\r\n" + b"short\r\n", True, id="one over"),
        pytest.param(b"x" * 500 + b"\r\n", True, id="over many bites"),
        pytest.param(b"short\r\n" * 100, False, id="many short ones"),
    ],
)
async def test_a_line_too_long_is_refused(sent: bytes, refused: bool) -> None:
    content, _ = await read(sent + b".\r\n", Bounds(10_000, 80))
    assert content == (Says.LINE_TOO_LONG if refused else sent)


async def test_octets_without_room_are_read_away() -> None:
    reader = asyncio.StreamReader(limit=LIMIT)
    reader.feed_data(b"x\r\n" * 300 + b".\r\nNOOP\r\n")
    told: list[bool] = []

    def take(octets: int, kept: bool) -> bool:
        told.append(kept)
        return len(told) < 3

    assert await read_message(reader, Spool(), Bounds(10_000, LIMIT), take) is Says.TOO_MUCH
    assert told[:3] == [True] * 3
    assert not any(told[3:])
    assert await reader.readline() == b"NOOP\r\n"


async def test_a_disk_without_room_is_no_loss(tmp_path: Path) -> None:
    reader = asyncio.StreamReader(limit=LIMIT)
    reader.feed_data(b"x\r\n" * IN_MEMORY + b".\r\n")
    spool = Spool(str(tmp_path / "away"))
    assert await read_message(reader, spool, Bounds(10**7, 1000)) is Says.TOO_MUCH


FOLDED = b"X-A: 1\r\n 2\r\n\t3\r\n"


@pytest.mark.parametrize(
    ("beginning", "refused"),
    [
        pytest.param(b"A: 1\r\n" * 5 + b"\r\ntext", False, id="exactly as many fields"),
        pytest.param(b"A: 1\r\n" * 6 + b"\r\ntext", True, id="one more"),
        pytest.param(b"A: 1\n" * 6 + b"\ntext", True, id="one more, lines with a bare LF"),
        pytest.param(FOLDED * 5 + b"\r\n", False, id="folded lines are no fields"),
        pytest.param(b"no field\r\n" * 30, False, id="text without a header"),
        pytest.param(b"A: 1\r\n\r\n" + b"A: 1\r\n" * 30, False, id="the body is no header"),
        pytest.param(b"A: " + b"x" * 200 + b"\r\n\r\n", True, id="too many octets"),
        pytest.param(b"A: 1\r\nB: " + b"x" * 90, True, id="no end within what is looked at"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_a_header_section_has_its_limits(beginning: bytes, refused: bool) -> None:
    found = header_refused(beginning, 10_000, Bounds(10_000, 1000, header=90, fields=5))
    assert found == (Says.HEADER_TOO_LARGE if refused else None)


lines_of_text = st.lists(st.binary(max_size=80).filter(lambda line: not set(b"\r\n") & set(line)), max_size=20)


@given(lines=lines_of_text, limit=st.integers(16, 200))
def test_what_a_client_stuffs_comes_out_as_it_was(lines: list[bytes], limit: int) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
    bounds = Bounds(10_000, 1000, endings=True)

    assert asyncio.run(read(stuffed + b"NOOP\r\n", bounds, limit)) == (message, b"NOOP\r\n")


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([10, 20], id="in memory"),
        pytest.param([IN_MEMORY - 1], id="the most in memory"),
        pytest.param([IN_MEMORY], id="the least in a file"),
        pytest.param([IN_MEMORY, IN_MEMORY + 1, 5], id="some in a file, some not yet"),
        pytest.param([100_000] * 20, id="many bites"),
    ],
)
async def test_a_spool_gives_back_what_was_written(tmp_path: Path, sizes: list[int]) -> None:
    spool, pieces = Spool(str(tmp_path)), [bytes([number]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        await spool.write(piece)
    assert spool.content() == b"".join(pieces)
    assert spool.in_memory is (sum(sizes) < IN_MEMORY)
    assert spool.beginning()[:IN_MEMORY] == b"".join(pieces)[:IN_MEMORY]
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))  # without a name: nothing stays behind
    spool.close()
