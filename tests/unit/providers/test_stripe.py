"""Stripe: the official library as the other side, and what only this provider does."""

import json
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Unauthentic
from shared.domain.touchpoint import Contract, Touchpoint, TrackedEvent
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
    [
        ("eur", 1099, "10.99"),
        ("xof", 1500, "1500"),
        ("tnd", 1500, "1.500"),
        ("usd", -5, "-0.05"),
        ("ugx", 500, "5.00"),
        ("isk", 500, "5.00"),
    ],
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


def test_what_was_deleted_has_ended_whatever_its_state_says() -> None:
    about = {"id": "sub_1", "object": "subscription", "status": "active"}
    content = read("customer.subscription.deleted", about).content
    assert isinstance(content, Contract)
    assert content.status == "ended"


@pytest.mark.parametrize(
    "told",
    [
        {"cancel_at": STAMP, "current_period_end": 1},
        {"cancel_at_period_end": True, "current_period_end": STAMP},
        {"cancel_at_period_end": True, "items": {"data": [{"current_period_end": STAMP}]}},
    ],
    ids=["on a day", "with its period", "with the period of its item"],
)
def test_a_subscription_that_was_cancelled_tells_when_it_ends(told: dict[str, Any]) -> None:
    about = {"id": "sub_1", "object": "subscription", "status": "active"}
    content = read("customer.subscription.updated", about | told).content
    assert isinstance(content, Contract)
    assert content.ends_at == NOON
    renewed = about | told | {"cancel_at": None, "cancel_at_period_end": False}
    content = read("customer.subscription.updated", renewed).content
    assert isinstance(content, Contract)
    assert content.ends_at is None


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("customer.subscription.updated", "contract"), ("customer.created", "identification")],
)
def test_what_an_object_is_its_event_tells_too(type_: str, kind: str) -> None:
    one = read(type_, {"id": "x_1", "status": "active", "email": "lea@example.com"})
    assert one.content.kind == kind


def test_the_address_of_a_merchant_is_no_customers() -> None:
    about = {"id": "acct_1", "object": "account", "email": "owner@example.com", "name": "Owner"}
    one = read("account.updated", about)
    assert (one.content.kind, one.identifiers, one.name) == ("unsupported", (), None)


def test_an_event_we_do_not_know_still_names_its_customer() -> None:
    about = {"id": "seti_1", "object": "setup_intent", "customer": "cus_1"}
    one = read("setup_intent.succeeded", about)
    assert one.content.kind == "unsupported"
    assert [(known.scope, known.value) for known in one.identifiers] == [("stripe", "cus_1")]


@pytest.mark.parametrize(
    ("told", "account"),
    [
        ({}, "stripe"),
        ({"account": "acct_1"}, "acct_1"),
        ({"user_id": "acct_2"}, "acct_2"),
        ({"context": "acct_3"}, "acct_3"),
        ({"account": "acct_1", "context": "acct_4/acct_1"}, "acct_1"),
        ({"context": "org_4/acct_1"}, "acct_1"),
        ({"account": None, "context": None}, "stripe"),
    ],
)
def test_an_event_says_whose_account_it_is(told: dict[str, Any], account: str) -> None:
    assert read("charge.failed", {"id": "ch_1", "object": "charge"}, **told).account == account


@pytest.mark.parametrize(("locale", "language"), [("fr", "fr"), ("pt-BR", "pt-BR"), ("auto", None)])
def test_a_checkout_says_in_which_language_it_was_shown(locale: str, language: str | None) -> None:
    about = {"id": "cs_1", "object": "checkout.session", "locale": locale}
    assert read("checkout.session.completed", about).language == language


GUEST = {"email": "lea@example.com", "name": "Léa", "phone": None}


@pytest.mark.parametrize(
    "told",
    [
        {"billing_details": GUEST},
        {"customer_details": {"email": None}, "billing_details": GUEST},
        {
            "last_payment_error": {
                "code": "card_declined",
                "payment_method": {"billing_details": GUEST},
            }
        },
        {
            "charges": {
                "data": [None, {"billing_details": {"email": None}}, {"billing_details": GUEST}]
            }
        },
        {"receipt_email": "lea@example.com", "card": {"name": "Léa"}},
        {
            "receipt_email": "lea@example.com",
            "source": {"name": "Léa", "email": "shop@example.com"},
        },
        {"billing_details": GUEST, "card": {"name": "Somebody Else"}},
        {"instructions_email": "lea@example.com", "active_card": {"name": "Léa"}},
        {
            "payment_method_details": {
                "paypal": {"payer_email": "lea@example.com", "payer_name": "Léa"}
            }
        },
        {
            "billing_details": GUEST,
            "payment_method_details": {
                "paypal": {"payer_email": "b@example.com", "payer_name": "B"}
            },
        },
        {"evidence": {"customer_email_address": "lea@example.com", "customer_name": "Léa"}},
        {
            "customer_email": "lea@example.com",
            "customer_name": "Léa",
            "receipt_email": "b@example.com",
        },
    ],
)
def test_who_pays_without_an_account_is_named_somewhere(told: dict[str, Any]) -> None:
    one = read("payment_intent.payment_failed", {"id": "pi_1", "object": "payment_intent"} | told)
    assert [known.value for known in one.identifiers] == ["lea@example.com"]
    assert one.name == "Léa"


@pytest.mark.parametrize(("customer", "name"), [("cus_1", "Léa"), (None, None)])
def test_a_card_bears_its_customers_name_and_one_for_payouts_a_merchants(
    customer: str | None, name: str | None
) -> None:
    about = {"id": "card_1", "object": "card", "name": "Léa", "customer": customer}
    assert read("customer.source.expiring", about).name == name


def test_a_refund_that_failed_says_why_it_failed() -> None:
    about = {"id": "re_1", "reason": "requested_by_customer", "failure_reason": "expired_card"}
    content = read("refund.failed", about).content
    assert isinstance(content, TrackedEvent)
    assert content.properties["reason"] == "expired_card"


@pytest.mark.parametrize(
    ("related", "known"),
    [
        ({"id": "cus_1", "type": "customer"}, ["cus_1"]),
        ({"id": "sub_1", "type": "subscription"}, []),
        ("cus_1", []),
    ],
)
def test_a_thin_event_names_its_customer_and_nobody_else(related: object, known: list[str]) -> None:
    event = {"id": "evt_1", "type": "v1.customer.updated", "related_object": related}
    (one,) = PROVIDER.parse(request(json.dumps(event).encode(), ""), SECRET, NOON)
    assert [each.value for each in one.touchpoint.identifiers] == known
