"""How servers word their notices: what failed, was delayed or delivered; where recipients and the copy stand.

All in lower case, white space folded, phrases divided by "|", with "*" for up to 60 characters. Rows are families of
words, not servers: the next version of a server, and the next server, mostly use the same ones. After those in English
stand those of the localised servers, from German to Korean.
"""

from typing import Literal

from postroad.mail.bounce.phrase import divided

Fate = Literal["failed", "delayed", "delivered"]

FATES: tuple[tuple[Fate, tuple[str, ...]], ...] = (
    (
        "failed",
        divided("""
        not be delivered | can't be delivered | cannot be delivered | can not be delivered | unable to deliver |
        not able to deliver | wasn't able to deliver | weren't able to deliver | not delivered to |
        was not delivered | wasn't delivered | were not delivered | has not been delivered | not deliver your |
        not deliver message | not deliver the | cannot deliver | could not deliver | couldn't deliver |
        couldn't be delivered | undeliverable | undelivered | delivery has failed | delivery failed |
        delivery failure | delivery*failed | delivery was aborted | failed to deliver | failed permanently |
        failed recipient | failed addresses | following address*failed | fatal error | had delivery problems |
        delivery problem | did not reach | could not be reached | did not receive | non-delivery |
        non-delivered | error delivering | error during delivery | attempting to deliver |
        trying to deliver the mail | problem delivering | trouble delivering | problem with the e-mail address |
        could not be sent | failed to send | not be sent | returned mail | returned to sender |
        returning message to sender | been returned | was returned | failure notice | failure reasons |
        failed mail | mail failed | rejected your message | rejected recipient | was rejected |
        automatically rejected | has been rejected | been rejected by | were rejected | not accepted |
        not accepting mail from | delivery aborted | was aborted after | recipients were affected |
        was blocked by | address not found | given up | giving up | no valid recipients | error-for: |
        error description | errors occurred | message log follows | failed because | unknown user |
        user unknown | user not known | no such user | invalid final delivery | mailbox is full |
        mailbox unavailable | over quota | user not found | exceeds allowed | does not like recipient |
        host unknown | unknown host | no mailbox | invalid address | nicht zugestellt | nicht ausgeliefert |
        dauerhafte fehler | unzustellbar | zustellung*fehlgeschlagen | nachrichtenzustellung an |
        fehler bei der*zustellung | pas pu etre delivre | pas pu être délivré | pas pu être remis |
        pas été remis | pas été distribué | non remis | échec de la remise | impossible de remettre |
        echec de la remise | n'a pas pu être envoyé | non distribué | non délivré | n'est pas parvenu |
        pas pu remettre | no pudo ser entregado | no se pudo entregar | no se ha podido entregar |
        error de entrega | no se ha entregado | no ha sido entregado | no pudo entregarse |
        no ha podido ser entregado | no se entregó | no fue entregado | non è stato possibile recapitare |
        recapito non riuscito | impossibile recapitare | non recapitat | non è stato recapitato |
        mancato recapito | impossibile consegnare | non è stato consegnato | nao pode ser enviada |
        não pôde ser entregue | não foi entregue | falha na entrega | não foi possível entregar |
        nao foi possivel entregar | nao pode ser entregue | kan niet worden bezorgd | kon niet worden bezorgd |
        niet worden afgeleverd | niet afgeleverd | is mislukt | onbestelbaar | niet bezorgd |
        kunde inte levereras | gick inte att leverera | levererades inte | blev ikke leveret | ble ikke levert |
        kunne ikke leveres | levering*mislykkedes | mislyktes | ei voitu toimittaa | toimitus*epäonnistui |
        nie może zostać dostarczona | nie mogła zostać dostarczona | nie została dostarczona | nie powiodło |
        nie można dostarczyć | nemohla být doručena | nelze doručit | nebyla doručena | nepodařilo doručit |
        nebolo možné doručiť | nepodarilo sa doručiť | nije isporučen | nije moguće isporučiti |
        nem kézbesíthető | nem sikerült kézbesíteni | teslim edilemedi | iletilemedi | nu a putut fi livrat |
        nu a fost livrat | nu s-a putut livra | tidak dapat dikirim | tidak terkirim | không thể gửi |
        không gửi được | δεν παραδόθηκε | δεν ήταν δυνατή η παράδοση | δεν μπόρεσε να παραδοθεί |
        не вдалося доставити | не може бути доставлен | не може да бъде доставен | לא נמסרה | לא ניתן למסור |
        تعذر تسليم | لم يتم تسليم | не доставлено | не может быть доставлен | невозможно доставить |
        не удалось доставить | сбой доставки | не было доставлено | недоставлен | 邮件无法 | 无法发送 |
        无法投递 | 投递失败 | 发送失败 | 退信 | 被退回 | 传递给*失败 | 未能送达 | 未送达 | 找不到地址 |
        未能发送 | 無法傳遞 | 無法傳送 | 遞送失敗 | 配信できません | 配信できなかった | 配信されませんでした |
        配信に失敗 | 送信できません | 送信できませんでした | 届けられませんでした | 届きませんでした |
        お届けできません | 配送できません | 배달할 수 없 | 전송하지 못 | 전송되지 못 | 전송되지 않 |
        ไม่สามารถส่ง | ส่งไม่สำเร็จ | 배달되지 못 | 전달되지 못 | 반송 | didn't get through | did not get through |
        mancata consegna | è stato rilevato un errore
        """),
    ),
    (
        "delayed",
        divided("""
        not yet been delivered | not yet delivered | not been delivered yet | could not be delivered yet |
        attempts will continue | attempts to deliver*will continue | continue to attempt | continue to try |
        continue trying | keep trying | warning message only | just a warning | only a warning | advisory-only |
        been delayed | is delayed | was delayed | message delayed | delivery delayed | delivery is delayed |
        delayed mail | message*delayed | transient non-fatal | still being retried | will be retried | will retry |
        not need to resend | no action is required | delivery incomplete | temporary problem delivering |
        been postponed | temporarily delayed | delivery*delayed | being deferred | been deferred |
        not need to do anything | still trying | delivery status notification (delay) | verzögert | retardé |
        différé | retraso | retrasad | in ritardo | ritardat | atrasad | vertraagd | försenad | forsinket |
        viivästy | opóźnion | задерж | 延迟 | 延遅 | 遅延 | still waiting to be | keep on trying |
        noch nicht*zugestellt | weitere zustellversuche | pas encore été | aún no se ha | todavía no se ha |
        ainda não foi | non è ancora | nog niet*afgeleverd | nog niet*bezorgd | ännu inte*levererats |
        jeszcze nie*dostarczon | zatím nebyla doručena | еще не*доставлен | ещё не*доставлен | 尚未送达 | 尚未投递 |
        まだ配信
        """),
    ),
    (
        "delivered",
        divided("""
        successfully delivered | was delivered to | been delivered to | were delivered to | has been delivered |
        successfully relayed | relayed to | was successfully | been successfully | successful mail delivery |
        delivery confirmation | delivery is complete | successful delivery |
        delivery to the following recipient*succe | deliver*success | zugestellt an | erfolgreich zugestellt |
        a été remis à | remis à ces destinataires | entregado a | se ha entregado | consegnato | recapitato a |
        entregue | afgeleverd bij | 配信されました | 送达
        """),
    ),
)

NEGATIONS = divided("""
    not | no | nicht | pas | non | não | nao | niet | inte | ikke | ei | nie | nem | ne | nu | не | isn't | wasn't
""")
"""Shortly before words of delivery these say the opposite."""

FINAL = divided("""
    given up | failed permanently | permanent error | permanent fatal | permanent failure | permanently failed |
    not going to try | no further attempt | was aborted after | made numerous attempts | not continue trying |
    will not be retried | not retry | no further | gave up | not try again
""")
"""Beside words of delay these say that it has ended."""

LEADS = divided("""
    failed recipient | failed recipients | failed address | undeliverable address | intended recipient |
    intended recipients | recipient | recipients | recipient address | error-for | final recipient |
    final-recipient | invalid final delivery userid | unknown user | user unknown | unknown host |
    unknown recipient | no such user | user not found | addressed to | originally addressed to |
    undeliverable to | undelivered to | attempts | exceeds allowed size | mailbox is full | to local user |
    local user | local mailbox | this user | bad address | invalid address | undeliverable | not delivered |
    failed | failed to deliver to | delivery failed for | delivery failed to | delivery to | delivery for |
    unable to deliver to | unable to deliver message to | unable to deliver mail to |
    unable to deliver e-mail to | could not deliver to | could not deliver message to |
    could not deliver mail to | cannot deliver to | could not be delivered to | couldn't be delivered to |
    cannot be delivered to | not delivered to | not be delivered to the following address |
    not deliver message to | not be delivered to | not be sent to | not be reached | did not reach |
    did not reach the following recipient | following recipient | following address | following user |
    following recipients | following addresses | following recipient(s) | following address(es) |
    to the following recipient | to the address | to address | to email address | e-mail address |
    email address | to user | rejected recipient | error for | message for | mail for | message for user |
    gateway for | sending to | failed to send to | mailbox | account | [status: error, address |
    error, address | rcpt | the recipient | your message to | your mail to | your email to | your e-mail to |
    message to | mail to | email to | e-mail to | deliver your message to | delivering your message to |
    delivering your mail to | delivering mail to | deliver mail to | message addressed to |
    deliver the message to | deliver message to | following message to | sent to | send to | message sent to |
    delivery of email to this address | email to this address | this address | delivery of |
    message, addressed to | empfänger | empfängers | nachricht an | ihre nachricht an | mail an | e-mail an |
    adresse | an die adresse | destinataire | message à | delivre a | délivré à | remis à | votre message à |
    l'adresse | destinatario | mensaje a | mensaje para | correo a | su mensaje a | a la dirección |
    messaggio a | messaggio per | all'indirizzo | all'utente | destinatário | mensagem para | para o endereço |
    geadresseerde | bericht aan | uw bericht aan | mottagaren | meddelande till | modtager | besked til |
    mottaker | meldingen til | vastaanottaja | viesti | adresat | wiadomość do | do adresata | příjemce |
    получатель | получателю | адресату | по адресу | письмо для | сообщение для | 收件人 | 收件地址 | 发往 |
    发送到 | 发给 | 寄往 | 宛先 | 宛先アドレス | 送信先 | 受信者 | あて先 | 받는 사람 | 수신자 | 받는사람
""")
"""What stands directly before the address of a recipient."""

WEAK_LEADS = divided("""
    to | rcpt to | >>> rcpt to | an | à | para | a | for | x-failed-recipients | для | кому | address | user
""")
"""The same where nothing better is found."""

ORIGINS = divided("""
    generated from | expanded from | originally addressed to | original address | original-recipient | orig_to |
    original recipient | forwarded from
""")
"""Before the address as the sender gave it, of the recipient named last."""

NOT_LEADS = divided("""
    contact | contact us | please contact | questions | regards | sincerely | unsubscribe | from | sender |
    reply-to | reply to | assistance | write to | mail from | message-id | message id | postmaster | please |
    envelope-from | generating server | support | help | e-mail us at | or | return-path | reply |
    forward this | email at | e-mail at | mail at | write us at | admin | administrator | administrators |
    mail to our | send email to | questions to | questions, contact | contacting | visit | originator |
    original sender | errors-to | subject | von | de | von: | from: | abuse | kontakt | contactez |
    reach us at | try | instead | cc | try sending to | emailing | new address is | report to | mailing list |
    list | owner | sent by
""")
"""Before an address that is nobody's who was written to."""

ASIDE_LINES = divided("""
    contact | contact us | please contact | write to | assistance | support | help | unsubscribe | questions |
    postmaster | regards | sincerely | reply to | administrator | kontakt | contactez
""")
"""At the end of the line before an address that stands alone: whom to ask, wherever it stands."""

FOLLOWS = divided("""
    is not a valid | is not valid | does not exist | doesn't exist | is unknown | is unavailable | is full |
    is over quota | could not be | couldn't be | was not found | wasn't found | not found | is not known |
    has failed | failed | rejected | is no longer | is not a member | konnte nicht | ist unbekannt |
    existiert nicht | n'existe pas | no existe | non esiste | não existe | bestaat niet | не найден |
    не существует | 不存在 | への配信 | は存在しません | has been disabled | mailbox is | cannot be | unknown |
    user unknown | ... user | ...user | was undeliverable | did not exactly match | did not match |
    no such user | not listed | 宛の | 宛ての | には | へ
""")
"""What follows directly after the address of a recipient."""

CLOSERS = divided("""
    transcript of session follows | for further assistance | technical details | error detail |
    if you do so, please include | original message headers | what to do | how to fix |
    more info for email admins | additional information | please do not reply | message details | the mts-id of
""")
"""After these no more recipients are listed."""

DAEMONS = divided("""
    mailer-daemon | postmaster | post_master | post-master | post.master | mdaemon | maildaemon | mail-daemon |
    mail.delivery.system | mail-delivery-system | mailerdaemon | mailer | ndr | bounce | bounces |
    system administrator | "system administrator" | system_administrator | mailsystem | mail_service | smtp |
    smtpd | mailserver | imss | listserv | maildelivery | mail-delivery | delivery-notification | root |
    daemon | microsoftexchange329e71ec88ae4615bbc36ab6ce41109e | mailnull | mta | internet-mail | inetgw1 |
    exchange | antivirus | mail-gw
""")
"""Local parts that send notices."""

DAEMON_NAMES = divided("""
    mail delivery | delivery system | delivery subsystem | mail system | mail administrator |
    system administrator | postmaster | mailer-daemon | mailer daemon | system attendant | mail router |
    mailserver | mail server | delivery notification | delivery status | mailsystem | microsoft outlook |
    microsoft exchange | returned mail | mail service | 系统管理员 | 邮件系统 | メール配信 | postmester |
    maildaemon
""")
"""In the display name of who sends notices."""

SUBJECTS = divided("""
    failure notice | undelivered | undeliverable | returned mail | returned to sender | returning message |
    mail delivery | delivery failure | delivery failed | delivery has failed | failure delivery | delivery error |
    delivery notification | delivery status | delivery problem | delivery warning | mail failure | mail error |
    mail system error | could not be delivered | couldn't be delivered | cannot be delivered | can't be delivered |
    not delivered | non-delivery | nondeliverable | non delivery | non remis | ndn: | ndr | failed mail |
    mail failed | user unknown | unknown user | message delivery | delivery report | error during delivery |
    processing error | message delayed | delayed mail | delivery delayed | delivery delay | unable to deliver |
    failed delivery | delivery unsuccessful | message not delivered | rejected mail | mail rejected |
    message rejected | bounced | message undeliverable | nameserver error | unzustellbar | nicht zustellbar |
    zurückgesandt | zurueckgesandt | zurückgesendet | nicht zugestellt | zustellung | unzustellbarkeit |
    non distribu | non délivr | échec | echec de | no entregad | no se puede entregar | no se pudo entregar |
    entrega fallida | error de entrega | mancato recapito | non recapitabile | non recapitat | consegna fallita |
    não entregue | não foi entregue | falha na entrega | falha de entrega | onbestelbaar | niet bezorgd |
    kan niet worden bezorgd | kunde inte levereras | ikke leveres | kan ikke leveres | olevererbart |
    ei voitu toimittaa | nie dostarczon | niedostarczon | nedoručiteln | kézbesíthetetlen | nelivrat |
    nu a putut fi livrat | neisporučen | tidak terkirim | không thể gửi | không gửi được | δεν παραδόθηκε |
    αδύνατη η παράδοση | не вдалося доставити | לא ניתן למסור | تعذر تسليم | ไม่สามารถส่ง | teslim edilemedi |
    не доставлено | недоставлен | не может быть доставлен | сбой доставки | 退信 | 投递失败 | 传输失败 | 发送失败 |
    无法送达 | 无法投递 | 未送达 | 未传递 | 配信不能 | 配信できません | エラー通知 | エラーメール | メールエラー |
    配信エラー | 送信エラー | 不達 | 配達不能 | 返送 | 반송 | 배달 실패 | 배달되지 | 系统退信 | 遞送失敗 |
    utilisateur non recens | quota exceeded | mailbox full | mailbox is full | warning: message |
    didn't get through | did not get through | mancata consegna |
    message you sent blocked | cannot send | can't send | could not send | unable to send | not be sent
""")
"""In the subject of a notice."""

ANSWERS = divided("""
    automatic reply | automatic response | auto-reply | auto reply | autoreply | auto response | autoresponse |
    auto-response | auto: | out of office | out of the office | out-of-office | vacation | on leave |
    away from | abwesenheit | abwesend | automatische antwort | réponse automatique | absence du bureau |
    absent | respuesta automática | respuesta automatica | fuera de la oficina | risposta automatica |
    fuori ufficio | resposta automática | ausência | automatisch antwoord | afwezig | autosvar |
    automatiskt svar | automatisk svar | frånvaro | poissa | automaattinen vastaus | automatyczna odpowiedź |
    nieobecn | automatická odpověď | автоответ | автоматический ответ | 自动回复 | 自動回覆 | 自動返信 |
    自動応答 | 不在 | 자동 회신 | 자동 응답 | 부재 | thank you for contacting | we have received your |
    ticket received | [ticket | confirm your | please confirm | verification required | confirmation required |
    challenge | verify your email | to the anti-spam | sender verification
""")
"""In the subject of answers by machine, of challenges and of receipts for requests."""

FIRST_PERSON = divided("""
    i | my | me | ich | mein | meine | meinem | meinen | meiner | je | mon | moi | yo | mi | mis | io | mio | mia |
    eu | meu | minha | ik | mijn | jag | jeg | min | mitt
""")
"""How people speak of themselves, as mail systems do not."""

RECEIPTS = divided("""
    read: | lu: | lu : | gelesen: | leído: | leido: | letto: | lida: | gelezen: | läst: | læst: | lest: |
    luettu: | przeczytane: | прочитано: | 已读: | 開封済み: | 開封通知 | not read: | return receipt |
    read receipt | disposition notification | message read notification | ungelesen: | non lu
""")
"""At the head of the subject of a receipt (RFC 8098) that lost its fields."""

DELAY_SUBJECTS = divided("""
    warning | delay | not yet | still being | deferred | verzöger | retard | retraso | ritardo | atras |
    задерж | 延迟 | 遅延
""")
"""In the subject of a notice whose words are of no language known here."""

COMPLAINERS = divided("""
    staff@hotmail.com | feedback@arf.mail.yahoo.com | scomp@aol.net | scomp@aol.com
""")
"""Who passes complaints on, some of them without the fields of RFC 5965."""

COMPLAINT_SUBJECTS = divided("""
    complaint about message from | email feedback report for | abuse report for | spam complaint
""")
"""In the subject of a complaint."""

COMPLAINT_FIELDS = divided("""
    x-hmxmroriginalrecipient | x-hmxmroriginalrecipient-address | x-complaints-recipient | x-original-rcpt-to
""")
"""Fields of the returned message, or of the mail, that name who complained."""

COPY = (
    r"(?:below|beneath|here|following|the following|next)\b[^.]{0,40}\b(?:is|are|"
    r"follows?)\b[^.]{0,30}\b(?:copy|headers?|lines|part|text|original)\b",
    r"(?:enclosed|included|attached|attachment|this)\b(?: \w+)? (?:is|are) (?:a|the|your|an)? ?(?:exact |"
    r"complete |full )?(?:copy|headers?|first|original|part of)\b",
    r"(?:(?:the|start of|beginning of|begin|copy of|a copy of|header of|headers of|full|complete|"
    r"your) )*(?:original|returned|return|unsent|undelivered|rejected|failed|bounced|forwarded|"
    r"non-delivered)(?: e?-?mail)?(?: message| mail| e-?mail| text| nachricht| header|"
    r" headers)+(?: headers?)?(?: is| as received is)?(?: attached| follows?| following| below|"
    r" as follows)?(?! (?:was|received|has|have|had|with|id|date|subject|details|size|sent|could|did|to|"
    r"cannot|can|from)\b)\W*$",
    r"(?:the )?(?:message|mail)(?:'s)? (?:header|headers|text|body|contents?|"
    r"source)s?(?: suppressed)?(?: is| are)?(?: below| attached| following)?(?: follows?)?\W*$",
    r"(?:the )?(?:header|headers)(?: and top \d+ lines)? of the (?:original |returned )?message",
    r"the first \d+ (?:lines|bytes|characters)",
    r"your message reads|a summary of the undelivered message|included is a copy|included below|"
    r"a copy of (?:the|your)|original message (?:follows|attached|headers)|original headers|old message:|"
    r"message removed$|attached is your",
    r"no more than \S+ characters of the body|message content removed|returned content|end of message$",
    r"mensaje original|mensagem original|message d'origine|message original|messaggio originale|urspr(?:ü|"
    r"ue)ngliche nachricht|original-?nachricht|oorspronkelijk[e]? bericht|ursprungligt meddelande|"
    r"oprindelig meddelelse|oryginalna wiadomość|kopie der nachricht|kopfzeilen der|en-têtes|intestazioni|"
    r"encabezados",
    r"ниже этой линии|копия сообщения|исходное сообщение|заголовки|附件中的内容|原邮件内容|原信件|附件是您|"
    r"以下は元の|元のメッセージ|原文|"
    r"original メッセージ|オリジナル|원본|원래 메시지",
)
"""Lines (marks at both ends taken off) after which the message that came back begins; regular expressions."""

_ACTIONS = {
    "failed": "failure | fail | error | failed | undeliverable | bounced | expired | rejected",
    "delayed": "delay | delayed | deferred | warning",
    "delivered": "deliverable | delivered | success | succeeded",
    "relayed": "relayed",
    "expanded": "expanded",
}
ACTIONS = {word: action for action, words in _ACTIONS.items() for word in divided(words)}
"""RFC 3464 2.3.3, and what servers write in its place."""
