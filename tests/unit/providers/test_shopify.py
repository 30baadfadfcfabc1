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
from shared.domain.touchpoint import Touchpoint
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
