"""Segment's HTTP tracking API: what people do on a site or in an app, and who they turn out to be.

Any of Segment's libraries can be pointed here (`host=https://…/webhooks/segment`), and an image in
a mail to `…/webhooks/segment/v1/pixel/track` (`_segment_pixel.py`). Read against
https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ and the e-commerce
events of https://segment.com/docs/connections/spec/ecommerce/v2/ (2026-11).
"""

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import Identifier, IdentifierType, Proof, email_identifier
from shared.domain.touchpoint import (
    Channel,
    Content,
    Direction,
    Identification,
    Line,
    Order,
    PageView,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._segment_pixel import IMAGE, pixel_body, pixel_call
from shared.providers.base import (
    JSON_TYPE,
    LARGEST_SPREAD,
    MEGABYTE,
    Fetch,
    IfReadable,
    Observed,
    Outcome,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    WebhookResponse,
    as_list,
    as_text,
    believable,
    read_json,
    read_model,
    same,
)

LARGEST_CALL = 32 * 1024
LARGEST_BATCH = 500_000
MOST_CALLS = 2_500
"""Segment's own limits: bytes of one call, bytes of a batch, calls in a batch."""

FASTEST_CLOCK = timedelta(days=3_650)
"""How far ahead a clock may be and still tell how long ago something was."""

ORDER_EVENTS: dict[str, Literal["placed", "cancelled", "refunded"]] = {
    "order completed": "placed",
    "completed order": "placed",
    "order updated": "placed",
    "order cancelled": "cancelled",
    "order refunded": "refunded",
}
"""The e-commerce events that are a version of an order, one by its name in the first version of
that specification too. An update tells no status of its own.
"""


class WriteKey(BaseModel):
    """A source of ours and one of its keys; a source has two while its key is rotated."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1, max_length=200)
    key: str = Field(min_length=1)
    trusted: bool = False
    """Whether only the company itself can call with this key, or its pages say of people nothing
    but what they proved. A browser's key is public: with it anybody could claim another's phone or
    mail address, and be answered in their place. Untrusted calls identify by web ids alone.
    """


class SegmentSecret(Secret):
    """`write_keys`: made up by you, one or more a source; what the library is initialised with."""

    write_keys: list[WriteKey] = Field(min_length=1)


Text = Annotated[str, BeforeValidator(as_text)]
Id = Annotated[Text, Field(max_length=320)]
"""Ids are text; libraries of typed languages send numbers."""
Bag = dict[str, JsonValue]


CALLS = ("track", "identify", "page", "screen", "group", "alias")

SHORT_PATHS = {
    **{one[0]: one for one in CALLS},
    "b": "batch",
    "import": "batch",
}
"""What browsers and phones call: analytics.js names a call by its first letter, and its batch, like
those of Kotlin, Swift and React Native, `b`; older mobile libraries send theirs to `import`.
"""

CHANNELS = {
    "mobile": Channel.APP,
    "web": Channel.WEB,
    "browser": Channel.WEB,
}
"""By what a call says of itself. Not by `server`: what phones send bears that mark as well, once it
has gone through Segment.
"""

NAMES = (("firstName", "first_name", "firstname"), ("lastName", "last_name", "lastname"))
"""How the traits call the parts of a name; the last of each is RudderStack's on phones."""


class Call(Payload):
    """The fields all calls have in common, and those of each."""

    type: Literal["track", "identify", "page", "screen", "group", "alias"]
    message_id: Annotated[Id, Field(alias="messageId", max_length=512)] = ""
    user_id: Annotated[Id | None, Field(alias="userId")] = None
    anonymous_id: Annotated[Id | None, Field(alias="anonymousId")] = None
    previous_id: Annotated[Id | None, Field(alias="previousId")] = None
    timestamp: JsonValue = None
    original_timestamp: Annotated[JsonValue, Field(alias="originalTimestamp")] = None
    sent_at: Annotated[JsonValue, Field(alias="sentAt")] = None
    channel: JsonValue = None
    context: IfReadable[Bag] = None
    traits: IfReadable[Bag] = None
    properties: IfReadable[Bag] = None
    event: Annotated[str | None, BeforeValidator(as_text)] = None
    name: IfReadable[Text] = None
    category: IfReadable[Text] = None


class Product(Payload):
    sku: IfReadable[Id] = None
    product_id: Annotated[
        IfReadable[Id], Field(validation_alias=AliasChoices("product_id", "productId", "id"))
    ] = None
    name: IfReadable[Text] = None
    price: JsonValue = None
    quantity: IfReadable[Annotated[float, Field(strict=False)]] = None

    @property
    def is_bought(self) -> bool:
        return self.quantity is None or self.quantity > 0


class OrderProperties(Payload):
    order_id: Annotated[
        Id, Field(min_length=1, validation_alias=AliasChoices("order_id", "orderId"))
    ]
    total: JsonValue = None
    revenue: JsonValue = None
    currency: IfReadable[Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]] = None
    products: Annotated[list[IfReadable[Product]], BeforeValidator(as_list)] = Field(
        default_factory=list
    )


class Part(NamedTuple):
    """One call, and the bytes it stood in."""

    value: JsonValue
    raw: bytes


class Segment(Provider[SegmentSecret]):
    name = "segment"
    secret_type = SegmentSecret
    largest_body = MEGABYTE
    """Above Segment's limit: what is a little too big is kept, and answered as Segment does."""

    def verify(self, request: WebhookRequest, secret: SegmentSecret, fetch: Fetch) -> None:
        if _source(request, secret) is None:
            raise Unauthentic("no valid write key, in basic authentication, the URL or the body")

    def without_proof(self, request: WebhookRequest, secret: SegmentSecret) -> WebhookRequest:
        query = tuple(pair for pair in request.query if pair[0] != "writeKey")
        if query == request.query:
            return request
        url = request.url.partition("?")[0] + (f"?{urlencode(query)}" if query else "")
        return replace(request, query=query, url=url)

    def parse(
        self, request: WebhookRequest, secret: SegmentSecret, received_at: datetime
    ) -> list[Observed]:
        source = _source(request, secret) or _only_source(secret)
        return [
            Observed(_touchpoint(part, source, received_at), part.raw) for part in _parts(request)
        ]

    def answer(
        self, request: WebhookRequest, secret: SegmentSecret, observed: list[Observed]
    ) -> WebhookResponse:
        return IMAGE if pixel_call(request) else super().answer(request, secret, observed)

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """Segment answers 400 for what is too large or no JSON, and 200 for everything else."""
        if outcome is Outcome.QUARANTINED:
            return WebhookResponse(status=400, body='{"success": false}', content_type=JSON_TYPE)
        return WebhookResponse(body='{"success": true}', content_type=JSON_TYPE)


# Proof


def _source(request: WebhookRequest, secret: SegmentSecret) -> WriteKey | None:
    """The source whose write key the request carries. Every key is compared, whichever fits."""
    key = _write_key(request)
    matching = [one for one in secret.write_keys if same(one.key, key)]
    return matching[0] if matching else None


def _write_key(request: WebhookRequest) -> str:
    """From the header where there is one, else from the URL of a browser's beacon, which cannot set
    any, else from the body, which is then read before its proof.

    That is safe: it is bounded before and while it is unpacked, read strictly, and one text used.
    """
    scheme, _, credentials = request.header("authorization").partition(" ")
    if scheme:
        return _user_name(credentials) if scheme.lower() == "basic" else ""
    if told := request.parameter("writeKey"):
        return told
    try:
        document = read_json(_plain_body(request))
    except MalformedPayload:
        return ""
    key = document.get("writeKey") if isinstance(document, dict) else None
    return key if isinstance(key, str) else ""


def _user_name(credentials: str) -> str:
    """Of basic authentication: the write key, with an empty password."""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def _only_source(secret: SegmentSecret) -> WriteKey:
    """For a request out of quarantine, which is kept without its authorization header."""
    if len({(one.source, one.trusted) for one in secret.write_keys}) > 1:
        raise MalformedPayload("nothing in the request says which source it came from")
    return secret.write_keys[0]


# Reading


def _plain_body(request: WebhookRequest) -> bytes:
    """Unpacked, with an end to what a small body can unpack to; of an image, what its URL says."""
    if pixel_call(request):
        return pixel_body(request)
    if request.header("content-encoding").strip().lower() != "gzip":
        return request.body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(request.body, LARGEST_BATCH + 1)
    except zlib.error:
        raise MalformedPayload("the body is not gzip") from None
    if len(body) <= LARGEST_BATCH and (not unpacker.eof or unpacker.unused_data):
        raise MalformedPayload("the gzip body is cut, or goes on after its end")
    return body


def _parts(request: WebhookRequest) -> list[Part]:
    body = _plain_body(request)
    called = pixel_call(request) or request.path.removeprefix("beacon/").removeprefix("v1/")
    kind = SHORT_PATHS.get(called, called)
    is_batch = kind == "batch"
    if not is_batch and kind not in CALLS:
        raise MalformedPayload("the tracking API has no such path")
    if len(body) > (LARGEST_BATCH if is_batch else LARGEST_CALL):
        raise MalformedPayload("the request exceeds the limit of the tracking API")
    document = read_json(body)
    if not isinstance(document, dict):
        raise MalformedPayload("body: an object is expected")
    if not is_batch:
        return [Part(document | {"type": kind}, body)]
    calls = document.get("batch")
    if not isinstance(calls, list):
        raise MalformedPayload("batch: a list is expected")
    if len(calls) > MOST_CALLS:
        raise MalformedPayload(f"batch: {MOST_CALLS} calls at most")
    common = document.get("context")
    if isinstance(common, dict):
        if len(calls) * len(json.dumps(common)) > LARGEST_SPREAD:
            raise MalformedPayload("context: too large for so many calls")
        calls = [_with_context(call, common) for call in calls]
    if isinstance(document.get("sentAt"), str):
        sent: Bag = {"sentAt": str(document["sentAt"])[:40]}
        calls = [sent | one if isinstance(one, dict) else one for one in calls]
    return [Part(call, raw) for call, raw in zip(calls, _slices(body.decode()), strict=True)]


def _with_context(call: JsonValue, common: Bag) -> JsonValue:
    """A batch may state a context for all its calls; what a call says itself wins."""
    if not isinstance(call, dict):
        return call
    own = call.get("context")
    return call | {"context": common | own} if isinstance(own, dict) else call | {"context": common}


_JSON = json.JSONDecoder()
_BETWEEN = re.compile(r"[ \t\r\n:,]*")


def _slices(document: str) -> list[bytes]:
    """The bytes of each call of a batch, as they came. `document` is known to be sound JSON.

    Names and values of an object simply alternate once what stands between them is skipped.
    """

    def values(position: int, end: str) -> Iterator[tuple[Any, int, int]]:
        position = _skip(document, position + 1)
        while document[position] != end:
            value, after = _JSON.raw_decode(document, position)
            yield value, position, after
            position = _skip(document, after)

    slices: list[bytes] = []
    members = values(_skip(document, 0), "}")
    for name, _, _ in members:
        _, begin, _ = next(members)
        if name == "batch":
            slices = [
                document[start:after].encode()
                for _, start, after in (values(begin, "]") if document[begin] == "[" else ())
            ]
    return slices


def _skip(document: str, position: int) -> int:
    found = _BETWEEN.match(document, position)
    return found.end() if found else position


# Meaning


def _touchpoint(part: Part, source: WriteKey, received_at: datetime) -> Touchpoint:
    """One call as a touchpoint. One that cannot be read is kept, and costs the others nothing."""
    try:
        if len(part.raw) > LARGEST_CALL:
            raise MalformedPayload(f"larger than {LARGEST_CALL} bytes")
        return _understood(read_model(Call, part.value), part.raw, source, received_at)
    except MalformedPayload as error:
        return Touchpoint(
            provider=Segment.name,
            account=source.source,
            provider_event_id=_digest(part.raw),
            channel=Channel.WEB,
            direction=Direction.PASSIVE,
            occurred_at=received_at,
            received_at=received_at,
            content=Unsupported(what=f"unreadable call: {error}"[:200]),
        )


def _digest(raw: bytes) -> str:
    return f"sha256:{sha256(raw).hexdigest()}"


def _understood(call: Call, raw: bytes, source: WriteKey, received_at: datetime) -> Touchpoint:
    occurred_at = _occurred_at(call, received_at)
    return Touchpoint(
        provider=Segment.name,
        account=source.source,
        provider_event_id=call.message_id or _digest(raw),
        channel=_channel(call),
        direction=Direction.PASSIVE,
        occurred_at=occurred_at,
        received_at=received_at,
        content=_content(call, occurred_at),
        identifiers=_identifiers(call, source),
        proof=Proof.TRUSTED_KEY if source.trusted else None,
        name=_person_name(_person_traits(call)),
        language=_language(call),
    )


def _occurred_at(call: Call, received_at: datetime) -> datetime:
    """By our clock, where the sender's is ahead: nothing is sent after it arrived. What was sent
    long before may as well have waited in a phone without a network, so that is left as it is told.

    https://segment.com/docs/connections/spec/common/#timestamp-overview
    """
    told = _moment(call.timestamp) or _moment(call.original_timestamp)
    sent = _moment(call.sent_at)
    if told and sent and received_at < sent < received_at + FASTEST_CLOCK:
        told = received_at - (sent - believable(told, sent))
    return believable(told, received_at)


_MOMENT = TypeAdapter(datetime)


def _moment(value: JsonValue) -> datetime | None:
    """ISO 8601; without a zone it is UTC. None for what is no date."""
    if not isinstance(value, str):
        return None
    try:
        moment = _MOMENT.validate_python(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValidationError, OverflowError):
        return None


def _channel(call: Call) -> Channel:
    """A phone's libraries state its device or their app, a browser's the page as well."""
    if call.type == "screen":
        return Channel.APP
    context = call.context or {}
    for stated in (call.channel, context.get("channel")):
        if isinstance(stated, str) and stated in CHANNELS:
            return CHANNELS[stated]
    is_mobile = (context.get("app") or context.get("device")) and not context.get("page")
    return Channel.APP if is_mobile else Channel.WEB


def _content(call: Call, occurred_at: datetime) -> Content:
    match call.type:
        case "identify":
            return Identification(traits=_traits(call))
        case "alias":
            return Identification()
        case "track" if call.event:
            return _order(call, occurred_at) or TrackedEvent(
                name=call.event, properties=call.properties or {}
            )
        case "track":
            raise MalformedPayload("event: missing")
        case "page" | "screen":
            return PageView(
                name=_page_name(call),
                url=_page_url(call),
                properties=call.properties or {},
            )
        case "group":
            # A company or household the person belongs to: the house knows persons only, so far.
            return Unsupported(what="group")


def _page_name(call: Call) -> str | None:
    """RudderStack's libraries on phones call a screen as they call an event."""
    as_event = call.event if call.type == "screen" else None
    told = (call.properties or {}).get("name")
    return call.name or as_event or (told if isinstance(told, str) else None) or call.category


def _page_url(call: Call) -> str | None:
    page = (call.context or {}).get("page")
    for place in (call.properties, page):
        url = place.get("url") if isinstance(place, dict) else None
        if isinstance(url, str):
            return url
    return None


# Orders


def _order(call: Call, occurred_at: datetime) -> Order | None:
    """The version of an order this event tells, or None: then it stays the event it is."""
    status = ORDER_EVENTS.get((call.event or "").lower().replace("_", " "))
    if status is None:
        return None
    try:
        told = OrderProperties.model_validate(call.properties)
        return Order(
            number=told.order_id,
            status=status,
            version_at=occurred_at,
            total=_amount(told.total) or _amount(told.revenue),
            currency=told.currency.upper() if told.currency else None,
            lines=tuple(_line(one) for one in told.products if one and one.is_bought),
        )
    except ValidationError:
        return None


def _line(product: Product) -> Line:
    return Line(
        sku=product.sku or product.product_id or product.name or "",
        name=product.name,
        quantity=1 if product.quantity is None else product.quantity,
        unit_price=_amount(product.price),
    )


def _amount(value: JsonValue) -> str | None:
    """As plain decimal digits; None for what is no amount of money."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    if not amount.is_finite() or amount.adjusted() > 15:
        return None
    # A float such as 0.30000000000000004 is rounded; no currency has more than four decimals.
    return format(amount if amount == round(amount, 4) else round(amount, 4), "f")


# The person


def _person_traits(call: Call) -> Bag:
    """Of the person: the call's own over its context's. Those of a group call are the group's."""
    stated = (call.context or {}).get("traits")
    of_context = stated if isinstance(stated, dict) else {}
    own = call.traits if call.type == "identify" and call.traits else {}
    return of_context | own


def _traits(call: Call) -> Bag:
    timezone = (call.context or {}).get("timezone")
    of_context: Bag = {"language": _language(call), "timezone": timezone}
    return {k: v for k, v in of_context.items() if v and isinstance(v, str)} | _person_traits(call)


_LOCALE = re.compile(r"([A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*)(?:[@.].{0,100})?")


def _language(call: Call) -> str | None:
    """Without what phones and servers add to it: `en_US@rg=gbzzzz`, `fr_FR.UTF-8`."""
    told = (call.context or {}).get("locale")
    if not isinstance(told, str):
        return None
    locale = _LOCALE.fullmatch(told)
    return locale[1].replace("_", "-") if locale and len(locale[1]) <= 35 else None


def _person_name(traits: Bag) -> str | None:
    name = traits.get("name")
    if not isinstance(name, str) or not name.strip():
        parts = (next((traits[one] for one in part if traits.get(one)), None) for part in NAMES)
        name = " ".join(part for part in parts if isinstance(part, str))
    return name.strip()[:200] or None


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _identifiers(call: Call, source: WriteKey) -> tuple[Identifier, ...]:
    traits = _person_traits(call)
    scope = source.source
    previous = call.previous_id if call.type == "alias" else None
    # An alias does not say of what kind the previous id was. What Segment's libraries draw for a
    # browser or a device is a UUID; anything else is looked for as both.
    was_user = None if previous and _UUID.fullmatch(previous) else previous
    candidates = (
        (IdentifierType.WEB_USER, scope, call.user_id),
        (IdentifierType.EMAIL, "", _email(traits.get("email")) if source.trusted else None),
        (IdentifierType.PHONE, "", _phone(traits.get("phone")) if source.trusted else None),
        (IdentifierType.WEB_ANONYMOUS, scope, call.anonymous_id),
        (IdentifierType.WEB_USER, scope, was_user),
        (IdentifierType.WEB_ANONYMOUS, scope, previous),
    )
    return tuple(
        dict.fromkeys(
            Identifier(type=kind, scope=scope, value=value)
            for kind, scope, value in candidates
            if value
        )
    )


def _email(value: JsonValue) -> str | None:
    """Only what can be an address: a trait may hold anything."""
    if not isinstance(value, str) or not re.fullmatch(r"[^\s@]{1,64}@[^\s@]{1,255}", value.strip()):
        return None
    known = email_identifier(value)
    return known.value if known else None


def _phone(value: JsonValue) -> str | None:
    """Some write it as a number."""
    phone = as_text(value)
    if not isinstance(phone, str) or not re.fullmatch(r"\+?[\d\s().\-/]{5,30}", phone.strip()):
        return None
    return phone.strip()


PROVIDER = Segment()
