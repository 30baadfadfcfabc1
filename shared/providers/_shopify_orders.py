"""What Shopify tells of a shop's orders: from the cart to the parcel, the refund and the return."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, JsonValue

from shared.domain.touchpoint import Content, GoodsReturn, Line, Order
from shared.providers._money import Amount, Currency
from shared.providers._shopify import (
    Addressed,
    Moment,
    Number,
    Text,
    Told,
    as_number,
    event,
)
from shared.providers.base import IfReadable, Payload, as_list

OrderStatus = Literal["placed", "paid", "shipped", "delivered", "cancelled", "refunded"]

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
FACTS: Mapping[str, str] = {
    "draft_orders/create": "draft_order_created",
    "draft_orders/update": "draft_order_updated",
    "draft_orders/delete": "draft_order_deleted",
    "orders/delete": "order_deleted",
    "orders/edited": "order_edited",
    "order_transactions/create": "payment_transaction",
    "disputes/create": "dispute_opened",
    "disputes/update": "dispute_updated",
    "fulfillment_events/create": "fulfilment_updated",
    "subscription_billing_attempts/success": "subscription_payment_succeeded",
    "subscription_billing_attempts/failure": "subscription_payment_failed",
    "subscription_billing_attempts/challenged": "subscription_payment_challenged",
}
"""What is told as an event with its details."""


class Item(Payload):
    """A line; what is no product (a tip, a free text) has no article number."""

    id: IfReadable[Number] = None
    sku: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    variant_id: IfReadable[Number] = None
    title: IfReadable[Annotated[Text, Field(max_length=1024)]] = None
    quantity: IfReadable[Annotated[int, BeforeValidator(as_number), Field(lt=10**9)]] = None
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


class Fulfilment(Payload):
    status: IfReadable[Text] = None
    shipment_status: IfReadable[Text] = None

    @property
    def is_under_way(self) -> bool:
        """A parcel that was called off says nothing of the others."""
        return self.status not in {"cancelled", "error", "failure"}


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


class OrderBody(Addressed):
    """`name` is the number people know: `#1001`. A subscription may leave it out."""

    id: Number
    name: Text = Field(
        min_length=1, max_length=100, validation_alias=AliasChoices("name", "order_number")
    )
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
            parcels = [one for one in self.fulfillments if one and one.is_under_way]
            arrived = {one.shipment_status for one in parcels} == {"delivered"}
            return "delivered" if arrived else "shipped"
        return "paid" if self.financial_status in {"paid", "partially_refunded"} else "placed"

    def beside(self, at: datetime) -> Mapping[str, Content]:
        """The refunds, for the topic that tells of one names nobody."""
        order = _number(self.name)
        return {f"refund:{one.id}": one.goods_return(at, order) for one in self.refunds if one}


_PARCEL = re.compile(r"(.+?)(?:\.|-F)([0-9]{1,4})")


class FulfilmentBody(Addressed):
    """`name` is the order's number with the parcel's after it: `#1001.1`, or `#1001-F1`.

    The first parcel is taken for the whole order, which most are. A second one says that the order
    has several, and that this one left or arrived says nothing of the others.
    """

    id: Number
    name: IfReadable[Annotated[Text, Field(max_length=100)]] = None
    status: IfReadable[Text] = None
    shipment_status: IfReadable[Text] = None
    tracking_company: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    tracking_number: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    tracking_url: IfReadable[Annotated[Text, Field(max_length=2048)]] = None

    def content(self, topic: str, at: datetime) -> Content:
        named = _PARCEL.fullmatch(self.name or "")
        number, parcel = (_number(named[1]), int(named[2])) if named else ("", 1)
        if number and parcel == 1 and self.shipment_status == "delivered":
            return Order(number=number, status="delivered", version_at=at)
        if number and parcel == 1 and self.status == "success" and self.shipment_status is None:
            return Order(number=number, status="shipped", version_at=at)
        facts = {
            "order_number": number,
            "parcel": parcel if parcel > 1 else None,
            "status": self.shipment_status or self.status,
            "tracking_company": self.tracking_company,
            "tracking_number": self.tracking_number,
            "tracking_url": self.tracking_url,
        }
        return event("fulfilment_updated", facts)


class RefundBody(Told, Refund):
    """It names the order by its id alone."""

    @property
    def at(self) -> datetime | None:
        return self.created_at or self.processed_at

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

    id: Number = Field(validation_alias=AliasChoices("id", "admin_graphql_api_id"))
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
            return event(topic.replace("/", "_"), {"return": number})
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


class CheckoutBody(Addressed):
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
        return event("checkout_completed" if self.completed_at else CHECKOUTS[topic], facts)


class CartBody(Told):
    """Of whom it is, a cart does not say: only the browser knows."""

    id: Text = Field(min_length=1, max_length=255)
    line_items: Items = []

    def content(self, topic: str, at: datetime) -> Content:
        lines = _lines(self.line_items)
        return event(
            "cart_updated", {"token": self.id, "articles": sum(one.quantity for one in lines)}
        )


class FactBody(Addressed):
    """One event, with what is known of it. Whose it is, the order's id may have to tell."""

    name: IfReadable[Annotated[Text, Field(max_length=100)]] = None
    status: IfReadable[Annotated[Text, Field(max_length=60)]] = None
    kind: IfReadable[Annotated[Text, Field(max_length=60)]] = None
    reason: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    error_code: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    message: IfReadable[Annotated[Text, Field(max_length=1000)]] = None
    amount: IfReadable[Amount] = None
    total_price: IfReadable[Amount] = None
    currency: IfReadable[Currency] = None
    invoice_url: IfReadable[Annotated[Text, Field(max_length=2048)]] = None
    subscription_contract_id: IfReadable[Number] = None

    def content(self, topic: str, at: datetime) -> Content:
        contract = self.subscription_contract_id
        facts = {
            "number": self.name,
            "status": self.status,
            "kind": self.kind,
            "reason": self.reason or self.error_code,
            "message": self.message,
            "amount": self.total_price if self.amount is None else self.amount,
            "currency": self.currency,
            "invoice_url": self.invoice_url,
            "subscription": f"subscription-{contract}" if contract else None,
        }
        return event(FACTS[topic], facts)


class LostOrderBody(FactBody):
    id: Number

    @property
    def order(self) -> int | None:
        return self.id


class Edit(Payload):
    order_id: IfReadable[Number] = None
    committed_at: IfReadable[Moment] = None


class EditBody(FactBody):
    """What was taken in and out stands with the order, which has a topic of its own."""

    order_edit: IfReadable[Edit] = None

    @property
    def order(self) -> int | None:
        return self.order_edit.order_id if self.order_edit else None

    @property
    def at(self) -> datetime | None:
        return self.order_edit.committed_at if self.order_edit else None


def _number(name: str) -> str:
    return name.strip().removeprefix("#")


def _lines(items: list[Item | None]) -> tuple[Line, ...]:
    return tuple(line for item in items if item and (line := item.line) is not None)
