"""Composed messages, read back by the standard library: what was meant is what arrives."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.mail.compose import File, compose, header
from postroad.mail.parse import read as read_by_us
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import Mailbox, Stream

AT = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
MARY = Mailbox(address="mary@example.com", name="Mary")
SUBMITTED = OutboundSubmitted(
    event_id="0" * 32,
    occurred_at=AT,
    trace_id="1" * 32,
    recipient="bob@example.org",
    message_id="<pr1.abc.def@example.com>",
    subject="Offer",
)


def composed(
    from_: Mailbox = MARY, text: str = "", html: str = "", files: tuple[File, ...] = (), **fields: Any
) -> bytes:
    return compose(replace(SUBMITTED, **fields), from_, AT, text, html, files)


def read(raw: bytes) -> EmailMessage:
    assert is_clean(raw)
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def is_clean(raw: bytes) -> bool:
    """CRLF alone, no line over 998 octets."""
    lines = raw.split(b"\r\n")
    return all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines) and lines[-1] == b""


def test_writes_the_fields_of_rfc_5322() -> None:
    raw = composed(
        text="Hello\n",
        reply_to=Mailbox(address="catchall+abc@example.com", name="My Company Lead"),
        in_reply_to="<a@b>",
        references=("<one@b>", "<two@b>"),
        headers=(Header(name="X-Postroad-Thread", value="lead/1"),),
    )
    assert raw == (
        b"Date: Tue, 24 Nov 2026 07:00:00 +0000\r\n"
        b"From: Mary <mary@example.com>\r\n"
        b"To: bob@example.org\r\n"
        b"Reply-To: My Company Lead <catchall+abc@example.com>\r\n"
        b"Subject: Offer\r\n"
        b"Message-ID: <pr1.abc.def@example.com>\r\n"
        b"In-Reply-To: <a@b>\r\n"
        b"References: <one@b> <two@b>\r\n"
        b"X-Postroad-Thread: lead/1\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    )


NAMES = [
    pytest.param("Mary Jones", id="atoms"),
    pytest.param("Jones, Mary (Ms.)", id="specials are quoted"),
    pytest.param('Mary "May" O\\Neil', id="quotes and backslashes are escaped"),
    pytest.param("Müller, Jürgen <boss@example.net>", id="an address in a non-ASCII name stays a name"),
    pytest.param("boss@example.net", id="a name that is an address"),
    pytest.param("=?utf-8?q?not_encoded?=", id="a name that looks encoded"),
    pytest.param("Ж" * 100, id="long, non-ASCII"),
    pytest.param("x" * 400, id="long, without a place to fold"),
    pytest.param("two  spaces", id="white space is kept"),
]


@pytest.mark.parametrize("name", NAMES)
def test_keeps_a_display_name(name: str) -> None:
    raw = composed(Mailbox(address="mary@example.com", name=name))
    assert [address.addr_spec for address in read(raw)["From"].addresses] == ["mary@example.com"]
    # policy.default leaves spaces between encoded words of a phrase (against RFC 2047 6.2); compat32 does not.
    phrase, _ = parseaddr(message_from_bytes(raw)["From"])
    assert str(make_header(decode_header(phrase))) == name
    assert raw.isascii()


SUBJECTS = [
    pytest.param("", id="none"),
    pytest.param("Re: your order", id="plain"),
    pytest.param("Grüße aus Köln", id="non-ASCII"),
    pytest.param("日本語" * 60, id="many words, no character split"),
    pytest.param("=?utf-8?b?aGk=?=", id="looks encoded"),
    pytest.param("word " * 100 + "end", id="folded at its spaces"),
    pytest.param("x" * 2000, id="no place to fold"),
    pytest.param("a   b", id="runs of spaces stay"),
    pytest.param("😀" * 40, id="outside the basic plane"),
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_keeps_a_subject(subject: str) -> None:
    raw = composed(subject=subject)
    assert read(raw)["Subject"] == subject
    assert max(map(len, raw.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["from_", "to", "reply_to"])
def test_our_own_parser_reads_every_mailbox_as_it_was_meant(field: str, name: str) -> None:
    box = Mailbox(address="mary@example.com", name=name)
    written: dict[str, Any] = {field: (box,) if field == "to" else box}
    mail = read_by_us(composed(**written))
    found = {"from_": mail.from_, "to": mail.to, "reply_to": mail.reply_to}[field]
    assert [(one.name, one.address) for one in found] == [(name, "mary@example.com")]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_our_own_parser_reads_the_subject_and_the_ids(subject: str) -> None:
    mail = read_by_us(composed(subject=subject, in_reply_to="<a@b>", references=("<one@b>", "<a@b>")))
    assert mail.subject == subject
    assert (mail.message_id, mail.in_reply_to) == (SUBMITTED.message_id, ("<a@b>",))
    assert mail.references == ("<one@b>", "<a@b>")
    assert mail.date == AT


@pytest.mark.parametrize(
    ("address", "written"),
    [
        pytest.param("mary@example.com", "mary@example.com", id="plain"),
        pytest.param("mary@Exämple.COM", "mary@xn--exmple-cua.com", id="RFC 5890 a domain in A-labels"),
        pytest.param("mary@münchen.straße.example", "mary@xn--mnchen-3ya.xn--strae-oqa.example", id="sharp s stays"),
        pytest.param("o'neil+news@example.com", "o'neil+news@example.com", id="atom characters as they are"),
    ],
)
def test_a_domain_never_needs_smtputf8(address: str, written: str) -> None:
    """RFC 6531 is for local parts alone; both readers agree."""
    raw = composed(Mailbox(address=address, name="Märy"), to=(Mailbox(address=address),))
    assert raw.isascii()
    assert [box.addr_spec for box in read(raw)["From"].addresses] == [written]
    assert [box.address for box in read_by_us(raw).to] == [written]


def test_the_header_alone_is_the_beginning_of_the_message() -> None:
    raw = composed(text="Hello\n", stream=Stream.BULK)
    fields = header(replace(SUBMITTED, stream=Stream.BULK), MARY, AT)
    assert raw.startswith(fields)
    assert raw[len(fields) :].startswith(b"Content-Type: ")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"subject": "a\r\nBcc: evil@example.net"}, id="subject"),
        pytest.param({"from_": Mailbox(address="mary@example.com", name="M\r\nBcc: evil@example.net")}, id="name"),
        pytest.param({"from_": Mailbox(address="mary@example.com\nBcc: evil@example.net")}, id="address"),
        pytest.param({"references": ("<a@b>\r\nBcc: evil@example.net",)}, id="references"),
        pytest.param({"in_reply_to": "<a\nBcc:evil@example.net>"}, id="in-reply-to"),
        pytest.param({"message_id": "<a@b>\r\nBcc: evil@example.net"}, id="message-id"),
        pytest.param({"headers": (Header(name="X-A", value="b\u2028\x0b\r\n\r\nBcc: evil"),)}, id="header value"),
        pytest.param({"headers": (Header(name="X-A: b\r\nBcc", value="evil"),)}, id="header name"),
        pytest.param({"headers": (Header(name="Bcc", value="evil@example.net"),)}, id="a field that is ours to write"),
        pytest.param({"files": (File("a\r\nBcc: e", "text/plain\r\nBcc: e", b"", "c\r\nBcc: e"),)}, id="attachment"),
    ],
)
def test_no_value_can_begin_a_field(fields: dict[str, Any]) -> None:
    message = read(composed(**fields))
    assert not [name for part in message.walk() for name in part if name.lower() == "bcc"]


def test_a_submission_cannot_replace_what_its_fields_say() -> None:
    names = ("From", "Subject", "MESSAGE-ID", "Content-Type", "MIME-Version", "Return-Path", "DKIM-Signature")
    message = read(composed(headers=tuple(Header(name=name, value="other") for name in names)))
    assert [message.get_all(name) for name in ("Subject", "MIME-Version")] == [["Offer"], ["1.0"]]
    assert "other" not in str(message)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param("plain\r\n.dot\r\nFrom here\r\n", "7bit", id="ASCII in short lines"),
        pytest.param("déjà vu, as they say in French\n", "quoted-printable", id="mostly ASCII"),
        pytest.param("Привет, как дела?\n" * 5, "base64", id="mostly not ASCII"),
        pytest.param("x" * 2000 + "\n", "quoted-printable", id="a line over 998 octets"),
        pytest.param("nul\x00inside\n", "quoted-printable", id="NUL"),
        pytest.param("trailing  \n\n\n=3D\n", "7bit", id="trailing space, empty lines, an equals sign"),
        pytest.param("", "7bit", id="empty"),
    ],
)
def test_chooses_the_exact_and_shorter_encoding(text: str, encoding: str) -> None:
    message = read(composed(text=text))
    assert message["Content-Transfer-Encoding"] == encoding
    assert message.get_content().replace("\r\n", "\n") == text.replace("\r\n", "\n")


_PICTURE = File("logo.png", "image/png", bytes(range(256)), "logo@x", inline=True)
_REPORT = File("report.pdf", "application/pdf", b"%PDF\r\n\x00")


@pytest.mark.parametrize(
    ("text", "html", "files", "types"),
    [
        pytest.param("t", "", (), ["text/plain"], id="text"),
        pytest.param("", "<p>h", (), ["text/html"], id="HTML"),
        pytest.param("", "", (), ["text/plain"], id="nothing"),
        pytest.param("t", "h", (), ["multipart/alternative", "text/plain", "text/html"], id="both, the best last"),
        pytest.param("t", "", (_REPORT,), ["multipart/mixed", "text/plain", "application/pdf"], id="text and a file"),
        pytest.param(
            "t",
            "h",
            (_PICTURE, _REPORT),
            [
                *("multipart/mixed", "multipart/alternative", "text/plain"),
                *("multipart/related", "text/html", "image/png", "application/pdf"),
            ],
            id="an inline picture belongs to the HTML",
        ),
        pytest.param(
            "t", "", (_PICTURE,), ["multipart/mixed", "text/plain", "image/png"], id="inline without HTML is a file"
        ),
    ],
)
def test_nests_only_what_is_needed(text: str, html: str, files: tuple[File, ...], types: list[str]) -> None:
    message = read(composed(text=text, html=html, files=files))
    assert [part.get_content_type() for part in message.walk()] == types
    contents = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert [file.content for file in files] == contents[len(contents) - len(files) :]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("offer.pdf", id="plain"),
        pytest.param('a "b"; c\\d.txt', id="quotes, semicolon, backslash"),
        pytest.param("Angebot für Müller.pdf", id="non-ASCII"),
        pytest.param("報告書" * 40 + ".pdf", id="long, non-ASCII: continued"),
        pytest.param("n" * 300 + ".pdf", id="long"),
        pytest.param("100%'s.txt", id="percent and apostrophe"),
    ],
)
def test_keeps_a_file_name(name: str) -> None:
    raw = composed(files=(File(name, "application/pdf", b"x"),))
    (attachment,) = read(raw).iter_attachments()
    assert attachment.get_filename() == name
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 76


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        pytest.param(b"Subject: in\r\n\r\nbody\r\n", "message/rfc822", id="a mail that can travel as it is"),
        pytest.param(b"Subject: in\n\nbare\n", "application/octet-stream", id="bare LF: kept exact in base 64"),
        pytest.param(b"Subject: \xc3\xbc\r\n\r\n", "application/octet-stream", id="8-bit: kept exact in base 64"),
    ],
)
def test_attached_mail_arrives_byte_for_byte(content: bytes, media_type: str) -> None:
    raw = composed(files=(File("original.eml", "message/rfc822", content),))
    (attachment,) = read(raw).iter_attachments()
    assert attachment.get_content_type() == media_type
    if media_type == "message/rfc822":
        assert content in raw
    else:
        assert attachment.get_payload(decode=True) == content


def test_non_ascii_local_parts_are_written_as_utf_8() -> None:
    """RFC 6532: there is no other way to write them; their domains are in IDNA form."""
    raw = composed(Mailbox(address="jürgen@exämple.com", name="Jürgen"))
    assert "<jürgen@xn--exmple-cua.com>".encode() in raw


def test_bulk_mail_says_so() -> None:
    own = (Header(name="List-Unsubscribe", value="<https://example.com/leave/abc>"),)
    message = read(composed(stream=Stream.BULK, headers=own))
    assert message["Precedence"] == "list"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["List-Unsubscribe"] == "<https://example.com/leave/abc>"
    assert composed(stream=Stream.CHATTER).count(b"Precedence") == 0


def test_references_fold_and_leave_out_what_is_no_id() -> None:
    ids = tuple(f"<{number:050}@example.com>" for number in range(40))
    raw = composed(references=(*ids, "no id at all", "<ünïcode@x>", ""))
    assert read(raw)["References"].split() == list(ids)
    assert max(map(len, raw.split(b"\r\n"))) <= 76


@pytest.mark.parametrize(
    "none", [pytest.param("broken", id="no address"), pytest.param("a" * 999 + "@b", id="too long")]
)
def test_several_recipients_are_shown(none: str) -> None:
    to = (Mailbox(address="a@example.org", name="A, B"), Mailbox(address=none), Mailbox(address="c@example.org"))
    assert [address.addr_spec for address in read(composed(to=to))["To"].addresses] == [
        "a@example.org",
        "c@example.org",
    ]


def test_a_boundary_never_stands_in_a_part() -> None:
    first = read(composed(text="t", html="h"))
    boundary = first.get_boundary()
    second = read(composed(text=f"--{boundary}\n--{boundary}--\n", html="h"))
    assert second.get_boundary() != boundary
    assert len(list(second.iter_parts())) == 2


@given(
    subject=st.text(max_size=300),
    name=st.text(max_size=120),
    text=st.text(max_size=2000),
    html=st.text(max_size=300),
    file_name=st.text(max_size=120),
    content=st.binary(max_size=500),
)
@example(subject="\ud800", name="\x00", text="\r\r\n\n", html="", file_name="..", content=b"\n")
def test_anything_composes_to_clean_lines_and_the_same_bytes_again(
    subject: str, name: str, text: str, html: str, file_name: str, content: bytes
) -> None:
    def once() -> bytes:
        sender = Mailbox(address="mary@example.com", name=name)
        return composed(sender, text, html, (File(file_name, "image/png", content),), subject=subject)

    raw = once()
    message = read(raw)
    assert raw == once()
    assert raw.isascii()
    assert message["From"].addresses[0].addr_spec == "mary@example.com"
    assert [part.get_payload(decode=True) for part in message.iter_attachments()][-1] == content


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=3000))
def test_text_arrives_as_it_was_line_ends_aside(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    wanted = lines if lines.endswith("\n") or not lines else f"{lines}\n"
    payload = read(composed(text=text)).get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n") == wanted
