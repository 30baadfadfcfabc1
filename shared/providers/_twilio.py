"""What Twilio's products have in common: the signature, the form, the API's login and its answers.

Signature: https://www.twilio.com/docs/usage/security#validating-requests
Errors: https://www.twilio.com/docs/api/errors
"""

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha1, sha256
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from shared.domain.errors import (
    MalformedPayload,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    Direction,
    Touchpoint,
    Unsupported,
)
from shared.providers.base import (
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Payload,
    Provider,
    Secret,
    SecretT,
    WebhookRequest,
    as_bytes,
    believable,
    read_json,
    read_model,
    same,
)

API_HOST = "api.twilio.com"
FORM_TYPE = "application/x-www-form-urlencoded"
XML_TYPE = "text/xml"
MOST_FIELDS = 1000
MOST_EVENTS = 1000
"""In one request of Event Streams: none is so short that more had room in it."""
PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_NORTH_AMERICAN = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")
_PORT = re.compile(r":[0-9]+$")

Sid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}[0-9A-Za-z_-]{1,62}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]


class TwilioAccount(Secret):
    """Console, Account info. `auth_tokens`: the primary first, the secondary while it is promoted.

    `status_callback` is the URL of this webhook, where statuses shall come; empty for none.
    """

    account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$")
    auth_tokens: list[str] = Field(min_length=1)
    status_callback: str = Field(default="", pattern=r"^(https://\S+)?$")


class Answer(Payload):
    """What the API answers when it takes a message or a call."""

    sid: Sid


class StreamEvent(Payload):
    """A CloudEvent of Event Streams."""

    id: str = Field(min_length=1, max_length=256)
    type: str = Field(min_length=1, max_length=180)
    time: AwareDatetime | None = Field(default=None, strict=False)


class TwilioProduct(Provider[SecretT]):
    """`SecretT` is a TwilioAccount."""

    title = "Twilio"
    largest_body = 200_000
    media_hosts = (API_HOST,)
    """A medium redirects to a content network, which must not see the login."""

    def verify(self, request: WebhookRequest, secret: SecretT, fetch: Fetch) -> None:
        assert isinstance(secret, TwilioAccount)
        verify(request, secret)

    def receipt(self, response: HttpResponse) -> str:
        """There is no idempotency key for these resources: what got no clear answer is never sent
        again.
        """
        if response.status == 201:
            try:
                return read_model(Answer, read_json(response.body)).sid
            except MalformedPayload:
                raise SendUnconfirmed("Twilio took it and gave no id") from None
        self.not_taken(response, _error_code(response.body))

    def media(self, attachment: Attachment, secret: SecretT) -> HttpRequest | None:
        """Accounts may ask for a login to their media; to the others it does no harm."""
        assert isinstance(secret, TwilioAccount)
        url = attachment.provider_reference or ""
        if not url.startswith("https://") or urlsplit(url).hostname != API_HOST:
            return None
        return HttpRequest(
            method="GET", url=url, headers={"authorization": login(secret)}, body=b""
        )


def verify(request: WebhookRequest, secret: TwilioAccount) -> None:
    """A form is signed with the URL; of any other body the signed URL holds the hash.

    Raises Unauthentic.
    """
    if request.content_type == FORM_TYPE:
        signed = _fields_as_signed(request)
    else:
        signed = ""
        hashed = request.parameter("bodySHA256")
        if (request.body or hashed) and not same(hashed, sha256(request.body).hexdigest()):
            raise Unauthentic("the body is not the one whose hash is in the URL")
    given = request.header("x-twilio-signature")
    valid = (
        b64encode(hmac.digest(token.encode(), as_bytes(url + signed), sha1)).decode()
        for token in secret.auth_tokens
        for url in _with_and_without_port(request.url)
    )
    if not any(same(given, one) for one in valid):
        raise Unauthentic("X-Twilio-Signature is missing or wrong")


def form_of(request: WebhookRequest) -> dict[str, str] | None:
    """The fields, which stand in the signed URL where a company chose GET; of a repeated one the
    last value. None where it is no form. Raises MalformedPayload.
    """
    if request.method == "GET" and not request.body:
        return _in_newer_words(dict(request.query[:MOST_FIELDS]))
    if request.content_type != FORM_TYPE:
        return None
    try:
        return _in_newer_words(dict(_pairs(request)))
    except ValueError:
        raise MalformedPayload("the form is not UTF-8 or has too many fields") from None


def _in_newer_words(fields: dict[str, str]) -> dict[str, str]:
    """Lines of the API of 2008 know no country but North America, and call both sides of a call
    otherwise. https://www.twilio.com/docs/api/2008-08-01/twiml/twilio_request
    """
    for name, older in (("From", "Caller"), ("To", "Called")):
        side = fields.get(name, fields.get(older, ""))
        if side:
            fields[name] = f"+1{side}" if _NORTH_AMERICAN.fullmatch(side) else side
    return fields


def digest_of(fields: Mapping[str, str]) -> str:
    """The same for the same fields in any order."""
    return sha256(urlencode(sorted(fields.items()), errors="surrogatepass").encode()).hexdigest()


def events_of(
    request: WebhookRequest, provider: str, channel: Channel, received_at: datetime
) -> Iterator[Observed]:
    """Event Streams send CloudEvents one by one or in batches. What they tell of messages and calls
    comes over the webhooks as well, so each is kept and none is a second contact.

    https://www.twilio.com/docs/events/webhook-quickstart. Raises MalformedPayload.
    """
    if "json" not in request.content_type:
        raise MalformedPayload("the body is declared neither as a form nor as JSON")
    body = read_json(request.body)
    events: list[JsonValue] = body if isinstance(body, list) else [body]
    if len(events) > MOST_EVENTS:
        raise MalformedPayload(f"body: {MOST_EVENTS} events at most")
    for event in events:
        raw = request.body if len(events) == 1 else json.dumps(event).encode()
        try:
            told = read_model(StreamEvent, event)
        except MalformedPayload:
            digest = sha256(raw).hexdigest()
            yield Observed(kept(provider, channel, digest, "a JSON event", received_at), raw)
            continue
        at = believable(told.time, received_at)
        seen = kept(provider, channel, told.id, f"event {told.type}", received_at, at=at)
        yield Observed(seen, raw)


def kept(
    provider: str,
    channel: Channel,
    event_id: str,
    what: str,
    received_at: datetime,
    *,
    at: datetime | None = None,
) -> Touchpoint:
    """What is authentic and of a kind we do not read."""
    return Touchpoint(
        provider=provider,
        account="",
        provider_event_id=event_id,
        channel=channel,
        direction=Direction.PASSIVE,
        occurred_at=at or received_at,
        received_at=received_at,
        content=Unsupported(what=what),
    )


def login(secret: TwilioAccount) -> str:
    """The Authorization header."""
    pair = f"{secret.account_sid}:{secret.auth_tokens[0]}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def api_request(
    secret: TwilioAccount, resource: str, form: Iterable[tuple[str, str]]
) -> HttpRequest:
    """Create one of an account's resources (`Messages`, `Calls`)."""
    return HttpRequest(
        method="POST",
        url=f"https://{API_HOST}/2010-04-01/Accounts/{secret.account_sid}/{resource}.json",
        headers={"authorization": login(secret), "content-type": FORM_TYPE},
        body=urlencode(list(form)).encode(),
    )


def _pairs(request: WebhookRequest) -> list[tuple[str, str]]:
    return parse_qsl(
        request.body.decode(),
        keep_blank_values=True,
        errors="strict",
        max_num_fields=MOST_FIELDS,
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


def _error_code(body: bytes) -> str:
    """Twilio's own code, or `unknown`."""
    try:
        answer = read_json(body)
    except MalformedPayload:
        return "unknown"
    code = answer.get("code") if isinstance(answer, dict) else None
    return str(code) if isinstance(code, int) else "unknown"
