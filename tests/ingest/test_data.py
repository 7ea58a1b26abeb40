"""The message of DATA: where it ends, what its dots mean, what is too much."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.ingest.doors.data import LINE_TOO_LONG, TOO_LARGE, Refused, read_message

LIMIT = 64  # of the reader: every message below is longer than a bite or shorter


async def read(sent: bytes, size_limit: int = 10_000, line_limit: int = 1000) -> tuple[bytes, bytes]:
    """The message, and what stands behind it for the next command."""
    reader = asyncio.StreamReader(limit=LIMIT)
    reader.feed_data(sent)
    message = await read_message(reader, size_limit, line_limit)
    reader.feed_eof()
    return message, await reader.read()


@pytest.mark.parametrize(
    ("sent", "message", "behind"),
    [
        pytest.param(b"Hello\r\n.\r\n", b"Hello\r\n", b"", id="a line"),
        pytest.param(b".\r\n", b"", b"", id="an empty message"),
        pytest.param(b"\r\n.\r\n", b"\r\n", b"", id="an empty line"),
        pytest.param(b"..\r\n.\r\n", b".\r\n", b"", id="a stuffed dot alone on the first line"),
        pytest.param(b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", b"", id="a stuffed dot"),
        pytest.param(b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n", b"", id="a dot that was not stuffed goes too"),
        pytest.param(b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", b"", id="LF dot LF is text"),
        pytest.param(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", b"", id="CRLF dot LF is no end"),
        pytest.param(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n", id="commands behind it stay"),
        pytest.param(b"x" * 200 + b"\r\n.\r\nRSET\r\n", b"x" * 200 + b"\r\n", b"RSET\r\n", id="longer than a bite"),
    ],
)
async def test_a_message_ends_with_crlf_dot_crlf_and_nothing_else(sent: bytes, message: bytes, behind: bytes) -> None:
    assert await read(sent) == (message, behind)


@pytest.mark.parametrize(
    ("octets", "refused"),
    [
        pytest.param(98, None, id="exactly the limit"),
        pytest.param(99, TOO_LARGE, id="one over"),
        pytest.param(5000, TOO_LARGE, id="far over"),
    ],
)
async def test_what_is_too_large_is_read_to_its_end_and_refused(octets: int, refused: str | None) -> None:
    sent = b"x" * octets + b"\r\n.\r\n"
    if refused is None:
        assert len((await read(sent, size_limit=100))[0]) == 100
        return
    with pytest.raises(Refused, match=refused.split()[1]):
        await read(sent, size_limit=100)


async def test_a_line_too_long_is_refused() -> None:
    with pytest.raises(Refused, match=LINE_TOO_LONG.split()[1]):
        await read(b"short\r\n" + b"x" * 60 + b"\r\n.\r\n", line_limit=50)
    assert (await read(b"short\r\n" * 20 + b".\r\n", line_limit=50))[0] == b"short\r\n" * 20


@given(lines=st.lists(st.binary(max_size=80).filter(lambda line: b"\r" not in line and b"\n" not in line), max_size=20))
def test_what_a_client_stuffs_comes_out_as_it_was(lines: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"

    assert asyncio.run(read(stuffed + b"NOOP\r\n")) == (message, b"NOOP\r\n")
