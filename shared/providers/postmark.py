"""E-mail through Postmark: the inbound webhook, those of its message streams, and the email API.

One URL takes them all: `https://any:SECRET@…/webhooks/postmark`. Postmark signs nothing. Read
against https://postmarkapp.com/developer/webhooks/webhooks-overview
https://postmarkapp.com/developer/webhooks/inbound-webhook
https://postmarkapp.com/developer/webhooks/bounce-webhook
https://postmarkapp.com/developer/webhooks/subscription-change-webhook
https://postmarkapp.com/developer/api/email-api (2026-11).

It says nothing certain of DMARC, so no author is ever proven here.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, JsonValue

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import Stop
from shared.providers._mail import (
    Arrival,
    MailSecret,
    Object,
    Parts,
    Status,
    Text,
    Told,
    addressees,
    letter,
    lifted,
    mail_touchpoint,
    moment,
    of_no_mail,
    own_mailbox,
    send_key,
    sending_account,
    status,
    unknown,
    without_mail,
)
from shared.providers._unsigned import repeats_a_secret, without_secret_path
from shared.providers.base import (
    JSON_TYPE,
    LARGEST_REQUEST,
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Payload,
    Provider,
    ProviderId,
    WebhookRequest,
    believable,
    read_json,
    read_model,
    retry_after,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "postmark"
API = "https://api.postmarkapp.com/email"
MAIL_SERVER = re.compile(r"\bby [a-z0-9.-]+\.inbound\.postmarkapp\.com\b")
"""What took a mail in writes so, and when: it may be tried for hours after that."""
LONGEST_METADATA = 80
"""Characters of one value."""

STATUSES: Mapping[str, Status] = {
    "Delivery": "delivered",
    "Open": "read",
    "Click": "read",
    "Bounce": "failed",
    "SpamComplaint": "failed",
}
UNSAID = {"DeliveredAt": "Delivery", "OriginalLink": "Click", "FirstOpen": "Open", "Type": "Bounce"}
"""What an event is that has no `RecordType`, by a field that only such a one has.

https://postmarkapp.com/email-webhooks
"""
BOUNCES: Mapping[str, Status] = {
    "Transient": "sent",
    "DnsError": "sent",
    "AutoResponder": "delivered",
    "AddressChange": "delivered",
    "ChallengeVerification": "delivered",
    "OpenRelayTest": "delivered",
    "Subscribe": "delivered",
    "Unsubscribe": "read",
}
"""What Postmark calls a bounce and is none: it tries on, or something answered. All else failed.

https://postmarkapp.com/developer/api/bounce-api#bounce-types
"""
STOPS: Mapping[str, Stop] = {
    "HardBounce": Stop(kind="bounce"),
    "BadEmailAddress": Stop(kind="bounce"),
    "SpamNotification": Stop(kind="complaint"),
    "SpamComplaint": Stop(kind="complaint"),
    "Unsubscribe": Stop(kind="opt_out"),
    "ManuallyDeactivated": Stop(kind="provider_block"),
    "406": Stop(kind="provider_block"),
}
"""By the type of a bounce, the reason of a suppression, and the code of a refusal: an address that
Postmark made inactive gets nothing, whoever asks.
"""
UNSUBSCRIBED = Stop(kind="opt_out")

REFUSALS: Mapping[str, RefusalReason] = {
    "10": "unauthorized",
    "300": "invalid_recipient",
    "400": "unauthorized",
    "401": "unauthorized",
    "402": "content",
    "403": "content",
    "405": "limit",
    "406": "blocked",
    "409": "content",
    "411": "content",
    "412": "unauthorized",
    "413": "unauthorized",
    "1235": "unauthorized",
}
"""https://postmarkapp.com/developer/api/overview#error-codes. 300 is a request that it does not
take; of what we write only the recipient's address may be so. 405: no credits are left. 1235: there
is no such message stream.
"""
MAINTENANCE = "100"


class PostmarkSecret(MailSecret):
    """`addresses`: those that the inbound stream receives for.

    `webhook_secrets`: what Postmark repeats, as the password in the URL, as `X-Passerelle-Secret`
    among the webhook's custom headers, or as the path behind `postmark`. `server_token`: API Tokens
    of the server. The streams: one for what was asked for, one for offers; where the latter is
    empty, offers leave by the former.
    """

    server_token: str = Field(min_length=1)
    webhook_secrets: list[Annotated[str, Field(min_length=16)]] = Field(min_length=1)
    stream: str = "outbound"
    marketing_stream: str = ""


class Person(Payload):
    email: Text = Field(default="", alias="Email")
    name: Text = Field(default="", alias="Name")


class Header(Payload):
    name: str = Field(alias="Name")
    value: Text = Field(default="", alias="Value")


class Attached(Payload):
    name: Text = Field(default="", alias="Name")
    content: Text = Field(default="", alias="Content")
    data: Text = Field(default="", alias="Data")
    """Where its Check button writes what it calls `Content` else."""
    content_type: Text = Field(default="", alias="ContentType")
    content_id: Text = Field(default="", alias="ContentID")


class Incoming(Payload):
    message_id: ProviderId = Field(alias="MessageID")
    sender: Text = Field(default="", alias="From")
    sender_full: Object = Field(default_factory=dict, alias="FromFull")
    to: Text = Field(default="", alias="To")
    to_full: Parts = Field(default_factory=list, alias="ToFull")
    cc: Text = Field(default="", alias="Cc")
    cc_full: Parts = Field(default_factory=list, alias="CcFull")
    bcc_full: Parts = Field(default_factory=list, alias="BccFull")
    original_recipient: Text = Field(default="", alias="OriginalRecipient")
    reply_to: Text = Field(default="", alias="ReplyTo")
    subject: Text = Field(default="", alias="Subject")
    date: Text = Field(default="", alias="Date")
    text: Text = Field(default="", alias="TextBody")
    html: Text = Field(default="", alias="HtmlBody")
    headers: Parts = Field(default_factory=list, alias="Headers")
    attachments: Parts = Field(default_factory=list, alias="Attachments")
    raw: Text = Field(default="", alias="RawEmail")


class Event(Payload):
    kind: str = Field(alias="RecordType", pattern=r"^[A-Za-z]{1,60}$")
    id: Text = Field(default="", alias="ID")
    message_id: Text = Field(default="", alias="MessageID")
    recipient: Text = Field(default="", alias="Recipient")
    email: Text = Field(default="", alias="Email")
    sender: Text = Field(default="", alias="From")
    type: Text = Field(default="", alias="Type")
    is_inactive: JsonValue = Field(default=None, alias="Inactive")
    origin: Text = Field(default="", alias="Origin")
    suppresses: JsonValue = Field(default=None, alias="SuppressSending")
    suppression: Text = Field(default="", alias="SuppressionReason")
    metadata: Object = Field(default_factory=dict, alias="Metadata")
    delivered_at: Text = Field(default="", alias="DeliveredAt")
    bounced_at: Text = Field(default="", alias="BouncedAt")
    received_at: Text = Field(default="", alias="ReceivedAt")
    changed_at: Text = Field(default="", alias="ChangedAt")


class Answer(Payload):
    code: int = Field(alias="ErrorCode")
    message_id: ProviderId | None = Field(default=None, alias="MessageID")


class Postmark(Provider[PostmarkSecret]):
    name = NAME
    secret_type = PostmarkSecret
    lacks = frozenset({"choices"})
    largest_mail = 10_000_000
    """https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits"""
    largest_body = LARGEST_REQUEST
    refusals = REFUSALS
    stops = STOPS

    def verify(self, request: WebhookRequest, secret: PostmarkSecret, fetch: Fetch) -> None:
        if not repeats_a_secret(request, secret.webhook_secrets):
            raise Unauthentic("the secret of the webhook is missing or wrong")

    def without_proof(self, request: WebhookRequest, secret: PostmarkSecret) -> WebhookRequest:
        return without_secret_path(request, secret.webhook_secrets)

    def parse(
        self, request: WebhookRequest, secret: PostmarkSecret, received_at: datetime
    ) -> list[Observed]:
        content = read_json(request.body)
        if not isinstance(content, dict) or (kind := _kind(content)) == "Inbound":
            incoming = read_model(Incoming, content)
            return [_received(incoming, request.body, secret, received_at)]
        event = read_model(Event, content | {"RecordType": kind})
        return _event(event, request.body, secret, received_at)

    def prepare(self, message: "OutboundMessage", secret: PostmarkSecret) -> HttpRequest:
        """Postmark has no idempotency key: what nobody knows to have left is never sent again."""
        written = letter(message, own=secret.own, sender_name=secret.sender_name)
        account = message.endpoint.account
        is_offer = message.message_class.value == "marketing" and secret.marketing_stream
        metadata = {"send_key": message.send_key, "account": account}
        # Without it Postmark puts a Message-ID of its own in the place of ours.
        headers = {**written.headers, "X-PM-KeepID": "true"}
        content: dict[str, Any] = {
            "From": written.sender,
            "To": message.endpoint.address,
            "Subject": written.subject,
            "TextBody": written.text,
            **({"HtmlBody": written.html} if written.html else {}),
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
            "Metadata": {
                name: value for name, value in metadata.items() if len(value) <= LONGEST_METADATA
            },
            "MessageStream": secret.marketing_stream if is_offer else secret.stream,
        }
        if written.files:
            content["Attachments"] = [
                {"Name": one.name, "Content": one.base64, "ContentType": one.content_type}
                for one in written.files
            ]
        return HttpRequest(
            method="POST",
            url=API,
            headers={
                "accept": JSON_TYPE,
                "content-type": JSON_TYPE,
                "x-postmark-server-token": secret.server_token,
            },
            body=json.dumps(content).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        answer = _answer(response)
        code = str(answer.code) if answer else str(response.status)
        if response.status == 200 and answer and answer.code == 0 and answer.message_id:
            return answer.message_id
        if response.status in {429, 503} or code in {"429", MAINTENANCE}:
            raise SendDelayed(
                f"Postmark took nothing: code {code}", retry_after=retry_after(response)
            )
        if response.status < 500 and (response.status >= 400 or (answer and answer.code != 0)):
            # A 403 without a code comes from the network in front of its API.
            reason = self.refusals.get(code, "unknown") if answer else "unknown"
            raise SendRefused(f"Postmark refused: code {code}", code=code, reason=reason)
        raise SendUnconfirmed(f"Postmark answered HTTP {response.status}, code {code}")


def _answer(response: HttpResponse) -> Answer | None:
    try:
        return read_model(Answer, read_json(response.body))
    except MalformedPayload:
        return None


def _kind(content: Mapping[str, JsonValue]) -> JsonValue:
    """A webhook of before 2018 does not say what it is, and a mail that came in need not."""
    stated = content.get("RecordType")
    return stated or next((kind for field, kind in UNSAID.items() if field in content), "Inbound")


# A mail that came in


def _received(
    incoming: Incoming, body: bytes, secret: PostmarkSecret, received_at: datetime
) -> Observed:
    from shared.mail.reading import read_mail

    mime = incoming.raw.encode("utf-8", "replace") if incoming.raw else _rebuilt(incoming)
    mail = read_mail(mime)
    boxes = [*incoming.to_full, *incoming.cc_full, *incoming.bcc_full]
    recipients = [incoming.original_recipient, *(_person(box).email for box in boxes)]
    account = own_mailbox(chain(recipients, addressees(mail)), secret.addresses)
    if account is None:
        raise MalformedPayload("OriginalRecipient: it is none of the secret's addresses")
    return_path = _header(incoming, "return-path")
    arrival = Arrival(
        provider=NAME,
        account=account,
        carriers_id=lambda: incoming.message_id,
        arrived=believable(mail.taken_in(MAIL_SERVER), received_at),
        received_at=received_at,
        envelope_sender=return_path.strip("<> ") if return_path is not None else None,
        dmarc=None,
        is_spam=(_header(incoming, "x-spam-status") or "").lower().startswith("yes"),
    )
    in_reply_to = next(iter(mail.message_ids("in-reply-to")), None)
    raw = mime if incoming.raw else body
    return mail_touchpoint(mail, arrival, own=secret.own, raw=raw, in_reply_to=in_reply_to)


def _header(incoming: Incoming, name: str) -> str | None:
    """The topmost of that name, which is Postmark's own where it writes one."""
    return next((value for known, value in _headers(incoming) if known.lower() == name), None)


def _headers(incoming: Incoming) -> list[tuple[str, str]]:
    read = [read_model(Header, one) for one in incoming.headers]
    return [(header.name, header.value) for header in read]


def _person(value: JsonValue) -> Person:
    return read_model(Person, value)


def _rebuilt(incoming: Incoming) -> bytes:
    """Postmark takes From, To, Cc, Reply-To, Subject and Date out of the headers."""
    from shared.mail.rebuilding import Enclosure, Words, rebuilt

    headers = _headers(incoming)
    present = {name.lower() for name, _ in headers}
    sender = _person(incoming.sender_full)
    taken_out = {
        "From": _written(sender) or incoming.sender,
        "To": ", ".join(_written(_person(one)) for one in incoming.to_full) or incoming.to,
        "Cc": ", ".join(_written(_person(one)) for one in incoming.cc_full) or incoming.cc,
        "Reply-To": incoming.reply_to,
        "Subject": incoming.subject,
        "Date": incoming.date,
    }
    headers += [
        (name, value) for name, value in taken_out.items() if value and name.lower() not in present
    ]
    attached = [read_model(Attached, one) for one in incoming.attachments]
    enclosures = [
        Enclosure(one.name, one.content_type, _bytes(one.content or one.data), one.content_id)
        for one in attached
    ]
    text, html = (
        Words(written.encode("utf-8", "replace")) for written in (incoming.text, incoming.html)
    )
    return rebuilt(headers, text=text, html=html, enclosures=enclosures)


def _written(person: Person) -> str:
    """With its name in quotes, whatever is in it."""
    if not person.name:
        return person.email
    name = person.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{person.email}>'


def _bytes(content: str) -> bytes:
    try:
        return b64decode("".join(content.split()), validate=True)
    except ValueError:
        raise MalformedPayload("Attachments: the content of one is not base64") from None


# What became of what we sent


def _event(
    event: Event, raw: bytes, secret: PostmarkSecret, received_at: datetime
) -> list[Observed]:
    happened = event.delivered_at or event.bounced_at or event.received_at or event.changed_at
    stated = event.metadata.get("account")
    sender = event.sender.rpartition("<")[2].strip("> ")
    senders = [stated if isinstance(stated, str) else "", sender]
    is_named = re.fullmatch(r"[!-9;-~]{1,200}", event.message_id) and event.message_id.strip("0-")
    told = Told(
        provider=NAME,
        account=sending_account(senders, secret.addresses),
        message_id=event.message_id if is_named else "",
        event=f"{event.kind}/{event.id or sha256(raw).hexdigest()[:32]}",
        recipient=event.recipient or event.email,
        occurred_at=believable(moment(happened), received_at),
        received_at=received_at,
        send_key=send_key(event.metadata.get("send_key")),
    )
    if event.kind == "SubscriptionChange":
        # Of a mail that names no mailbox of ours: said of the stream, hence of all that use it.
        accounts = [told.account] if told.account else secret.addresses
        return [_suppression(event, replace(told, account=one), raw) for one in accounts]
    known = STATUSES.get(event.kind)
    kind = event.type or event.kind
    stop = STOPS.get(kind) if known == "failed" else None
    if stop is None and known == "failed" and event.is_inactive is True:
        stop = STOPS["406"]
    whom = [told] if told.message_id else of_no_mail(told, raw, secret.addresses) if stop else []
    if known is None or not whom:
        return [unknown(told, f"Postmark: {event.kind}", raw)]
    if known != "failed":
        return [status(told, known, raw)]
    reason = ":".join(dict.fromkeys(word.lower() for word in (event.kind, kind)))
    as_ = BOUNCES.get(kind, known)
    return [status(one, as_, raw, reason=reason, stop=stop) for one in whom]


def _suppression(event: Event, told: Told, raw: bytes) -> Observed:
    """An address that gets no more of a stream, or again: after a bounce, a complaint, a click.

    The company's own people may do it too; that is a block, and no word of the person's.
    """
    by_the_person = event.origin == "Recipient"
    stop = STOPS.get(event.suppression) or (UNSUBSCRIBED if by_the_person else STOPS["406"])
    if event.suppresses is not True:
        return lifted(told, stop, raw)
    if not told.message_id:
        # What was said of the address counts, whatever mail led to it.
        told = without_mail(told, raw)
    reason = f"suppression:{event.suppression}:{event.origin}".lower()
    if event.suppression in STOPS:
        return status(told, "failed", raw, reason=reason, stop=stop)
    return status(told, "read" if by_the_person else "sent", raw, reason=reason, stop=stop)


PROVIDER = Postmark()
