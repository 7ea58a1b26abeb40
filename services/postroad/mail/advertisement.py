"""The line by which a telephone or a mail program praises itself below one's words."""

import re

_LONGEST = 200  # characters of such a line
_DEVICE = (
    r"(?:mobile|(?:cell|smart)?phone|iphone|ipad|ipod|android|blackberry|galaxy|samsung|huawei|xiaomi|nokia|windows"
    r"|outlook|mail(?:box|spring)?|yahoo|aol|airmail|gmail|proton|thunderbird|spark|superhuman|missive|k-9|handy|mobil\w*|téléphone|móvil"
    r"|telef\w+|tablet|device)"
)
_SENT = (  # the whole of it, in languages where such words begin no ordinary sentence
    r"envoyée? (?:depuis|de|à partir de|avec|via|par) .{1,80}",
    r"enviad[oa] (?:desde|do|da|de|a partir|pel[oa]|con|com) .{1,80}",
    r"enviat des de .{1,80}",
    r"inviato (?:da|dal|dallo|con|tramite) .{1,80}",
    r"(?:verzonden|verstuurd) (?:vanaf|vanuit|met|van|via) .{1,80}",
    r"gesendet (?:von|mit|über|aus|via) .{1,80}",
    r"(?:diese nachricht wurde )?von mein.{0,100}gesendet\.?",
    rf"(?:mit|von|über) [^,.;]{{0,40}}\b{_DEVICE}\b.{{0,40}} gesendet\.?",
    r"provenance\s?: .{1,60}",
    r"(?:sendt fra|skickat från|skickades från|sendt via) .{1,80}",
    r"lähetetty .{0,10}(?:iphone|ipad|android|samsung|huawei|outlook|puhelime|laittee|windows).{0,60}",
    r"(?:wysłan[eoy] (?:z|przy)|odesláno (?:z|ze)|odoslané (?:z|zo)|trimis (?:de pe|din|de la)) .{1,80}",
    r"(?:poslano (?:s|sa|z|iz)|poslato (?:sa|s|iz)) .{1,80}",
    r"(?:отправлено (?:с|из|от)|надіслано (?:з|із)|відправлено (?:з|із)|изпратено от) .{1,80}",
    r"στάλθηκε από .{1,80}",
    r"(?:saadetud minu|išsiųsta iš|nosūtīts no|đã gửi từ|được gửi từ|dikirim dari|ส่งจาก) ?.{1,80}",
    r".{1,40}(?:gönderildi|küldve|から送信|에서 보냄)\.?",
    r"(?:发自|發自|寄自|发送自|來自|来自|從|从)\s?我的? ?.{1,40}",
    r"נשלח מ.{1,60}",
    r"(?:أُرسلت|ارسلت|أرسلت|مرسل|مُرسل|تم الإرسال) من .{1,60}",
)
_GET = (
    r"(?:get|download|hent|få|hämta|hanki|obter o|obtenir|obtenez|obtener|télécharger|baixe o|ottieni|scarica|pobierz"
    r"|získejte|získať|скачать|загрузить|завантажити) (?:\w+ )?\[?outlook .{1,120}",
    r"[^.!?]{0,60}\boutlook\b.{0,40}https?://aka\.ms/.{1,60}",  # in any language
    r"outlook (?:für|voor) .{1,60}(?:herunterladen|downloaden).{0,80}",
)
_ENGLISH = (
    rf"sent (?:from|via|with|by|using) [^,.;]{{0,40}}\b{_DEVICE}\b.{{0,80}}",
    r"sent (?:from|via|with|by|using) (?:my|an?|the) [^\s,.;]+(?: [^\s,.;]+){0,5} ?",
    r"sent (?:from|via|with|by|using) (?:\[?https?:|[^\s<]{2,20} ?[<\[(]https?:).{1,120}",
    rf"(?:\w+ )?from (?:my )?{_DEVICE}\b.{{0,30}}",
)
_LINE = re.compile(rf"\W{{0,6}}(?:{'|'.join((*_ENGLISH, *_GET, *_SENT))})\W*\Z", re.IGNORECASE)


def is_advertisement(line: str) -> bool:
    """Whether the whole line is one, such as "Sent from my iPhone"."""
    return len(line) <= _LONGEST and _LINE.match(line) is not None
