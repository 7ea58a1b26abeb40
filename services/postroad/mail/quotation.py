"""How mail programs introduce what they quote: "On ... wrote:", "-----Original Message-----", a block of fields."""

import re

_WINDOW = 5  # lines over which an introduction may be wrapped
_LONGEST = 400  # characters of a line that are looked at
_HEADER_LINES = 7  # lines after "From:" among which other fields are expected


def _any(*words: str) -> str:
    return "|".join(words)


_VERBS = (
    *("wrote", "writes", "a écrit", "schrieb", "schrieb am", "schrieb folgendes", "geschrieben", "escribió"),
    *("escreveu", "ha scritto", "schreef", "volgende geschreven", "skrev", "kirjoitti", "napisał", "napisał(a)"),
    *("napsal", "napsal(a)", "написал", "написал(а)", "пише", "写道"),
)
_VERB = _any(*(re.escape(verb) for verb in sorted(_VERBS, key=len, reverse=True)))
_OPENING = re.compile(
    _any(
        r"\W{0,8}(?:On|Le|Am|El|Il|Op|Em|Den|Dnia|W dniu|På|At|在)\b",
        r".{0,200}\b(?:19|20)\d\d\b",
        r".{0,200}<\s*(?:mailto:)?[^\s<>]{1,100}@",
    ),
    re.IGNORECASE,
)
_CLOSING = re.compile(rf"(?:\b|[\s>\"\)])(?:{_VERB})\W{{0,8}}\Z", re.IGNORECASE)
_BOX = r"@[^\s<>]{1,200}\s?(?:<mailto:[^<>]{1,200}>)?>"
_NAMED = re.compile(  # "NAME <address> schrieb am DATE:" and "DATE schrieb NAME <address>:"
    rf"(?:{_BOX}\s*(?:{_VERB})\b.{{0,80}}|\d.{{0,80}}\b(?:{_VERB})\b.{{0,120}}{_BOX}):\s*\Z", re.IGNORECASE
)
_DATED = re.compile(  # "2016-10-24 15:36 GMT+02:00 NAME <address>:"
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?: \d{1,2}:\d{2}(?::\d{2})?)? "
    r"(?:GMT[+-]\d\d:?\d\d .{1,200}|.{0,200}<[^\s<>]{1,200}@[^<>]{1,200}>:?\s*)\Z"
)
_RULED = _any(
    *("Original Message", "Original Appointment", "Forwarded message", r"Forwarded by .{0,80}", "Reply message"),
    *("Message d'origine", "Message original", "Message transféré", "Ursprüngliche Nachricht", "Originalnachricht"),
    *("Weitergeleitete Nachricht", "Mensaje original", "Mensaje reenviado", "Mensagem (?:original|encaminhada)"),
    *("Messaggio originale", "Messaggio inoltrato", "Oorspronkelijk bericht", "Doorgestuurd bericht"),
    *("Ursprungligt meddelande", "Opprinnelig melding", "Oprindelig meddelelse", "原始邮件"),
)
_SEPARATOR = re.compile(
    rf"(?:[-_]{{2,}}\s*(?:{_RULED})\s*[-_]{{2,}}|Begin forwarded message:"
    r"|Début du message (?:réexpédié|transféré) ?:|Anfang der weitergeleiteten (?:E-?Mail|Nachricht):)[\s*]*\Z",
    re.IGNORECASE,
)
_SEPARATES = ("--", "__", "be", "dé", "an")  # how those begin: asked first, because most lines do not
_FROM = re.compile(r"(?:From|Von|De|Da|Van|Från|Fra|Od|От|Від|发件人)\s?\*?\s?[:\uff1a]", re.IGNORECASE)
_FIELDS = _any(
    *("Sent", "Date", "To", "Cc", "Bcc", "Subject", "Reply-To", "Importance"),
    *("Gesendet", "Datum", "An", "Betreff", "Antwort an", "Envoyé", "À", "Objet", "Répondre à"),
    *(r"Enviado(?: el)?", r"Enviada(?: em)?", "Fecha", "Para", "Asunto", "Assunto", "Data"),
    *("Inviato", "A", "Oggetto", "Risposta", "Verzonden", "Aan", "Onderwerp", "Skickat", "Till", "Ämne"),
    *("Sendt", "Til", "Emne", "Wysłano", "Do", "Temat", "Отправлено", "Дата", "Кому", "Тема"),
    *("发送时间", "收件人", "主题"),
)
_FIELD = re.compile(rf"[\s*]*(?:{_FIELDS})\s?\*?\s?[:\uff1a]", re.IGNORECASE)


def is_quoted(line: str) -> bool:
    """Whether the line carries a quoting mark."""
    return line.lstrip(" \t").startswith(">")


def opens_message(lines: list[str], at: int) -> bool:
    """A separator line, or "From:" with other fields below, as mail programs set above what they quote."""
    line = lines[at][:_LONGEST].lstrip(" \t>*")
    if line[:2].lower() in _SEPARATES and _SEPARATOR.match(line):
        return True
    if not _FROM.match(line):
        return False
    below = lines[at + 1 : at + 1 + _HEADER_LINES]
    return sum(1 for other in below if _FIELD.match(other[:_LONGEST])) >= 2


def may_close(line: str) -> bool:
    """Whether an introduction may end here: the cheap question, asked of every line once."""
    end = line[-20:].rstrip(" \t-*").lower()
    return end.endswith((":", "\uff1a")) or end.endswith(_VERBS)


def introduction(lines: list[str], closes: list[bool], at: int) -> int:
    """The lines that "On ... wrote:" and its like take from `at` on, 0 if it is none; `closes`: `may_close` of each."""
    first = lines[at][:_LONGEST].strip()
    if first[:4].isdigit():
        joined = (
            first + " " + lines[at + 1][:_LONGEST].strip() if first.endswith("<") and at + 1 < len(lines) else first
        )
        if _DATED.match(joined):
            return 1 if joined is first else 2
    if not first or True not in closes[at : at + _WINDOW] or is_quoted(first):
        return 0
    size = closes.index(True, at) - at + 1
    joined = " ".join(line[:_LONGEST].strip() for line in lines[at : at + size]).strip()
    dated = "@" in joined or any(letter.isdigit() for letter in joined)
    return size if dated and _OPENING.match(first) and (_CLOSING.search(joined) or _NAMED.search(joined)) else 0
