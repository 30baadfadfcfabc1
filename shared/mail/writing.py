"""A mail of ours as MIME bytes, threaded where it answers one."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from shared.domain.errors import SendRefused
from shared.domain.sending import MessageClass, OutboundFile, OutboundMessage
from shared.domain.touchpoint import Writer
from shared.mail.automation import SEND_KEY_HEADER
from shared.mail.reading import MESSAGE_ID
from shared.mail.text import clean, one_line

MOST_REFERENCES = 20
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_REPLY_PREFIXES = re.compile(
    r"^(?:(?:re|aw|sv|vs|antw|rif|rép|ref|odp|ynt)(?:\[\d+\])?\s*:\s*)+", re.I
)
_EVENT_ID = re.compile(rf"({MESSAGE_ID.pattern})(?:#[\x21-\x7e]{{1,256}})?")
_POLICY = SMTP.clone(max_line_length=900)
"""Wide enough that no message id is broken: Python would encode one that does not fit its line."""


def mime(message: OutboundMessage, *, sender_name: str) -> bytes:
    """The message, ready to leave. Date and Message-ID are Amazon SES's, which replaces them.

    Source: https://docs.aws.amazon.com/ses/latest/dg/header-fields.html (2026-11). Raises
    SendRefused for an address that cannot stand in a header.
    """
    mail = without_files(message, sender_name=sender_name)
    for file in enclosed(message):
        if not mail.is_multipart():
            mail.make_mixed()
        mail.attach(_part(file))
    return mail.as_bytes()


def enclosed(message: OutboundMessage) -> tuple[OutboundFile, ...]:
    """The files that go along as they are: those that lie with us."""
    return tuple(file for file in message.files if file.object_key is not None)


def file_name(file: OutboundFile) -> str:
    """On one line, and never none: some carriers refuse that."""
    return one_line(file.name) or "attachment"


def _part(file: OutboundFile) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    main, _, kind = file.content_type.partition("/")
    # What we take for plain text is UTF-8.
    params = {"charset": "utf-8"} if main == "text" else {}
    name = file_name(file)
    part.set_content(
        file.content, main, kind, disposition="attachment", filename=name, params=params
    )
    del part["MIME-Version"]
    return part


def without_files(message: OutboundMessage, *, sender_name: str) -> EmailMessage:
    """The words and what stands above them, for a carrier that puts the files in by itself."""
    account, recipient = message.endpoint.account, message.endpoint.address
    for address in (account, recipient):
        if not _ADDRESS.fullmatch(address):
            raise SendRefused(
                "the address is none that mail servers take",
                code="address",
                reason="invalid_recipient",
            )
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(one_line(sender_name), addr_spec=account)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = _subject(message)
    if answered := _stated_id(message.in_reply_to):
        mail["In-Reply-To"] = answered
    if references := _references(message):
        mail["References"] = " ".join(references)
    mail[SEND_KEY_HEADER] = one_line(message.send_key)
    if message.written_by is Writer.MACHINE:
        mail["Auto-Submitted"] = "auto-replied"
    elif message.message_class is not MessageClass.TRANSACTIONAL:
        # A person sent what is transactional; a rule sent the rest, and says so (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
    if "Auto-Submitted" in mail:
        # Exchange answers no such mail by itself, though read and delivery receipts are welcome.
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    if message.message_class is MessageClass.MARKETING:
        ways = [f"<mailto:{account}?subject=unsubscribe>"]
        if message.unsubscribe_url is not None:
            # The way of one click comes first, and needs no sender to be proven (RFC 8058).
            ways.insert(0, f"<{message.unsubscribe_url}>")
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail["List-Unsubscribe"] = ", ".join(ways)
    mail.set_content(clean(_text(message)), cte="quoted-printable")
    if message.language and re.fullmatch(r"[A-Za-z0-9-]{2,35}", message.language):
        mail["Content-Language"] = message.language
    return mail


def _text(message: OutboundMessage) -> str:
    """With a line for every file that lies elsewhere: whoever reads the mail fetches it there."""
    links = [
        f"{one_line(file.name)}: {file.url}" if file.name else file.url
        for file in message.files
        if file.object_key is None
    ]
    # Carriers take no mail without words, whatever is in it.
    text = message.text or ("" if links else "\n".join(map(file_name, enclosed(message))))
    return "\n".join([text, *(["", *links] if links else [])])


def _subject(message: OutboundMessage) -> str:
    """On one line; an answer has one `Re: `, in whatever languages it went to and fro before."""
    subject = one_line(message.subject or "")
    return f"Re: {_REPLY_PREFIXES.sub('', subject)}".strip() if message.in_reply_to else subject


def _stated_id(message_id: str | None) -> str | None:
    """The Message-ID in an event id of ours, which may have the carrier's own after a `#`."""
    found = _EVENT_ID.fullmatch(message_id or "")
    return found[1] if found else None


def _references(message: OutboundMessage) -> list[str]:
    """Message ids, oldest first: the one that began the thread, and the latest ones."""
    ids = [
        one
        for one in dict.fromkeys(map(_stated_id, (*message.thread, message.in_reply_to)))
        if one is not None
    ]
    return ids if len(ids) <= MOST_REFERENCES else [ids[0], *ids[1 - MOST_REFERENCES :]]
