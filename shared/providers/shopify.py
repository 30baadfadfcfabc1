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
from hashlib import sha256
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.touchpoint import Content, Direction, Touchpoint
from shared.providers._shopify import Told, UnknownBody
from shared.providers._shopify_customers import (
    PRIVACY,
    ConsentBody,
    Consenting,
    CustomerBody,
    LostCustomerBody,
    MergeBody,
    PrivacyBody,
    SubscriptionBody,
)
from shared.providers._shopify_orders import (
    CHECKOUTS,
    FACTS,
    CartBody,
    CheckoutBody,
    EditBody,
    FactBody,
    FulfilmentBody,
    LostOrderBody,
    OrderBody,
    RefundBody,
    ReturnBody,
)
from shared.providers.base import (
    MEGABYTE,
    Fetch,
    Observed,
    Provider,
    Secret,
    WebhookRequest,
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


SUBSCRIPTION_STEPS = ("create", "update", "activate", "pause", "cancel", "expire", "fail")

TOPICS: Mapping[str, type[Told]] = {
    "orders/create": OrderBody,
    "orders/updated": OrderBody,
    "orders/paid": OrderBody,
    "orders/partially_fulfilled": OrderBody,
    "orders/fulfilled": OrderBody,
    "orders/cancelled": OrderBody,
    "orders/link_requested": OrderBody,
    "fulfillments/create": FulfilmentBody,
    "fulfillments/update": FulfilmentBody,
    "refunds/create": RefundBody,
    "returns/request": ReturnBody,
    "returns/approve": ReturnBody,
    "returns/decline": ReturnBody,
    "returns/close": ReturnBody,
    "returns/cancel": ReturnBody,
    "returns/reopen": ReturnBody,
    "returns/update": ReturnBody,
    **dict.fromkeys(CHECKOUTS, CheckoutBody),
    "carts/create": CartBody,
    "carts/update": CartBody,
    "customers/create": CustomerBody,
    "customers/update": CustomerBody,
    "customers/enable": CustomerBody,
    "customers/disable": CustomerBody,
    "customers/merge": MergeBody,
    "customers_email_marketing_consent/update": ConsentBody,
    "customers_marketing_consent/update": ConsentBody,
    "customers_whats_app_marketing_consent/update": ConsentBody,
    **dict.fromkeys(PRIVACY, PrivacyBody),
    **{f"subscription_contracts/{one}": SubscriptionBody for one in SUBSCRIPTION_STEPS},
    **dict.fromkeys(FACTS, FactBody),
    "orders/delete": LostOrderBody,
    "orders/edited": EditBody,
    "customers/delete": LostCustomerBody,
}
"""How the body of each topic is read. Any other is kept as Unsupported, with the customer or the
order that it names.
"""

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
        told = read_model(kind or UnknownBody, body if kind or isinstance(body, dict) else {})
        occurred_at = believable(told.at or _triggered_at(request), received_at)
        contents: dict[str, Content] = dict(told.beside(occurred_at))
        if isinstance(told, Consenting) and topic in TELLING_OF_CONSENT:
            contents |= told.consents(occurred_at)
        if not (contents and kind is ConsentBody):
            contents[_event_id(request, topic)] = told.content(topic, occurred_at)
        return [
            Observed(
                Touchpoint(
                    provider=NAME,
                    account=shop,
                    provider_event_id=event_id,
                    channel=told.channel,
                    direction=Direction.PASSIVE,
                    occurred_at=occurred_at,
                    received_at=received_at,
                    content=content,
                    identifiers=told.identifiers(shop),
                    proof=told.proof,
                    name=told.full_name,
                    language=told.language,
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


PROVIDER = Shopify()
