"""E-mail through Mailgun: routes, webhooks, and the messages API.

One URL takes both: `forward("https://…/webhooks/mailgun")` in a route (with `/mime` behind it the
mail comes as it is), and the webhooks of the domain or the account. Read against
https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages (2026-11).

Its signature covers a time and a token, and nothing else of the body. So a token is remembered with
what it first came with, and is refused beside anything else. What remains: who can read a request
before it arrives here could send another one in its place.
"""

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple
from urllib.parse import urlencode

from pydantic import Field, JsonValue

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import Attachment, Message, Stop
from shared.providers._form import (
    FORM_TYPE,
    FORM_TYPES,
    FormField,
    digest,
    read_form,
    write_form,
)
from shared.providers._mail import (
    Arrival,
    MailSecret,
    Object,
    Status,
    Text,
    Told,
    addressees,
    bare,
    from_epoch,
    letter,
    mail_touchpoint,
    of_no_mail,
    own_mailbox,
    send_key,
    sending_account,
    status,
    unknown,
)
from shared.providers.base import (
    LARGEST_REQUEST,
    Fetch,
    HttpRequest,
    HttpResponse,
    IfReadable,
    Observed,
    OneTimeProof,
    Payload,
    Provider,
    WebhookRequest,
    believable,
    read_json,
    read_model,
    same,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage
    from shared.mail.rebuilding import Enclosure

NAME = "mailgun"
HOSTS = {"us": "api.mailgun.net", "eu": "api.eu.mailgun.net"}
MAIL_SERVER = re.compile(r"mx[a-z]\.(?:eu\.)?mailgun\.org(?: 1)?")
"""What its mail servers call themselves in Authentication-Results."""

STORAGE = re.compile(r"https://[a-z0-9.-]{1,200}\.mailgun\.net/")
"""Where `store` keeps mails and their files."""

OLDEST = timedelta(hours=8, minutes=15)
NEWEST = timedelta(minutes=5)
"""Mailgun tries for 8 hours, and its time may be that of the first try."""

_SIGNATURE = ("timestamp", "token", "signature", "parent-signature")

STATUSES: Mapping[str, Status] = {
    "accepted": "accepted",
    "delivered": "delivered",
    "opened": "read",
    "clicked": "read",
    "unsubscribed": "read",
    "rejected": "failed",
    "failed": "failed",
    "complained": "failed",
}
"""Who unsubscribes has the mail open. A failure that is temporary is `sent`: Mailgun tries on."""
STOPS: Mapping[str, Stop] = {
    "failed/bounce": Stop(kind="bounce"),
    "failed/suppress-bounce": Stop(kind="bounce"),
    "failed/suppress-complaint": Stop(kind="complaint"),
    "failed/suppress-unsubscribe": Stop(kind="opt_out"),
    "complained": Stop(kind="complaint"),
    "unsubscribed": Stop(kind="opt_out"),
}
"""By the event and, where it failed for good, its reason."""
SUPPRESSED = {"605": "suppress-bounce", "606": "suppress-unsubscribe", "607": "suppress-complaint"}
"""Reasons by the code of what Mailgun did not even try; before 2018 the reason was `hardfail`."""
LEGACY = {"bounced": "bounce", "dropped": ""}
"""Failures by the names they had before 2018, which forms still have, and their reasons."""

REFUSALS: Mapping[str, RefusalReason] = {
    "401": "unauthorized",
    "402": "limit",
    "403": "unauthorized",
    "404": "unauthorized",
    "413": "content",
}
"""By the HTTP status: Mailgun has no codes, and a 400 may be anything. A 404 is a domain that is
none of this account's.
"""


class MailgunSecret(MailSecret):
    """`addresses`: those that a route receives for.

    `signing_keys`: HTTP webhook signing key (Settings, API Security), of a subaccount or of the
    account above it. `domain`: the sending domain, as in the API's URL. `region`: where it lies.
    """

    api_key: str = Field(min_length=1)
    domain: str = Field(pattern=r"^[a-z0-9.-]{3,253}$")
    region: Literal["us", "eu"] = "us"
    signing_keys: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)


class Signature(NamedTuple):
    timestamp: str
    token: str
    signatures: tuple[str, ...]
    """By the account's key and, of a subaccount, by the key of the account above it."""


class Event(Payload):
    event: str = Field(pattern=r"^[a-z_]{1,60}$")
    id: Text = ""
    timestamp: JsonValue = None
    recipient: Text = ""
    severity: Text = ""
    reason: Text = ""
    message: Object = Field(default_factory=dict)
    envelope: Object = Field(default_factory=dict)
    flags: Object = Field(default_factory=dict)
    delivery: Object = Field(default_factory=dict, alias="delivery-status")
    variables: Object = Field(default_factory=dict, alias="user-variables")
    client: Object = Field(default_factory=dict, alias="client-info")
    """Its `bot` is a machine that looked or clicked, as Apple's do for everybody; else empty.

    https://documentation.mailgun.com/docs/mailgun/user-manual/tracking-messages/open-click-bot-detect
    """

    def header(self, name: str) -> str:
        headers = self.message.get("headers")
        return _text(headers, name) if isinstance(headers, dict) else ""


class Stored(Payload):
    """A file that Mailgun keeps for three days, at an address that wants the API key."""

    url: Text = ""
    name: Text = ""
    content_type: Text = Field(default="", alias="content-type")
    size: IfReadable[Annotated[int, Field(ge=0)]] = None

    @property
    def attachment(self) -> Attachment:
        return Attachment(
            name=self.name[:255],
            content_type=self.content_type[:255] or "application/octet-stream",
            size=self.size,
            provider_reference=self.url,
        )


class Answer(Payload):
    id: str = Field(pattern=r"^[!-~]{1,256}$")


class Mailgun(Provider[MailgunSecret]):
    name = NAME
    title = "Mailgun"
    secret_type = MailgunSecret
    lacks = frozenset({"choices"})
    largest_mail = 25_000_000
    """https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages"""
    largest_body = LARGEST_REQUEST
    media_hosts = ("*.mailgun.net",)
    refusals = REFUSALS
    stops = STOPS

    def verify(self, request: WebhookRequest, secret: MailgunSecret, fetch: Fetch) -> None:
        _proven(request, secret)

    def one_time_proof(self, request: WebhookRequest, secret: MailgunSecret) -> OneTimeProof:
        """Each try of one webhook says the same, whatever the boundary of its form."""
        return OneTimeProof(
            token=_proven(request, secret).token,
            content=_content(request),
            valid_for=OLDEST + NEWEST,
        )

    def parse(
        self, request: WebhookRequest, secret: MailgunSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type not in FORM_TYPES:
            content = read_json(request.body)
            data = content.get("event-data") if isinstance(content, dict) else None
            return _event(data, json.dumps(data).encode(), secret, received_at)
        fields = read_form(request)
        form = {one.name: one for one in reversed(fields)}
        if _is_event(form):
            return _event(_legacy(form), request.body, secret, received_at)
        return [_received(fields, form, request, secret, received_at)]

    def prepare(self, message: "OutboundMessage", secret: MailgunSecret) -> HttpRequest:
        """Mailgun has no idempotency key: what nobody knows to have left is never sent again."""
        written = letter(message, own=secret.own, sender_name=secret.sender_name)
        account = message.endpoint.account
        forms = {"text": written.text, "html": written.html}
        form = {
            "from": written.sender,
            "to": message.endpoint.address,
            "subject": written.subject,
            **{form: value for form, value in forms.items() if value},
            **{f"h:{name}": value for name, value in written.headers.items()},
            "v:send_key": message.send_key,
            "v:account": account,
        }
        form_type, body = FORM_TYPE, urlencode(form).encode()
        if written.files:
            fields = (FormField(name, value.encode()) for name, value in form.items())
            files = (
                FormField("attachment", one.content, one.name, one.content_type)
                for one in written.files
            )
            form_type, body = write_form([*fields, *files])
        return HttpRequest(
            method="POST",
            url=f"https://{HOSTS[secret.region]}/v3/{secret.domain}/messages",
            headers={"authorization": _login(secret), "content-type": form_type},
            body=body,
        )

    def media(self, attachment: Attachment, secret: MailgunSecret) -> HttpRequest | None:
        """What `store` kept: the address is itself the reference."""
        url = attachment.provider_reference or ""
        if not STORAGE.match(url):
            return None
        headers = {"authorization": _login(secret)}
        return HttpRequest(method="GET", url=url, headers=headers, body=b"")

    def receipt(self, response: HttpResponse) -> str:
        if response.status == 200:
            try:
                return _bracketed(read_model(Answer, read_json(response.body)).id)
            except MalformedPayload:
                raise SendUnconfirmed("Mailgun took the message and gave no id") from None
        self.not_taken(response, str(response.status))


def _login(secret: MailgunSecret) -> str:
    return "Basic " + b64encode(f"api:{secret.api_key}".encode()).decode()


def _bracketed(message_id: str) -> str:
    """As it stands in a mail; Mailgun writes it now with its brackets, now without."""
    return f"<{message_id.strip().strip('<>')}>"


# Proof


def _proven(request: WebhookRequest, secret: MailgunSecret) -> Signature:
    """The signature that one of our keys made. Raises Unauthentic."""
    for given in _signatures(request):
        signed = f"{given.timestamp}{given.token}".encode("utf-8", "replace")
        valid = [hmac.digest(key.encode(), signed, sha256).hex() for key in secret.signing_keys]
        fits = [same(one, right) for one in given.signatures for right in valid]
        if not any(fits):
            continue
        signed_at = from_epoch(given.timestamp)
        if signed_at is None or not -NEWEST <= request.arrived_at - signed_at <= OLDEST:
            raise Unauthentic("the signature is stale, or from the future")
        return given
    raise Unauthentic("the signature is missing or wrong")


def _signatures(request: WebhookRequest) -> list[Signature]:
    """Where a form has a field twice, one is a header of the mail: who knows which."""
    try:
        if request.content_type not in FORM_TYPES:
            content = read_json(request.body)
            found = content.get("signature") if isinstance(content, dict) else None
            return (
                [_signature({name: _text(found, name) for name in _SIGNATURE})]
                if isinstance(found, dict)
                else []
            )
        fields = [one for one in read_form(request) if one.name in _SIGNATURE]
    except MalformedPayload:
        raise Unauthentic("there is no signature to be read") from None
    ways = (fields, fields[::-1])
    return [
        _signature({one.name: one.content.decode("ascii", "replace") for one in way})
        for way in ways
    ]


def _signature(fields: Mapping[str, str]) -> Signature:
    signatures = tuple(
        fields[name] for name in ("signature", "parent-signature") if fields.get(name)
    )
    return Signature(fields.get("timestamp", ""), fields.get("token", ""), signatures)


def _content(request: WebhookRequest) -> str:
    """A digest of everything but the signature."""
    if request.content_type in FORM_TYPES:
        return digest(read_form(request), without=frozenset(_SIGNATURE))
    content = read_json(request.body)
    rest = (
        {name: value for name, value in content.items() if name != "signature"}
        if isinstance(content, dict)
        else content
    )
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


# A mail that came in


def _received(
    fields: Sequence[FormField],
    form: Mapping[str, FormField],
    request: WebhookRequest,
    secret: MailgunSecret,
    received_at: datetime,
) -> Observed:
    from shared.mail.authentication import stated_dmarc
    from shared.mail.headers import header_pairs
    from shared.mail.reading import read_mail

    headers: list[tuple[str, str]]
    if "body-mime" in form:
        mime = raw = form["body-mime"].content
        headers, kind = header_pairs(mime), "body-mime"
    else:
        headers, kind = _headers(form), "message-headers"
        mime, raw = _rebuilt(form, headers), request.body
    mail = read_mail(mime)
    recipients = [one.strip() for one in _field(form, "recipient").split(",")]
    account = own_mailbox(chain(recipients, addressees(mail)), secret.addresses)
    if account is None:
        raise MalformedPayload("recipient: it is none of the secret's addresses")
    # A header of the mail may bear the name of such a field: of two, one is the sender's, and so is
    # a whole mail beside the parts of one.
    is_alone = sum(one.name == kind for one in fields) == 1 and not form.keys() >= _BOTH_WAYS
    stated = stated_dmarc(headers, MAIL_SERVER) if is_alone else None
    arrival = Arrival(
        provider=NAME,
        account=account,
        carriers_id=partial(digest, fields, without=frozenset(_SIGNATURE)),
        arrived=believable(from_epoch(_field(form, "timestamp")), received_at),
        received_at=received_at,
        envelope_sender=_field(form, "sender") if "sender" in form else None,
        dmarc=stated.dmarc if stated else None,
        author_domain=stated.domain if stated else None,
        is_spam=mail.header("x-mailgun-sflag").lower() == "yes",
    )
    in_reply_to = next(iter(mail.message_ids("in-reply-to")), None)
    observed = mail_touchpoint(mail, arrival, own=secret.own, raw=raw, in_reply_to=in_reply_to)
    return _with_what_is_stored(observed, _json(_field(form, "attachments")))


def _with_what_is_stored(observed: Observed, listed: JsonValue) -> Observed:
    """`store(notify="…")` tells where the files lie, instead of sending them."""
    stored = [
        read_model(Stored, one)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    ]
    files = tuple(one.attachment for one in stored if STORAGE.match(one.url))
    content = observed.touchpoint.content
    if observed.files or not files or not isinstance(content, Message):
        return observed
    content = content.model_copy(update={"attachments": files})
    return observed._replace(touchpoint=observed.touchpoint.model_copy(update={"content": content}))


def _field(form: Mapping[str, FormField], name: str) -> str:
    from shared.mail.text import decoded

    return decoded(form[name].content, None) if name in form else ""


def _headers(form: Mapping[str, FormField]) -> list[tuple[str, str]]:
    """`message-headers` is a JSON list of pairs, from the top of the mail to its end."""
    pairs = _json(_field(form, "message-headers"))
    headers: list[tuple[str, str]] = []
    for pair in pairs if isinstance(pairs, list) else []:
        match pair:
            case [str(name), str(value)]:
                headers.append((name, value))
    present = {name.lower() for name, _ in headers}
    copies = [(name, _field(form, name.lower()) or _field(form, name)) for name in _COPIES]
    return headers + [
        (name, value) for name, value in copies if value and name.lower() not in present
    ]


_BOTH_WAYS = {"body-mime", "body-plain"}
_COPIES = ("From", "To", "Cc", "Subject", "Date", "Message-Id", "In-Reply-To", "References")


def _rebuilt(form: Mapping[str, FormField], headers: Iterable[tuple[str, str]]) -> bytes:
    from shared.mail.rebuilding import Words, rebuilt

    if not {"body-plain", "body-html", "message-headers", "attachment-count"} & form.keys():
        raise MalformedPayload("body-mime, body-plain: one of them is needed")
    text, html = (
        Words(form[name].content if name in form else b"") for name in ("body-plain", "body-html")
    )
    return rebuilt(headers, text=text, html=html, enclosures=_enclosures(form))


_ATTACHMENT = re.compile(r"attachment-([0-9]{1,4})")


def _enclosures(form: Mapping[str, FormField]) -> "list[Enclosure]":
    """`attachment-1` and so on, in that order; `content-id-map` names those in the HTML."""
    from shared.mail.rebuilding import Enclosure

    shown = _json(_field(form, "content-id-map"))
    ids = {
        name: content_id
        for content_id, name in (shown.items() if isinstance(shown, dict) else ())
        if isinstance(name, str)
    }
    found = [
        (int(number[1]), Enclosure(one.file_name, one.content_type, one.content, ids.get(name, "")))
        for name, one in form.items()
        if (number := _ATTACHMENT.fullmatch(name)) and one.file_name is not None
    ]
    return [enclosure for _, enclosure in sorted(found, key=lambda pair: pair[0])]


def _json(value: str) -> JsonValue:
    try:
        return read_json(value.encode("utf-8", "replace"))
    except MalformedPayload:
        return None


# What became of what we sent


def _event(
    data: JsonValue, raw: bytes, secret: MailgunSecret, received_at: datetime
) -> list[Observed]:
    event = read_model(Event, data)
    message_id = event.header("message-id").strip().strip("<>")
    to = event.header("to")
    is_routed = event.flags.get("is-routed") is True
    is_named = re.fullmatch(r"[!-9;-~]{1,250}", message_id) and not is_routed
    senders = [
        _text(event.variables, "account"),
        _text(event.envelope, "sender"),
        bare(event.header("from")),
    ]
    told = Told(
        provider=NAME,
        account=sending_account(senders, secret.addresses),
        message_id=_bracketed(message_id) if is_named else "",
        event=f"{event.event}/{event.id or sha256(raw).hexdigest()}",
        # Of a mail that a route takes in, the recipient is one of us. A rejection names none.
        recipient="" if is_routed else event.recipient or ("" if "," in to else bare(to)),
        occurred_at=believable(from_epoch(event.timestamp), received_at),
        received_at=received_at,
        send_key=send_key(event.variables.get("send_key")),
    )
    known = STATUSES.get(event.event)
    is_temporary = event.event == "failed" and event.severity == "temporary"
    stop = None if is_temporary else _stop(event)
    if known == "read" and not stop and _text(event.client, "bot"):
        known = "delivered"
    whom = [told] if told.message_id else of_no_mail(told, raw, secret.addresses) if stop else []
    if known is None or not whom:
        return [unknown(told, f"Mailgun: {event.event}", raw)]
    reason = _reason(event) if known == "failed" or stop else None
    as_: Status = "sent" if is_temporary else known
    return [status(one, as_, raw, reason=reason, stop=stop) for one in whom]


def _stop(event: Event) -> Stop | None:
    why = SUPPRESSED.get(_text(event.delivery, "code")) or event.reason.lower()
    return STOPS.get(event.event) or STOPS.get(f"{event.event}/{why}")


def _reason(event: Event) -> str:
    """`failed:permanent:bounce:550`: never the server's own words, which name the address."""
    code = _text(event.delivery, "enhanced-code") or _text(event.delivery, "code")
    words = (event.event, event.severity, event.reason, code)
    return ":".join(" ".join(word.split()) for word in words if word).lower()


def _text(fields: Mapping[str, JsonValue], name: str) -> str:
    """A number, too, as text; an empty one for anything else."""
    value = fields.get(name)
    return str(value) if isinstance(value, str | int | float) else ""


def _is_event(form: Mapping[str, FormField]) -> bool:
    """A mail may have a header `Event`. An event may have an empty `body-plain`, and no sender."""
    if "event" not in form or "body-mime" in form:
        return False
    text = form.get("body-plain")
    return text is None or not (text.content or form.keys() & _OF_A_MAIL)


_OF_A_MAIL = {"sender", "from", "X-Mailgun-Incoming"}


def _legacy(form: Mapping[str, FormField]) -> dict[str, JsonValue]:
    """A webhook of before 2018, in the shape of today."""
    name = _field(form, "event")
    headers: dict[str, JsonValue] = {key.lower(): value for key, value in _headers(form)}
    if stated := _field(form, "Message-Id") or _field(form, "message-id"):
        headers["message-id"] = stated
    return {
        "event": "failed" if name in LEGACY else name,
        "severity": "permanent" if name in LEGACY else "",
        "reason": LEGACY.get(name) or _field(form, "reason"),
        "timestamp": _field(form, "timestamp"),
        "recipient": _field(form, "recipient"),
        "message": {"headers": headers},
        "user-variables": {key: _field(form, key) for key in ("account", "send_key")},
        "delivery-status": {"code": _field(form, "code")},
    }


PROVIDER = Mailgun()
