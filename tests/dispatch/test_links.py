"""What becomes of attachments that are too large for a server (O14)."""

import pytest

from postroad.dispatch.attempt import Answer, Step
from postroad.dispatch.links import Words, choices, link_maker, linked, size, too_big, with_advice
from postroad.mail.links import LinkedFile, read_file_link
from postroad_schemas.event import Row
from postroad_schemas.values import Attachment, Contents, FailureType, ObjectRef, Reply
from tests.dispatch.made import AT, KEY, parameter, says, views_of

BASE = parameter("mail.links.base", "https://mail.example.com")


def attachment(
    name: str, octets: int = 12_345_678, content_id: str = "", media_type: str = "application/pdf"
) -> Attachment:
    ref = ObjectRef(ref=f"sha256/{name.encode().hex():0>64}"[:71], size=octets)
    return Attachment(name=name, media_type=media_type, content=ref, content_id=content_id, inline=bool(content_id))


def link(made: Attachment) -> str:
    return f"https://x.example/?n={made.name}&t=1"


OFFER, LOGO = attachment("offer.pdf"), attachment("logo.png", 900, "logo@1")


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        pytest.param(
            says(0, "larger", Step.MAIL, failure=FailureType.CONFIGURATION, status="5.3.4"), True, id="as we saw"
        ),
        pytest.param(says(552, "5.3.4 too big", Step.MAIL), True, id="as the server says at MAIL"),
        pytest.param(says(554, "5.3.4 too big", Step.BODY), True, id="as it says after the body"),
        pytest.param(says(552, "message exceeds fixed maximum", Step.MAIL), True, id="RFC 1870: 552 alone"),
        pytest.param(says(552, "too much mail data", Step.BODY), True, id="552 alone after the body"),
        pytest.param(says(552, "mailbox full", Step.RCPT), False, id="552 at RCPT is about storage"),
        pytest.param(says(552, "5.2.2 mailbox full", Step.BODY), False, id="a full mailbox"),
        pytest.param(says(452, "4.3.1 no space", Step.MAIL), False, id="for now"),
        pytest.param(says(250, "2.0.0 ok"), False, id="taken"),
        pytest.param(says(550, "5.7.1 no", Step.BODY), False, id="refused for another reason"),
    ],
)
def test_what_is_too_big(answer: Answer, over: bool) -> None:
    assert too_big(answer) is over


@pytest.mark.parametrize(
    ("attachments", "left_out"),
    [
        pytest.param((), [()], id="nothing to leave out"),
        pytest.param((OFFER,), [(), (OFFER,)], id="files"),
        pytest.param((OFFER, LOGO), [(), (OFFER,), (OFFER, LOGO)], id="files, then images in the text too"),
        pytest.param((LOGO,), [(), (LOGO,)], id="images in the text alone"),
    ],
)
def test_what_is_left_out(attachments: tuple[Attachment, ...], left_out: list[tuple[Attachment, ...]]) -> None:
    assert list(choices(Contents(attachments=attachments))) == left_out


@pytest.mark.parametrize(
    ("before", "files", "after"),
    [
        pytest.param(
            Words("Hello\n", ""),
            (OFFER,),
            Words("Hello\n\noffer.pdf (12 MB): https://x.example/?n=offer.pdf&t=1\n", ""),
            id="a text",
        ),
        pytest.param(
            Words("", ""), (OFFER,), Words("offer.pdf (12 MB): https://x.example/?n=offer.pdf&t=1\n", ""), id="no words"
        ),
        pytest.param(
            Words("", "<p>Hello</p>"),
            (OFFER,),
            Words(
                "",
                '<p>Hello</p><ul><li><a href="https://x.example/?n=offer.pdf&amp;t=1">offer.pdf</a> (12 MB)</li></ul>',
            ),
            id="HTML alone gets no text beside it",
        ),
        pytest.param(
            Words("", "<BODY><p>Hello</BODY ></html>"),
            (attachment("a", 999),),
            Words(
                "",
                '<BODY><p>Hello<ul><li><a href="https://x.example/?n=a&amp;t=1">a</a> (999 B)</li></ul></BODY ></html>',
            ),
            id="before the end of the body",
        ),
        pytest.param(
            Words("Hello", '<img src="cid:logo%401"><img src="cid:logo@12">'),
            (LOGO,),
            Words(
                "Hello\n\nlogo.png (900 B): https://x.example/?n=logo.png&t=1\n",
                '<img src="https://x.example/?n=logo.png&amp;t=1"><img src="cid:logo@12">',
            ),
            id="an image is shown from where it lies",
        ),
        pytest.param(
            Words("", "<p>"),
            (LOGO,),
            Words("", '<p><ul><li><a href="https://x.example/?n=logo.png&amp;t=1">logo.png</a> (900 B)</li></ul>'),
            id="an image that is not shown is listed",
        ),
        pytest.param(
            Words("", "<p>"),
            (attachment('<b>"\r\n&', 1),),
            Words(
                "",
                '<p><ul><li><a href="https://x.example/?n=&lt;b&gt;&quot;\r\n&amp;&amp;t=1">'
                "&lt;b&gt;&quot; &amp;</a> (1 B)</li></ul>",
            ),
            id="a hostile name is text",
        ),
        pytest.param(
            Words("Hello", "<p>"),
            (attachment("", 1_500),),
            Words(
                "Hello\n\napplication/pdf (1.5 kB): https://x.example/?n=&t=1\n",
                '<p><ul><li><a href="https://x.example/?n=&amp;t=1">application/pdf</a> (1.5 kB)</li></ul>',
            ),
            id="one without a name",
        ),
        pytest.param(Words("Hello", "<p>"), (), Words("Hello", "<p>"), id="nothing left out"),
    ],
)
def test_links_stand_in_the_words(before: Words, files: tuple[Attachment, ...], after: Words) -> None:
    assert linked(before, files, link) == after


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        *((0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (9_949, "9.9 kB"), (9_950, "10 kB"), (999_499, "999 kB")),
        *((999_500, "1.0 MB"), (26_214_400, "26 MB"), (4_000_000_000_000, "4000 GB")),
    ],
)
def test_sizes_as_people_read_them(octets: int, words: str) -> None:
    assert size(octets) == words


def test_links_of_a_message_lead_to_its_files_for_so_many_days() -> None:
    views = views_of(KEY, BASE, parameter("mail.links.days", "2"))
    make = link_maker(views, AT)
    assert make is not None
    base, _, token = make(OFFER).rpartition("/files/")
    found = read_file_link(views.keys, token, AT)
    assert base == "https://mail.example.com"
    assert isinstance(found, LinkedFile)
    assert (found.ref, found.name) == (OFFER.content.ref, "offer.pdf")
    assert found.until is not None
    assert (found.until - AT).days == 2
    for_ever = link_maker(views_of(KEY, BASE, parameter("mail.links.days", "0")), AT)
    assert for_ever is not None
    assert (read := read_file_link(views.keys, for_ever(OFFER).rpartition("/")[2], AT)) is not None
    assert read.until is None


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        pytest.param((KEY,), "once the parameter mail.links.base says where links lead", id="no base"),
        pytest.param((BASE,), "cannot become links without a signing key", id="no key"),
    ],
)
def test_why_there_are_no_links(rows: tuple[Row, ...], advice: str) -> None:
    views = views_of(*rows)
    assert link_maker(views, AT) is None
    said = with_advice(Reply(code=552, text="5.3.4 too big"), views)
    assert said.code == 552
    assert said.text.startswith("5.3.4 too big; attachments ")
    assert advice in said.text
