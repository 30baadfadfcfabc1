"""A mail of ours as MIME bytes, threaded where it answers one."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from shared.domain.errors import SendRefused
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import Writer
from shared.mail.automation import SEND_KEY_HEADER
from shared.mail.reading import MESSAGE_ID
from shared.mail.text import clean, one_line

MOST_REFERENCES = 20
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_REPLY_PREFIXES = re.compile(
    r"^(?:(?:re|aw|sv|vs|antw|rif|rép|ref|odp|ynt)(?:\[\d+\])?\s*:\s*)+", re.I
)
_POLICY = SMTP.clone(max_line_length=900)
"""Wide enough that no message id is broken: Python would encode one that does not fit its line."""


def mime(message: OutboundMessage, *, sender_name: str) -> bytes:
    """The message, ready to leave. Date and Message-ID are Amazon SES's, which replaces them.

    Source: https://docs.aws.amazon.com/ses/latest/dg/header-fields.html (2026-11). Raises
    SendRefused for an address that cannot stand in a header.
    """
    account, recipient = message.endpoint.account, message.endpoint.address
    for address in (account, recipient):
        if not _ADDRESS.fullmatch(address):
            raise SendRefused("the address is none that mail servers take", code="address")
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(one_line(sender_name), addr_spec=account)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = _subject(message)
    answered = MESSAGE_ID.fullmatch(message.in_reply_to or "")
    if answered:
        mail["In-Reply-To"] = answered[0]
    if references := _references(message):
        mail["References"] = " ".join(references)
    mail[SEND_KEY_HEADER] = one_line(message.send_key)
    if message.written_by is Writer.MACHINE:
        mail["Auto-Submitted"] = "auto-replied"
    elif message.message_class is not MessageClass.TRANSACTIONAL:
        # A person sent what is transactional; a rule sent the rest, and says so (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
    if message.message_class is MessageClass.MARKETING:
        ways = [f"<mailto:{account}?subject=unsubscribe>"]
        if message.unsubscribe_url is not None:
            # The way of one click comes first, and needs no sender to be proven (RFC 8058).
            ways.insert(0, f"<{message.unsubscribe_url}>")
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail["List-Unsubscribe"] = ", ".join(ways)
    mail.set_content(clean(message.text), cte="quoted-printable")
    if message.language and re.fullmatch(r"[A-Za-z0-9-]{2,35}", message.language):
        mail["Content-Language"] = message.language
    return mail.as_bytes()


def _subject(message: OutboundMessage) -> str:
    """On one line; an answer has one `Re: `, in whatever languages it went to and fro before."""
    subject = one_line(message.subject or "")
    return f"Re: {_REPLY_PREFIXES.sub('', subject)}".strip() if message.in_reply_to else subject


def _references(message: OutboundMessage) -> list[str]:
    """Message ids, oldest first: the one that began the thread, and the latest ones."""
    ids = [
        one
        for one in dict.fromkeys((*message.thread, message.in_reply_to or ""))
        if MESSAGE_ID.fullmatch(one)
    ]
    return ids if len(ids) <= MOST_REFERENCES else [ids[0], *ids[1 - MOST_REFERENCES :]]
