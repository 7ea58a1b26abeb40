"""The tree of parts and its repairs: M1."""

from base64 import encodebytes

import pytest

from postroad.mail.entity import MAX_DEPTH
from postroad.mail.parse import read
from postroad.mail.transfer import decode_transfer
from postroad.mail.tree import MAX_PARTS

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def leaves(raw: bytes) -> list[tuple[str, bytes]]:
    return [(leaf.type, leaf.payload.strip()) for leaf in read(raw).leaves]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        pytest.param(b"Subject: x\n\nhello", [("text/plain", b"hello")], id="a single part"),
        pytest.param(MIXED + b"pre\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\nepi", ["1", "2"], id="two parts"),
        pytest.param(MIXED + b"--b\r\n\r\n1\r\n--b\r\n\r\n2", ["1", "2"], id="never closed"),
        pytest.param(MIXED + b"--b\r\n\r\n1\r\n--b\r\n\r\n", ["1"], id="an opening where the closing should be"),
        pytest.param(MIXED + b"--b \t\r\n\r\n1\r\n--b--  \r\n", ["1"], id="blanks behind the boundary"),
        pytest.param(MIXED + b"--b\r\nno header\r\n--b--", ["no header"], id="a part without header or blank line"),
        pytest.param(MIXED + b"--b\r\n\r\n1\r\n--bc\r\n--b--", ["1\r\n--bc"], id="a boundary that only begins alike"),
        pytest.param(MIXED + b"--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n--b--", ["1", "2"], id="closed too early"),
        pytest.param(MIXED + b"no part at all", ["no part at all"], id="boundary never occurs: the text is kept"),
        pytest.param(
            b"Content-Type: multipart/mixed\n\n--x\nContent-Type: text/plain\n\n1\n--x--",
            ["1"],
            id="no boundary declared",
        ),
        pytest.param(
            MIXED + b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--", ["1"], id="another boundary than declared"
        ),
        pytest.param(
            MIXED + b"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--b\n\n2\n--b--",
            ["1", "2"],
            id="RFC 2046 5.1.2: the outer boundary ends the inner multipart",
        ),
        pytest.param(
            MIXED.replace(b"\r\n", b"\r") + b"--b\r\r1\r--b\r\r2\r--b--", ["1", "2"], id="CR as the only line end"
        ),
        pytest.param(
            b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nhello\n--b--",
            ["hello"],
            id="a digest",
        ),
        pytest.param(
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + encodebytes(b"Subject: in\n\nhello"),
            ["hello"],
            id="an attached mail in base64",
        ),
        pytest.param(
            b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n"
            + encodebytes(b"--b\n\n1\n--b--"),
            ["1"],
            id="a multipart in base64",
        ),
        pytest.param(b"Content-Type: message/rfc822\n\nSubject: in\n\nhello", ["hello"], id="an attached mail alone"),
        pytest.param(MIXED, [], id="a multipart of nothing"),
        pytest.param(MIXED + b"--b\r\n--b\r\n\r\n2\r\n--b--", ["", "2"], id="RFC 2046 5.1.1: an empty part is a part"),
        pytest.param(
            MIXED + b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--c\n\n--b--",
            ["1"],
            id="an opening where the closing should be, inside another multipart",
        ),
        pytest.param(MIXED + b"--b note\r\n\r\n1\r\n--b-- end\r\nepi", ["1"], id="words behind the boundary"),
        pytest.param(
            b'Content-Type: multipart/mixed; boundary="b  "\n\n--b  \n\n1\n--b  --\nepi',
            ["1"],
            id="blanks in the boundary",
        ),
        pytest.param(
            b'Content-Type: multipart/mixed; boundary="b  "\n\n--b\n\n1\n--b--\nepi',
            ["1"],
            id="blanks in the boundary, stripped from the delimiters",
        ),
        pytest.param(
            b"Content-Type: multipart/*; boundary=b\n\n--b\n\n1\n--b--", ["1"], id="a star where the subtype should be"
        ),
        pytest.param(b"Content-Type: multipart; boundary=b\n\n--b\n\n1\n--b--", ["1"], id="no subtype"),
        pytest.param(
            b"Content-Type: multipart/mixed;\n boundary=b\nA line of prose\n--b\nContent-Type: text/plain\n\n1\n--b--",
            ["1"],
            id="no blank line before the first part",
        ),
    ],
)
def test_finds_parts(raw: bytes, found: list[str | tuple[str, bytes]]) -> None:
    assert leaves(raw) == [one if isinstance(one, tuple) else ("text/plain", one.encode()) for one in found]


def test_the_line_break_before_a_delimiter_is_not_content() -> None:
    raw = MIXED + b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n\r\n--b--"
    assert read(raw).leaves[0].payload == b"x\r\n"


def test_a_boundary_used_twice_stays_the_outer_ones() -> None:
    inner = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b--\r\n"
    assert leaves(MIXED + inner) == [("text/plain", b"1")]


def test_what_lies_too_deep_is_one_opaque_part_with_its_bytes() -> None:
    levels = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(MAX_DEPTH + 5)]
    (leaf,) = read(b"".join(levels) + b"\nthe end").leaves
    assert leaf.type == "application/octet-stream"
    assert leaf.payload.endswith(b"the end")


def test_parts_beyond_the_limit_belong_to_the_last_one() -> None:
    found = read(MIXED + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 10) + b"--b--").leaves
    assert len(found) == MAX_PARTS - 1
    assert found[-1].payload.count(b"x") == 12


@pytest.mark.parametrize(
    ("encoding", "body", "payload"),
    [
        pytest.param("base64", b"aGVsbG8=", b"hello", id="base64"),
        pytest.param("base64", b"aGVs\r\nbG8", b"hello", id="padding forgotten"),
        pytest.param("base64", b"aGVsbG8hA", b"hello!", id="a letter too many"),
        pytest.param("base64", b"aGV*sbG8=", b"hello", id="a foreign letter"),
        pytest.param("base64", b"aGVsbG8=\n\n--\nlist footer", b"hello", id="a footer behind"),
        pytest.param("base64", b"aGVs\nbG8=\nISEh\nIQ==\n", b"hello!!!!", id="several in a row"),
        pytest.param("base64", b"aGVsbG8h\n\n____\nlist.footer, to leave", b"hello!", id="a footer behind, no padding"),
        pytest.param("base64", b"aGVsbG8= ignored", b"hello", id="words behind the padding"),
        pytest.param("base64", b"... here goes the image in base64 of\n 8000 letters ...", None, id="a placeholder"),
        pytest.param("quoted-printable", b"a= \t\r\nb", b"ab", id="RFC 2045 6.7 (3): blanks behind a soft line break"),
        pytest.param("quoted-printable", b"a=\rb\nc", b"ab\nc", id="a bare CR as soft line break"),
        pytest.param("base64", b"these are words of people and nothing else at all, so", None, id="no base64 at all"),
        pytest.param(
            "quoted-printable", b"caf=C3=A9 =\r\nau lait=ZZ", "café au lait=ZZ".encode(), id="quoted-printable"
        ),
        pytest.param("x-uuencode", b"begin 644 x\n%:&5L;&\\\n`\nend\n", b"hello", id="uuencode"),
        pytest.param("base9000", b"as it is", None, id="an unknown encoding"),
    ],
)
def test_undoes_transfer_encodings(encoding: str, body: bytes, payload: bytes | None) -> None:
    assert decode_transfer(body, encoding) == (body if payload is None else payload)
