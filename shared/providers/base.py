"""What every provider is: how it proves itself, what it says, what it wants to hear, and how to
send through it.

A provider is one file in this folder with a module constant `PROVIDER`. It does no I/O: it turns a
request into touchpoints and a message into a request. It is found by its file name, so nothing
lists it.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NoReturn,
    TypeVar,
    get_args,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    StringConstraints,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import from_json

from shared.domain.errors import (
    MalformedPayload,
    MissingSecret,
    PasserelleError,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    TooLarge,
    UnknownProvider,
)
from shared.domain.media import Refusal
from shared.domain.touchpoint import Attachment, Endpoint, Stop, Touchpoint
from shared.providers._json_limits import LONGEST_LIST, refuse_many_values, refuse_unreasonable

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

MEGABYTE = 1_000_000
LARGEST_REQUEST = 6 * 1024 * 1024
"""As much as a Lambda function takes, what the gateway adds included: more never reaches us."""
LARGEST_SPREAD = 10 * MEGABYTE
"""Bytes that what a request states once for all its parts may become, for each part then has it as
its own: a few kilobytes would else unpack to gigabytes.
"""
JSON_TYPE = "application/json"


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """The HTTP request exactly as it came, after the gateway's own base64 is undone.

    `url` is the public URL the provider called, with its query string. `slug` is the account that
    follows `/webhooks/{provider}`, where its own secret proves the request, and `path` the rest,
    without slashes at its ends. `arrived_at` is the gateway's stamp in real
    time, against which signatures are fresh or stale. Header names are in lower case; a repeated
    query key keeps all its values.
    """

    method: str
    url: str
    path: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    body: bytes
    arrived_at: datetime
    slug: str = ""

    def header(self, name: str) -> str:
        """The header's value, or an empty string."""
        return self.headers.get(name.lower(), "")

    def parameter(self, name: str) -> str:
        """The first value of a query parameter, or an empty string."""
        return next((value for key, value in self.query if key == name), "")

    @cached_property
    def known(self) -> dict[str, Any]:
        """What was read of it: a proof and what it proves may stand in the same megabytes."""
        return {}

    @cached_property
    def content_type(self) -> str:
        """The media type alone, in lower case."""
        return self.header("content-type").split(";")[0].strip().lower()


@dataclass(frozen=True, kw_only=True)
class WebhookResponse:
    """What the provider gets to hear. `content` stands in for `body` where that is compressed."""

    status: int = 200
    body: str = ""
    content: bytes | None = None
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] | None = None


class Observed(NamedTuple):
    """A touchpoint and the part of the request it came from, kept as evidence; files are stored
    beside it.

    `files` pairs with `touchpoint.content.attachments` by position, where the request carried the
    bytes.
    """

    touchpoint: Touchpoint
    raw: bytes
    files: tuple["File", ...] = ()


class File(NamedTuple):
    """`refused` where its provider's rules keep it out already: then nothing of it is stored, and
    whoever reads the message sees that it was there.
    """

    attachment: Attachment
    content: bytes
    refused: Refusal | None = None


class OneTimeProof(NamedTuple):
    """A proof that covers nothing but itself, and so must not stand beside two contents.

    `content` is a digest of what it came with, the same in every redelivery. After `valid_for` the
    provider's own time makes it stale.
    """

    token: str
    content: str
    valid_for: timedelta


class PartlyMalformed(MalformedPayload):
    """Some parts of a request can be read, which count now; for the rest, the whole request goes to
    quarantine. Read again, `readable` are duplicates.
    """

    def __init__(self, detail: str, *, readable: list[Observed]) -> None:
        super().__init__(detail)
        self.readable = readable


class Outcome(StrEnum):
    """How an authentic request ended, for `respond`."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    NOT_KEPT = "not_kept"
    """Only of a provider with `answer_within`: nothing is durable, so nothing may be promised."""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request to a provider's API. `url` is the provider's real, public one.

    Printed, it shows none of the tokens that stand in it (Telegram's stands in the URL).
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class MailRequest:
    """A message for Amazon SES: the MIME bytes, ready to leave."""

    sender: str
    recipient: str
    mime: bytes


@dataclass(frozen=True, kw_only=True)
class PushRequest:
    """A notification for Amazon SNS: the device's endpoint, one payload for each platform as JSON,
    and the attributes that travel beside it.
    """

    endpoint_arn: str
    message: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NothingToTransmit:
    """The recipient comes and fetches it from the ledger (web chat).

    `message_id` becomes the touchpoint's key.
    """

    message_id: str


Outgoing = HttpRequest | MailRequest | PushRequest | NothingToTransmit


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Secret(BaseModel):
    """What a company must know about its account at a provider.

    One JSON object in Secrets Manager.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True
    )


class Payload(BaseModel):
    """What we read of a request.

    Unknown fields are ignored, for providers add them at will; known ones are strict. A null says
    nothing, as if the field were not there: providers write it where there is none, and what a
    message needs is missing all the same.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        allow_inf_nan=False,  # where a number may come as text, "Infinity" is none
        defer_build=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict) or None not in given.values():
            return given
        return {name: value for name, value in given.items() if value is not None}


ToldT = TypeVar("ToldT")


def _none_if_unreadable(value: object, read: Callable[[object], ToldT]) -> ToldT | None:
    try:
        return read(value)
    except ValidationError:
        return None


IfReadable = Annotated[ToldT | None, WrapValidator(_none_if_unreadable)]
"""What is told beside the point: where it cannot be read it counts as not told, and costs nothing
else. Null, an empty text and a number stand where something else is meant, by the age of the
account and the version of the API.
"""


def as_text(value: object) -> object:
    """Numbers of things are text; some write them as JSON numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_list(value: object) -> object:
    """Null, too, stands where there is none."""
    return value if isinstance(value, list) else []


ProviderId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,256}$")]
"""An id that a provider gave to something: visible ASCII, so it is safe in a key and in a log."""


SecretT = TypeVar("SecretT", bound=Secret)

Fetch = Callable[[str], bytes]
"""GET a public https URL: the one thing a proof may need from outside (a signing certificate)."""


class Provider(Generic[SecretT]):
    """The base of every provider.

    `verify` comes before `parse`, always, and its caller cannot skip it.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    """What people call it, in the reasons that agents read; of those that can send."""
    secret_type: type[SecretT]
    largest_body: ClassVar[int] = 5 * MEGABYTE
    longest_list: ClassVar[int] = LONGEST_LIST
    """Objects in one list of its JSON, and so at most as many touchpoints of one request."""
    longest_text: ClassVar[int] = 4096
    """Characters of a message that leaves: what its API takes, or as much as a reply may hold."""
    lacks: ClassVar[frozenset[Literal["choices", "files"]]] = frozenset()
    """What a message may hold and this way cannot carry at all: `prepare` is never given it."""
    largest_mail: ClassVar[int] = 0
    """Bytes of a whole message, its files in Base64, where it is handed these as they are; 0 where
    it fetches them by their addresses.
    """
    answer_within: ClassVar[timedelta | None] = None
    """For whoever waits at the other end and does not try again: the answer comes within this,
    whatever the store does. What could not be kept in time is handed over to be kept later.
    """
    media_hosts: ClassVar[tuple[str, ...]] = ()
    """Where its media lie, and its token may be shown: a host, or `*.` and all below one."""
    refusals: ClassVar[Mapping[str, RefusalReason]] = {}
    """Its codes of a refusal in the terms of the house; what is not here is `unknown`."""
    stops: ClassVar[Mapping[str, Stop]] = {}
    """Codes of a refusal or a failed delivery after which nothing more is to be sent there."""

    def challenge(self, request: WebhookRequest, secret: SecretT) -> WebhookResponse | None:
        """Answer a handshake that carries no touchpoint; None when the request is not one."""
        return None

    def verify(self, request: WebhookRequest, secret: SecretT, fetch: Fetch) -> None:
        """Raise Unauthentic unless the raw request proves that it comes from this provider."""
        raise NotImplementedError

    def one_time_proof(self, request: WebhookRequest, secret: SecretT) -> OneTimeProof | None:
        """What of a verified request may be used for one content only; None where the proof covers
        the content.
        """
        return None

    def without_proof(self, request: WebhookRequest, secret: SecretT) -> WebhookRequest:
        """The request as quarantine may keep it: no secret stands in its URL."""
        return request

    def parse(
        self, request: WebhookRequest, secret: SecretT, received_at: datetime
    ) -> list[Observed]:
        """The touchpoints a verified request holds, possibly none.

        Raises MalformedPayload, and nothing else; PartlyMalformed where some parts can be read.
        """
        raise NotImplementedError

    def read(
        self, request: WebhookRequest, secret: SecretT, received_at: datetime
    ) -> list[Observed]:
        """`parse`, for its callers: where our own reading is broken, the request is unreadable too.

        It is then kept and seen, and read once that is mended. Risen as it is, the provider would
        send the same again until it gives up, and the touchpoint would be lost.
        """
        try:
            return self.parse(request, secret, received_at)
        except PasserelleError:
            raise
        except Exception as error:
            # The name alone: a foreign error may quote the request.
            raise MalformedPayload(f"our reading of it broke: {type(error).__name__}") from None

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """The answer that makes this provider content."""
        return WebhookResponse()

    def answer(
        self, request: WebhookRequest, secret: SecretT, observed: list[Observed]
    ) -> WebhookResponse:
        """`respond` to what was accepted, for a provider to whom it matters what was asked and how
        the company set it up (a voice greeting).
        """
        return self.respond(Outcome.ACCEPTED, observed)

    def mailbox(self, request: WebhookRequest, secret: SecretT) -> Endpoint | None:
        """Whose waiting messages this request asks for (after `verify`); None for every provider
        that pushes.
        """
        return None

    def mailbox_since(self, request: WebhookRequest) -> datetime | None:
        """From when on it asks for them; None for all."""
        return None

    def render_mailbox(
        self, request: WebhookRequest, waiting: Sequence[Touchpoint]
    ) -> WebhookResponse:
        """The waiting messages, oldest first, as this provider's client reads them."""
        raise NotImplementedError

    def prepare(self, message: "OutboundMessage", secret: SecretT) -> Outgoing:
        """The request that sends `message`.

        Raises SendRefused for what this provider cannot carry.
        """
        raise NotImplementedError

    def has_room(self, sizes: Iterable[int]) -> bool:
        """Whether files of so many bytes, where it is handed these as they are, fit into one
        message beside its words.
        """
        if not self.largest_mail:
            return True
        # RFC 2045, 6.8: four letters for three bytes, lines of 76 and their ends.
        return sum(-(-size // 57) * 78 for size in sizes) + _WORDS <= self.largest_mail

    def receipt(self, response: HttpResponse) -> str:
        """The provider's id of the message it took.

        Raises SendRefused, SendDelayed or SendUnconfirmed.
        """
        raise NotImplementedError

    def media(self, attachment: Attachment, secret: SecretT) -> HttpRequest | None:
        """The GET that fetches what `attachment.provider_reference` names; None where there is
        nothing to fetch.

        It goes to a host of `media_hosts`, and so does every redirect that keeps its headers.
        """
        return None

    def media_location(
        self, attachment: Attachment, response: HttpResponse, secret: SecretT
    ) -> HttpRequest | None:
        """The next GET, where the first one only told the place (Meta, Telegram); None where
        `response` is the file itself.

        Raises MalformedPayload.
        """
        return None

    def not_taken(
        self,
        response: HttpResponse,
        code: str,
        *,
        is_busy: bool = False,
        wait: timedelta | None = None,
    ) -> NoReturn:
        """Raise what an answer without a receipt means; `code` is the provider's own.

        `is_busy` where the code says so and the status does not; `wait` where it is not the
        `Retry-After` that says how long.
        """
        told = f"HTTP {response.status}, code {code}"
        if response.status in {429, 503} or is_busy:
            raise SendDelayed(
                f"{self.title} took nothing: {told}", retry_after=wait or retry_after(response)
            )
        if 400 <= response.status < 500:
            reason = self.refusals.get(code, "unknown")
            raise SendRefused(f"{self.title} refused: code {code}", code=code, reason=reason)
        raise SendUnconfirmed(f"{self.title} answered {told}")

    def read_secret(self, content: Mapping[str, Any] | None, name: str = "") -> SecretT:
        """Validate the secret; the error says which and what is missing, never what it held.

        `name` is the secret's, where it is not the provider's own (`twilio/milano`).
        """
        of = name or self.name
        if content is None:
            raise MissingSecret(f"there is no secret for {of}")
        try:
            return self.secret_type.model_validate(content)
        except ValidationError as error:
            wrong = ", ".join(
                sorted({".".join(map(str, one["loc"])) or "it" for one in error.errors()})
            )
            raise MissingSecret(f"the secret for {of} is not usable: {wrong}") from None

    def check_size(self, request: WebhookRequest) -> None:
        if len(request.body) > self.largest_body:
            raise TooLarge(f"{self.name} may send {self.largest_body} bytes at most")


_WORDS = 200_000
"""Bytes that the headers and the longest text of a mail have at most, however they are written."""


def provider_names() -> tuple[str, ...]:
    """Every provider there is: the files of this folder.

    What several share, or one is too large for, is in a file whose name begins with an underscore.
    """
    here = Path(__file__).parent
    return tuple(sorted(file.stem for file in here.glob("[a-z]*.py") if file.stem != "base"))


def find_provider(name: str) -> Provider[Any]:
    """The provider of that name. Only its own file is imported."""
    if name not in provider_names():
        raise UnknownProvider("there is no such provider")
    provider: Provider[Any] = import_module(f"shared.providers.{name}").PROVIDER
    return provider


def read_json(body: bytes, *, longest_list: int = LONGEST_LIST) -> JsonValue:
    """Strict JSON: UTF-8, no NaN, no lone surrogates, not too deep, not too many values, and
    `longest_list` objects at most in one list.

    Raises MalformedPayload.
    """
    refuse_many_values(body)
    try:
        value: JsonValue = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedPayload(f"the body is not JSON: {str(error)[:120]}") from None
    refuse_unreasonable(value, longest_list)
    return value


def read_model(model: type["ModelT"], value: object) -> "ModelT":
    """Validate one part of a payload.

    The error names the fields, never their content. Raises MalformedPayload.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        known = _names_within(model)
        path = [str(one) if isinstance(one, int) or one in known else "*" for one in first["loc"]]
        field = ".".join(path) or "body"
        raise MalformedPayload(f"{field}: {first['type']} ({error.error_count()} in all)") from None


@cache
def _names_within(model: type[BaseModel]) -> frozenset[str]:
    return _field_names(model)


def _field_names(of: object, seen: frozenset[object] = frozenset()) -> frozenset[str]:
    """What fields are called in a model and in those within it. Any other key is the sender's."""
    names: frozenset[str] = frozenset()
    if isinstance(of, type) and issubclass(of, BaseModel) and of not in seen:
        for name, info in of.model_fields.items():
            names |= {name, info.alias or name}
            names |= _field_names(info.annotation, seen | {of})
    for part in get_args(of):
        names |= _field_names(part, seen)
    return names


ModelT = TypeVar("ModelT", bound=BaseModel)


_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK_SKEW = timedelta(minutes=5)


def believable(moment: datetime | None, received_at: datetime) -> datetime:
    """When it happened, as the provider says; when we received it, where that is missing or out of
    reason.
    """
    if moment is None or not _EARLIEST <= moment <= received_at + _CLOCK_SKEW:
        return received_at
    return moment


def retry_after(response: HttpResponse) -> timedelta | None:
    """What the header asks for, in seconds; None for nothing usable, and for a date, which no
    provider of ours sends. A day at most.

    RFC 9110, section 10.2.3.
    """
    headers = {name.lower(): value for name, value in response.headers.items()}
    stated = headers.get("retry-after", "").strip()
    if stated.isascii() and stated.isdigit():
        return timedelta(seconds=min(int(stated[:9]), _LONGEST_WAIT))
    return None


_LONGEST_WAIT = 86_400
"""Seconds."""


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compare a signature with what it should be, in constant time."""
    return hmac.compare_digest(as_bytes(left), as_bytes(right))


def as_bytes(value: str | bytes) -> bytes:
    """Whatever text comes from outside has bytes, half a character too."""
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
