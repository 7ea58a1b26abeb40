"""Header fields, encoded words, parameters: M1, M5, M7."""

import pytest

from postroad.mail.encoded_word import decode_words, unfold
from postroad.mail.header import MAX_FIELDS, read_header
from postroad.mail.parameter import MAX_PARAMETERS, disposition, media_type, parameters, token


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("plain", "plain", id="nothing encoded"),
        pytest.param("=?utf-8?q?caf=C3=A9_au_lait?=", "café au lait", id="Q: underscore is a blank"),
        pytest.param("=?UTF-8?B?Y2Fmw6k=?=", "café", id="B"),
        pytest.param("=?utf-8?q?a?= =?utf-8?q?b?=", "ab", id="M5 white space between two words goes"),
        pytest.param("=?utf-8?q?a?=\t =?iso-8859-1?q?=E9?=", "aé", id="M5 between two charsets too"),
        pytest.param("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", id="M5 beside plain text it stays"),
        pytest.param("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é", id="a character split between words"),
        pytest.param("=?utf-8?b?w6?= =?utf-8?b?k?=", "\ufffd =?utf-8?b?k?=", id="a broken base64 word stays"),
        pytest.param("=?utf-8?b?w6k?= x", "é x", id="padding forgotten"),
        pytest.param("=?nope?q?caf=C3=A9?=", "café", id="M8 an unknown charset"),
        pytest.param("=?utf-8*en?q?a?=", "a", id="RFC 2231 language"),
        pytest.param("=?utf-8?q?a b?=", "a b", id="blanks inside, which are forbidden"),
        pytest.param("=?utf-8?x?a?=", "=?utf-8?x?a?=", id="an unknown encoding stays"),
        pytest.param("=?utf-8?q?really??= =?utf-8?q?_what?_yes?=", "really? what? yes", id="question marks inside"),
        pytest.param("=?iso-8859-1?q?caf\xe9?=", "café", id="raw Latin inside"),
        pytest.param("=?utf-8?q?caf\xe9?=", "café", id="raw UTF-8 inside"),
        pytest.param("=?utf-8?q?open", "=?utf-8?q?open", id="never closed"),
        pytest.param("=?utf-8?q?a=0D=0AB=00c?=", "a\nBc", id="controls do not come out of words"),
    ],
)
def test_decodes_words(text: str, read: str) -> None:
    assert decode_words(text) == read


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"a\r\n b", "a b", id="M5 folding removed"),
        pytest.param(b"a\r\n\tb", "a b", id="a tab that folds is a blank"),
        pytest.param(b"a\r\n  b", "a  b", id="white space is not touched"),
        pytest.param("café".encode(), "café", id="raw UTF-8"),
        pytest.param("café".encode("latin-1"), "café", id="raw Latin"),
        pytest.param(b"a\0b\x1b", "ab", id="NUL and other controls"),
        pytest.param(b" \r\n ", "", id="M5 white space alone is empty"),
    ],
)
def test_unfolds(value: bytes, text: str) -> None:
    assert unfold(value) == text


@pytest.mark.parametrize(
    ("raw", "subject", "body"),
    [
        pytest.param(b"Subject: a\r\n\r\nb", "a", b"b", id="CRLF"),
        pytest.param(b"Subject: a\n\nb", "a", b"b", id="LF"),
        pytest.param(b"Subject: a\r\r\n\r\r\nb", "a", b"b", id="CR CR LF"),
        pytest.param(b"SUBJECT : a\n\nb", "a", b"b", id="case, and a blank before the colon"),
        pytest.param(b"Subject: a\nno field\nb", "a", b"no field\nb", id="a line that is no field opens the body"),
        pytest.param(b"X: 1;\ny=2\nSubject: a\n\nb", "a", b"b", id="a continuation without indent"),
        pytest.param(b"X: 1\nno field\nSubject: a\n\nb", "a", b"b", id="a stray line before a known field"),
        pytest.param(
            b"X: 1\nno\nfield\nhere\nX-Y: 2\nSubject: a\n\nb", "a", b"b", id="stray lines before a trace field"
        ),
        pytest.param(
            b"Subject: a\n--b\nContent-Type: x\n\n", "a", b"--b\nContent-Type: x\n\n", id="a delimiter is not stray"
        ),
        pytest.param("Größe: 1\nSubject: a\n\nb".encode(), "a", b"b", id="8-bit letters in a name"),
        pytest.param(b"From x@y Mon Jan 1\nSubject: a\n\nb", "a", b"b", id="an mbox line on top"),
        pytest.param(b"From x y\nOdd-Field: 1\nSubject: a\n\nb", "a", b"b", id="an mbox line on top of any field"),
        pytest.param(b"\r\n\r\nSubject: a\r\n\r\nb", "a", b"b", id="blank lines on top"),
        pytest.param(b" Subject: a\nTo: x\n\nb", "a", b"b", id="an indent on top"),
        pytest.param(b"\nhello: you\n", "", b"hello: you\n", id="a body alone"),
        pytest.param(b"Subject: a\nSubject: z\n\nb", "a", b"b", id="the topmost of two"),
        pytest.param(b"Subject: a", "a", b"", id="nothing but a field"),
        pytest.param(b"", "", b"", id="nothing"),
    ],
)
def test_reads_headers(raw: bytes, subject: str, body: bytes) -> None:
    headers, start = read_header(raw, 0, message=True)
    assert (headers.text("subject"), raw[start:]) == (subject, body)


def test_fields_beyond_the_limit_are_passed_over_but_the_body_is_found() -> None:
    raw = b"X: 1\n" * (MAX_FIELDS + 1) + b"Subject: late\n\nbody"
    headers, start = read_header(raw, 0)
    assert len(headers.each("x")) == MAX_FIELDS
    assert "subject" not in headers
    assert raw[start:] == b"body"


@pytest.mark.parametrize(
    ("field", "read"),
    [
        pytest.param('text/HTML; Charset="UTF-8"', ("text/html", {"charset": "UTF-8"}), id="case"),
        pytest.param("text/plain>", ("text/plain", {}), id="garbage behind"),
        pytest.param("application/pdf name=a.pdf", ("application/pdf", {"name": "a.pdf"}), id="semicolon forgotten"),
        pytest.param("binary/octet-stream", ("application/octet-stream", {}), id="M7 binary/octet-stream"),
        pytest.param("<html>", ("", {}), id="no type"),
        pytest.param('; name="x"', ("", {"name": "x"}), id="parameters alone"),
        pytest.param("text/html;iso-8859-1", ("text/html", {}), id="a value without name"),
        pytest.param('a/b; x="never closed', ("a/b", {"x": "never closed"}), id="quote never closed"),
    ],
)
def test_reads_content_types(field: str, read: tuple[str, dict[str, str]]) -> None:
    assert media_type(field) == read


@pytest.mark.parametrize(
    ("field", "filename"),
    [
        pytest.param('; filename="a;b.txt"', "a;b.txt", id="semicolon in quotes"),
        pytest.param("; filename=my file.txt", "my file.txt", id="blanks without quotes"),
        pytest.param("; filename*=utf-8''caf%C3%A9.txt", "café.txt", id="RFC 2231"),
        pytest.param("; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.txt", "café.txt", id="sections"),
        pytest.param("; filename*1=b; filename*0=a", "ab", id="sections out of order"),
        pytest.param("; filename*=nope''caf%C3%A9", "café", id="a false charset"),
        pytest.param("; filename=plain; filename*=utf-8''ext", "ext", id="the extended one wins"),
        pytest.param('; filename="=?utf-8?q?caf=C3=A9?="', "café", id="an encoded word, which is forbidden"),
        pytest.param("; filename=a; filename=b", "a", id="the first of two"),
        pytest.param(r'; filename="C:\tmp\a \"x\".txt"', r'C:\tmp\a "x".txt', id="backslashes of paths stay"),
    ],
)
def test_reads_parameters(field: str, filename: str) -> None:
    assert parameters(field)["filename"] == filename


@pytest.mark.parametrize(
    ("field", "read"),
    [
        pytest.param("attachment; filename=a.txt", ("attachment", "a.txt"), id="as it should be"),
        pytest.param("attachment filename=a.txt", ("attachment", "a.txt"), id="semicolon forgotten"),
        pytest.param('filename="a.txt"', ("", "a.txt"), id="disposition forgotten"),
        pytest.param("; filename=a.txt", ("", "a.txt"), id="parameters alone"),
        pytest.param("Inline", ("inline", ""), id="no parameters"),
    ],
)
def test_reads_dispositions(field: str, read: tuple[str, str]) -> None:
    word, named = disposition(field)
    assert (word, named.get("filename", "")) == read


def test_continued_parameters_are_bounded() -> None:
    field = "".join(f"; name*{at}=x" for at in range(5_000))
    assert parameters(field) == {"name": "x" * MAX_PARAMETERS}


def test_the_leading_word() -> None:
    assert [token(field) for field in ("Base64 (x)", "INLINE; a=b", "", ";")] == ["base64", "inline", "", ""]
