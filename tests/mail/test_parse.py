"""The fields of a mail: M2-M5, I6, I7."""

from datetime import UTC, datetime

import pytest

from postroad.mail.identity import MAX_IDS, message_ids
from postroad.mail.parse import Mail, read

BASE = (
    b"From: Mary <m@a.example>\r\nTo: b@a.example\r\n"
    b"Date: Mon, 1 May 2023 10:00:00 +0200\r\nSubject: x\r\n\r\nwords\r\n"
)


def mail(*fields: str, body: str = "words") -> Mail:
    return read(("\r\n".join(fields) + f"\r\n\r\n{body}").encode())


def test_the_author_is_the_first_mailbox_of_the_topmost_from() -> None:
    read_ = mail(
        "From: M <m@a.example>, n@a.example", "From: o@a.example", "Sender: s@a.example", "Reply-To: r@a.example"
    )
    assert [box.address for box in read_.from_] == ["m@a.example", "n@a.example", "o@a.example"]
    assert ([box.address for box in read_.sender], [box.address for box in read_.reply_to]) == (
        ["s@a.example"],
        ["r@a.example"],
    )


@pytest.mark.parametrize("fields", [pytest.param(["From:"], id="M2 empty"), pytest.param(["X: y"], id="M2 absent")])
def test_no_author(fields: list[str]) -> None:
    assert mail(*fields).from_ == ()


def test_recipients_are_read_of_every_field() -> None:
    names = ("Delivered-To", "To", "Cc", "Resent-To", "Resent-Cc")
    read_ = mail(*(f"{name}: {name}{at}@A.example" for name in names for at in (1, 2)))
    found = (read_.delivered_to, read_.to, read_.cc, read_.resent_to, read_.resent_cc)
    assert [[box.address for box in boxes] for boxes in found] == [
        [f"{name}{at}@a.example" for at in (1, 2)] for name in names
    ]


@pytest.mark.parametrize(
    ("field", "path"),
    [
        pytest.param("X: y", None, id="absent is not null"),
        pytest.param("Return-Path: <>", "", id="null"),
        pytest.param("Return-Path: < >", "", id="null with a blank"),
        pytest.param("Return-Path: <m@A.example>", "m@a.example", id="an address"),
        pytest.param("Return-Path: m@a.example", "m@a.example", id="without brackets"),
        pytest.param("Return-Path: <MAILER-DAEMON>", "MAILER-DAEMON", id="no address, yet not null"),
        pytest.param("Return-Path:", None, id="blank says nothing"),
        pytest.param("Return-Path: <a@a.example>\r\nReturn-Path: <>", "a@a.example", id="the topmost"),
    ],
)
def test_return_path(field: str, path: str | None) -> None:
    assert mail(field).return_path == path


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        pytest.param("<a@x> <b@y>", ("<a@x>", "<b@y>"), id="M4 what stands in brackets"),
        pytest.param("<a@x>\r\n\t<b@y>", ("<a@x>", "<b@y>"), id="folded between"),
        pytest.param("<a\r\n @x>", ("<a@x>",), id="M4 white space inside an id is removed"),
        pytest.param("words <a@x>, (c) <b@y>;", ("<a@x>", "<b@y>"), id="other words"),
        pytest.param("a@x", (), id="without brackets it is none"),
        pytest.param("<> < >", (), id="empty ones"),
        pytest.param("<<a@x>", ("<a@x>",), id="a bracket too many"),
        pytest.param(
            "=?utf-8?q?=3Ca=40x=3E?= =?utf-8?q?=3Cb=40y=3E?=", ("<a@x>", "<b@y>"), id="encoded by a mail program"
        ),
    ],
)
def test_references(field: str, ids: tuple[str, ...]) -> None:
    assert mail(f"References: {field}").references == ids
    assert mail(f"In-Reply-To: {field}").in_reply_to == ids


def test_the_nearest_ancestors_of_very_many_are_kept() -> None:
    found = message_ids("".join(f"<{at}@x>" for at in range(MAX_IDS + 5)))
    assert (len(found), found[-1]) == (MAX_IDS, f"<{MAX_IDS + 4}@x>")


@pytest.mark.parametrize(
    ("field", "id_"),
    [
        pytest.param("<a@x>", "<a@x>", id="as it should be"),
        pytest.param("a@x", "<a@x>", id="brackets forgotten"),
        pytest.param("<a@\r\n x>", "<a@x>", id="white space"),
        pytest.param("<a@x> (note)", "<a@x>", id="a comment behind"),
        pytest.param("<>", "", id="empty"),
        pytest.param("", "", id="blank"),
    ],
)
def test_message_id(field: str, id_: str) -> None:
    assert mail(f"Message-ID: {field}").message_id == id_


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param(lambda raw: b"Received: by x\r\nReturn-Path: <>\r\n" + raw, True, id="I6 trace fields"),
        pytest.param(lambda raw: b"Delivered-To: x@y\r\nX-Spam: no\r\n" + raw, True, id="I6 what a door adds"),
        pytest.param(lambda raw: raw.replace(b"\r\n", b"\n"), True, id="I6 line ends"),
        pytest.param(lambda raw: raw + b"\r\n\r\n", True, id="I6 blank lines at the end"),
        pytest.param(lambda raw: raw.replace(b"Mary <", b"Mary\r\n <"), True, id="I6 folding"),
        pytest.param(lambda raw: raw.replace(b"words", b"other"), False, id="another body"),
        pytest.param(lambda raw: raw.replace(b": x", b": y"), False, id="another subject"),
        pytest.param(lambda raw: raw.replace(b"10:00:00", b"10:00:01"), False, id="another second"),
        pytest.param(lambda raw: b"References: <a@x>\r\n" + raw, False, id="another ancestor"),
    ],
)
def test_derived_ids(change: object, same: bool) -> None:
    assert callable(change)
    one, other = read(BASE).derived_id, read(change(BASE)).derived_id
    assert (one == other) is same
    assert one.startswith("<")
    assert one.endswith("@derived.postroad.invalid>")


@pytest.mark.parametrize(
    ("field", "date"),
    [
        pytest.param("Mon, 1 May 2023 10:00:00 +0200", datetime(2023, 5, 1, 8, tzinfo=UTC), id="M5 to UTC"),
        pytest.param("Mon, 1 May 2023 10:00:00", datetime(2023, 5, 1, 10, tzinfo=UTC), id="M5 without zone"),
        pytest.param("1 May 2023 10:00 -0000", datetime(2023, 5, 1, 10, tzinfo=UTC), id="an unknown zone"),
        pytest.param("Mon, 1 May 2023 10:00:00 PDT (x)", datetime(2023, 5, 1, 17, tzinfo=UTC), id="a named zone"),
        pytest.param("2023-05-01T10:00:00+02:00", datetime(2023, 5, 1, 8, tzinfo=UTC), id="ISO 8601"),
        pytest.param("yesterday", None, id="M5 unreadable"),
        pytest.param("Mon, 99 May 2023 10:00:00 +9999", None, id="out of range"),
        pytest.param("0001-01-01T00:00:00+10:00", None, id="before time began"),
        pytest.param("", None, id="blank"),
    ],
)
def test_dates(field: str, date: datetime | None) -> None:
    assert mail(f"Date: {field}").date == date


@pytest.mark.parametrize(
    ("field", "list_id"),
    [("News <news.a.example>", "news.a.example"), ("news.a.example", "news.a.example"), ("<>", "")],
)
def test_list_id(field: str, list_id: str) -> None:
    assert mail(f"List-Id: {field}").list_id == list_id


def test_what_other_files_decide_is_offered() -> None:
    read_ = mail(
        "Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "Authentication-Results: mx; spf=pass"
    )
    assert read_.automatic is not None
    assert read_.suppress_notices
    assert [one.authserv_id for one in read_.authentication] == ["mx"]
    assert read_.report is None
