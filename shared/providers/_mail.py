"""What the providers of mail share: a mail that came in, what became of one of ours, and one that
leaves, whoever carries it.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, JsonValue, TypeAdapter, ValidationError

from shared.domain.errors import SendRefused
from shared.domain.identity import Identifier, Proof, email_identifier
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    Message,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import File, Observed, Secret, as_list

# A delivery status needs nothing of these, and each is paid for at a cold start.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage
    from shared.mail.headers import Mailbox
    from shared.mail.reading import Mail, Part
    from shared.mail.reports import Report

Status = Literal["accepted", "sent", "delivered", "read", "failed"]

LONGEST_IN_QUEUES = timedelta(hours=1)
"""A Date is the sender's own word: an older one would put a mail at the head of the queue, its
answer overdue. Whatever waited longer with a mail server counts from when the carrier had it.
"""
_CLOCK_SKEW = timedelta(minutes=5)


class MailSecret(Secret):
    """`addresses`: our mailboxes that mail comes in for, which we also write from. `sender_name`:
    shown before our address.
    """

    addresses: list[str] = Field(min_length=1)
    sender_name: str = ""

    @property
    def own(self) -> frozenset[str]:
        return frozenset(address.lower() for address in self.addresses)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What the carrier says of a mail, beside the mail itself.

    `account` is our mailbox it came to. `carriers_id` makes what stands in for a missing
    Message-ID, for some a digest of megabytes. `arrived` is when the carrier had it.
    `envelope_sender` is SMTP's MAIL FROM: empty where that was, None where the carrier does not
    tell it. `dmarc` is what the carrier itself found, None where it does not say.
    """

    provider: str
    account: str
    carriers_id: Callable[[], str]
    arrived: datetime
    received_at: datetime
    envelope_sender: str | None
    dmarc: Literal["pass", "fail"] | None
    author_domain: str | None = None
    """Of which author `dmarc` says it; None where the carrier does not name them."""
    is_dangerous: bool = False
    is_spam: bool = False


def mail_touchpoint(
    mail: "Mail",
    arrival: Arrival,
    *,
    own: frozenset[str],
    raw: bytes,
    in_reply_to: str | None,
    our_id: Callable[[str], str | None] = str,
) -> Observed:
    """The touchpoint of a mail that came in. `own` are our addresses in lower case.

    `our_id` makes of a Message-ID what the provider called that mail when it took it from us; None
    for one that it never gives.
    """
    from shared.mail.automation import automation_of
    from shared.mail.quoting import newest_of
    from shared.mail.reports import read_report

    sender = _sender(mail, arrival)
    automation = automation_of(mail, envelope_sender=_envelope_sender(arrival, sender), own=own)
    if automation is None and (arrival.is_dangerous or arrival.is_spam):
        # Kept and visible, but no ticket: whoever finds a customer in there can still answer.
        automation = Automation.BOT
    report = read_report(mail)
    if report is not None and report.bears_our_mark and (sent := our_id(report.message_id)):
        return Observed(_reported(mail, report, sent, arrival, sender), raw)
    identifiers: tuple[Identifier, ...] = ()
    # A mailer daemon, or ourselves, is nobody's profile.
    if sender is not None and automation not in {Automation.BOUNCE, Automation.ECHO}:
        identifiers = identifiers_of(sender.address)
    # A file that is dangerous stays in the raw mail, where nobody opens it by a click.
    files = () if arrival.is_dangerous else tuple(_files(mail.parts))
    is_proven = _is_proven(mail, arrival, sender)
    reply_to = _reply_to(mail, arrival, own, sender, is_proven=is_proven) or sender
    newest = newest_of(mail.text, mail.header("subject"))
    touchpoint = Touchpoint(
        provider=arrival.provider,
        account=arrival.account,
        provider_event_id=_event_id(mail, arrival),
        channel=Channel.EMAIL,
        direction=Direction.INBOUND,
        occurred_at=_written(mail, arrival),
        received_at=arrival.received_at,
        content=Message(
            text=newest.text,
            subject=mail.header("subject") or None,
            forwarded=newest.is_forwarded,
            attachments=tuple(file.attachment for file in files),
            in_reply_to=in_reply_to,
            thread=mail.message_ids("references"),
        ),
        identifiers=identifiers,
        proof=Proof.DMARC if is_proven and identifiers else None,
        endpoint=mail_endpoint(arrival.provider, arrival.account, reply_to.address)
        if reply_to is not None and identifiers
        else None,
        name=(sender.name or None) if sender else None,
        automation=automation,
    )
    return Observed(touchpoint, raw, files)


def _event_id(mail: "Mail", arrival: Arrival) -> str:
    """Its Message-ID; with the carrier's own where DMARC says that somebody forged the author.

    Otherwise a forged mail that came first would hide the genuine one of the same Message-ID. What
    we write in answer refers to the part in `<…>`.
    """
    stated = next(iter(mail.message_ids("message-id")), None)
    if stated is None:
        return arrival.carriers_id()
    return f"{stated}#{arrival.carriers_id()}"[:512] if arrival.dmarc == "fail" else stated


def _reported(
    mail: "Mail", report: "Report", sent: str, arrival: Arrival, sender: "Mailbox | None"
) -> Touchpoint:
    """What became of a mail of ours, as the server or the program of its recipient reports it.

    The mark that came back was in the recipient's hands too. So it stops further mails only where
    DMARC proves that the report comes from the recipient's own domain, or from one above or below.
    """
    recipient = to_ascii(report.recipient) or ""
    is_from_there = _is_proven(mail, arrival, sender) and _are_kin(sender, recipient)
    return Touchpoint(
        provider=arrival.provider,
        account=arrival.account,
        provider_event_id=f"{sent}:{report.reason.replace(':', '-')}/{recipient}"[:512],
        channel=Channel.EMAIL,
        direction=Direction.PASSIVE,
        occurred_at=_written(mail, arrival),
        received_at=arrival.received_at,
        content=DeliveryStatus(
            status=report.status,
            message_id=sent,
            reason=report.reason,
            stop=Stop(kind=report.kind) if report.kind and is_from_there else None,
        ),
        identifiers=identifiers_of(recipient),
        endpoint=mail_endpoint(arrival.provider, arrival.account, recipient),
        automation=Automation.BOUNCE if report.status == "failed" else Automation.AUTO_REPLY,
    )


def _are_kin(sender: "Mailbox | None", recipient: str) -> bool:
    domains = {_domain(sender.address) if sender else "", _domain(recipient)}
    shorter, longer = min(domains, key=len), max(domains, key=len)
    return "." in shorter and (shorter == longer or longer.endswith(f".{shorter}"))


# Who it came to


def own_mailbox(recipients: Iterable[str], addresses: Sequence[str]) -> str | None:
    """Our mailbox it came to, as the secret writes it; `support+spring@` is `support@`."""
    own = {address.lower(): address for address in addresses}
    for recipient in recipients:
        local, _, domain = recipient.lower().rpartition("@")
        for candidate in (f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}"):
            if candidate in own:
                return own[candidate]
    return None


def addressees(mail: "Mail") -> Iterator[str]:
    """Who the mail was written to, for one that our own server handed on under another address."""
    for name in ("to", "cc", "delivered-to"):
        for box in mail.mailboxes(name):
            yield box.address


# Who wrote it


def _sender(mail: "Mail", arrival: Arrival) -> "Mailbox | None":
    """Who wrote: of several From the Sender, or the first; of none the Reply-To, or SMTP's."""
    from shared.mail.headers import Mailbox

    authors = mail.mailboxes("from")
    if len(authors) > 1:
        sending = {box.address.lower() for box in mail.mailboxes("sender")}
        authors.sort(key=lambda box: box.address.lower() not in sending)
    envelope_sender = arrival.envelope_sender or ""
    fallback = [Mailbox("", envelope_sender)] if "@" in envelope_sender else []
    candidates = [*authors, *mail.mailboxes("reply-to"), *fallback]
    readable = (
        Mailbox(box.name, ascii_) for box in candidates if (ascii_ := to_ascii(box.address))
    )
    return next(readable, None)


def _envelope_sender(arrival: Arrival, sender: "Mailbox | None") -> str:
    """Where nobody tells it, it is no reason to take a person for a machine."""
    if arrival.envelope_sender is not None:
        return arrival.envelope_sender
    return sender.address if sender else "untold"


def identifiers_of(address: str) -> tuple[Identifier, ...]:
    known = email_identifier(address)
    return (known,) if known else ()


def bare(address: str) -> str:
    """Without the name before it, and without its brackets."""
    return address.rpartition("<")[2].strip("> ")


def to_ascii(address: str) -> str | None:
    """With the domain as mail servers know it; None for what cannot be an address."""
    from shared.mail.domains import ascii_domain

    local, _, domain = address.rpartition("@")
    known = ascii_domain(domain)
    return f"{local}@{known}" if local and known and len(local) + len(known) < 320 else None


_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:@]{1,64}@[^\s<>()\[\]\"',;:@]{1,255}")
"""RFC 5321, 4.5.3.1. Without an end, a word without an @ would cost the square of its length."""


def _is_proven(mail: "Mail", arrival: Arrival, sender: "Mailbox | None") -> bool:
    """Whether DMARC passed for the very author that is read here.

    A carrier says that it passed, at most for which domain. So only a mail with one From counts
    that names one address in it, name included: what two programs read differently proves nothing
    (RFC 7489, 6.6.1; https://www.usenix.org/conference/usenixsecurity20/presentation/chen-jianjun).
    """
    from shared.mail.headers import without_encoded_words

    if arrival.dmarc != "pass" or sender is None or not mail.has_one_author:
        return False
    if arrival.author_domain not in {None, _domain(sender.address)}:
        return False
    author = mail.header("from")
    shape = _AUTHOR.fullmatch(author)
    if shape is None or to_ascii((shape[1] or shape[2]).lower()) != sender.address.lower():
        return False
    named = without_encoded_words(author)
    addresses = _ADDRESS.findall(named)
    whose = {to_ascii(one.lower()) for one in addresses}
    return whose == {sender.address.lower()} and len(addresses) == named.count("@")


_AUTHOR = re.compile(
    rf"(?:[^<>]*<\s*({_ADDRESS.pattern})\s*>|({_ADDRESS.pattern}))\s*(?:\([^()<>]*\))?"
)
"""All of a From. `a:b@…`, `<@c,@d:b@…>` and what stands behind the address are read many ways."""


# Where the answer goes


def _reply_to(
    mail: "Mail",
    arrival: Arrival,
    own: frozenset[str],
    sender: "Mailbox | None",
    *,
    is_proven: bool,
) -> "Mailbox | None":
    """Where the person wants the answer, unless the mail may be forged.

    Then the answer goes to the author it claims, so that a forger does not get what is theirs. An
    author whom nothing proves and nothing contradicts may name another mailbox of their domain,
    where not everybody has one.
    """
    if arrival.dmarc == "fail":
        return None
    anywhere = is_proven and _is_reply_to_theirs(mail, sender)
    domain = _domain(sender.address) if sender is not None else ""
    theirs = "" if _OPEN_TO_ALL.fullmatch(domain) else domain
    for box in mail.mailboxes("reply-to"):
        address = to_ascii(box.address)
        if address is None or address.lower() in own:
            continue
        if anywhere or (theirs and _domain(address) == theirs):
            return box._replace(address=address)
    return None


_OPEN_TO_ALL = re.compile(
    r"(?:gmail|googlemail|icloud|me|mac|aol|gmx|mail|protonmail|zoho|fastmail|hushmail|tutanota)\.com"
    r"|(?:hotmail|live|outlook|msn|yahoo|ymail|rocketmail)(?:\.[a-z]{2,3}){1,2}"
    r"|(?:proton|tuta|pm)\.me|tuta\.io|gmx\.[a-z]{2,3}|web\.de|t-online\.de|freenet\.de|posteo\.de"
    r"|(?:orange|wanadoo|free|sfr|neuf|laposte|bbox|numericable|aliceadsl|club-internet)\.(?:fr|net)"
    r"|(?:libero|virgilio|tiscali|tim|alice|tin|inwind|iol|fastwebnet|email)\.it|terra\.es"
    r"|(?:yandex|mail|list|bk|inbox|rambler)\.ru|yandex\.com|qq\.com|1[26][36]\.com|naver\.com"
    r"|(?:uol|bol|terra|ig)\.com\.br|sapo\.pt|seznam\.cz|(?:wp|o2|onet|interia)\.pl|bluewin\.ch"
)
"""The largest of those that give a mailbox to whoever asks: another one is another person's."""
_SIGNED_BY = re.compile(r"(?:^|;)\s*d\s*=\s*([^;\s]+)")
_SIGNED_HEADERS = re.compile(r"(?:^|;)\s*h\s*=([^;]*)")


def _is_reply_to_theirs(mail: "Mail", sender: "Mailbox | None") -> bool:
    """Whether the author's own signatures cover it: whoever got a signed mail may send it on with
    an address added, and DMARC still passes (RFC 6376, 8.15). One that is no signature at all
    covers nothing, so a mail without any was proven by the server that brought it.
    """
    if len(mail.headers.get("reply-to", ())) > 1:
        return False
    for signature in mail.headers.get("dkim-signature", ()):
        by, covers = _SIGNED_BY.search(signature), _SIGNED_HEADERS.search(signature)
        names = covers[1].lower().replace(" ", "").split(":") if covers else []
        if by and _are_kin(sender, f"@{by[1].lower()}") and "reply-to" not in names:
            return False
    return True


def mail_endpoint(provider: str, account: str, address: str) -> Endpoint | None:
    """None for what cannot be an address."""
    if not 0 < len(address) <= 320:
        return None
    return Endpoint(channel=Channel.EMAIL, provider=provider, account=account, address=address)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


# When, and what came along

_MOMENT = TypeAdapter(datetime)


def moment(value: str) -> datetime | None:
    """In UTC, and as UTC where it names no zone; None for what is no time."""
    try:
        read = _MOMENT.validate_python(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValidationError, OverflowError):
        return None


def _written(mail: "Mail", arrival: Arrival) -> datetime:
    written, arrived = mail.date, arrival.arrived
    if written and arrived - LONGEST_IN_QUEUES <= written <= arrived + _CLOCK_SKEW:
        return written
    return arrived


def _files(parts: Sequence["Part"]) -> list[File]:
    return [
        File(
            Attachment(name=part.name, content_type=part.content_type, size=len(part.content)),
            part.content,
        )
        for part in parts
    ]


# What a carrier writes


def _as_text(value: object) -> object:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


def as_object(value: object) -> object:
    return value if isinstance(value, dict) else {}


Text = Annotated[str, BeforeValidator(_as_text)]
"""Null and numbers stand where text is meant, by carrier and by the age of the account."""
Object = Annotated[dict[str, JsonValue], BeforeValidator(as_object)]
Parts = Annotated[list[JsonValue], BeforeValidator(as_list)]
"""Null, too, stands where there is none."""


# What became of what we sent


@dataclass(frozen=True, kw_only=True)
class Told:
    """One thing a carrier tells of one mail of ours to one recipient.

    `event` is the carrier's key of it among all of that mail.
    """

    provider: str
    account: str
    message_id: str
    event: str
    recipient: str
    occurred_at: datetime
    received_at: datetime
    send_key: str | None = None


def of_no_mail(told: Told, raw: bytes, addresses: Sequence[str]) -> list[Told]:
    """What stops mail to an address counts, though nobody says which mail led to it.

    Where no mailbox of ours is told either, it was said of all of them.
    """
    if not told.recipient:
        return []
    accounts = [told.account] if told.account else addresses
    return [replace(without_mail(told, raw), account=one) for one in accounts]


def without_mail(told: Told, raw: bytes) -> Told:
    return replace(told, message_id=f"no-mail-{sha256(raw).hexdigest()[:32]}")


def send_key(stated: object) -> str | None:
    """What we called the mail, as the carrier gives it back; None where that is none of ours."""
    return stated if isinstance(stated, str) and 0 < len(stated) <= 64 else None


def status(
    told: Told, as_: Status, raw: bytes, *, reason: str | None = None, stop: Stop | None = None
) -> Observed:
    """A failed delivery is a bounce: whatever it says, no person says it."""
    content = DeliveryStatus(
        status=as_,
        message_id=told.message_id,
        send_key=told.send_key,
        reason=(reason or "")[:200] or None,
        stop=stop,
    )
    is_bounce = as_ == "failed" and (stop is None or stop.kind == "bounce")
    return Observed(
        _passive(told, f"{told.message_id}:{_key(told.event)}", content).model_copy(
            update={"automation": Automation.BOUNCE if is_bounce else None}
        ),
        raw,
    )


def lifted(told: Told, stop: Stop, raw: bytes) -> Observed:
    """The carrier takes mail for the address again: what it had stopped no longer holds."""
    content = TrackedEvent(name=f"{told.provider}_suppression_lifted", lifts=stop)
    return Observed(_passive(told, _own_key(told), content), raw)


def unknown(told: Told, what: str, raw: bytes) -> Observed:
    """What we have no words for, whoever it is about."""
    return Observed(_passive(told, _own_key(told), Unsupported(what=what[:200])), raw)


def _own_key(told: Told) -> str:
    return _key(f"{told.message_id}/{told.event}" if told.message_id else told.event)


def _passive(told: Told, key: str, content: Content) -> Touchpoint:
    recipient = to_ascii(told.recipient.strip()) or ""
    return Touchpoint(
        provider=told.provider,
        account=told.account,
        provider_event_id=key,
        channel=Channel.EMAIL,
        direction=Direction.PASSIVE,
        occurred_at=told.occurred_at,
        received_at=told.received_at,
        content=content,
        identifiers=identifiers_of(recipient),
        endpoint=mail_endpoint(told.provider, told.account, recipient),
    )


def _key(key: str) -> str:
    """Without what separates it from the message id; a hash where it is no key at all."""
    plain = key.replace(":", "-")
    return plain if re.fullmatch(r"[!-~]{1,250}", plain) else sha256(key.encode()).hexdigest()


def sending_account(stated: Iterable[str], addresses: Sequence[str]) -> str:
    """From which of our mailboxes a mail left: what is stated of it, or the only one there is."""
    return own_mailbox(stated, addresses) or (addresses[0] if len(addresses) == 1 else "")


def from_epoch(value: object) -> datetime | None:
    """Seconds since 1970, as a number or as text; None for anything else."""
    try:
        return datetime.fromtimestamp(float(value), UTC) if isinstance(value, _NUMERIC) else None
    except (ValueError, OverflowError, OSError):
        return None


_NUMERIC = (int, float, str)


# What leaves


class Letter(NamedTuple):
    """A mail for an API that builds the MIME itself."""

    sender: str
    subject: str
    headers: dict[str, str]
    """All that say neither who, nor what about, nor how the body is written."""
    text: str
    html: str
    files: "tuple[Enclosed, ...]"


class Enclosed(NamedTuple):
    """A file that goes along as it is."""

    name: str
    content_type: str
    content: bytes

    @property
    def base64(self) -> str:
        return b64encode(self.content).decode()


def letter(message: "OutboundMessage", *, own: frozenset[str], sender_name: str) -> Letter:
    """What `shared.mail.writing` writes, in parts. Raises SendRefused.

    The Message-ID is ours and derives from the send key: an answer names it in In-Reply-To, and
    what is sent twice by a carrier's error is one mail for whoever reads it.
    """
    from email import message_from_bytes, policy

    from shared.domain.model import derived_id
    from shared.mail.writing import enclosed, file_name, without_files

    account = message.endpoint.account
    if account.lower() not in own:
        raise SendRefused(
            "we may not write from this address", code="account", reason="unauthorized"
        )
    written = without_files(message, sender_name=sender_name)
    mail = message_from_bytes(written.as_bytes(), policy=policy.default)
    bodies = {form: mail.get_body((form,)) for form in ("plain", "html")}
    message_id = f"<{derived_id('mail', message.send_key)}@{_domain(account)}>"
    return Letter(
        sender=str(mail["From"]),
        subject=str(mail["Subject"] or ""),
        headers={"Message-ID": message_id}
        | {
            name: str(value) for name, value in mail.items() if not _MADE_BY_THE_CARRIER.match(name)
        },
        **{
            name: body.get_content().replace("\r\n", "\n") if body else ""
            for name, body in (("text", bodies["plain"]), ("html", bodies["html"]))
        },
        files=tuple(
            Enclosed(file_name(file), file.content_type, file.content) for file in enclosed(message)
        ),
    )


_MADE_BY_THE_CARRIER = re.compile(
    r"(?:from|to|subject|date|message-id|mime-version|content-(?:type|transfer-encoding))$",
    re.IGNORECASE,
)
