"""Charsets without a label: M8."""

import pytest

from postroad.mail.charset import decode
from postroad.mail.parse import read
from postroad.mail.unlabelled import charset_of

RUSSIAN = "Добрый день! Пришлите, пожалуйста, счёт за май."
UKRAINIAN = "Доброго дня! Надішліть, будь ласка, рахунок за травень."
POLISH = "Dzień dobry, proszę o przesłanie faktury za zamówienie. Dziękuję i życzę miłego dnia."
CZECH = "Dobrý den, prosím o zaslání faktury za květen. Děkuji, příští týden přijedu do Prahy."
HUNGARIAN = "Jó napot! Kérem, küldjék el a júniusi számlát. Köszönöm, jövő héten jövök."
GREEK = "Καλημέρα σας, στείλτε μου παρακαλώ το τιμολόγιο του Μαΐου."
TURKISH = "Merhaba, mayıs ayı faturasını gönderir misiniz? Teşekkürler, iyi çalışmalar dilerim."
HEBREW = "שלום, אנא שלחו לי את החשבונית של חודש מאי. תודה רבה"
ARABIC = "السلام عليكم، أرجو إرسال الفاتورة الخاصة بالطلب الأخير وشكرا"
LITHUANIAN = "Laba diena, prašau atsiųsti sąskaitą už gegužės mėnesį. Ačiū, iki pasimatymo."
THAI = "สวัสดีครับ กรุณาส่งใบแจ้งหนี้ของเดือนนี้ให้ผมด้วย ขอบคุณมาก"
CHINESE = "您好，请把上个月的发票发给我们，谢谢。"
TRADITIONAL = "您好，請把上個月的發票寄給我們，謝謝您。"
JAPANESE = "お世話になっております。請求書を送ってください。"
KOREAN = "안녕하세요. 지난달 청구서를 보내 주시기 바랍니다. 감사합니다."

SENTENCES = [
    *((RUSSIAN, codec) for codec in ("cp1251", "koi8-r", "iso8859-5", "cp866")),
    *((UKRAINIAN, codec) for codec in ("cp1251", "koi8-u")),
    *((POLISH, codec) for codec in ("cp1250", "iso8859-2")),
    *((CZECH, codec) for codec in ("cp1250", "iso8859-2")),
    *((HUNGARIAN, codec) for codec in ("cp1250", "iso8859-2")),
    *((GREEK, codec) for codec in ("cp1253", "iso8859-7")),
    *((TURKISH, "cp1254"), (HEBREW, "cp1255"), (ARABIC, "cp1256"), (LITHUANIAN, "cp1257"), (THAI, "cp874")),
    *((CHINESE, "gbk"), (TRADITIONAL, "big5"), (JAPANESE, "shift_jis"), (JAPANESE, "euc_jp"), (KOREAN, "euc_kr")),
]
WESTERN = [
    *("Müller", "José", "Zoë", "Françoise Lefèvre", "Bjørn Åse", "Grüße aus Köln", "naïve", "garçon", "Señor Núñez"),
    *("don’t", "“quoted”", "Preis: 10 €", "– 25°C –", "©2023", "à", "où?", "¿Qué tal?", "São João", "Größe: ½ m²"),
    *(
        "Mañana a las 9 en la oficina",
        "Het idee van Zoë",
        "Hyvää päivää",
        "Kære alle, vi ses på lørdag",
        "Þór Ólafsson",
    ),
    *("Per favore, più tardi: è già l’una", "C’était déjà réglé l’été dernier", "Avançó molt", "É você, não é?"),
    "Schöne Grüße, bitte schicken Sie die Rechnung für März an die Buchhaltung. Übrigens: heißt es „Straße“?",
]


@pytest.mark.parametrize(("text", "codec"), [pytest.param(*one, id=f"M8 {one[1]}: {one[0][:12]}") for one in SENTENCES])
def test_undeclared_text_is_read_in_the_charset_of_its_language(text: str, codec: str) -> None:
    octets = text.encode(codec)
    assert decode(octets) == text
    assert decode(octets, "us-ascii") == text
    assert decode(octets, "utf-8") == text
    assert decode(octets, "x-unknown") == text


@pytest.mark.parametrize("text", [pytest.param(text, id=text) for text in WESTERN])
def test_western_text_stays_western(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        pytest.param("ÐÒÉ×ÅÔ ÍÉÒ", "latin-1", "iso-8859-1", id="Latin that would be Russian"),
        pytest.param("Привет", "cp1251", "windows-1251", id="a word"),
        pytest.param("ÖÐÎÄ", "latin-1", "iso-8859-1", id="Latin that would be Chinese"),
    ],
)
def test_the_declared_charset_wins(text: str, codec: str, label: str) -> None:
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(
    ("octets", "codec"),
    [
        pytest.param(b"\xff\xfe\xfd\xfc", "", id="no words in any"),
        pytest.param(b"a\xffb", "", id="an odd octet"),
        pytest.param(b"\xc3", "", id="half a character"),
        pytest.param(b"plain " * 20_000 + "слова тут".encode("koi8-r"), "", id="words beyond what is searched"),
        pytest.param(b"plain\n" * 9_000 + "простые слова тут".encode("koi8-r"), "koi8-u", id="words far below ASCII"),
        pytest.param(CHINESE.encode("gbk") * 40, "gb18030", id="cut within a character"),
    ],
)
def test_what_is_judged(octets: bytes, codec: str) -> None:
    assert charset_of(octets) == codec


@pytest.mark.parametrize(
    ("subject", "body", "codec", "label"),
    [
        pytest.param("Счёт", RUSSIAN, "koi8-r", "koi8-r", id="the charset that the text declares"),
        pytest.param("会议", CHINESE, "gbk", "gb2312", id="of several octets"),
        pytest.param("Ё", RUSSIAN, "cp1251", "", id="the charset that the text looks like"),
        pytest.param("Ё", RUSSIAN, "cp1251", "us-ascii", id="under a false label"),
        pytest.param("お知らせ", JAPANESE, "iso2022_jp", "", id="RFC 1468 escapes"),
        pytest.param("Grüße", "Grüße aus Köln", "latin-1", "utf-8", id="Latin under a false label"),
    ],
)
def test_headers_without_label_are_in_the_charset_of_the_text(subject: str, body: str, codec: str, label: str) -> None:
    declared = f"; charset={label}" if label else ""
    mail = read(
        f"From: {subject} <a@b.example>\nSubject: {subject}\nContent-Type: text/plain{declared}\n\n{body}".encode(codec)
    )
    assert (mail.subject, mail.from_[0].name, mail.text) == (subject, subject, body)


def test_names_of_attachments_are_in_the_charset_of_the_text() -> None:
    raw = (
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=koi8-r\n\nСчёт\n"
        '--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename="Ё.pdf"\n\nx\n--b--\n'
    )
    assert [one.filename for one in read(raw.encode("koi8-r")).attachments] == ["Ё.pdf"]


def test_text_in_utf_16_says_nothing_of_headers() -> None:
    raw = b"Subject: Gr\xfc\xdfe\nContent-Type: text/plain; charset=utf-16le\n"
    assert read(raw + b"Content-Transfer-Encoding: base64\n\nYQBiAA==").subject == "Grüße"
