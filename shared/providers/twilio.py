"""SMS and WhatsApp through Twilio.

Signature: https://www.twilio.com/docs/usage/security#validating-requests
Messages in: https://www.twilio.com/docs/messaging/guides/webhook-request
Statuses: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
Sending: https://www.twilio.com/docs/messaging/api/message-resource
"""

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1, sha256
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, StringConstraints

from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.identity import Identifier, IdentifierType
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
    Unsupported,
)
from shared.providers.base import (
    JSON_TYPE,
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Outcome,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    WebhookResponse,
    read_json,
    read_model,
    same,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "twilio"
FORM_TYPE = "application/x-www-form-urlencoded"
API = "https://api.twilio.com/2010-04-01"
LONGEST_BODY = 1600
"""Characters, for SMS in segments and for WhatsApp alike (error 21617)."""

WHATSAPP = "whatsapp:"
"""Before both addresses of a WhatsApp message."""

_PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
"""WhatsApp's business-scoped user id, of a person who shows no number."""
_PORT = re.compile(r":[0-9]+$")
_CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")

STATUSES: Mapping[str, Literal["accepted", "sent", "delivered", "read", "failed"]] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
STOPS: Mapping[str, Stop] = {
    # The person wrote STOP, and Twilio has told them that it was understood.
    "21610": Stop(kind="opt_out"),
    "30004": Stop(kind="provider_block"),  # blocked by the operator or the person
    "30006": Stop(kind="provider_block"),  # a landline, or one this line cannot reach
    "21211": Stop(kind="bounce"),  # no such number
    "21614": Stop(kind="bounce"),  # no mobile
    "21635": Stop(kind="bounce"),  # a landline
    "63024": Stop(kind="bounce"),  # not on WhatsApp
}
"""https://www.twilio.com/docs/api/errors (2026-11). A handset that is off (30003, 30005) may be on
tomorrow.
"""
ARRIVING = frozenset({"", "receiving", "received"})
"""A status that says the message came in."""

Sid = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9a-zA-Z]{32}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class TwilioSecret(Secret):
    """Console, Account info. `auth_tokens`: the primary first, the secondary while it is promoted.

    `status_callback` is the URL of this webhook, where statuses shall come; empty for none.
    """

    account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$")
    auth_tokens: list[str] = Field(min_length=1)
    status_callback: str = Field(default="", pattern=r"^(https://\S+)?$")


class Addresses(Payload):
    """What a message in and a status of a message out have in common."""

    sid: Sid = Field(alias="MessageSid")
    account_sid: Sid = Field(alias="AccountSid")
    sender: Address = Field(alias="From")
    to: Address = Field(alias="To")

    @property
    def channel(self) -> Channel:
        return Channel.WHATSAPP if self.to.startswith(WHATSAPP) else Channel.SMS


class Incoming(Addresses):
    body: str = Field(default="", alias="Body", max_length=65_536)
    media: str = Field(default="0", alias="NumMedia", pattern=r"^[0-9]{1,2}$")
    profile_name: str = Field(default="", alias="ProfileName")
    user_id: str = Field(default="", alias="ExternalUserIdentifier", max_length=200)
    answered: str = Field(default="", alias="OriginalRepliedMessageSid", max_length=64)
    latitude: str = Field(default="", alias="Latitude", max_length=40)
    longitude: str = Field(default="", alias="Longitude", max_length=40)
    label: str = Field(default="", alias="Label", max_length=1024)
    address: str = Field(default="", alias="Address", max_length=1024)


class Status(Addresses):
    status: str = Field(alias="MessageStatus", pattern=r"^[a-z_]{1,60}$")
    error_code: str = Field(default="", alias="ErrorCode", max_length=40)
    error: str = Field(default="", alias="ErrorMessage", max_length=1024)


class Medium(Payload):
    url: str = Field(max_length=2048, pattern=r"^https?://")
    type: str = Field(default="application/octet-stream", max_length=255)


class Answer(Payload):
    """What the API answers when it takes a message."""

    sid: Sid


class Twilio(Provider[TwilioSecret]):
    name = NAME
    secret_type = TwilioSecret
    stops = STOPS
    largest_body = 200_000
    longest_text = LONGEST_BODY

    def verify(self, request: WebhookRequest, secret: TwilioSecret, fetch: Fetch) -> None:
        """A form is signed with the URL; of any other body the signed URL holds the hash."""
        if request.content_type == FORM_TYPE:
            signed = _fields_as_signed(request)
        else:
            signed = ""
            hashed = request.parameter("bodySHA256")
            if (request.body or hashed) and not same(hashed, sha256(request.body).hexdigest()):
                raise Unauthentic("the body is not the one whose hash is in the URL")
        given = request.header("x-twilio-signature")
        valid = (
            b64encode(hmac.digest(token.encode(), (url + signed).encode(), sha1)).decode()
            for token in secret.auth_tokens
            for url in _with_and_without_port(request.url)
        )
        if not any(same(given, one) for one in valid):
            raise Unauthentic("X-Twilio-Signature is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: TwilioSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type == JSON_TYPE:
            read_json(request.body)
            return [_unknown(request, "a JSON event", received_at)]
        if request.content_type != FORM_TYPE:
            raise MalformedPayload("the body is declared neither as a form nor as JSON")
        fields = _form(request)
        if "MessageSid" not in fields:
            what = "a call" if "CallSid" in fields else "a form without a message"
            return [_unknown(request, what, received_at)]
        arriving = fields.get("MessageStatus", "") in ARRIVING
        read = _incoming if arriving else _status
        return [Observed(read(fields, received_at), request.body)]

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """TwiML that sends nothing back. Never an error: Twilio would not send the SMS again."""
        return WebhookResponse(body="<Response/>", content_type="text/xml")

    def prepare(self, message: "OutboundMessage", secret: TwilioSecret) -> HttpRequest:
        prefix = WHATSAPP if message.endpoint.channel is Channel.WHATSAPP else ""
        form = {
            "To": prefix + message.endpoint.address,
            "From": prefix + message.endpoint.account,
            **_content(message),
        }
        if secret.status_callback:
            form["StatusCallback"] = secret.status_callback
        login = b64encode(f"{secret.account_sid}:{secret.auth_tokens[0]}".encode()).decode()
        return HttpRequest(
            method="POST",
            url=f"{API}/Accounts/{secret.account_sid}/Messages.json",
            headers={"authorization": f"Basic {login}", "content-type": FORM_TYPE},
            body=urlencode(form).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        if response.status == 201:
            try:
                return read_model(Answer, read_json(response.body)).sid
            except MalformedPayload:
                raise SendUnconfirmed("Twilio took the message and gave no id") from None
        code = _error_code(response.body)
        if response.status in {429, 503}:
            raise SendDelayed(f"Twilio took nothing: HTTP {response.status}, code {code}")
        if 400 <= response.status < 500:
            raise SendRefused(f"Twilio refused: code {code}", code=code)
        raise SendUnconfirmed(f"Twilio answered HTTP {response.status}, code {code}")


def _incoming(fields: dict[str, str], received_at: datetime) -> Touchpoint:
    message = read_model(Incoming, fields)
    attachments = tuple(_medium(fields, number) for number in range(int(message.media)))
    place = f"geo:{message.latitude},{message.longitude}" if message.latitude else ""
    lines = (message.body, message.label, message.address, place)
    return _touchpoint(
        message,
        message.sid,
        Direction.INBOUND,
        Message(
            text="\n".join(line for line in lines if line),
            attachments=attachments,
            in_reply_to=message.answered or None,
        ),
        received_at,
        person=message.sender,
        line=message.to,
        user_id=message.user_id,
        name=message.profile_name[:200] or None,
    )


def _status(fields: dict[str, str], received_at: datetime) -> Touchpoint:
    status = read_model(Status, fields)
    content: Content
    if known := STATUSES.get(status.status):
        reason = f"{status.error_code} {status.error}".strip()
        content = DeliveryStatus(
            status=known,
            message_id=status.sid,
            reason=reason or None,
            stop=STOPS.get(status.error_code) if known == "failed" else None,
        )
    else:
        content = Unsupported(what=f"status {status.status}")
    return _touchpoint(
        status,
        f"{status.sid}:{status.status}",
        Direction.PASSIVE,
        content,
        received_at,
        person=status.to,
        line=status.sender,
    )


def _touchpoint(
    addresses: Addresses,
    event_id: str,
    direction: Direction,
    content: Content,
    received_at: datetime,
    *,
    person: str,
    line: str,
    user_id: str = "",
    name: str | None = None,
) -> Touchpoint:
    """Twilio tells no time, so it is the time of arrival.

    A sender that is a word or a short number is a machine: nobody is there to be answered.
    """
    address, account = person.removeprefix(WHATSAPP), line.removeprefix(WHATSAPP)
    identifiers = _identifiers(address, user_id, scope=addresses.account_sid)
    endpoint, automation = None, None
    if identifiers:
        endpoint = Endpoint(
            channel=addresses.channel, provider=NAME, account=account, address=address
        )
    elif direction is Direction.INBOUND:
        automation = Automation.BOT
    return Touchpoint(
        provider=NAME,
        account=account,
        provider_event_id=event_id,
        channel=addresses.channel,
        direction=direction,
        occurred_at=received_at,
        received_at=received_at,
        content=content,
        identifiers=identifiers,
        endpoint=endpoint,
        name=name,
        automation=automation,
    )


def _identifiers(address: str, user_id: str, *, scope: str) -> tuple[Identifier, ...]:
    found = []
    if _PHONE.fullmatch(address):
        found.append(Identifier(type=IdentifierType.PHONE, value=address))
    for one in dict.fromkeys((address, user_id.removeprefix(WHATSAPP))):
        if _USER_ID.fullmatch(one):
            found.append(Identifier(type=IdentifierType.WHATSAPP_USER, scope=scope, value=one))
    return tuple(found)


def _medium(fields: dict[str, str], number: int) -> Attachment:
    """The URL is Twilio's own and needs the account's login to be read."""
    given = {
        "url": fields.get(f"MediaUrl{number}"),
        "type": fields.get(f"MediaContentType{number}"),
    }
    medium = read_model(Medium, {key: value for key, value in given.items() if value})
    return Attachment(content_type=medium.type, provider_reference=medium.url)


def _unknown(request: WebhookRequest, what: str, received_at: datetime) -> Observed:
    touchpoint = Touchpoint(
        provider=NAME,
        account="",
        provider_event_id=sha256(request.body).hexdigest(),
        channel=Channel.VOICE if what == "a call" else Channel.SMS,
        direction=Direction.PASSIVE,
        occurred_at=received_at,
        received_at=received_at,
        content=Unsupported(what=what),
    )
    return Observed(touchpoint, request.body)


def _form(request: WebhookRequest) -> dict[str, str]:
    """The fields; of a repeated one the last value. Raises MalformedPayload."""
    try:
        return dict(_pairs(request))
    except ValueError:
        raise MalformedPayload("the form is not UTF-8 or has too many fields") from None


def _pairs(request: WebhookRequest) -> list[tuple[str, str]]:
    return parse_qsl(
        request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000
    )


def _fields_as_signed(request: WebhookRequest) -> str:
    """Each field's name and value, sorted; of a repeated field each different value once."""
    try:
        pairs = sorted(set(_pairs(request)))
    except ValueError:
        raise Unauthentic("the form is not UTF-8 or has too many fields") from None
    return "".join(name + value for name, value in pairs)


def _with_and_without_port(url: str) -> tuple[str, str]:
    """Twilio signs now with the port, now without it, whatever the configured URL says."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    bare = _PORT.sub("", host)
    port = host if bare != host else f"{host}:{443 if scheme == 'https' else 80}"
    return f"{scheme}://{bare}{slash}{path}", f"{scheme}://{port}{slash}{path}"


def _content(message: "OutboundMessage") -> dict[str, str]:
    """On WhatsApp a template is a Content SID; SMS knows none, so the same words go as text."""
    if message.template is not None and message.endpoint.channel is Channel.WHATSAPP:
        if not _CONTENT_SID.fullmatch(message.template.name):
            raise SendRefused(
                "a WhatsApp template is named by its Content SID at Twilio", code="content_sid"
            )
        variables = {str(n): value for n, value in enumerate(message.template.parameters, start=1)}
        return {"ContentSid": message.template.name, "ContentVariables": json.dumps(variables)}
    if not 0 < len(message.text) <= LONGEST_BODY:
        raise SendRefused(f"a text has 1 to {LONGEST_BODY} characters at Twilio", code="21617")
    return {"Body": message.text}


def _error_code(body: bytes) -> str:
    """Twilio's own code, or `unknown`."""
    try:
        answer = read_json(body)
    except MalformedPayload:
        return "unknown"
    code = answer.get("code") if isinstance(answer, dict) else None
    return str(code) if isinstance(code, int) else "unknown"


PROVIDER = Twilio()
