"""Our own chat widget on the company's site (docs/web-chat.md). The routes below
/webhooks/web_chat:

- `GET widget.js`: the widget, which is `web_chat.js` beside this file.
- `POST sessions` opens a session: `{}`, or `{"user_id", "user_hash"}` for a customer who is signed
  in on the site, whose server made the hash: hex HMAC-SHA256(identity secret, user id). With the
  token of an earlier session that session goes on. Answers `{"session", "token", "expires_at"}`.
- `POST messages` with `Authorization: Bearer <token>`: `{"id", "text", "sent_at"?}`. The widget
  chooses the id and repeats it when it tries again. Beside or instead of the text it may send the
  answer that was picked, `"choice": {"id"?, "title"}` with `"in_reply_to"` the message that offered
  it, a place, `{"latitude", "longitude", "name"?}`, or up to three `files`, each `{"name",
  "content_type", "content"}` with the content in base64 (RFC 4648, section 4) and at most 3 MB. A
  file that is more, or cannot be read, is refused alone. Answers `{"accepted", "id"}`.
- `GET messages` with the same header: what waits for the person, oldest first. Answers
  `{"messages": [{"id", "text", "sent_at", "in_reply_to", "choices"?, "files"?}]}`: choices are
  `{"id", "title"}`, files `{"url", "name", "content_type"}`. `?after=<id>`: only what is
  behind that message. `?since=<sent_at>`: only what was sent since, and two minutes before, where
  some may be known; unlike `after` it reads no more than it tells, and misses nothing that two
  senders wrote in the wrong order.

A token is a JSON Web Token (RFC 7519), HS256. It is read here with the standard library: the
algorithm is not the caller's to choose, and a JWT library would cost a cold start 150 ms.
"""

import gzip
import hmac
import json
import re
import secrets
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from shared.domain.errors import MalformedPayload, TooLarge, Unauthentic
from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.media import Refusal
from shared.domain.model import isoformat
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    Choice,
    Direction,
    Endpoint,
    Message,
    Place,
    Touchpoint,
)
from shared.providers.base import (
    JSON_TYPE,
    MEGABYTE,
    Fetch,
    File,
    IfReadable,
    NothingToTransmit,
    Observed,
    Outcome,
    Payload,
    Provider,
    ProviderId,
    Secret,
    WebhookRequest,
    WebhookResponse,
    believable,
    read_json,
    read_model,
    same,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "web_chat"
AUDIENCE = "web_chat"
"""So that no other token of the house, signed by mistake with the same secret, opens a chat."""

SCRIPT_TYPE = "text/javascript; charset=utf-8"
LIFETIME = timedelta(days=7)
LONGEST_TEXT = 4096
LARGEST_WITHOUT_FILES = 100_000
MOST_FILES = 3
LARGEST_FILE = 3 * MEGABYTE
"""Together they are less: a Lambda takes 6 MB of request (largest_body)."""
MOST_NAMED = 10
"""Files of one message that are read or shown as refused; of the rest, nothing is told."""
LONGEST_ON_THE_WAY = timedelta(hours=1)
"""How long ago a message may claim to be written. Promises count from then: who could claim last
year would stand before everybody else, and one whose clock is slow would have answered in vain.
"""

OVERLAP = timedelta(minutes=2)
"""How much later than it says a message may become visible: its sender waited for somebody, or the
index lags behind.
"""
SCRIPT_FRESH = timedelta(hours=1)
"""How long a browser asks nobody for the widget; for a day after that it asks while it uses it."""

_HEADER = b'{"alg":"HS256","typ":"JWT"}'
_TOKEN = re.compile(r"[\w-]{1,200}\.[\w-]{1,2000}\.[\w-]{1,100}", re.ASCII)

Session = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
CustomerNumber = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class WebChatSecret(Secret):
    """All invented by you, 32 characters or more. `signing_secrets` sign sessions.

    `identity_secrets` are shared with the site's server; without one nobody is known as a customer.
    They are never the same: who can have a user id hashed could otherwise forge a session.
    """

    signing_secrets: list[Annotated[str, StringConstraints(min_length=32)]] = Field(min_length=1)
    identity_secrets: list[Annotated[str, StringConstraints(min_length=32)]] = []
    account: str = Field(default="web", min_length=1, max_length=100)


class Claims(Payload):
    """What a token says: for what, which session, until when, which customer if any."""

    aud: Literal["web_chat"]
    sid: Session
    exp: int
    sub: CustomerNumber | None = None


class Opening(Payload):
    user_id: CustomerNumber | None = None
    user_hash: str = ""


class Picked(Payload):
    id: str = Field(default="", max_length=1024)
    title: str = Field(max_length=1024, pattern=r"\S")


class Spot(Payload):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str = Field(default="", max_length=1024)


class SentFile(Payload):
    name: str = Field(default="", max_length=1024)
    content_type: str = Field(default="", max_length=255)
    content: str


def _named(value: object) -> object:
    """Before each is looked at: a body has room for a hundred thousand of nothing."""
    return value[:MOST_NAMED] if isinstance(value, list) else []


class Sent(Payload):
    id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
    text: str = Field(default="", max_length=LONGEST_TEXT)
    sent_at: str = Field(default="", max_length=40)
    choice: Picked | None = None
    place: Spot | None = None
    files: Annotated[list[IfReadable[SentFile]], BeforeValidator(_named)] = []
    in_reply_to: ProviderId | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text.strip() or self.choice or self.place or self.files):
            raise ValueError("there is no text, no choice, no place and no file")
        return self

    def message(self, files: Sequence[File]) -> Message:
        choice, place = self.choice, self.place
        return Message(
            text=self.text if self.text.strip() else (choice.title if choice else ""),
            choice=Choice(id=choice.id, title=choice.title) if choice else None,
            place=Place(**place.model_dump()) if place else None,
            attachments=tuple(file.attachment for file in files),
            in_reply_to=self.in_reply_to,
        )


class Script(NamedTuple):
    """The widget as it is served."""

    text: str
    compressed: bytes
    tag: str


class WebChat(Provider[WebChatSecret]):
    name = NAME
    secret_type = WebChatSecret
    largest_body = 5_500_000

    def check_size(self, request: WebhookRequest) -> None:
        """Only who writes brings files; everything else is asked for before there is a token."""
        writes = (request.method, request.path) == ("POST", "messages")
        if not writes and len(request.body) > LARGEST_WITHOUT_FILES:
            raise TooLarge(f"here {NAME} may send {LARGEST_WITHOUT_FILES} bytes at most")
        super().check_size(request)

    def challenge(self, request: WebhookRequest, secret: WebChatSecret) -> WebhookResponse | None:
        """The widget itself; or open a session, or go on with one.

        Nothing is stored: the session is its token.
        """
        if (request.method, request.path) == ("GET", "widget.js"):
            return _served(_script(), request)
        if (request.method, request.path) != ("POST", "sessions"):
            return None
        try:
            opening = read_model(Opening, read_json(request.body))
        except MalformedPayload as error:
            return _json({"error": str(error)}, status=400)
        earlier = _claims(request, secret) if request.header("authorization") else None
        if opening.user_id is not None:
            _check_customer(opening.user_id, opening.user_hash, secret)
        customer = opening.user_id or (earlier.sub if earlier else None)
        # Whoever sat at this browser before, named or not, must not read what this customer is
        # answered: who signs in begins a session of their own.
        same_person = earlier is not None and earlier.sub == customer
        session = earlier.sid if earlier and same_person else secrets.token_urlsafe(24)
        expires_at = request.arrived_at + LIFETIME
        claims = {"aud": AUDIENCE, "sid": session, "exp": int(expires_at.timestamp())}
        if customer is not None:
            claims["sub"] = customer
        token = _token(claims, secret.signing_secrets[0])
        return _json({"session": session, "token": token, "expires_at": isoformat(expires_at)})

    def verify(self, request: WebhookRequest, secret: WebChatSecret, fetch: Fetch) -> None:
        _claims(request, secret)

    def mailbox(self, request: WebhookRequest, secret: WebChatSecret) -> Endpoint | None:
        if (request.method, request.path) != ("GET", "messages"):
            return None
        return _endpoint(_claims(request, secret), secret)

    def mailbox_since(self, request: WebhookRequest) -> datetime | None:
        since = _moment(request.parameter("since"))
        return max(since, _LONG_AGO) - OVERLAP if since else None

    def render_mailbox(
        self, request: WebhookRequest, waiting: Sequence[Touchpoint]
    ) -> WebhookResponse:
        """All of them where `after` is not among them: the widget then knows which are new."""
        ids = [touchpoint.provider_event_id for touchpoint in waiting]
        after = request.parameter("after")
        new = waiting[ids.index(after) + 1 :] if after in ids else waiting
        return _json({"messages": [_message(touchpoint) for touchpoint in new]})

    def parse(
        self, request: WebhookRequest, secret: WebChatSecret, received_at: datetime
    ) -> list[Observed]:
        if (request.method, request.path) != ("POST", "messages"):
            raise MalformedPayload("there is no such route")
        try:
            claims = _claims(request, secret)
        except Unauthentic:
            # Out of quarantine, which keeps no token; or that has expired since.
            raise MalformedPayload("nothing in the request says whose session it is") from None
        if request.content_type != JSON_TYPE:
            raise MalformedPayload("the body is not declared as JSON")
        sent = read_model(Sent, read_json(request.body))
        files = tuple(_files(sent.files))
        touchpoint = Touchpoint(
            provider=NAME,
            account=secret.account,
            provider_event_id=f"{claims.sid}:{sent.id}",
            channel=Channel.WEB_CHAT,
            direction=Direction.INBOUND,
            occurred_at=_written_at(sent.sent_at, received_at),
            received_at=received_at,
            content=sent.message(files),
            identifiers=_identifiers(claims),
            proof=Proof.SIGNED_USER if claims.sub is not None else None,
            endpoint=_endpoint(claims, secret),
        )
        return [Observed(touchpoint, request.body, files)]

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """The widget is told whether to try again: what nobody can read, it must not repeat."""
        if outcome is Outcome.QUARANTINED:
            return _json({"accepted": False}, status=400)
        ids = [one.touchpoint.provider_event_id.partition(":")[2] for one in observed]
        return _json({"accepted": True, "id": ids[0]})

    def prepare(self, message: "OutboundMessage", secret: WebChatSecret) -> NothingToTransmit:
        """The widget comes for it."""
        return NothingToTransmit(message_id=message.send_key)


def _claims(request: WebhookRequest, secret: WebChatSecret) -> Claims:
    """Of the bearer token. Raises Unauthentic."""
    scheme, _, token = request.header("authorization").partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise Unauthentic("there is no bearer token")
    signed, _, signature = token.rpartition(".")
    if not any(same(signature, _signature(signed, key)) for key in secret.signing_secrets):
        raise Unauthentic("the token is not ours")
    try:
        claims = read_model(Claims, read_json(_decoded(signed.partition(".")[2])))
    except (MalformedPayload, ValueError):
        raise Unauthentic("the token is not for the web chat") from None
    if claims.exp <= request.arrived_at.timestamp():
        raise Unauthentic("the token has expired")
    return claims


def _files(sent: Sequence[SentFile | None]) -> Iterator[File]:
    """What each is, `media_fetching` sees by its content; here only what keeps it out."""
    for position, file in enumerate(sent):
        if file is None:
            yield File(Attachment(), b"", "content")
            continue
        content, refused = _content(file.content, position)
        attachment = Attachment(
            form="image" if file.content_type.startswith("image/") else "file",
            name=_file_name(file.name),
            content_type=file.content_type or "application/octet-stream",
            size=None if refused else len(content),
        )
        yield File(attachment, content, refused)


def _content(written: str, position: int) -> tuple[bytes, Refusal | None]:
    """Nothing too long is decoded, and nothing but base64 as the RFC has it."""
    if position >= MOST_FILES:
        return b"", "number"
    if len(written) > LARGEST_FILE * 4 // 3:
        return b"", "size"
    try:
        content = b64decode(written, validate=True)
    except ValueError:
        return b"", "content"
    return (content, None) if content else (b"", "content")


_NOT_OF_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]+")
"""Controls, and what makes a name read otherwise than it ends."""


def _file_name(stated: str) -> str:
    """Without its folder, in what may stand in a name."""
    last = re.split(r"[/\\]", stated)[-1]
    return " ".join(_NOT_OF_A_NAME.sub(" ", last).split())[:255]


def _token(claims: dict[str, Any], key: str) -> str:
    signed = f"{_encoded(_HEADER)}.{_encoded(json.dumps(claims).encode())}"
    return f"{signed}.{_signature(signed, key)}"


def _signature(signed: str, key: str) -> str:
    return _encoded(hmac.digest(key.encode(), signed.encode(), sha256))


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _check_customer(user_id: str, user_hash: str, secret: WebChatSecret) -> None:
    valid = (
        hmac.digest(key.encode(), user_id.encode(), sha256).hex() for key in secret.identity_secrets
    )
    if not any(same(user_hash, one) for one in valid):
        raise Unauthentic("user_hash is missing or wrong")


def _identifiers(claims: Claims) -> tuple[Identifier, ...]:
    session = Identifier(type=IdentifierType.WEB_CHAT_SESSION, value=claims.sid)
    if claims.sub is None:
        return (session,)
    return (Identifier(type=IdentifierType.CUSTOMER_NUMBER, value=claims.sub), session)


def _endpoint(claims: Claims, secret: WebChatSecret) -> Endpoint:
    return Endpoint(
        channel=Channel.WEB_CHAT, provider=NAME, account=secret.account, address=claims.sid
    )


def _written_at(stated: str, received_at: datetime) -> datetime:
    at = believable(_moment(stated), received_at)
    return at if received_at - at <= LONGEST_ON_THE_WAY else received_at


def _moment(text: str) -> datetime | None:
    """None for no time, and for one without a zone: a browser's clock is a hint, not a fact."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _message(touchpoint: Touchpoint) -> dict[str, Any]:
    content = touchpoint.content
    told = {
        "id": touchpoint.provider_event_id,
        "text": touchpoint.text,
        "sent_at": isoformat(touchpoint.occurred_at),
        "in_reply_to": getattr(content, "in_reply_to", None),
    }
    if isinstance(content, Message) and content.offers:
        told["choices"] = [{"id": one.id, "title": one.title} for one in content.offers]
    if isinstance(content, Message) and (files := [*filter(None, map(_file, content.attachments))]):
        told["files"] = files
    return told


def _file(attachment: Attachment) -> dict[str, str] | None:
    """None for what nobody outside can fetch."""
    url = attachment.provider_reference or ""
    if not url.startswith("https://"):
        return None
    return {"url": url, "name": attachment.name, "content_type": attachment.content_type}


@cache
def _script() -> Script:
    """Read and compressed once, when somebody asks for it."""
    content = Path(__file__).with_suffix(".js").read_bytes()
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    return Script(content.decode(), gzip.compress(content, mtime=0), tag)


def _served(script: Script, request: WebhookRequest) -> WebhookResponse:
    """For anybody: it holds no secret and is the same for all. The gateway does not compress."""
    fresh = int(SCRIPT_FRESH.total_seconds())
    headers = {
        "cache-control": f"public, max-age={fresh}, stale-while-revalidate=86400",
        "cross-origin-resource-policy": "cross-origin",
        "etag": script.tag,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    # A cache that compresses by itself marks the tag as weak (RFC 9110, section 8.8.3).
    known = {one.strip().removeprefix("W/") for one in request.header("if-none-match").split(",")}
    if script.tag in known:
        return WebhookResponse(status=304, content_type=SCRIPT_TYPE, headers=headers)
    if "gzip" in request.header("accept-encoding"):
        headers["content-encoding"] = "gzip"
        return WebhookResponse(content=script.compressed, content_type=SCRIPT_TYPE, headers=headers)
    return WebhookResponse(body=script.text, content_type=SCRIPT_TYPE, headers=headers)


def _json(content: dict[str, Any], *, status: int = 200) -> WebhookResponse:
    return WebhookResponse(
        status=status,
        body=json.dumps(content, ensure_ascii=False),
        content_type=JSON_TYPE,
        headers={"cache-control": "no-store"},
    )


PROVIDER = WebChat()
