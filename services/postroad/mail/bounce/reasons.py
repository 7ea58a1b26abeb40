"""What servers say when they refuse, by reason (P6). The first row that fits decides, so the particular stand first.

A server's next version words it a little differently: a phrase is as short as it can be without meaning something else.
"""

from typing import Literal

from postroad.mail.bounce.phrase import divided

Reason = Literal[
    "user_unknown",
    "host_unknown",
    "mailbox_full",
    "policy",
    "spam",
    "size",
    "rate",
    "greylisted",
    "auth",
    "suspended",
    "expired",
    "loop",
    "content",
    "network",
    "other",
]

PHRASES: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (  # plain words, before help texts that name everything a sender might have to set up
        "spam",
        divided("""
        spam classification | classified as spam | identified as spam | considered*spam | detected as spam |
        flagged as spam | looks like spam | message content rejected | rejected, ube | ofr*506
        """),
    ),
    (
        "greylisted",
        divided("""
        greylist | graylist | grey list | gray list | grey-list | postgrey | please retry*minutes
        """),
    ),
    (
        "loop",
        divided("""
        too many hops | hop count exceeded | mail loop | loop detected | loops back to | message looping |
        routing loop | loop back to me | possible loop | too many received | exceeds maximum hop | maximum hop |
        delivered-to loop | forwarding loop | is looping | circular | queue_id*loop | hopcount
        """),
    ),
    (
        "auth",
        divided("""
        dmarc | spf check | spf fail | spf record | fails spf | sender policy framework | dkim |
        unauthenticated email | not authenticated | authentication required | authentication is required |
        smtp auth | not pass authentication | authentication fail | sender id | 5.7.26 | 5.7.60 |
        authentication information | authentication checks | must be authenticated | email authentication |
        domain owner's policy | spf: | spf validation
        """),
    ),
    (
        "policy",
        divided("""
        sender address rejected | sender rejected | sender denied | sender*not allowed | unauthorized sender |
        unauthorised sender | sender verif | sender domain | domain of sender | bad sender | from domain |
        from address | envelope sender | relay access denied | relaying denied | not allowed to relay |
        unable to relay | relay not permitted | no relay | relaying not | relayed*denied |
        don't have permission | not have permission | senderfilter | sender's | reverse dns | rdns |
        helo command | helo name | restrictedtorecipients | google groups | unroutable sender |
        after mail from*not exist | after mail from*no such domain | after mail from*not found |
        after mail from*verif | valid from
        """),
    ),
    (
        "spam",
        divided("""
        blocked using | spamhaus | client host*block | blacklist | blocklist | block list | dnsbl | spamcop |
        rejected*spam | spam*rejected | low reputation | bad reputation | ip reputation | untrusted ip |
        unsolicited | listed by | spam filter
        """),
    ),
    (
        "rate",
        divided("""
        unusual rate | rate limit | rate-limit | ratelimit | too many connections | trop de connexions |
        too many messages | too many concurrent | too many sessions | too many emails | too many mails |
        receiving mail at a rate | too quickly | receiving mail too | throttl | slow down | sending rate |
        message rate | exceeded the maximum number of | frequency limit | connection frequency | sending limit |
        daily limit | hourly limit | max message*exceeded | ts01 | [tss | [ts0 | unexpected volume |
        connection limit | domain has exceeded the max | too much mail | limit exceeded for | too many recipients |
        too many rcpt | too fast | exceeded*per hour | mails per | messages per | 発信制限 | server busy |
        maximum number of connections | concurrent connections | over rate | limite de mensajes
        """),
    ),
    (
        "mailbox_full",
        divided("""
        quota exceeded | over quota | overquota | exceed*quota | quota*exceed | quota usage | quota violation |
        mailbox is full | mailbox full | mail box full | mailbox was full | full mailbox | mailfolder is full |
        inbox is full | inbox full | folder is full | account is full | box is full | storage is full |
        out of storage | storage space | not enough storage | exceeded storage | storage allocation |
        storage limit | insufficient space | enough space | not enough disk | not enough room | disk quota |
        diskspace quota | disk full | no space left | mailbox size limit | mailbox*exceed | too much mail stored |
        recipient*mailbox*limit | quotaexceeded | user is over | blocks limit | inode limit |
        over the maximum allowed | over its quota | over disk | account is exceeding | maximum mailbox |
        exceeded the local limit | mailbox has exceeded | no room in mailbox | overdrawn his | quotum |
        postfach*voll | postfach ist | speicherplatz | speicherplatz überschritten | boîte*pleine | boite*pleine |
        boite aux lettres pleine | quota dépassé | buzón*lleno | buzon*lleno | mailbox lleno | casilla*llena |
        agotado | cuota | casella*piena | caixa*cheia | mailbox vol | postvak*vol | postvak is vol | переполнен |
        ящик полон | 邮箱已满 | 信箱已满 | 信箱空间 | 空间不足 | メールボックス*いっぱい | メールボックス*容量 |
        容量超過 | 容量を超え | skrzynka*pełna | skrzynka pocztowa jest pełna | postlådan*full | postkasse*full |
        postkassen*fuld | postilaatikko*täynnä
        """),
    ),
    (
        "size",
        divided("""
        message too large | message too big | too large | too big | size exceeds | exceeds*size | message size |
        size limit | maximum message size | larger than | message is too | message length exceeds |
        exceeded*message size | line limit exceeded | message too long | exceeds fixed | mail size |
        size restriction | exceeds the maximum | maximum allowable | nachricht*zu groß | trop volumineux |
        demasiado grande | troppo grande | muito grande | サイズ | 超过*大小 | слишком больш | fixed maximum
        """),
    ),
    (
        "suspended",
        divided("""
        account*disabled | mailbox*disabled | user*disabled | address*disabled | has been disabled |
        is disabled | disabled or discontinued | account*suspended | mailbox*suspended | is suspended |
        been suspended | account*inactive | mailbox*inactive | is inactive | not active | inactive user |
        user inactive | account*deactivated | been deactivated | account*expired | mailbox*expired |
        account*closed | account*locked | mailbox*locked | temporary locked | disabled recipient |
        recipient*disabled | account*blocked | been blocked by admin | temporarily locked |
        account that you tried to reach is inactive | out of service | no longer accepting | is frozen |
        account*terminated | account*cancelled | account*canceled | discontinued | no longer active |
        not been collected | restricted by the domain | expirado por falta | konto*gesperrt |
        konto*deaktiviert | deaktiviert | compte*désactivé | compte*desactive | cuenta*desactivada |
        cuenta*suspendida | cuenta*deshabilitada | conta*desativada | account*disattivato | заблокирован |
        отключен | неактивен | 账号*停 | 帐号*停 | 被禁用 | 已停用 | 冻结 | 利用停止 | 停止され
        """),
    ),
    (
        "host_unknown",
        divided("""
        unknown host | host unknown | host not found | no such host | host*not exist | domain*not exist |
        domain*does not exist | domain*doesn't exist | no such domain | unknown domain | domain not found |
        domain*not found | nonexistent domain | bad domain | unrouteable mail domain | unroutable domain |
        unroutable mail domain | domain*invalid | invalid domain | domain*not valid | name service error |
        name server*error | nxdomain | dns error | dns lookup fail | dns failure | no mx | no valid mx | null mx |
        nullmx | mx record | bad destination host | bad destination system | no route to host by |
        could not find a gateway | couldn't find any host | cannot find host | can't find host | cannot resolve |
        unable to resolve | could not resolve | unresolvable address | dns query failed | dns*problem | no dns |
        does not accept mail | doesn't accept mail | does not receive mail | illegal host |
        no smtp service | domain*not reachable |
        name or service not known | address resolution | relayurl | infodomainnonexistent | unresolvable |
        domäne*nicht | domain*nicht gefunden | domaine*inexistant | dominio*no existe | домен не | 域名 | ドメイン
        """),
    ),
    (
        "user_unknown",
        divided("""
        user unknown | address rejected: access denied | addresses rejected : access denied |
        addresses rejected: access denied | 5.1.0 address rejected | 5.1.1 address rejected | may not exist |
        not a registered | check if address is correct | unknown user | no such user | no such recipient |
        no such mailbox | no such address | no such account | no such person | no such local user |
        no such email | nosuchuser | user not found | user*not found | user not known | users not found |
        recipient not found | recipient*not found | recipnotfound | recipientnotfound | mailbox not found |
        mailbox*not found | account not found | address not found | address*not be found |
        address*couldn't be found | wasn't found at | user*doesn't exist | user*does not exist |
        user*not exist | does not exist | doesn't exist | dosn't exist | not exist | nonexistent |
        non-existent | non existent | doesn't have*account | does not have*account | no mailbox | no account |
        not a valid user | not a valid mailbox | not a valid recipient | not a valid address |
        not a valid email | not valid | invalid user | invalid recipient | invalid mailbox | invalid address |
        invalid email | invalid final delivery | invalid destination | bad destination mailbox | bad recipient |
        bad address | bad mailbox | unknown recipient | recipient unknown | recipients unknown |
        unknown mailbox | unknown address | address unknown | addressee unknown | unknown account |
        unknown local | unknown or illegal | unknown email | unknown to | is unknown | is not known |
        unknown in | not listed in | not listed | not recognized | not recognised | not a known user |
        not our customer | not my customer | no matches | not unique | unrouteable address |
        unroutable address | unroute | mailbox unavailable | mailbox*unavailable | mailbox not available |
        mailbox is currently available | recipient*unavailable | not*mailbox here | no one here |
        no longer valid | no longer exist | no longer with | no longer works | no longer available |
        no longer in use | not a local | not local | relay*table | virtual alias table | virtual mailbox table |
        local recipient table | not configured to receive | is not a member | undeliverable address |
        invalid or inactive | recipient rejected | is not e-mail users | not e-mail user | delivery point |
        cannot be found | did not match | did not exactly match | user id not | user*not available |
        recipient name | recipient does not | unrecognized | recipient verification failed | verify recipient |
        unable to find | address is wrong | address error | mailbox*moved | no user | not_found |
        reject*unknown | incorrect*address | unbekannt | nicht gefunden | existiert nicht | nicht vorhanden |
        adresse*ungültig | empfänger*nicht | inconnu | n'existe pas | n existe pas | destinataire invalide |
        destinataire*invalide | adresse*invalide | adresse*introuvable | introuvable | desconocido | no existe |
        inexistente | no se ha encontrado | no encontrado | no encontrada | inexistent | usuario*inválido |
        usuario no | destinatario*non | sconosciuto | non esiste | non trovato | non è stato trovato |
        inesistente | indirizzo*non valido | usuário | não existe | não foi encontrado | não encontrado |
        nao existe | desconhecido | destinatário | onbekend | bestaat niet | niet gevonden | ukjent | ukendt |
        okänd | finns inte | hittades inte | findes ikke | finnes ikke | tuntematon | ei löydy | nie istnieje |
        nieznany | neexistuje | neznám | nem létezik | ismeretlen | nem található | ikke fundet | ikke funnet |
        ei löytynyt | nebyla nalezena | nebyl nalezen | nie znaleziono | nu a fost găsit | nu există |
        tidak ditemukan | không tồn tại | không tìm thấy | δεν βρέθηκε | δεν υπάρχει | не знайдено | не існує |
        לא נמצא | לא קיים | لم يتم العثور | غير موجود | ไม่พบ | не найден | не удалось найти | не существует |
        неизвест | нет такого | bulunamadı | 不存在 | 无此用户 | 没有找到 | 找不到 | 用户未找到 | 无效 |
        存在しません | 存在しない | 見つかりません | 見つかりませんでした | 宛先不明 | ユーザー*不明 |
        宛先が不明 | 존재하지 않 | 없는 사용자 | 찾을 수 없
        """),
    ),
    (
        "content",
        divided("""
        virus | malware | infected | attachment | executable | banned file | forbidden file | bad header |
        equal headers | equal x-header | invalid header | header syntax | rfc 5322 | rfc 2822 | rfc2822 |
        rfc5322 | bare lf | 8-bit | 8bit data | malformed | mime*error | content rejected | content presents |
        security issue | contains a url | no resent-from | missing header | missing from | line too long |
        prohibited content | duplicate header | invalid character | charset | 添付
        """),
    ),
    (
        "spam",
        divided("""
        spam | unsolicited | junk | block list | blocklist | block-list | blacklist | black list | blackhole |
        block*using | dnsbl | rbl | reputation | listed at | listed in | listed by | listed on | is listed |
        bulk mail | bulk email | suspicious | phish | abuse | complaint | content filter | has been blocked |
        was blocked | messages*weren't sent | surbl | uribl | senderscore | senderbase | barracuda | cloudmark |
        proofpoint | ctipd | spf blocked | fraud | poor score | ip*block | client host*block | blocked by | 垃圾 |
        迷惑メール | スパム | спам | indésirable | unerwünscht | no deseado | indesiderat
        """),
    ),
    (
        "expired",
        divided("""
        retry timeout exceeded | retry time not reached | maximum-time-expired | message expired |
        delivery expired | envelope expired | expired | in queue too long | in the queue too long |
        queue too long | been in the queue | retry timeout | timeout exceeded for | too long in |
        message timed out | delivery time expired | exceeded maximum delivery | maximum delivery attempts |
        number of delivery attempts | undeliverable for | could not be delivered for | unable to deliver*days |
        allowed queue period | not delivered within | delivered for too long | failing for a long time |
        for the last*seconds | multiple retries | queue for too long | for too long | was aborted after |
        failed * attempts | attempts to deliver | undelivered after | tried to deliver*days | gave up after |
        since * days | message*too old
        """),
    ),
    (
        "network",
        divided("""
        connection refused | connection timed out | connection timeout | connection reset | connection dropped |
        connection was dropped | connection lost | lost connection | connection closed | connection failed |
        connection error | connection to mail exchanger failed | connection died | could not connect |
        couldn't connect | cannot connect | can't connect | unable to connect | failed to connect |
        establish an smtp connection | initiate smtp | accept our requests to connect | accept our connection |
        timed out | timeout | time out | no route to host | network is unreachable | network unreachable |
        network error | host is down | host unreachable | not reachable | is not responding | not responding |
        did not respond | no response | no answer | unreachable | host not reachable | server unavailable |
        unavailable or busy | service unavailable | service not available | tls | ssl | handshake | certificate |
        i/o error | i/o timeout | name server timeout | nameserver timeout | communication failure |
        can't create output | remote server*unavailable | system*unavailable | connect to | bad gateway
        """),
    ),
)
"""Asked in this order of a flat text. A reason may stand twice: what is plain first, what is less so at the end."""

REFUSALS = divided("""
    access denied | not allowed | not permitted | permission | not authorized | not authorised | unauthorized |
    unauthorised | restrict | policy | relay | denied | refused | protocol violation | administrative | prohibit |
    blocked | rejected by | forbidden | sender rejected | sender denied | sender address rejected | bad sender |
    invalid sender | does not like | not accepting mail from | not accepting | rejected | rejete | reverse dns |
    rdns | ptr | helo | ehlo | banned | not accepted | whitelist | white list | allow list | members-only | moderat |
    refuse | verweigert | abgelehnt | refusé | rechazad | rifiutat | recusad | geweigerd | отклонен | запрещ | 拒绝 |
    拒否
""")
"""Words of refusal that say little: policy, where a status does not say more."""

STATUS: dict[tuple[int, int], Reason] = {
    (1, 0): "user_unknown",
    (1, 1): "user_unknown",
    (1, 2): "host_unknown",
    (1, 3): "user_unknown",
    (1, 4): "user_unknown",
    (1, 6): "user_unknown",
    (1, 7): "policy",
    (1, 8): "policy",
    (1, 10): "host_unknown",
    (2, 0): "other",
    (2, 1): "suspended",
    (2, 2): "mailbox_full",
    (2, 3): "size",
    (2, 4): "other",
    (3, 1): "mailbox_full",
    (3, 2): "network",
    (3, 4): "size",
    (3, 5): "other",
    (4, 1): "network",
    (4, 2): "network",
    (4, 3): "network",
    (4, 4): "host_unknown",
    (4, 5): "network",
    (4, 6): "loop",
    (4, 7): "expired",
    (5, 3): "rate",
    (6, 0): "content",
    (6, 1): "content",
    (6, 3): "content",
    (6, 6): "content",
    (6, 7): "content",
    (7, 0): "policy",
    (7, 1): "policy",
    (7, 2): "policy",
    (7, 5): "policy",
    (7, 8): "auth",
    (7, 20): "auth",
    (7, 21): "auth",
    (7, 23): "auth",
    (7, 24): "auth",
    (7, 26): "auth",
    (7, 28): "rate",
    (7, 650): "spam",
    (7, 705): "rate",
    (7, 708): "rate",
    (7, 606): "spam",
    (7, 511): "spam",
}
"""RFC 3463 subject and detail, RFC 5248's registry, RFC 7372, RFC 7505; three digits are Microsoft's."""

REPLY: dict[int, Reason] = {
    421: "network",
    452: "mailbox_full",
    523: "size",
    530: "auth",
    535: "auth",
    551: "user_unknown",
    552: "mailbox_full",
    556: "host_unknown",
    511: "user_unknown",
    521: "host_unknown",
    522: "mailbox_full",
    553: "user_unknown",
}
"""RFC 5321 4.2.3, RFC 7504, and what was in use beside them, where neither words nor status say more."""

PASSING: frozenset[Reason] = frozenset({"mailbox_full", "rate", "greylisted", "network", "expired"})
"""Reasons that pass by themselves: temporary where neither status nor reply code says otherwise."""

HARD: frozenset[Reason] = frozenset({"user_unknown", "host_unknown", "suspended"})
"""Reasons that lie in the address."""

RETRIED = (
    "try again",
    "try later",
    "temporar",
    "deferred",
    "will be retried",
    "still being",
    "essayer plus tard",
    "later",
)
"""Words that make a failure a passing one where nothing better says so."""
