"""Stripe: the official library as the other side, and what only this provider does."""

import json
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Unauthentic
from shared.domain.touchpoint import Touchpoint, TrackedEvent
from shared.providers.base import WebhookRequest
from shared.providers.stripe import PROVIDER
from tests.unit.providers.fixtures import cases
from tests.unit.providers.hostile import NOON

KEY = "whsec_a_stripe_signing_secret"
SECRET = PROVIDER.read_secret({"signing_secrets": [KEY, "whsec_the_older_one"]})
STAMP = int(NOON.timestamp())


def request(body: bytes, signature: str) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        url="https://example.com/webhooks/stripe",
        path="",
        headers={"stripe-signature": signature, "content-type": "application/json"},
        query=(),
        body=body,
        arrived_at=NOON,
    )


def signed_by_stripe(body: str, *, at: int = STAMP, key: str = KEY) -> str:
    """By the official library."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, key, timestamp=at)
    return header


def verify(body: bytes, signature: str) -> None:
    def no_network(url: str) -> bytes:
        raise AssertionError(f"nothing is to be fetched, least of all {url}")

    PROVIDER.verify(request(body, signature), SECRET, no_network)


def read(type_: str, about: dict[str, Any], **more: Any) -> Touchpoint:
    event = {"id": "evt_1", "type": type_, "created": STAMP, "data": {"object": about}} | more
    (one,) = PROVIDER.parse(request(json.dumps(event).encode(), ""), SECRET, NOON)
    return one.touchpoint


@given(st.text(max_size=200))
def test_what_the_official_library_signs_is_verified(body: str) -> None:
    verify(body.encode(), signed_by_stripe(body))


def test_what_the_local_client_signs_the_official_library_verifies() -> None:
    for case in [one for one in cases() if one.provider == "stripe"]:
        header = case.request.header("stripe-signature")
        key = "whsec_local_stripe_signing_secret"
        body = case.request.body.decode()
        tolerance = 10**10  # The library knows no clock but its own.
        assert stripe.WebhookSignature.verify_header(body, header, key, tolerance)


@pytest.mark.parametrize("away", [-301, 301, 10**6])
def test_more_than_five_minutes_away_is_refused(away: int) -> None:
    with pytest.raises(Unauthentic, match="five minutes"):
        verify(b"{}", signed_by_stripe("{}", at=STAMP + away))


def test_while_a_secret_is_rolled_stripe_signs_with_both_and_either_is_enough() -> None:
    newest = signed_by_stripe("{}", key="whsec_one_we_do_not_know_yet")
    known = signed_by_stripe("{}").partition(",")[2]
    verify(b"{}", f"{newest},{known}")
    verify(b"{}", signed_by_stripe("{}", key="whsec_the_older_one"))


@pytest.mark.parametrize(
    "header",
    [
        *("", "t=", "t=x,v1=00", f"t={STAMP}", f"t={STAMP},v1=", f"v1=00,t={STAMP}"),
        f"t=\u0663,v1={'0' * 64}",
        f"t={STAMP},v1=é",
    ],
)
def test_a_header_that_proves_nothing_is_refused(header: str) -> None:
    with pytest.raises(Unauthentic):
        verify(b"{}", header)


def test_the_signature_of_a_test_scheme_does_not_count() -> None:
    with pytest.raises(Unauthentic):
        verify(b"{}", signed_by_stripe("{}").replace("v1=", "v0="))


@pytest.mark.parametrize(
    ("currency", "cents", "shown"),
    [("eur", 1099, "10.99"), ("xof", 1500, "1500"), ("tnd", 1500, "1.500"), ("usd", -5, "-0.05")],
)
def test_amounts_are_told_in_whole_units(currency: str, cents: int, shown: str) -> None:
    one = read("charge.failed", {"object": "charge", "amount": cents, "currency": currency})
    assert isinstance(one.content, TrackedEvent)
    assert one.content.properties["amount"] == shown


def test_a_subscription_in_a_state_we_do_not_know_is_kept() -> None:
    about = {"id": "sub_1", "object": "subscription", "status": "dreaming"}
    assert read("customer.subscription.updated", about).content.kind == "unsupported"


def test_a_subscription_without_a_price_is_still_a_contract() -> None:
    about = {"id": "sub_1", "object": "subscription", "status": "active"}
    assert read("customer.subscription.updated", about).content.kind == "contract"
