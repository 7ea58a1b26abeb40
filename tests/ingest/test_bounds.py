"""M1: whatever a mail holds, its event fits into what a broker takes, and names what routing goes by."""

import msgspec
import pytest

from postroad.ingest.bounds import ADDRESSES, IDS, LINE
from postroad_schemas import record
from tests.ingest.test_received import PLAIN, event

REPORT = (
    b"From: mailer-daemon@mx.example\r\nTo: bounce@example.com\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n%s\r\n--b--\r\n"
)


def block(number: int, diagnostic: bytes = b"no") -> bytes:
    return (
        b"Final-Recipient: rfc822; user%d@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; %s\r\n\r\n" % (number, diagnostic)
    )


def part(number: int, name: bytes) -> bytes:
    return b"--b\r\nContent-Type: image/png; name=%s\r\nContent-ID: <%s>\r\n\r\nx%d\r\n" % (name, name, number)


def addresses(count: int, name: bytes = b"") -> bytes:
    return b", ".join(b'"%s" <user%d@example.com>' % (name, number) for number in range(count))


BROKER = 1_048_576  # octets of a record batch, Kafka's default
PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(PLAIN + b"Cc: " + addresses(30_000) + b"\r\n\r\nx", id="recipients"),
        pytest.param(PLAIN + b"Cc: " + addresses(300, b"n" * 50_000) + b"\r\n\r\nx", id="names"),
        pytest.param(PLAIN + b"Cc: " + addresses(9_000, b"\\\x01") + b"\r\n\r\nx", id="what JSON escapes"),
        pytest.param(
            PLAIN
            + b"".join(b"%s: %s\r\n" % (name, addresses(9_000)) for name in (b"Cc", b"Reply-To", b"Resent-To"))
            + b"\r\nx",
            id="every field of them",
        ),
        pytest.param(
            PLAIN + b"References: " + b" ".join(b"<%d.%s@a>" % (n, b"x" * 900) for n in range(5_000)) + b"\r\n\r\nx",
            id="references",
        ),
        pytest.param(PLAIN.replace(b"Hi", b"H" * 3_000_000) + b"\r\nx", id="a subject"),
        pytest.param(PLAIN.replace(b"<1@", b"<" + b"1" * 2_000_000 + b"@") + b"\r\nx", id="a Message-ID"),
        pytest.param(PLAIN + b"List-Id: <" + b"l" * 2_000_000 + b">\r\n\r\nx", id="a list"),
        pytest.param(PLAIN + b"Precedence: " + b"bulk " * 500_000 + b"\r\n\r\nx", id="a precedence"),
        pytest.param(PLAIN + b"Return-Path: <" + b"r" * 2_000_000 + b"@a>\r\n\r\nx", id="a return path"),
        pytest.param(
            PLAIN + PARTS + b"".join(part(n, b"n" * 300) for n in range(4_000)) + b"--b--\r\n", id="attachments"
        ),
        pytest.param(PLAIN + PARTS + part(1, b"n" * 1_000_000) + b"--b--\r\n", id="an attachment's name"),
        pytest.param(REPORT % b"".join(block(n) for n in range(9_000)), id="a report's recipients"),
        pytest.param(REPORT % block(1, b"d" * 1_000_000), id="a report's words"),
    ],
)
def test_the_event_of_a_monstrous_mail_is_small(raw: bytes) -> None:
    made = record(event(raw))
    assert made.value is not None
    assert len(made.value) < BROKER // 2  # what follows from it says it again beside the post
    assert len(made.key) <= LINE


@pytest.mark.parametrize(
    ("raw", "cc", "attachments", "reported"),
    [
        pytest.param(PLAIN + b"\r\nHello", 0, 0, 0, id="an ordinary mail"),
        pytest.param(PLAIN + b"Cc: " + addresses(1_000) + b"\r\n\r\nx", 1_000, 0, 0, id="a thousand recipients"),
        pytest.param(
            PLAIN + PARTS + b"".join(part(n, b"n" * 50) for n in range(200)) + b"--b--\r\n", 0, 200, 0, id="200 files"
        ),
        pytest.param(REPORT % b"".join(map(block, range(500))), 0, 1, 500, id="500 reported recipients"),
    ],
)
def test_what_people_send_is_kept_whole(raw: bytes, cc: int, attachments: int, reported: int) -> None:
    made = event(raw)
    assert (len(made.cc), len(made.contents.attachments)) == (cc, attachments)
    assert (len(made.report.recipients) if made.report else 0) == reported


def test_to_comes_before_what_is_only_shown() -> None:
    made = event(PLAIN + b"Reply-To: " + addresses(9_000, b"x" * 90) + b"\r\n\r\nx")
    assert [box.address for box in made.to] == ["sales@example.com"]
    assert made.author is not None
    assert len(msgspec.json.encode(made.reply_to)) < ADDRESSES


def test_the_nearest_references_are_kept() -> None:
    made = event(PLAIN + b"References: " + b" ".join(b"<%d@a>" % n for n in range(900)) + b"\r\n\r\nx")
    assert made.references == tuple(f"<{n}@a>" for n in range(900 - IDS, 900))


@pytest.mark.parametrize(
    ("octets", "derived"),
    [pytest.param(LINE, False, id="as long as a line"), pytest.param(LINE + 1, True, id="longer")],
)
def test_an_id_that_no_line_can_hold_is_none(octets: int, derived: bool) -> None:
    given = b"<" + b"1" * (octets - len("<@example.org>")) + b"@example.org>"
    made = event(PLAIN.replace(b"<1@example.org>", given) + b"\r\nx")
    assert made.message_id_derived is derived
    assert (made.message_id == given.decode()) is not derived
