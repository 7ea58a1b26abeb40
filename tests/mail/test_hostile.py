"""Mails made to harm the reader: never an exception (M1), and never more time than their size deserves."""

import time
from base64 import encodebytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.mail.address import MAX_MAILBOXES
from postroad.mail.parse import Mail, read

HEAD = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMessage-ID: <1@b.example>\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
ANSWERS = [name for name in dir(Mail) if not name.startswith("_")]


def read_all(raw: bytes) -> Mail:
    mail = read(raw)
    for name in ANSWERS:
        answer = getattr(mail, name)
        if isinstance(answer, str):
            answer.encode()  # half a character would fail where the answer is sent on
    return mail


def nested_multiparts(levels: int) -> bytes:
    return HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(levels))


def nested_base64(levels: int) -> bytes:
    raw = HEAD + b"\r\nhello"
    for _ in range(levels):
        raw = HEAD + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(raw)
    return raw


HOSTILE = [
    pytest.param(nested_multiparts(2_000) + b"\nhello", id="2,000 nested multiparts"),
    pytest.param(HEAD + (MIXED + b"--b\r\n") * 2_000 + b"\r\nhello", id="2,000 multiparts under one boundary"),
    pytest.param(HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 2_000 + b"hello", id="2,000 nested message/rfc822"),
    pytest.param(nested_base64(30), id="30 attached mails, each in base64"),
    pytest.param(HEAD + MIXED + b"--b\r\n\r\nx\r\n" * 50_000 + b"--b--", id="50,000 parts"),
    pytest.param(HEAD + MIXED + b"--\n" * 1_000_000, id="a million lines that look like delimiters"),
    pytest.param(b"X-A: b\r\n" * 100_000 + HEAD + b"\r\nbody", id="100,000 fields"),
    pytest.param(
        b"To: " + b",\r\n ".join(b"u%d@a.example" % at for at in range(50_000)) + b"\r\n\r\nx", id="50,000 addresses"
    ),
    pytest.param(b"To: " + b"(" * 20_000 + b"a@b.example\r\n\r\nx", id="20,000 open comments"),
    pytest.param(b"To: " + b'"\\' * 200_000 + b"a@b.example\r\n\r\nx", id="200,000 open quotes"),
    pytest.param(b"To: " + b"@ " * 200_000 + b"\r\n\r\nx", id="200,000 ats"),
    pytest.param(b"To: " + b"a <b@c>: " * 50_000 + b"\r\n\r\nx", id="50,000 groups"),
    pytest.param(b"To: a@" + "ü".encode() * 60_000 + b"\r\n\r\nx", id="a domain of 60,000 umlauts"),
    pytest.param(
        b"Content-Type: a/b" + b"".join(b";\r\n n*%d=x" % at for at in range(5_000)) + b"\r\n\r\n", id="5,000 sections"
    ),
    pytest.param(b"Content-Type: a/b" + b";" * 1_000_000 + b"\r\n\r\n", id="a million semicolons"),
    pytest.param(b"Content-Type: text/plain; name*=nope'en'%E4%\r\n\r\nx", id="RFC 2231 under a false charset"),
    pytest.param(b"Subject: =?utf-8?b?a?= =?utf-8?b?&&?= =?\r\n\r\nx", id="broken encoded words"),
    pytest.param(b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\r\n\r\nx", id="70,000 encoded words"),
    pytest.param(b"Subject: a\0b\r\nFrom: \0a@b.example\0\r\n\r\n\0\0", id="NUL"),
    pytest.param((HEAD + b"\r\nbody\r\n").replace(b"\r\n", b"\r"), id="bare CR"),
    pytest.param(HEAD + b"X: " + b"\r" * 2_000_000 + b"x\r\n\r\n" + b"\r" * 2_000_000, id="millions of CR"),
    pytest.param(HEAD + b"\r\n" + b"a" * 10_000_000, id="a line of 10 MB"),
    pytest.param(b"Subject: " + b"a" * 10_000_000 + b"\r\n\r\nx", id="a field of 10 MB"),
    pytest.param(b"Subject:" + b" " * 5_000_000 + b"x\r\n\r\n", id="5 MB of blanks"),
    pytest.param(HEAD + b"X: a;\n" + b"b;\n" * 500_000, id="half a million forgotten indents"),
    pytest.param(b"References: " + b"<" * 1_000_000 + b"\r\n\r\n", id="a million brackets"),
    pytest.param(HEAD + b"\r\n" + b"".join(b">" * at + b" x\r\n" for at in range(800)), id="a quote ladder of 320 kB"),
    pytest.param(HEAD + b"\r\n" + b"On 3 May 2023 <a@b.c> wrote\r\n" * 20_000, id="20,000 introductions"),
    pytest.param(HEAD + b"\r\n" + b"From: x\r\n" * 50_000, id="50,000 quoted fields"),
    pytest.param(
        HEAD + b"\r\n" + b"wrote 2023 x@y.example 10:30 <a@b.c> :\r\n" * 20_000, id="20,000 that almost introduce"
    ),
    pytest.param(HEAD + b"\r\n" + (b"-" * 390 + b"x\r\n") * 20_000, id="20,000 rules that are none"),
    pytest.param(HEAD + b"\r\nhi\r\n" + b"\r\nsent from my x, not\r\n\r\n" * 6_000, id="6,000 almost advertisements"),
    pytest.param(HEAD + b"stray\r\n" * 300_000 + b"To: x\r\n\r\nx", id="300,000 stray lines"),
    pytest.param(b"From: " + b"a " * 250_000 + b"\r\n\r\nx", id="a name of 250,000 words"),
    pytest.param(b"Subject: =?utf-8?q?" + b"a" * 2_000 + b"\r\n\r\nx", id="a word of 2,000 letters without end"),
    pytest.param(b"Subject: =?utf-8?q?" + b"a=b?c" * 50_000 + b"\r\n\r\nx", id="a word of 250,000 without end"),
    pytest.param(b"Subject: " + b"=?utf-8?q?a=?= b" * 50_000 + b"\r\n\r\nx", id="50,000 words that end oddly"),
    pytest.param(HEAD + b"\r\nhi\r\n\r\nsent from my " + b"x" * 170 + b";", id="an almost endless advertisement"),
    pytest.param(
        HEAD + b"\r\n" + b"On 1 May 2023 at 10:00 a@b.c sang:\r\n" * 10_000, id="10,000 introductions without verb"
    ),
    pytest.param(HEAD + b"\r\n" + b"7\r\n" * 20_000, id="20,000 lines of one digit"),
    pytest.param(HEAD + MIXED + b"--b\r\n\r\n\xd0\xcf \xe4\r\n" * 5_000, id="5,000 parts in no known charset"),
    pytest.param(HEAD + b"\r\n" + bytes(range(128, 256)) * 80_000, id="10 MB in no known charset"),
    pytest.param(b"To: \xd0\xcf <a@b.example>\r\n" * 5_000 + b"\r\nx", id="5,000 names in no known charset"),
    pytest.param(
        HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \r\n" * 500_000, id="500,000 flowed lines"
    ),
    pytest.param(b"Subject: " + b"=?u?q?" * 100_000 + b"\r\n\r\nx", id="100,000 words begun"),
    pytest.param(
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ==\r\n" * 300_000, id="300,000 pieces of base64"
    ),
    pytest.param(
        HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r" * 900_000, id="900,000 soft breaks"
    ),
    pytest.param(
        HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div class=gmail_attr>x</div>" * 20_000,
        id="20,000 introductions of HTML",
    ),
    pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 20_000 + b"x", id="20,000 nested tags"),
    pytest.param(
        HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 200_000 + b"<" * 200_000 + b"&#" * 9_999, id="open tags"
    ),
    pytest.param(HEAD + b"Content-Type: text/html\r\n\r\n" + b"<blockquote>x" * 20_000, id="20,000 nested quotes"),
    pytest.param(
        b"From: mailer-daemon@a.example\r\n\r\n" + b"x\r\n" * 50_000 + b"Message-ID: <y>\r\n", id="a long notice"
    ),
    pytest.param(
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
        + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n" * 20_000,
        id="20,000 reported recipients",
    ),
    pytest.param(HEAD + b"Authentication-Results: " + b"a;(" * 200_000 + b"\r\n\r\n", id="200,000 results"),
]


def bare_loop() -> float:
    """How slow this machine is just now, in seconds of its processor."""
    begun = time.process_time()
    for _ in range(1_000_000):
        pass
    return time.process_time() - begun


@pytest.mark.parametrize("raw", HOSTILE)
def test_hostile_mail_is_read_in_bounded_time(raw: bytes) -> None:
    before, begun = bare_loop(), time.process_time()
    read_all(raw)
    took = time.process_time() - begun
    # Ten times what the slowest needs, and far below what anything quadratic takes.
    assert took < 700 * max(before, bare_loop())


def test_time_grows_with_size_and_no_faster() -> None:
    def took(lines: int) -> float:
        raw = HEAD + MIXED + b"--b\r\n\r\nOn 1 May 2023 a@b.c\r\n> x\r\n" * lines
        begun = time.process_time()
        read_all(raw)
        return time.process_time() - begun

    took(100)
    assert took(4_000) < 40 * max(took(400) for _ in range(3))


def test_the_number_of_addresses_is_bounded() -> None:
    raw = b"To: a@b.example\r\n" + b"Cc: " + b"a@b.example," * (MAX_MAILBOXES + 1) + b"\r\n\r\n"
    assert len(read(raw).cc) == MAX_MAILBOXES


_LINES = st.sampled_from(
    [
        *(b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: message/rfc822", b"Content-Type: text/html"),
        *(
            b"Content-Type: multipart/report; boundary=c",
            b"Content-Type: message/delivery-status",
            b"--b",
            b"--c",
            b"--b--",
        ),
        *(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"", b"", b" folded;"),
        *(
            b"From: (a <b@c>",
            b'To: "x, y@z',
            b"Subject: =?utf-8?b?w6?=",
            b"Date: 1 2 3",
            b"Message-ID: <",
            b"From: Mary",
        ),
        *(
            b"On 1 May 2023 a@b wrote:",
            b"> q",
            b"-- ",
            b"Sent: x",
            b"Final-Recipient: x;",
            b"<blockquote>",
            b"aGk=",
            b"\0\xff",
        ),
        *(
            b"Authentication-Results: a; b=c (",
            b"Content-Disposition: attachment; filename*0*=x''%",
            b"Return-Path: <>",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES | st.binary(max_size=30), max_size=25), st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\r\n"]))
def test_no_bytes_make_reading_fail(lines: list[bytes], line_end: bytes) -> None:
    mail = read_all(line_end.join(lines))
    assert mail.derived_id.startswith("<")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2_000))
def test_no_random_bytes_make_reading_fail(raw: bytes) -> None:
    assert read_all(raw).raw == raw
