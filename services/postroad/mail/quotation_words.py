"""The words by which mail programs introduce what they quote, in the languages they are sold in."""

import re


def any_of(*words: str) -> str:
    """A pattern for one of these literal words, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


WROTE = (
    *("wrote", "writes", "has written"),
    *("schrieb", "schrieb am", "schrieb folgendes", "geschrieben", "hat geschrieben"),
    *("a écrit", "écrit", "escribió", "ha escrito", "escreveu", "ha scritto", "va escriure", "escribiu"),
    *("schreef", "schreef het volgende", "het volgende geschreven", "skrev", "skrev følgende", "skrifaði"),
    *("kirjoitti", "kirjutas", "napisał", "napisała", "napisał(a)", "pisze", "napisana przez"),
    *("napsal", "napsala", "napsal(a)", "napísal", "napísala", "napísal(a)", "je napisal", "je napisala"),
    *("je napisao", "je napisao/la", "napisao je", "је написао", "је написао/ла", "a scris", "írta", "ezt írta"),
    *("rašė", "parašė", "rakstīja", "yazdı", "şunu yazdı", "şunları yazdı", "έγραψε", "idatzi du"),
    *("написал", "написала", "написал(а)", "писал", "писал(а)", "пишет", "написа"),
    *("написав", "написав(ла)", "пише", "כתב", "כתבה", "כתב/ה", "מאת", "كتب", "كتبت", "كتب/كتبت", "نوشت"),
    *("写道", "寫道", "写到", "来信", "のメール", "さんは書きました"),
    *("のメッセージ", "님이 작성", "작성", "đã viết", "menulis", "เขียน"),
)
"""The verb of "On ... Mary wrote:"."""

QUOTING = any_of(
    *("Quoting", "Zitat von", "Citando", "Citando a", "Citant", "Citation de", "Citeren", "Citerar", "Citat fra"),
    *("Cytowanie", "Cytuję", "Cituji", "Citujem", "Lainaus", "Idézet", "Idézés", "Цитирую", "Цитата"),
)
"""How "Quoting Mary:" begins, which has no verb."""

OPENINGS = any_of(
    *("On", "Le", "Am", "El", "Il", "Op", "Em", "Den", "Dnia", "W dniu", "På", "At", "In", "Dne", "Dňa", "Dana", "Pe"),
    *("Στις", "Tarihinde", "Ngày", "Pada", "Kl", "Vào", "ב", "בתאריך", "في"),
    *("在", "于", "於", "O", "El dia", "Dia"),
)
"""How such a line begins when it does not begin with the date itself."""

FROM = any_of(
    *("From", "Von", "Absender", "De", "Expéditeur", "Remitente", "Remetente", "Da", "Mittente", "Van", "Afzender"),
    *("Från", "Fra", "Lähettäjä", "Od", "Nadawca", "Odesílatel", "Odosielateľ", "Pošiljatelj", "Šalje", "Feladó"),
    *("De la", "Από", "Kimden", "Gönderen", "От", "Отправитель", "Від", "Saatja", "Nuo", "No", "מאת", "من"),
    *("发件人", "發件人", "寄件者", "寄件人", "差出人", "送信者", "보낸 사람", "보낸사람", "Từ", "Dari", "จาก"),
)
"""Who wrote, in the block of fields above a quoted message."""

SURE = any_of(
    *("Sent", "Subject", "Gesendet", "Gesendet am", "Betreff", "Envoyé", "Envoye", "Objet", "Sujet", "Enviado"),
    *("Enviado el", "Enviado em", "Enviada em", "Enviada", "Asunto", "Assunto", "Inviato", "Oggetto", "Verzonden"),
    *("Onderwerp", "Skickat", "Ämne", "Sendt", "Emne", "Lähetetty", "Aihe", "Wysłano", "Wysłane", "Temat", "Odesláno"),
    *("Předmět", "Odoslané", "Predmet", "Poslano", "Poslato", "Zadeva", "Elküldve", "Tárgy", "Trimis", "Subiect"),
    *("Στάλθηκε", "Θέμα", "Gönderildi", "Konu", "Отправлено", "Тема", "Надіслано", "Изпратено", "Относно", "Saadetud"),
    *("Teema", "Išsiųsta", "Tema", "Nosūtīts", "נשלח", "נושא", "تم الإرسال", "أُرسلت", "الموضوع", "发送时间", "主题"),
    *("寄件日期", "主旨", "主題", "送信日時", "件名", "보낸 날짜"),
    *("제목", "Đã gửi", "Chủ đề", "Dikirim", "Subjek", "เรื่อง"),
)
"""Fields that hardly anybody writes but mail programs."""

OTHER = any_of(
    *("Date", "To", "Cc", "Bcc", "Reply-To", "Importance", "Attachments", "Datum", "An", "Kopie", "Antwort an"),
    *("À", "A", "Message du", "Copie à", "Répondre à", "Fecha", "Para", "Data", "Risposta", "Aan", "Till", "Til"),
    *("Dato", "Vastaanottaja", "Päivämäärä", "Pvm", "Kopio", "Do", "DW", "Komu", "Za", "Kome", "Címzett"),
    *("Dátum", "Către", "Catre", "Προς", "Ημερομηνία", "Kime", "Tarih", "Bilgi", "Дата", "Кому", "Копия", "Копія"),
    *("До", "Kuupäev", "Kellele", "Kam", "אל", "תאריך", "إلى", "التاريخ", "نسخة", "收件人", "日期", "抄送"),
    *("收件者", "副本", "宛先", "日時", "받는 사람", "받는사람", "날짜"),
    *("참조", "Tới", "Đến", "Ngày", "Kepada", "ถึง", "วันที่"),
)
"""The other fields of that block."""

MESSAGE = any_of(
    *("Original Message", "Original Appointment", "Original message", "Forwarded message", "Forwarded Message"),
    *("Reply message", "Reply Message", "Replied Message", "回复的原邮件", "原始信件", "원본 메일"),
    *("Message d'origine", "Message d’origine", "Message original"),
    *("Message transféré", "Ursprüngliche Nachricht", "Originalnachricht", "Original-Nachricht"),
    *("Weitergeleitete Nachricht", "Mensaje original", "Mensaje reenviado", "Mensagem original"),
    *("Mensagem encaminhada", "Messaggio originale", "Messaggio inoltrato", "Oorspronkelijk bericht"),
    *("Doorgestuurd bericht", "Ursprungligt meddelande", "Vidarebefordrat meddelande", "Opprinnelig melding"),
    *("Videresendt melding", "Oprindelig meddelelse", "Oprindelig besked", "Videresendt meddelelse"),
    *("Alkuperäinen viesti", "Välitetty viesti", "Oryginalna wiadomość", "Wiadomość oryginalna"),
    *("Przekazana wiadomość", "Wiadomość przekazana", "Původní zpráva", "Přeposlaná zpráva", "Pôvodná správa"),
    *("Izvorna poruka", "Izvirno sporočilo", "Eredeti üzenet", "Továbbított üzenet", "Mesaj original"),
    *("Mesajul original", "Αρχικό μήνυμα", "Orijinal Mesaj", "Özgün İleti", "Исходное сообщение"),
    *("Пересылаемое сообщение", "Исходное письмо", "Пересланное сообщение", "Оригінальне повідомлення"),
    *("הודעה מקורית", "הודעה שהועברה", "الرسالة الأصلية", "原始邮件", "原始郵件", "转发的邮件", "轉寄的訊息"),
    *("元のメッセージ", "転送メッセージ", "원본 메시지", "전달된 메시지", "Tin nhắn gốc", "Pesan Asli"),
)
"""What stands between the hyphens above a quoted or forwarded message."""

FORWARDED = any_of(
    *("Begin forwarded message", "Début du message réexpédié", "Début du message transféré"),
    *("Anfang der weitergeleiteten Nachricht", "Anfang der weitergeleiteten E-Mail", "Inicio del mensaje reenviado"),
    *("Início da mensagem encaminhada", "Início da mensagem reencaminhada", "Inizio messaggio inoltrato"),
    *("Begin doorgestuurd bericht", "Vidarebefordrat brev", "Videresendt besked", "Videresendt melding"),
    *("Välitetty viesti alkaa", "Początek przekazywanej wiadomości", "Начало переадресованного сообщения"),
    *("Начало переадресованного письма", "下面是被转发的邮件", "以下是轉寄的郵件"),
    *("転送されたメッセージ", "전달된 메시지 시작"),
)
"""Apple's line above a forwarded message, which ends in a colon."""

ABOVE = any_of(
    *("above this line", "über dieser Linie", "oberhalb dieser Linie", "oberhalb dieser Zeile"),
    *(
        "au-dessus de cette ligne",
        "sobre esta línea",
        "encima de esta línea",
        "sopra questa riga",
        "sobre d'aquesta línia",
    ),
    *("acima desta linha", "boven deze lijn", "boven deze regel", "over denne linjen", "over denne linje"),
    *("ovanför denna rad", "ovanför den här raden", "tämän rivin yläpuolelle", "nad tímto řádkem", "nad tento riadok"),
    *("powyżej tej linii", "iznad ove linije", "nad to vrstico", "e vonal felett", "deasupra acestei linii"),
    *("выше этой строки", "выше этой линии", "вище цього рядка", "bu satırın üst", "فوق هذا الخط", "بالای این خط"),
    *("מעל קו זה", "此行上方", "この行の上に", "이 줄 위에"),
)
"""Where helpdesks want the answer: "Please reply above this line"."""
