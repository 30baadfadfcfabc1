"""E-mail through Twilio SendGrid: Inbound Parse, the Event Webhook, and mail/send.

One URL takes both webhooks: what came in is a form, what became of our mails is JSON, and each has
a proof of its own. Set Inbound Parse to `https://any:SECRET@…/webhooks/sendgrid`, or give it a
security policy that signs; switch on the Signed Event Webhook. Read against
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send (2026-11).
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import Stop
from shared.providers._form import FORM_TYPES, FormField, digest, read_form
from shared.providers._mail import (
    Arrival,
    MailSecret,
    Status,
    Text,
    Told,
    addressees,
    from_epoch,
    letter,
    lifted,
    mail_touchpoint,
    of_no_mail,
    own_mailbox,
    send_key,
    sending_account,
    status,
    unknown,
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
    WebhookRequest,
    believable,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage
    from shared.mail.rebuilding import Enclosure

NAME = "sendgrid"
HOSTS = {"global": "api.sendgrid.com", "eu": "api.eu.sendgrid.com"}

PARSE_OLDEST = timedelta(days=3, minutes=5)
EVENTS_OLDEST = timedelta(days=1, minutes=5)
NEWEST = timedelta(minutes=5)
"""SendGrid tries a mail for 72 hours and events for 24: nothing genuine is older, clocks included.

A repetition is a duplicate whenever it comes; but a request caught long ago must not bring back a
person who has been erased since.
"""
MAIL_SERVER = re.compile(r"\bby mx[a-z0-9.-]*\.sendgrid\.net\b")
"""What took a mail in writes so, and when: it may be tried for days after that."""
SPAM = 5.0
"""SpamAssassin's own threshold (`required_score`). There is a score only where it was switched on.
"""

STATUSES: Mapping[str, Status] = {
    "processed": "accepted",
    "deferred": "sent",
    "delivered": "delivered",
    "open": "read",
    "click": "read",
    "unsubscribe": "read",
    "group_unsubscribe": "read",
    "bounce": "failed",
    "dropped": "failed",
    "spamreport": "failed",
}
"""Who unsubscribes has the mail open. A complaint counts as failed: the person wants no such mail.
"""
STOPS: Mapping[str, Stop] = {
    "bounce/bounce": Stop(kind="bounce"),
    "dropped/bounced address": Stop(kind="bounce"),
    "dropped/invalid": Stop(kind="bounce"),
    "dropped/spam reporting address": Stop(kind="complaint"),
    "dropped/unsubscribed address": Stop(kind="opt_out"),
    "spamreport": Stop(kind="complaint"),
    "unsubscribe": Stop(kind="opt_out"),
    "group_unsubscribe": Stop(kind="opt_out", classes="marketing"),
}
LIFTS: Mapping[str, Stop] = {"group_resubscribe": STOPS["group_unsubscribe"]}
"""By the event and its type or reason. `bounce/blocked` is a server that may take the next mail."""

REFUSALS: Mapping[str, RefusalReason] = {
    "personalizations.0.to.0.email": "invalid_recipient",
    "from.email": "unauthorized",
    "from": "unauthorized",
    "authorization": "unauthorized",
    "subject": "content",
    "content": "content",
    "content.0.value": "content",
    "headers": "content",
    "401": "unauthorized",
    "403": "unauthorized",
    "413": "content",
}
"""By the field that an error names, else by the HTTP status: SendGrid has no codes.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""


class SendGridSecret(MailSecret):
    """`addresses`: those that Inbound Parse receives for.

    `webhook_secrets`: what Inbound Parse repeats, as the password in its URL or as the path behind
    `sendgrid`. `parse_keys`: public keys of its security policy; where there are any, a mail counts
    only if one of them signed it. `event_keys`: verification keys of the Signed Event Webhook
    (Settings, Mail Settings). `region`: `eu` for a subuser who sends from the EU.
    """

    api_key: str = Field(min_length=1)
    region: Literal["global", "eu"] = "global"
    webhook_secrets: list[Annotated[str, Field(min_length=16)]] = Field(min_length=1)
    event_keys: list[str] = Field(min_length=1)
    parse_keys: list[str] = []


class Event(Payload):
    event: str = Field(pattern=r"^[a-z_]{1,60}$")
    email: Text = ""
    timestamp: JsonValue = None
    sg_event_id: Text = ""
    sg_message_id: Text = ""
    smtp_id: Text = Field(default="", alias="smtp-id")
    type: Text = ""
    reason: Text = ""
    status: Text = ""
    classification: Text = Field(default="", alias="bounce_classification")
    by_machine: JsonValue = Field(default=None, alias="sg_machine_open")
    account: Text = ""
    send_key: Text = ""
    """Ours, from `custom_args`, which SendGrid puts among its own fields."""


class SendGrid(Provider[SendGridSecret]):
    name = NAME
    title = "SendGrid"
    secret_type = SendGridSecret
    lacks = frozenset({"choices"})
    largest_mail = 30_000_000
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations"""
    largest_body = LARGEST_REQUEST
    """As much as can reach us, for a 4xx of ours would lose the mail."""
    longest_list = 5_000
    """A batch of events is sent when it has 768 KB; of the shortest that is some 4,000."""
    refusals = REFUSALS
    stops = STOPS

    def verify(self, request: WebhookRequest, secret: SendGridSecret, fetch: Fetch) -> None:
        if request.content_type not in FORM_TYPES:
            _check_signature(request, secret.event_keys, oldest=EVENTS_OLDEST)
        elif secret.parse_keys:
            _check_signature(request, secret.parse_keys, oldest=PARSE_OLDEST)
        elif not repeats_a_secret(request, secret.webhook_secrets):
            raise Unauthentic("the secret of Inbound Parse is missing or wrong")

    def without_proof(self, request: WebhookRequest, secret: SendGridSecret) -> WebhookRequest:
        return without_secret_path(request, secret.webhook_secrets)

    def parse(
        self, request: WebhookRequest, secret: SendGridSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type in FORM_TYPES:
            return [_received(read_form(request), request.body, secret, received_at)]
        events = read_json(request.body, longest_list=self.longest_list)
        return _events(events, secret, received_at)

    def prepare(self, message: "OutboundMessage", secret: SendGridSecret) -> HttpRequest:
        """SendGrid has no idempotency key: what nobody knows to have left is never sent again."""
        written = letter(message, own=secret.own, sender_name=secret.sender_name)
        account = message.endpoint.account
        sender = {"email": account} | ({"name": secret.sender_name} if secret.sender_name else {})
        forms = [("text/plain", written.text), ("text/html", written.html)]
        content = {
            "personalizations": [{"to": [{"email": message.endpoint.address}]}],
            "from": sender,
            # It takes none that is empty.
            "subject": written.subject or secret.sender_name or account,
            "content": [{"type": form, "value": value} for form, value in forms if value],
            "headers": written.headers,
            # Nothing personal: SendGrid keeps these for ever, and shows them to its people.
            "custom_args": {"send_key": message.send_key, "account": account},
        }
        if written.files:
            # It takes no list that is empty.
            content["attachments"] = [
                {
                    "content": one.base64,
                    "type": one.content_type,
                    "filename": one.name,
                    "disposition": "attachment",
                }
                for one in written.files
            ]
        return HttpRequest(
            method="POST",
            url=f"https://{HOSTS[secret.region]}/v3/mail/send",
            headers={"authorization": f"Bearer {secret.api_key}", "content-type": JSON_TYPE},
            body=json.dumps(content).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        if response.status == 202:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if message_id := headers.get("x-message-id", "").strip():
                return message_id
            raise SendUnconfirmed("SendGrid took the message and gave no id")
        self.not_taken(response, _error_code(response))


# Proof


def _check_signature(request: WebhookRequest, keys: Sequence[str], *, oldest: timedelta) -> None:
    """ECDSA on P-256 over the timestamp and the raw body. Raises Unauthentic."""
    stamp = request.header("x-twilio-email-event-webhook-timestamp")
    signed_at = from_epoch(stamp) if stamp.isascii() and stamp.isdigit() else None
    if signed_at is None or not -NEWEST <= request.arrived_at - signed_at <= oldest:
        raise Unauthentic("the signature has no time, or one that is stale or to come")
    given = request.header("x-twilio-email-event-webhook-signature")
    try:
        signature = b64decode(given, validate=True)
    except ValueError:
        raise Unauthentic("the signature is none") from None
    # Bits that Base64 does not use could differ otherwise: one signature has one form.
    if b64encode(signature).decode() != given:
        raise Unauthentic("the signature is none")
    signed = stamp.encode() + request.body
    if not any(_is_signed_by(key, signature, signed) for key in keys):
        raise Unauthentic("the signature is missing or wrong")


def _is_signed_by(key: str, signature: bytes, signed: bytes) -> bool:
    # Here, and not above: it takes 130 ms to load, and a mail may need none of it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        SECP256R1,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(b64decode(key, validate=True))
    except ValueError:
        return False
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        return False
    try:
        public.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


# A mail that came in


def _received(
    fields: Sequence[FormField], body: bytes, secret: SendGridSecret, received_at: datetime
) -> Observed:
    from shared.mail.reading import read_mail

    form = {one.name: one for one in reversed(fields)}
    charsets = _charsets(form)
    text = _decoded(form, charsets)
    if "email" in form:
        mime = raw = form["email"].content
    elif "headers" in form or "from" in form:
        mime, raw = _rebuilt(form, text, charsets), body
    else:
        raise MalformedPayload("email, headers: one of them is needed")
    mail = read_mail(mime)
    envelope = _object(text.get("envelope", ""))
    recipients = envelope.get("to")
    named = (
        [one for one in recipients if isinstance(one, str)] if isinstance(recipients, list) else []
    )
    account = own_mailbox(chain(named, addressees(mail)), secret.addresses)
    if account is None:
        raise MalformedPayload("envelope.to: none of them is one of the secret's addresses")
    sender = envelope.get("from")
    stated = text.get("dkim", "") if _is_sendgrids_own("dkim", fields, body) else ""
    proven = _PROVEN.fullmatch(stated.strip().lower())
    arrival = Arrival(
        provider=NAME,
        account=account,
        carriers_id=partial(digest, fields),
        arrived=believable(mail.taken_in(MAIL_SERVER), received_at),
        received_at=received_at,
        envelope_sender=sender if isinstance(sender, str) else None,
        dmarc="pass" if proven else None,
        author_domain=proven[1] if proven else None,
        is_spam=_score(text.get("spam_score", "")) >= SPAM,
    )
    in_reply_to = next(iter(mail.message_ids("in-reply-to")), None)
    return mail_touchpoint(mail, arrival, own=secret.own, raw=raw, in_reply_to=in_reply_to)


_PROVEN = re.compile(r"\{@([a-z0-9.-]{1,253}) : pass\}")
"""One DKIM signature, and it is good. Of the author's own domain, that is all DMARC asks for
(RFC 7489, 4.2), in its strict alignment; SendGrid says nothing of DMARC itself. Of several, which
it writes in one line without quotes, nobody knows which domains were checked and which are words of
the sender.
"""


def _is_sendgrids_own(name: str, fields: Sequence[FormField], body: bytes) -> bool:
    """The boundary is always the same one, so a mail may write fields of its own, and the end of
    the form, behind which the true ones are not read.
    """
    mark = body.partition(b"\n")[0].rstrip()
    is_whole = body.count(mark) == len(fields) + 1
    return is_whole and sum(one.name == name for one in fields) == 1


def _charsets(form: Mapping[str, FormField]) -> dict[str, str]:
    from shared.mail.text import decoded

    stated = _object(decoded(form["charsets"].content, None)) if "charsets" in form else {}
    return {name: charset for name, charset in stated.items() if isinstance(charset, str)}


_AS_THEY_ARE = {"email", "text", "html"}


def _decoded(form: Mapping[str, FormField], charsets: Mapping[str, str]) -> dict[str, str]:
    """What is told of the mail, by the charset of each field; no more of it than is read."""
    from shared.mail.structure import LONGEST_HEAD
    from shared.mail.text import decoded

    return {
        name: decoded(one.content[:LONGEST_HEAD], charsets.get(name))
        for name, one in form.items()
        if one.file_name is None and name not in _AS_THEY_ARE
    }


def _rebuilt(
    form: Mapping[str, FormField], text: Mapping[str, str], charsets: Mapping[str, str]
) -> bytes:
    from shared.mail.rebuilding import Words, rebuilt

    unfolded = re.sub(r"\n[ \t]+", " ", text.get("headers", ""))
    pairs = [line.partition(":") for line in unfolded.split("\n")]
    headers = [(name.strip(), value.strip()) for name, colon, value in pairs if colon]
    present = {name.lower() for name, _ in headers}
    # An older account, or a test of SendGrid's own, has no headers: these are copies of them.
    headers += [
        (name.title(), text[name])
        for name in ("from", "to", "cc", "subject")
        if name in text and name not in present
    ]
    plain, html = (
        Words(form[name].content if name in form else b"", charsets.get(name, "utf-8"))
        for name in ("text", "html")
    )
    return rebuilt(headers, text=plain, html=html, enclosures=_enclosures(form, text))


_ATTACHMENT = re.compile(r"attachment([0-9]{1,4})")


def _enclosures(form: Mapping[str, FormField], text: Mapping[str, str]) -> "list[Enclosure]":
    """`attachment1` and so on, in that order."""
    from shared.mail.rebuilding import Enclosure

    info = _object(text.get("attachment-info", ""))
    found: list[tuple[int, Enclosure]] = []
    for name, one in form.items():
        number = _ATTACHMENT.fullmatch(name)
        if number is None:
            continue
        stated = info.get(name)
        known = {
            key: value
            for key, value in (stated.items() if isinstance(stated, dict) else ())
            if isinstance(value, str)
        }
        enclosure = Enclosure(
            one.file_name or known.get("filename") or known.get("name") or "",
            known.get("type") or one.content_type,
            one.content,
            known.get("content-id", ""),
        )
        found.append((int(number[1]), enclosure))
    return [enclosure for _, enclosure in sorted(found, key=lambda pair: pair[0])]


def _object(value: str) -> dict[str, JsonValue]:
    """A field that holds a JSON object; an empty one where it does not."""
    try:
        read = read_json(value.encode("utf-8", "replace"))
    except MalformedPayload:
        return {}
    return read if isinstance(read, dict) else {}


def _score(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


# What became of what we sent


def _events(content: JsonValue, secret: SendGridSecret, received_at: datetime) -> list[Observed]:
    """One for each element; one that cannot be read does not take the others with it."""
    elements = content if isinstance(content, list) else [content]
    told: list[Event] = []
    unreadable: list[str] = []
    for element in elements:
        try:
            told.append(read_model(Event, element))
        except MalformedPayload as error:
            unreadable.append(str(error))
            told.append(Event(event="unreadable"))
    if unreadable and len(unreadable) == len(elements):
        raise MalformedPayload(unreadable[0])
    return [
        observed
        for event, element in zip(told, elements, strict=True)
        for observed in _event(event, json.dumps(element).encode(), secret, received_at)
    ]


def _event(
    event: Event, raw: bytes, secret: SendGridSecret, received_at: datetime
) -> list[Observed]:
    told = Told(
        provider=NAME,
        account=sending_account([event.account], secret.addresses),
        message_id=_message_id(event),
        event=f"{event.event}/{event.sg_event_id or sha256(raw).hexdigest()}",
        recipient=event.email,
        occurred_at=believable(from_epoch(event.timestamp), received_at),
        received_at=received_at,
        send_key=send_key(event.send_key),
    )
    if no_more := LIFTS.get(event.event):
        return [lifted(told, no_more, raw)]
    known = STATUSES.get(event.event)
    if event.by_machine is True:
        known = "delivered"  # a mail server looked, as Apple's do for everybody
    detail = event.type if event.event == "bounce" else event.reason
    stop = STOPS.get(event.event) or STOPS.get(f"{event.event}/{detail.lower()}")
    whom = [told] if told.message_id else of_no_mail(told, raw, secret.addresses) if stop else []
    if known is None or not whom:
        return [unknown(told, f"SendGrid: {event.event}", raw)]
    reason = _reason(event, known)
    return [status(one, known, raw, reason=reason, stop=stop) for one in whom]


_ROUTE = re.compile(r"\.(?:filter|recv)")


def _message_id(event: Event) -> str:
    """The X-Message-Id of the send: what stands before the machines the mail went through.

    Old drops have no `sg_message_id`, and the same id within `smtp-id`.
    """
    given = event.sg_message_id or event.smtp_id.strip("<>").partition("@")[0]
    before, *rest = _ROUTE.split(given, maxsplit=1)
    found = before if rest or not event.sg_message_id else given.partition(".")[0]
    return found if re.fullmatch(r"[!-9;-~]{1,200}", found) else ""


def _reason(event: Event, as_: Status) -> str | None:
    """`bounce:blocked:5.7.1:reputation`: never the server's own words, which name the address."""
    if as_ != "failed" and event.event in {"processed", "delivered", "open", "click"}:
        return None
    words = [event.event, event.type, event.status, event.classification]
    if event.event == "dropped":
        words.append(event.reason)
    return ":".join(" ".join(word.split()) for word in words if word).lower()


def _error_code(response: HttpResponse) -> str:
    """The field that the first error names, or the HTTP status."""
    try:
        answer = read_json(response.body)
    except MalformedPayload:
        answer = None
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    field = first.get("field") if isinstance(first, dict) else None
    return field if isinstance(field, str) and field else str(response.status)


PROVIDER = SendGrid()
