"""Text, HTML and attachments: M6, M7, M9."""

import pytest

from postroad.mail.html_text import html_to_text, preformatted
from postroad.mail.parse import read


def multipart(subtype: str, *parts: str, boundary: str = "b") -> str:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary={boundary}\n\n{body}--{boundary}--\n"


def part(content_type: str, body: str, *fields: str) -> str:
    return "\n".join([f"Content-Type: {content_type}", *fields, "", body])


TEXT, HTML = part("text/plain", "words"), part("text/html", "<p>words</p>")
IMAGE = part("image/png", "PNG", "Content-ID: <pic@a>", "Content-Disposition: inline; filename=pic.png")


@pytest.mark.parametrize(
    ("raw", "text", "html"),
    [
        pytest.param(TEXT, "words", "", id="M6 plain text alone"),
        pytest.param(HTML, "", "<p>words</p>", id="HTML alone"),
        pytest.param(multipart("alternative", TEXT, HTML), "words", "<p>words</p>", id="M6 HTML replaces text"),
        pytest.param(multipart("alternative", HTML, TEXT), "words", "<p>words</p>", id="in the wrong order too"),
        pytest.param(
            multipart("mixed", HTML, part("text/html", "<p>more</p>")),
            "",
            "<p>words</p>\n<p>more</p>",
            id="M6 several HTML parts in order",
        ),
        pytest.param(
            multipart("mixed", part("text/plain", "a < b"), HTML),
            "a < b",
            "<pre>a &lt; b</pre>\n<p>words</p>",
            id="both",
        ),
        pytest.param(
            multipart("alternative", TEXT, multipart("related", HTML, IMAGE, boundary="c")),
            "words",
            "<p>words</p>",
            id="HTML inside related replaces text",
        ),
        pytest.param(multipart("alternative", TEXT, TEXT), "words\nwords", "", id="two texts: none is lost"),
        pytest.param(
            multipart("alternative", TEXT, part("text/html", " ")), "words", "", id="empty HTML replaces nothing"
        ),
        pytest.param(part("text/plain", " \n "), " \n ", "", id="white space alone"),
        pytest.param("Subject: x\n\n", "", "", id="no body"),
        pytest.param(part("text/plain", "a\0b"), "ab", "", id="NUL"),
        pytest.param(
            multipart("mixed", TEXT, part("text/plain", ""), TEXT), "words\nwords", "", id="an empty part adds no line"
        ),
        pytest.param(part("text/plain", "a\r\nb"), "a\nb", "", id="line ends"),
    ],
)
def test_bodies(raw: str, text: str, html: str) -> None:
    mail = read(raw.encode())
    assert (mail.text, mail.html) == (text, html)


@pytest.mark.parametrize(
    ("attached", "expected"),
    [
        pytest.param(IMAGE, ("pic.png", "image/png", "pic@a", True), id="M7 an inline image keeps its Content-ID"),
        pytest.param(
            part("text/plain", "x", "Content-Disposition: attachment"), ("", "text/plain", "", False), id="disposition"
        ),
        pytest.param(part("text/html; name=a.html", "x"), ("a.html", "text/html", "", False), id="a name is enough"),
        pytest.param(part("text/calendar", "x"), ("", "text/calendar", "", False), id="another text type"),
        pytest.param(
            part("binary/octet-stream; name=x", "x"),
            ("x", "application/octet-stream", "", False),
            id="binary/octet-stream",
        ),
        pytest.param(
            part("a/b", "x", "Content-Disposition: attachment; filename*=utf-8''caf%C3%A9"),
            ("café", "a/b", "", False),
            id="M7 encoded names decoded",
        ),
    ],
)
def test_attachments(attached: str, expected: tuple[str, str, str, bool]) -> None:
    mail = read(multipart("mixed", TEXT, attached).encode())
    (found,) = mail.attachments
    assert (found.filename, found.type, found.content_id, found.inline) == expected
    assert mail.text == "words"


def test_an_attached_mail_is_one_attachment_with_its_exact_bytes() -> None:
    inner = "From: in@a.example\nTo: in@b.example\nMessage-ID: <in@a>\n" + multipart("mixed", TEXT, IMAGE, boundary="c")
    mail = read(("From: out@a.example\n" + multipart("mixed", TEXT, part("message/rfc822", inner))).encode())
    (found,) = mail.attachments
    assert (found.type, found.payload) == ("message/rfc822", inner.encode())
    assert ([box.address for box in mail.from_], mail.to, mail.message_id) == (["out@a.example"], (), "")
    assert [leaf.type for leaf in mail.leaves] == ["text/plain", "text/plain", "image/png"]
    assert mail.text == "words"


def test_leaves_carry_text_for_text_only() -> None:
    mail = read(multipart("mixed", part("text/plain; charset=iso-8859-8-i", "x"), IMAGE).encode())
    assert [(leaf.text, leaf.charset, leaf.disposition) for leaf in mail.leaves] == [
        ("x", "iso-8859-8-i", ""),
        (None, "", "inline"),
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>a</p><p>b</p>", "a\n\nb", id="paragraphs"),
        pytest.param("a<br>b<br/>c", "a\nb\nc", id="breaks"),
        pytest.param("<style>x</style>a<script>y</script> &amp; b", "a & b", id="style, script, entities"),
        pytest.param("a <!-- <p>no</p> --> b", "a b", id="comments"),
        pytest.param("a <!-- never closed", "a -- never closed", id="a comment never closed loses nothing"),
        pytest.param(
            "mine<blockquote>theirs<blockquote>older</blockquote></blockquote>", "mine\n> theirs\n>> older", id="quotes"
        ),
        pytest.param("a < b", "a < b", id="a lonely bracket"),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert [line for line in html_to_text(html).split("\n") if line.strip("> ")] == [
        line for line in text.split("\n") if line
    ]


@pytest.mark.parametrize(
    ("html", "reply"),
    [
        pytest.param("<p>new<o:p></o:p></p>", "new", id="tags of Word are no words"),
        pytest.param(
            "new<div class=gmail_quote><div class='gmail_attr'>Ar Llun:<br></div><blockquote>old</blockquote></div>",
            "new",
            id="Gmail's introduction in any language",
        ),
        pytest.param(
            "new<div class=moz-cite-prefix>Ar Llun:</div><blockquote>old</blockquote>", "new", id="Thunderbird's"
        ),
        *(
            pytest.param(f"<div>new</div>{mark}<p>below</p>", "new\n\nbelow", id=f"signature: {mark[:40]}")
            for mark in (
                "<div class='gmail_signature'><div>Mary</div>Boss</div>",
                "<pre class=moz-signature>Mary\nBoss</pre>",
                "<div id=Signature><table><tr><td>Mary</table></div>",
                "<div data-signature-widget=container>Mary</div>",
            )
        ),
        pytest.param("new<br id=lineBreakAtBeginningOfSignature><div>more</div>", "new\nmore", id="no signature yet"),
        pytest.param("<div class=signature>Mary</div>", "Mary", id="nothing but a signature"),
        pytest.param("<pre>\nif a &lt; b:\n    go()\n</pre>", "if a < b:\n    go()", id="lines of code"),
        pytest.param("<table><tr><td>Bolt</td><td>10</td></tr></table>", "Bolt 10", id="cells"),
        pytest.param("new<hr><div id='divRplyFwdMsg'>Oddi: Mary<br>old</div>", "new", id="Outlook's divider"),
        pytest.param("new<div id='ydp1_yahoo_quoted_2'><div>Ar Llun:</div>old</div>", "new", id="Yahoo's divider"),
        pytest.param(
            "<div class=gmail_attr>Ar Llun:</div><blockquote>one?</blockquote>yes<blockquote>two?</blockquote>no",
            "> one?\n\nyes\n\n> two?\n\nno",
            id="answered in between",
        ),
        pytest.param(
            "<div class=gmail_attr>-- Forwarded message --<br>From: M<br>Date: May 1<br>Subject: x</div><p>old</p>",
            "old",
            id="nothing but a forwarded mail: its words",
        ),
        pytest.param(
            "<div class=moz-cite-prefix>Ar Llun:</div><blockquote>old</blockquote>", "> old", id="quotes alone"
        ),
    ],
)
def test_what_html_says_of_quotes(html: str, reply: str) -> None:
    assert read(b"Content-Type: text/html\n\n" + html.encode()).reply_text == reply


def test_text_as_html() -> None:
    assert preformatted("a <b>\n& c") == "<pre>a &lt;b&gt;\n&amp; c</pre>"
