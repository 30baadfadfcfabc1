"""The words by which mail clients, in their languages, announce what they quote or forward.

Collected from the localised tables of email-forward-parser, talon, quotequail and
email_reply_trimmer (public repositories, 2026-11) and from mails of these clients. All in lower
case.
"""

import re
from typing import Literal

Role = Literal["from", "date", "to", "subject", "other"]

_NAMES: dict[Role, str] = {
    "from": "from von da de van od fra från feladó lähettäjä mittente nadawca kimden gönderen "
    "от отправитель від expéditeur remitente absender šalje 发件人 寄件者 差出人 送信元 "
    "보낸사람 보낸_사람 de_la",
    "date": "date sent datum gesendet data inviato envoyé enviado enviada enviado_el enviada_em "
    "enviado_em fecha verzonden dato sendt skickat päivämäärä lähetetty dátum küldve "
    "elküldve odesláno odoslané wysłano wysłane trimis tarih gönderilen дата отправлено "
    "відправлено date_envoi envoyé_le received erhalten data_invio 发送时间 日期 "
    "送信日時 日付 보낸날짜 보낸_날짜 sent_at data/ora",
    "to": "to an à a para pour aan komu til till címzett vastaanottaja do кому kime către "
    "adresat destinataire destinatario destinatário empfänger per prima pre 收件人 宛先 "
    "送信先 받는사람 받는_사람",
    "subject": "subject betreff objet oggetto asunto assunto onderwerp emne ämne aihe tárgy "
    "předmět predmet temat тема konu subiect subiectul sujet naslov 主题 主旨 件名 제목",
    "other": "cc bcc cco kopie kopia kopi kopio copie copie_à copia ccn cci dw másolat копия "
    "reply-to antwort_an répondre_à rispondi_a responder_a importance priority "
    "priorität importanza importancia importância wichtigkeit attachments anlagen "
    "allegati adjuntos anexos pièces_jointes organization organisation kopie_(cc) 抄送 "
    "参考",
}
FIELDS: dict[str, Role] = {
    name.replace("_", " "): role for role, names in _NAMES.items() for name in names.split()
}
"""Names of the header lines above a quoted mail. A space stands before some colons in French."""


def _any(*forms: str) -> str:
    return "|".join(forms)


OPENINGS = re.compile(
    r"[-\s]*(?:on|at|le|il|el|em|a|à|às|no dia|am|op|den|dne|dnia|w dniu|dňa|in data|in message|vào"
    r"|在|em data de|el día|på|pe)\s"
)
"""How the line above a quote begins: `On Friday …`, `Le ven. …`."""

WROTE = re.compile(
    r"(?:^|[\s>\"”»,.)\d])(?:(?:"
    + _any(
        r"wrote|writes|said|sent",
        r"a (?:é|e)crit(?: ceci)?|nous a dit|a (?:é|e)crit le [^:]{4,40}",
        r"ha scritto(?: quanto segue)?",
        r"escribi(?:ó|o)(?: lo siguiente)?",
        r"escreveu(?: o seguinte)?",
        r"schrieben sie|geschrieben|het volgende geschreven",
        r"napsal(?:\(a\)|a)?|napisał(?:\(a\)|a)?|pisze|nadesłał|napísal(?:\(a\)|a)?",
        r"написал(?:\(а\)|а)?|пише|пишет|писал(?:\(а\)|а)?",
        r"kirjoitti|ezt írta|a scris|(?:şunu|şunları) yazdı|έγραψε",
        r"đã viết|je napisa[ol](?:/la)?|skrev",
        r"写道|寫道|님이 작성|작성|のメール|のメッセージ",
    )
    + r")\s?[:：]?$|(?:schrieb|schreef|skrev|napsal|kirjoitti|escribió el|ha scritto il|wrote on"
    r"|a écrit le|escreveu em)\s.{1,200}$)"
)
"""Its verb, at the end, or before a name or a date where the language puts that last."""

_DASHES = r"[-_=]{2,}\s*"
_ORIGINAL = _any(
    r"original message|reply message|original-nachricht",
    r"message d['’]origine|message original|mail original|message initial",
    r"messaggio originale|messaggio di origine",
    r"mensaje original|mensaje de origen|correo original",
    r"mensagem original",
    r"urspr(?:ü|ue)ngliche (?:nachricht|mail|e-mail)|originalnachricht|antwort nachricht",
    r"oorspronkelijk bericht|origineel bericht|oprindelig (?:meddelelse|besked)",
    r"ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti|původní zpráva",
    r"wiadomość oryginalna|исходное сообщение|原始邮件|원본 메시지|元のメッセージ",
)
DIVIDERS = re.compile(rf"{_DASHES}(?:{_ORIGINAL})\s*(?:{_DASHES})?:?")
"""`-----Original Message-----`: over an answer, and with some clients over a forwarded mail."""

FORWARD_DIVIDERS = re.compile(
    rf"{_DASHES}(?:"
    + _any(
        r"forwarded message|forwarded mail",
        r"message transféré|message transmis|message réexpédié|mail transféré|courriel transféré",
        r"messaggio inoltrato",
        r"mensaje reenviado|correo reenviado",
        r"mensagem (?:re)?encaminhada",
        r"weitergeleitete nachricht|weitergeleitete e-mail",
        r"doorgestuurd bericht|videresendt (?:meddelelse|melding)|vidarebefordrat meddelande",
        r"edelleenlähetetty viesti|přeposlaná zpráva|przekazana wiadomość|továbbított üzenet",
        r"пересылаемое сообщение|перенаправленное сообщение|iletilmiş mesaj|メッセージを転送",
    )
    + rf")\s*{_DASHES}|(?:"
    + _any(
        r"begin forwarded message",
        r"début du message (?:transféré|réexpédié)",
        r"inizio messaggio inoltrato",
        r"inicio del mensaje reenviado",
        r"início da mensagem (?:re)?encaminhada",
        r"anfang der weitergeleiteten (?:nachricht|e-mail)",
        r"begin doorgestuurd bericht|start på videresendt besked|vidarebefordrat mejl",
    )
    + r")\s?:"
)
"""Over a forwarded mail: of Gmail, Yahoo, Thunderbird, Proton; of Apple Mail."""

FORWARD_SUBJECT = re.compile(
    r"\s*(?:fwd?|tr|wg|rv|enc|i|pd|vb|doorst|inoltro|reenv|fs)\s?:\s*\S", re.IGNORECASE
)
"""How the subject of a forwarded mail begins; `VS:` is an answer in Finnish."""

_DEVICE = (
    r"\b(?:iphone|ipad|ipod|ios|android|samsung|galaxy|huawei|honor|xiaomi|redmi|oppo|pixel"
    r"|motorola|moto|nokia|sony|xperia|oneplus|realme|htc|blackberry|windows|outlook|yahoo"
    r"|proton ?mail|gmail|gmx|web\.de|aol|tutanota|tuta|spark|airmail|k-9|bluemail|libero|orange"
    r"|mobile|smartphone|handy|tablet|mobilgerät|mobiltelefon|telefon|téléphone|telefono|teléfono"
    r"|telefone|celular|móvil|telemóvel|cellulare|apple|mail for|mobiel)\b"
)
_SENT = _any(
    r"\(?sent|from my",
    r"envoyé|provenance",
    r"inviato|spedito",
    r"gesendet|diese (?:nachricht|e-mail) wurde (?=.*gesendet)|(?:von|mit) (?=.*gesendet)",
    r"enviado|enviada|mensagem enviada|mensaje enviado",
    r"verstuurd|verzonden|sendt|skickat|wysłano|lähetetty|odesláno",
)
_GET = _any(
    r"get (?:the )?outlook",
    r"(?:télécharger|obtenir|obtenez|téléchargez) outlook",
    r"(?:scarica|ottieni|scaricare) outlook",
    r"(?:holen sie sich |laden sie |laden sie sich )?outlook (?:für|voor)",
    r"(?:obtener|descargar|consigue|obtén) outlook",
    r"(?:obter|obtenha|baixe|baixar|descarregar) o outlook",
)
SENT_FROM = re.compile(
    rf"(?:{_SENT})\b(?=[^\n]{{0,60}}{_DEVICE})[^\n,;!?]{{1,90}}\)?"
    rf"|(?:{_GET})[^\n,;!?]{{1,40}}"
    r"|yahoo mail: [^\n]{1,60}"
    r"|iphoneから送信|从我的 ?iphone ?发送|從我的 ?iphone ?傳送|나의 iphone에서 보냄"
)
"""What a telephone or an app writes under every mail; a whole line, and only as the last one."""
