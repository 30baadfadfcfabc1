"""What happens in a Shopify shop: orders and what becomes of them, carts, checkouts, customers.

Subscribe the topics of `TOPICS` to `https://…/webhooks/shopify`. Read against
https://shopify.dev/docs/api/webhooks, https://shopify.dev/docs/apps/build/webhooks/delivery-structure
and https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates (2026-11).

The signature covers the body alone. What the headers say is therefore only believed as far as it
does not matter: the topic must be one that reads this body, and a version of an order that was
replayed is as old as its body says.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
)

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import Identifier, IdentifierType, email_identifier
from shared.domain.touchpoint import (
    Channel,
    ConsentStatement,
    Content,
    Direction,
    GoodsReturn,
    Identification,
    Line,
    Order,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import (
    MEGABYTE,
    Fetch,
    IfReadable,
    Observed,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    as_list,
    as_text,
    believable,
    read_json,
    read_model,
    same,
)

NAME = "shopify"

_SHOP = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_TOPIC = re.compile(r"[a-z0-9_.]{1,60}(/[a-z0-9_.]{1,60})?")
_EVENT_ID = re.compile(r"[\x21-\x7e]{1,200}")


class ShopifySecret(Secret):
    """`signing_secrets`: the app's client secret, or what Settings > Notifications shows.

    `shops`: the `….myshopify.com` domains that may speak, where it is not to be any of the app's.
    """

    signing_secrets: list[Annotated[str, StringConstraints(min_length=8)]] = Field(min_length=1)
    shops: list[str] = []


def _within_reason(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("out of reason")
    return moment.astimezone(UTC)


_ID = re.compile(r"(?:gid://shopify/[A-Za-z]{1,60}/)?([0-9]{1,20})")


def _as_number(value: object) -> object:
    """An id is a number, or text, or what it is called in GraphQL."""
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else value


def _as_amount(value: object) -> object:
    """Money is decimal text; a JSON number is taken for what it shows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return format(Decimal(repr(value)), "f")


Moment = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_within_reason)]
Number = Annotated[int, BeforeValidator(_as_number), Field(gt=0, lt=10**20)]
Amount = Annotated[
    str,
    BeforeValidator(_as_amount),
    StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"),
]
OrderStatus = Literal["placed", "paid", "shipped", "delivered", "cancelled", "refunded"]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, BeforeValidator(as_text)]
Written = Annotated[Text, Field(max_length=320)]


class Customer(Payload):
    id: IfReadable[Number] = None
    email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    first_name: IfReadable[Written] = None
    last_name: IfReadable[Written] = None

    @property
    def full_name(self) -> str | None:
        return " ".join(one for one in (self.first_name, self.last_name) if one)[:200] or None


class Item(Payload):
    """A line; what is no product (a tip, a free text) has no article number."""

    id: IfReadable[Number] = None
    sku: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    variant_id: IfReadable[Number] = None
    title: IfReadable[Annotated[Text, Field(max_length=1024)]] = None
    quantity: IfReadable[Annotated[int, BeforeValidator(_as_number), Field(lt=10**9)]] = None
    price: IfReadable[Amount] = None

    @property
    def line(self) -> Line | None:
        """None for what was taken out of the order again."""
        quantity = 1 if self.quantity is None else self.quantity
        if quantity < 1:
            return None
        sku = (self.sku or str(self.variant_id or self.id or ""))[:100]
        return Line(sku=sku, name=self.title, quantity=quantity, unit_price=self.price)


Items = Annotated[list[IfReadable[Item]], BeforeValidator(as_list)]


class Told(Payload):
    """What a body may say of the person, whatever it is about."""

    email: IfReadable[Written] = None
    contact_email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    customer: IfReadable[Customer] = None
    customer_locale: IfReadable[Annotated[Text, Field(max_length=35)]] = None
    order_id: IfReadable[Number] = None
    created_at: IfReadable[Moment] = None
    updated_at: IfReadable[Moment] = None

    @property
    def order(self) -> int | None:
        """The id of the order it is about."""
        return self.order_id

    @property
    def at(self) -> datetime | None:
        return self.updated_at or self.created_at

    def content(self, topic: str, at: datetime) -> Content:
        """`at` is when it happened."""
        raise NotImplementedError

    def beside(self, at: datetime) -> Mapping[str, Content]:
        """What else the body tells, by an id of its own: other topics may tell the same."""
        return {}

    @property
    def person(self) -> Customer:
        return self.customer or Customer()

    def identifiers(self, shop: str) -> tuple[Identifier, ...]:
        """As stated; only the shop's own numbers are proven, by whose shop it is.

        An order's id names somebody only where nothing else does: a loyal customer has many.
        """
        person = self.person
        mail = next(filter(None, (self.email, self.contact_email, person.email)), "")
        phone = (next(filter(None, (self.phone, person.phone)), "")).strip()
        found = [
            _identifier(IdentifierType.SHOP_CUSTOMER, person.id, shop),
            email_identifier(mail),
            _identifier(IdentifierType.PHONE, phone),
        ]
        known = tuple(one for one in found if one is not None)
        order = _identifier(IdentifierType.ORDER_NUMBER, self.order, shop)
        return known or ((order,) if order else ())


class Fulfilment(Payload):
    shipment_status: IfReadable[Text] = None


class Refund(Payload):
    id: Number
    created_at: IfReadable[Moment] = None
    note: IfReadable[Annotated[Text, Field(max_length=5000)]] = None

    def goods_return(self, at: datetime, order: str | None) -> GoodsReturn:
        return GoodsReturn(
            number=f"refund-{self.id}",
            status="refunded",
            version_at=self.created_at or at,
            order_number=order,
            reason=self.note or None,
        )


class OrderBody(Told):
    """`name` is the number people know: `#1001`."""

    id: Number
    name: Text = Field(min_length=1, max_length=100)
    total_price: IfReadable[Amount] = None
    currency: IfReadable[Currency] = None
    financial_status: IfReadable[Text] = None
    fulfillment_status: IfReadable[Text] = None
    cancelled_at: JsonValue = None
    line_items: Items = []
    fulfillments: Annotated[list[IfReadable[Fulfilment]], BeforeValidator(as_list)] = []
    refunds: Annotated[list[IfReadable[Refund]], BeforeValidator(as_list)] = []

    @property
    def order(self) -> int | None:
        return self.id

    def content(self, topic: str, at: datetime) -> Content:
        return Order(
            number=_number(self.name),
            status=self.status,
            version_at=at,
            total=self.total_price,
            currency=self.currency,
            lines=_lines(self.line_items),
        )

    @property
    def status(self) -> OrderStatus:
        """Whatever the topic was: each delivery holds the whole order as it stood."""
        if self.cancelled_at:
            return "cancelled"
        if self.financial_status == "refunded":
            return "refunded"
        if self.fulfillment_status == "fulfilled":
            arrived = {one and one.shipment_status for one in self.fulfillments} == {"delivered"}
            return "delivered" if arrived else "shipped"
        return "paid" if self.financial_status in {"paid", "partially_refunded"} else "placed"

    def beside(self, at: datetime) -> Mapping[str, Content]:
        """The refunds, for the topic that tells of one names nobody."""
        order = _number(self.name)
        return {f"refund:{one.id}": one.goods_return(at, order) for one in self.refunds if one}


class FulfilmentBody(Told):
    """`name` is the order's number with the part's after a dot: `#1001.1`."""

    id: Number
    name: IfReadable[Annotated[Text, Field(max_length=100)]] = None
    status: IfReadable[Text] = None
    shipment_status: IfReadable[Text] = None
    tracking_company: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    tracking_number: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    tracking_url: IfReadable[Annotated[Text, Field(max_length=2048)]] = None

    def content(self, topic: str, at: datetime) -> Content:
        number = _number((self.name or "").rpartition(".")[0])
        if number and self.shipment_status == "delivered":
            return Order(number=number, status="delivered", version_at=at)
        if number and self.status == "success" and self.shipment_status is None:
            return Order(number=number, status="shipped", version_at=at)
        facts = {
            "order_number": number,
            "status": self.shipment_status or self.status,
            "tracking_company": self.tracking_company,
            "tracking_number": self.tracking_number,
            "tracking_url": self.tracking_url,
        }
        return _event("fulfilment_updated", facts)


class RefundBody(Told, Refund):
    """It names the order by its id alone."""

    def content(self, topic: str, at: datetime) -> Content:
        return self.goods_return(at, None)


class ReturnedOrder(Payload):
    id: IfReadable[Number] = None


class ReturnedItem(Payload):
    customer_note: IfReadable[Annotated[Text, Field(max_length=1000)]] = None
    return_reason: IfReadable[Annotated[Text, Field(max_length=200)]] = None


class Decline(Payload):
    note: IfReadable[Annotated[Text, Field(max_length=1000)]] = None
    reason: IfReadable[Annotated[Text, Field(max_length=200)]] = None


class ReturnBody(Told):
    """A return by its topic: the body's own status is missing from some of them.

    Its number is its id: only the topics that request and approve one say what it is called.
    """

    id: Number
    return_line_items: Annotated[list[IfReadable[ReturnedItem]], BeforeValidator(as_list)] = []
    decline: IfReadable[Decline] = None
    returned_order: Annotated[IfReadable[ReturnedOrder], Field(alias="order")] = None

    @property
    def order(self) -> int | None:
        return self.returned_order.id if self.returned_order else self.order_id

    def content(self, topic: str, at: datetime) -> Content:
        status = RETURN_STATUSES.get(topic)
        number = f"return-{self.id}"
        if status is None:
            return _event(topic.replace("/", "_"), {"return": number})
        return GoodsReturn.model_validate(
            {"number": number, "status": status, "version_at": at, "reason": self.reason}
        )

    @property
    def reason(self) -> str | None:
        """Why it was declined, or what the person wrote beside the first thing they return."""
        told = [one.customer_note or one.return_reason for one in self.return_line_items if one]
        if self.decline:
            told = [self.decline.note or self.decline.reason]
        return next(filter(None, told), None)


class CheckoutBody(Told):
    """A checkout that nobody completed is an abandoned one; the address leads back to it."""

    token: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    total_price: IfReadable[Amount] = None
    currency: IfReadable[Currency] = None
    completed_at: IfReadable[Moment] = None
    abandoned_checkout_url: IfReadable[Annotated[Text, Field(max_length=4096)]] = None
    line_items: Items = []

    def content(self, topic: str, at: datetime) -> Content:
        facts = {
            "total": self.total_price,
            "currency": self.currency,
            "articles": sum(line.quantity for line in _lines(self.line_items)),
            "recovery_url": None if self.completed_at else self.abandoned_checkout_url,
            "token": self.token,
        }
        return _event("checkout_completed" if self.completed_at else CHECKOUTS[topic], facts)


class CartBody(Told):
    """Of whom it is, a cart does not say: only the browser knows."""

    id: Text = Field(min_length=1, max_length=255)
    line_items: Items = []

    def content(self, topic: str, at: datetime) -> Content:
        lines = _lines(self.line_items)
        return _event(
            "cart_updated", {"token": self.id, "articles": sum(one.quantity for one in lines)}
        )


_KEY = "%Y-%m-%dT%H:%M:%SZ"


class MarketingConsent(Payload):
    state: IfReadable[Text] = None
    consent_updated_at: IfReadable[Moment] = None
    updated_at: IfReadable[Moment] = None
    """WhatsApp's name for the same."""

    @property
    def since(self) -> datetime | None:
        return self.consent_updated_at or self.updated_at


class Consenting(Told):
    """What a customer allowed, by mail, by text message and by WhatsApp."""

    email_marketing_consent: IfReadable[MarketingConsent] = None
    sms_marketing_consent: IfReadable[MarketingConsent] = None
    whats_app_marketing_consent: IfReadable[MarketingConsent] = None

    def consents(self, at: datetime) -> Mapping[str, Content]:
        """`at` is when it happened: not all say since when somebody consents."""
        told = {
            Channel.EMAIL: self.email_marketing_consent,
            Channel.SMS: self.sms_marketing_consent,
            Channel.WHATSAPP: self.whats_app_marketing_consent,
        }
        return {
            f"{self.person.id}:{channel}:{one.state}:{one.since or at:{_KEY}}": (
                ConsentStatement(purpose="marketing", channel=channel, state=CONSENTS[one.state])
            )
            for channel, one in told.items()
            if one is not None and one.state in CONSENTS
        }


class CustomerBody(Consenting):
    id: Number
    first_name: IfReadable[Written] = None
    last_name: IfReadable[Written] = None
    tags: IfReadable[Annotated[Text, Field(max_length=5000)]] = None
    state: IfReadable[Annotated[Text, Field(max_length=60)]] = None

    @property
    def person(self) -> Customer:
        return Customer(id=self.id, first_name=self.first_name, last_name=self.last_name)

    def content(self, topic: str, at: datetime) -> Content:
        stated = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "tags": self.tags,
            "account_state": self.state,
        }
        return Identification(traits={key: value for key, value in stated.items() if value})


class ConsentBody(Consenting):
    """Of one channel: mail says `customer_id` and `email_address`, WhatsApp `phone_number`, text
    messages `id` and `phone`.
    """

    id: IfReadable[Number] = None
    customer_id: IfReadable[Number] = None
    email_address: IfReadable[Written] = None
    phone_number: IfReadable[Written] = None

    @property
    def person(self) -> Customer:
        return Customer(
            id=self.customer_id or self.id, email=self.email_address, phone=self.phone_number
        )

    def content(self, topic: str, at: datetime) -> Content:
        """Where the customer said neither yes nor no."""
        return _event("consent_pending", {})


class PrivacyBody(Told):
    """Shopify passes on what a customer asked of the merchant: see docs/operations.md."""

    def content(self, topic: str, at: datetime) -> Content:
        return _event(PRIVACY[topic], {})


RETURN_STATUSES: Mapping[str, str] = {
    "returns/request": "requested",
    "returns/approve": "approved",
    "returns/decline": "refused",
    "returns/close": "received",
}
CHECKOUTS: Mapping[str, str] = {
    "checkouts/create": "checkout_started",
    "checkouts/update": "checkout_updated",
    "checkouts/delete": "checkout_deleted",
}
PRIVACY: Mapping[str, str] = {
    "customers/data_request": "privacy_export_requested",
    "customers/redact": "privacy_erasure_requested",
}
CONSENTS: Mapping[str | None, Literal["granted", "withdrawn"]] = {
    "subscribed": "granted",
    "unsubscribed": "withdrawn",
}
"""`pending` and `not_subscribed` are no word of the person's."""

TOPICS: Mapping[str, type[Told]] = {
    "orders/create": OrderBody,
    "orders/updated": OrderBody,
    "orders/paid": OrderBody,
    "orders/partially_fulfilled": OrderBody,
    "orders/fulfilled": OrderBody,
    "orders/cancelled": OrderBody,
    "fulfillments/create": FulfilmentBody,
    "fulfillments/update": FulfilmentBody,
    "refunds/create": RefundBody,
    "returns/request": ReturnBody,
    "returns/approve": ReturnBody,
    "returns/decline": ReturnBody,
    "returns/close": ReturnBody,
    "returns/cancel": ReturnBody,
    "returns/reopen": ReturnBody,
    **dict.fromkeys(CHECKOUTS, CheckoutBody),
    "carts/create": CartBody,
    "carts/update": CartBody,
    "customers/create": CustomerBody,
    "customers/update": CustomerBody,
    "customers/enable": CustomerBody,
    "customers/disable": CustomerBody,
    "customers_email_marketing_consent/update": ConsentBody,
    "customers_marketing_consent/update": ConsentBody,
    "customers_whats_app_marketing_consent/update": ConsentBody,
    **dict.fromkeys(PRIVACY, PrivacyBody),
}
"""How the body of each topic is read. Any other is kept as Unsupported."""

TELLING_OF_CONSENT = frozenset(
    {
        "customers/create",
        "customers_email_marketing_consent/update",
        "customers_marketing_consent/update",
        "customers_whats_app_marketing_consent/update",
    }
)
"""Every other customer topic would repeat the same statement with each change of an address."""


class Shopify(Provider[ShopifySecret]):
    name = NAME
    secret_type = ShopifySecret
    largest_body = 5 * MEGABYTE

    def verify(self, request: WebhookRequest, secret: ShopifySecret, fetch: Fetch) -> None:
        given = request.header("x-shopify-hmac-sha256")
        valid = [
            b64encode(hmac.digest(key.encode(), request.body, sha256)).decode()
            for key in secret.signing_secrets
        ]
        if not any(same(given, one) for one in valid):
            raise Unauthentic("X-Shopify-Hmac-Sha256 is missing or wrong")
        if secret.shops and request.header("x-shopify-shop-domain") not in secret.shops:
            raise Unauthentic("X-Shopify-Shop-Domain names no shop of ours")

    def parse(
        self, request: WebhookRequest, secret: ShopifySecret, received_at: datetime
    ) -> list[Observed]:
        shop = request.header("x-shopify-shop-domain").lower()
        topic = request.header("x-shopify-topic")
        if not _SHOP.fullmatch(shop):
            raise MalformedPayload("X-Shopify-Shop-Domain: no domain")
        if not _TOPIC.fullmatch(topic):
            raise MalformedPayload("X-Shopify-Topic: no topic")
        body = read_json(request.body)
        kind = TOPICS.get(topic)
        told = read_model(kind, body) if kind else Told()
        occurred_at = believable(told.at or _triggered_at(request), received_at)
        contents: dict[str, Content] = dict(told.beside(occurred_at))
        if isinstance(told, Consenting) and topic in TELLING_OF_CONSENT:
            contents |= told.consents(occurred_at)
        if kind is None:
            contents[_event_id(request, topic)] = Unsupported(what=f"topic {topic}")
        elif not (contents and kind is ConsentBody):
            contents[_event_id(request, topic)] = told.content(topic, occurred_at)
        return [
            Observed(
                Touchpoint(
                    provider=NAME,
                    account=shop,
                    provider_event_id=event_id,
                    channel=Channel.WEB,
                    direction=Direction.PASSIVE,
                    occurred_at=occurred_at,
                    received_at=received_at,
                    content=content,
                    identifiers=told.identifiers(shop),
                    name=told.person.full_name,
                    language=told.customer_locale,
                ),
                request.body,
            )
            for event_id, content in contents.items()
        ]


def _event_id(request: WebhookRequest, topic: str) -> str:
    """Deliveries with the same event id come of one act of the merchant's, so an order that is made
    and paid at once has two topics and one id; without the header, what the body is.
    """
    stated = request.header("x-shopify-event-id") or request.header("x-shopify-webhook-id")
    known = stated if _EVENT_ID.fullmatch(stated) else sha256(request.body).hexdigest()
    return f"{known}:{topic}"


def _triggered_at(request: WebhookRequest) -> datetime | None:
    try:
        moment = datetime.fromisoformat(request.header("x-shopify-triggered-at")[:40])
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _identifier(
    kind: IdentifierType, value: str | int | None, scope: str = ""
) -> Identifier | None:
    return Identifier(type=kind, scope=scope, value=str(value)) if value else None


def _number(name: str) -> str:
    return name.strip().removeprefix("#")


def _lines(items: list[Item | None]) -> tuple[Line, ...]:
    return tuple(line for item in items if item and (line := item.line) is not None)


def _event(name: str, facts: Mapping[str, JsonValue]) -> TrackedEvent:
    stated = {key: value for key, value in facts.items() if value not in (None, "")}
    return TrackedEvent(name=name, properties=stated)


PROVIDER = Shopify()
