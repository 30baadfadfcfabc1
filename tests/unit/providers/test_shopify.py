"""Shopify: what only this provider does. The contract suite has the rest."""

import hmac
import json
from base64 import b64encode
from functools import reduce
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.records import Record, merged, record_of
from shared.domain.touchpoint import Order, Touchpoint
from shared.providers.base import WebhookRequest
from shared.providers.shopify import PROVIDER
from tests.unit.providers.hostile import FIXTURES, NOON

KEY = "a-shopify-client-secret"
SECRET = PROVIDER.read_secret({"signing_secrets": [KEY], "shops": ["ours.myshopify.com"]})
ORDER: dict[str, Any] = json.loads(
    json.loads((FIXTURES / "shopify/order_created.json").read_text())["request"]["body"]
)


def delivery(body: Any, topic: str = "orders/updated", **headers: str) -> WebhookRequest:
    content = json.dumps(body).encode()
    digest = b64encode(hmac.digest(KEY.encode(), content, sha256)).decode()
    stated = {
        "x-shopify-topic": topic,
        "x-shopify-shop-domain": "ours.myshopify.com",
        "x-shopify-hmac-sha256": digest,
    }
    return WebhookRequest(
        method="POST",
        url="https://example.com/webhooks/shopify",
        path="",
        headers=stated | {name.replace("_", "-"): value for name, value in headers.items()},
        query=(),
        body=content,
        arrived_at=NOON,
    )


def read(body: Any, topic: str = "orders/updated", **headers: str) -> list[Touchpoint]:
    seen = PROVIDER.parse(delivery(body, topic, **headers), SECRET, NOON)
    return [one.touchpoint for one in seen]


def no_network(url: str) -> bytes:
    raise AssertionError(f"nothing is to be fetched, least of all {url}")


def test_a_signed_body_of_a_shop_that_is_not_ours_is_refused() -> None:
    PROVIDER.verify(delivery(ORDER), SECRET, no_network)
    with pytest.raises(Unauthentic, match="shop"):
        theirs = delivery(ORDER, x_shopify_shop_domain="theirs.myshopify.com")
        PROVIDER.verify(theirs, SECRET, no_network)


def test_an_older_version_never_overwrites_a_newer_one() -> None:
    """Trap 9: whatever order they arrive in, and however often, the order stands the same."""
    versions = [
        read(ORDER, "orders/create"),
        read({**ORDER, "financial_status": "paid", "updated_at": "2026-11-20T11:00:06+01:00"}),
        read(
            {
                **ORDER,
                "financial_status": "paid",
                "fulfillment_status": "fulfilled",
                "total_price": "54.90",
                "updated_at": "2026-11-20T18:00:00+01:00",
            }
        ),
    ]
    told = [record for (one,) in versions if (record := record_of(one)) is not None]

    def add(known: Record | None, new: Record) -> Record:
        return merged(new, known)

    ends = [reduce(add, [*order, *order], None) for order in permutations(told)]
    assert {(one.status, one.details["total"].value) for one in ends if one} == {
        ("shipped", "54.90 EUR")
    }
    assert all(one == ends[0] for one in ends)


def test_a_replay_under_another_topic_is_no_other_fact() -> None:
    """Headers are not signed: an order read under another order's topic is the same version."""
    (first,), (again,) = read(ORDER, "orders/create"), read(ORDER, "orders/cancelled")
    assert first.content == again.content


def test_a_body_under_a_topic_that_does_not_read_it_is_malformed() -> None:
    with pytest.raises(MalformedPayload):
        read({"id": 7}, "orders/create")


@pytest.mark.parametrize("header", ["x_shopify_topic", "x_shopify_shop_domain"])
def test_without_topic_or_shop_nobody_knows_what_it_is(header: str) -> None:
    with pytest.raises(MalformedPayload):
        read(ORDER, **{header: "no topic, no domain"})


def test_an_order_of_nobody_is_known_by_its_number() -> None:
    guest = {**ORDER, "customer": None, "email": "", "contact_email": None, "phone": None}
    (one,) = read(guest)
    assert [(known.type, known.scope) for known in one.identifiers] == [
        ("order_number", "ours.myshopify.com")
    ]


def test_a_guest_is_called_as_whoever_pays() -> None:
    guest = {**ORDER, "customer": None, "billing_address": {"name": "Mo  Abu ", "first_name": ""}}
    (one,) = read(guest)
    assert one.name == "Mo Abu"
    (nobody,) = read({**guest, "billing_address": []})
    assert nobody.name is None


@pytest.mark.parametrize(
    ("parcels", "status"),
    [
        ([("success", "delivered"), ("success", "in_transit")], "shipped"),
        ([("success", "delivered"), ("success", None)], "shipped"),
        ([("success", "delivered"), ("cancelled", None)], "delivered"),
        ([("cancelled", None)], "shipped"),
    ],
)
def test_an_order_has_arrived_once_every_parcel_has(
    parcels: list[tuple[str, str | None]], status: str
) -> None:
    sent = [{"status": one, "shipment_status": where} for one, where in parcels]
    (order,) = read({**ORDER, "fulfillment_status": "fulfilled", "fulfillments": sent})
    assert isinstance(order.content, Order)
    assert order.content.status == status


@pytest.mark.parametrize("body", [[], {"customer": "none", "order_id": "many"}, "word"])
def test_a_topic_we_do_not_know_is_kept_whatever_its_body_is(body: Any) -> None:
    (one,) = read(body, "planets/create")
    assert (one.content.kind, one.identifiers, one.occurred_at) == ("unsupported", (), NOON)


def test_a_subscription_in_a_state_we_do_not_know_is_kept() -> None:
    (one,) = read({"id": 1, "customer_id": 2, "status": "dreaming"}, "subscription_contracts/pause")
    assert one.content.kind == "unsupported"
    assert [known.value for known in one.identifiers] == ["2"]


def test_who_accepted_no_marketing_has_forbidden_none() -> None:
    """In older versions of the API `false` stands for whoever was never asked."""
    seen = read({"id": 1, "accepts_marketing": False}, "customers/create")
    assert [one.content.kind for one in seen] == ["identification"]


def test_a_refund_happened_when_it_was_made_whatever_came_after() -> None:
    times = {"created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z"}
    (one,) = read({"id": 1, "order_id": 2} | times, "refunds/create")
    assert one.occurred_at.isoformat() == "2026-11-20T10:00:00+00:00"


def test_of_an_order_that_comes_without_its_name_the_number_is_told() -> None:
    """`include_fields` of a subscription leaves out what is not named."""
    (one,) = read({"id": 7, "order_number": 1001, "updated_at": "2026-11-20T10:00:00Z"})
    assert isinstance(one.content, Order)
    assert (one.content.number, one.content.total) == ("1001", None)
