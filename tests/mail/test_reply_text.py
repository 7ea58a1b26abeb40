"""Quotes and signatures: M6, and what L6 compares."""

import pytest

from postroad.mail.parse import read
from postroad.mail.reply_text import MAX_LINES, strip_reply

THEIRS = "\n\n> old words\n> more"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("new\n\nOn Mon, 1 May 2023 at 10:00, Mary <m@a.example> wrote:" + THEIRS, "new", id="English"),
        pytest.param("new\n\nOn Mon, 1 May 2023, Mary <\nm@a.example> wrote:" + THEIRS, "new", id="wrapped"),
        pytest.param("neu\n\nAm 1. Mai 2023 um 10:00 schrieb Mary <m@a.example>:" + THEIRS, "neu", id="German"),
        pytest.param("neu\n\nMary <m@a.example> schrieb am Mo., 1. Mai 2023:" + THEIRS, "neu", id="German of Gmail"),
        pytest.param("oui\n\nLe lun. 1 mai 2023 à 10:00, Mary <m@a.example> a écrit :" + THEIRS, "oui", id="French"),
        pytest.param("sí\n\nEl lun, 1 may 2023, Mary (<m@a.example>) escribió:" + THEIRS, "sí", id="Spanish"),
        pytest.param("sì\n\nIl giorno 1 mag 2023 Mary <m@a.example> ha scritto:" + THEIRS, "sì", id="Italian"),
        pytest.param("ja\n\nOp ma 1 mei 2023 schreef Mary <m@a.example>:" + THEIRS, "ja", id="Dutch"),
        pytest.param(
            "sim\n\nEm seg., 1 de mai. de 2023, Mary <m@a.example> escreveu:" + THEIRS, "sim", id="Portuguese"
        ),
        *(
            pytest.param(f"new\n\n{line}{THEIRS}", "new", id=f"introduced by {line[:20]}")
            for line in (
                "Dne po 1. 5. 2023 10:00 uživatel Mary <m@a.example> napsal:",
                "Den mån 1 maj 2023 kl 10:00 skrev Mary <m@a.example>:",
                "man. 1. mai 2023 kl. 10:00 skrev Mary <\nm@a.example>:",
                "ma 1. toukok. 2023 klo 10.00 Mary (m@a.example) kirjoitti:",
                "W dniu 1.05.2023 o 10:00, Mary pisze:",
                "lun., 1 mai 2023, 10:00 Mary <m@a.example> a scris:",
                "Mary <m@a.example> ezt írta (időpont: 2023. máj. 1., H, 10:00):",
                "Mary <m@a.example>, 1 May 2023 Pzt, 10:00 tarihinde şunu yazdı:",
                "Στις Δευ 1 Μαΐ 2023, Mary <m@a.example> έγραψε:",
                "пн, 1 мая 2023 г. в 10:00, Mary <m@a.example>:",
                "1 травня 2023 р. о 10:00 Mary <m@a.example> пише:",
                "‫בתאריך יום ב׳, 1 במאי 2023 ב-10:00 מאת ‪Mary‬‏ <‪m@a.example‬‏>:",
                "2023年5月1日(月) 10:00 Mary <m@a.example>:",
                "Mary <m@a.example> 于2023年5月1日周一 10:00写道：",
                "2023년 5월 1일 (월) 10:00, Mary <m@a.example>님이 작성:",
                "Vào Th 2, 1 thg 5, 2023 vào lúc 10:00 Mary <m@a.example> đã viết:",
                "2023-05-01 10:00 GMT+02:00 Mary <m@a.example>:",
                "---- Mary wrote ----",
                "Am 01.05.23 um 10:00 schrieb Mary Smith:",
                "Am 2023-05-01 10:00, schrieb Mary:",
                "Mary Smith wrote:",
                "Mary wrote on 01.05.2023 10:00:",
                "Zitat von Mary <m@a.example>:",
            )
        ),
        *(
            pytest.param(f"new\n\n{line}", "new", id=line)
            for line in (
                "Enviado desde mi iPhone",
                "Envoyé à partir de Outlook pour iOS",
                "Gesendet mit der GMX Mail App",
                "Inviato da iPhone",
                "Wysłane z iPhone'a",
                "Lähetetty iPhonesta",
                "Отправлено с iPhone",
                "iPhone'umdan gönderildi",
                "iPhoneから送信",
                "发自我的iPhone",
                "أُرسلت من الـ iPhone",
                "Get Outlook for Android<https://aka.example>",
                "Sent with Proton Mail secure email.",
                "Sent via Superhuman ( https://a.example )",
                "Mit Proton Mail gesendet",
                "Provenance : Courrier pour Windows",
                "الحصول على Outlook لـ iOS<https://aka.ms/x>",
            )
        ),
        *(
            pytest.param(f"new\n\n{line}\nold\nolder", "new", id=line)
            for line in (
                "-- Please reply above this line --",
                "##- Bitte antworten Sie oberhalb dieser Zeile -##",
                "-- Veuillez répondre au-dessus de cette ligne --",
                "-- 请在此行上方回复 --",
                "Reply ABOVE THIS LINE to add a comment",
            )
        ),
        *(
            pytest.param(f"new\n\n{line}\nold", "new", id=line)
            for line in (
                ">>> Mary <m@a.example> 5/1/2023 10:00 AM >>>",
                ">>> Mary Smith <a.very.long@a.example> 5/1/2023\n10:00 AM >>>",
                "发件人： Mary\n发送时间： 2023-05-01 10:00\n主题： x",
                "Sent from my BlackBerry 10 smartphone.\n  Original Message  \nFrom: Mary\nSent: Monday\nTo: Bob",
                "Mary ---05/01/2023 10:00:33 AM---a subject\n\nFrom: Mary/A\nTo: Bob/A\nSubject: a subject\n",
                "---- 回复的原邮件 ----\n| 发件人 | Mary |",
            )
        ),
        pytest.param("see\n\n>>> 1 + 1\n2\n\nok?", "see\n\n>>> 1 + 1\n2\n\nok?", id="a prompt is no GroupWise"),
        pytest.param("Mary wrote:\nshe is ill", "Mary wrote:\nshe is ill", id="nothing quoted below: own words"),
        pytest.param("All above this line is done:\nfine", "All above this line is done:\nfine", id="a line of ours"),
        pytest.param(
            "Am 1.5.2023 um 10:00 kommt Mary:\nbitte", "Am 1.5.2023 um 10:00 kommt Mary:\nbitte", id="a date of ours"
        ),
        pytest.param("new\nSent from my desk, not my phone.", "new\nSent from my desk, not my phone.", id="a sentence"),
        pytest.param("new\n\nSent from my iPhone\n\ntheirs", "new", id="unmarked quote below a telephone's line"),
        pytest.param("Sent from my iPhone\n\nnew", "new", id="the telephone's line on top"),
        pytest.param(
            "new\n\nMessage du : 1/5/2023\nDe : Mary <m@a.example>\nA : Bob\nSujet : x\n\nvieux",
            "new",
            id="From is not first",
        ),
        pytest.param(
            "new\n\n-------- Oprindelig besked --------\nFra: M\n\ngammel", "new", id="another language's separator"
        ),
        pytest.param(
            "new\n\n---- Ar Llun ----\nFrom: M <m@a.example>\nSubject: x\n\nold", "new", id="any separator above fields"
        ),
        pytest.param("--- Summary ---\nall is well", "--- Summary ---\nall is well", id="a heading is no separator"),
        pytest.param(
            "From: Berlin\nTo: Paris\nDate: May", "From: Berlin\nTo: Paris\nDate: May", id="an order of tickets"
        ),
        pytest.param("new\n__________________\na mailing list\nhttp://a.example/", "new", id="a list's footer"),
        pytest.param("FYI\n\nBegin forwarded message:\n\nFrom: M\n\nold", "FYI", id="forwarded below own words"),
        pytest.param(
            "new\n\nOn 1 May 2023, Mary <m@a.example> wrote:\n"
            "> a line so long that a careless program had to wrap it and lost\nits mark\n> more",
            "new",
            id="a quoted line wrapped without its mark",
        ),
        pytest.param("Monday\nOn 1 May 2023, Mary <m@a.example> wrote:" + THEIRS, "Monday", id="no blank line above"),
        pytest.param("On 1 May 2023 I wrote:\nhello", "On 1 May 2023 I wrote:\nhello", id="quoting oneself"),
        pytest.param("new\n\n-----Original Message-----\nFrom: Mary\n\nold", "new", id="Outlook's separator"),
        pytest.param("neu\n\n-----Ursprüngliche Nachricht-----\nVon: Mary\n\nalt", "neu", id="in German"),
        pytest.param("new\n\nFrom: Mary\nSent: Monday\nTo: Bob\nSubject: x\n\nold", "new", id="Outlook's fields"),
        pytest.param("oui\n\nDe : Mary\nEnvoyé : lundi\nÀ : Bob\nObjet : x\n\nvieux", "oui", id="in French"),
        pytest.param("ja\n________\nVan: Mary\nVerzonden: maandag\nAan: Bob\n\noud", "ja", id="in Dutch, under a rule"),
        pytest.param("new\n\n-- \nMary\nBoss", "new", id="signature"),
        pytest.param("new\n\nSent from my iPhone", "new", id="Sent from my"),
        pytest.param("neu\n\nVon meinem iPhone gesendet", "neu", id="the same in German"),
        pytest.param("On 1 May 2023, Mary wrote:\n> old\n\nnew below", "new below", id="answered below"),
        pytest.param(
            "Hi,\n\nMary wrote:\n> one?\n\nyes\n\n> two?\n\nno",
            "Hi,\n\n> one?\n\nyes\n\n> two?\n\nno",
            id="answered part by part: the first stays too",
        ),
        pytest.param("Hi,\n\nMary wrote:\n\n> one?\n\nyes", "Hi,\n\nyes", id="left out with the blank line above"),
        pytest.param("> one?\nyes\n> two?\nno", "> one?\nyes\n> two?\nno", id="answered in between: stays readable"),
        pytest.param("> only\n> quotes", "> only\n> quotes", id="nothing new: all of it"),
        pytest.param(
            "---------- Forwarded message ---------\nFrom: M\nTo: B\n\ntheir words", "their words", id="forwarded"
        ),
        pytest.param("On 3 May I will be there.\nSee you", "On 3 May I will be there.\nSee you", id="no introduction"),
        pytest.param("From: here\nto there", "From: here\nto there", id="no block of fields"),
        pytest.param("a\n-- b\n--- c", "a\n-- b\n--- c", id="hyphens that are no signature"),
        pytest.param("We sent it from the warehouse", "We sent it from the warehouse", id="words about sending"),
        pytest.param("| a | b |\n| 1 | 2 |", "| a | b |\n| 1 | 2 |", id="a table at the end"),
        pytest.param("\n\n  indented\n\n", "  indented", id="blank lines around"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_leaves_the_new_words(text: str, words: str) -> None:
    assert strip_reply(text) == words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a  b\n\nc", "a b c", True, id="L6 white space folded"),
        pytest.param("a\n\nOn 1 May 2023, M wrote:\n> x", "a\n> y", True, id="L6 without quotes"),
        pytest.param("> x\na", "a", True, id="L6 quotes in between too"),
        pytest.param("a\n-- \nMary", "a", True, id="L6 without signature"),
        pytest.param("a", "b", False, id="other words"),
        pytest.param("> a", "> b", False, id="quotes alone compare as they are"),
    ],
)
def test_folded_bodies(one: str, other: str, same: bool) -> None:
    folded = [read(b"Subject: x\n\n" + text.encode()).folded_body for text in (one, other)]
    assert (folded[0] == folded[1]) is same


def test_html_alone_is_read_for_its_reply() -> None:
    html = "<div>new</div><div>On Mon, 1 May 2023 Mary &lt;m@a.example&gt; wrote:</div><blockquote>old</blockquote>"
    assert read(b"Content-Type: text/html\n\n" + html.encode()).reply_text == "new"


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param("<div id=divRplyFwdMsg>", id="Outlook"),
        pytest.param("<div id=appendonsend></div>", id="Outlook on the web"),
        pytest.param('<div id="mail-editor-reference-message-container">', id="Outlook on telephones"),
        pytest.param('<div class="yahoo_quoted">', id="Yahoo"),
        pytest.param('<div name="messageReplySection">', id="Spark"),
    ],
)
def test_what_html_marks_as_quoted_goes(mark: str) -> None:
    raw = f"Content-Type: text/html\n\n<div>new</div>{mark}<div>Nobody knows this introduction</div><div>old</div>"
    assert read(raw.encode()).reply_text == "new"


def test_lines_beyond_the_limit_are_kept() -> None:
    assert strip_reply("x\n" * MAX_LINES + "\n-- \nkept").endswith("-- \nkept")
