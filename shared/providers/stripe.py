"""Stripe: payments, invoices, disputes, subscriptions, checkouts, customers.

Add `https://…/webhooks/stripe` under Developers > Webhooks. Read against
https://docs.stripe.com/webhooks/signature, https://docs.stripe.com/api/events/object and
https://docs.stripe.com/api/events/types (2026-11). The signature is checked here and not by the
official library, which takes 100 MB along; tests compare the two.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, JsonValue, StringConstraints

from shared.domain.errors import Unauthentic
from shared.domain.identity import Identifier, IdentifierType, email_identifier
from shared.domain.touchpoint import (
    Channel,
    Content,
    Contract,
    Direction,
    Identification,
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
    ProviderId,
    Secret,
    WebhookRequest,
    as_list,
    as_text,
    believable,
    read_json,
    read_model,
    same,
)

NAME = "stripe"

TOLERANCE = timedelta(minutes=5)
"""As the official libraries have it; here both ways."""

ZERO_DECIMAL = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"),
        *("VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Amounts are told in the smallest unit. Shillings of Uganda and crowns of Iceland have none any
more and are told in hundredths all the same. https://docs.stripe.com/currencies#special-cases
"""

SUBSCRIPTION_STATUSES: Mapping[str, Literal["proposed", "active", "suspended", "ended"]] = {
    "incomplete": "proposed",
    "trialing": "active",
    "active": "active",
    "past_due": "suspended",
    "unpaid": "suspended",
    "paused": "suspended",
    "incomplete_expired": "ended",
    "canceled": "ended",
}

FACTS: Mapping[str, str] = {
    "charge.succeeded": "charge_succeeded",
    "charge.pending": "charge_pending",
    "charge.captured": "charge_captured",
    "charge.expired": "charge_expired",
    "charge.failed": "charge_failed",
    "charge.refunded": "charge_refunded",
    "charge.refund.updated": "refund_updated",
    "charge.dispute.created": "dispute_opened",
    "charge.dispute.updated": "dispute_updated",
    "charge.dispute.closed": "dispute_closed",
    "charge.dispute.funds_withdrawn": "dispute_funds_withdrawn",
    "charge.dispute.funds_reinstated": "dispute_funds_reinstated",
    "checkout.session.completed": "checkout_completed",
    "checkout.session.async_payment_succeeded": "checkout_paid",
    "checkout.session.async_payment_failed": "checkout_payment_failed",
    "checkout.session.expired": "checkout_abandoned",
    "invoice.created": "invoice_created",
    "invoice.finalized": "invoice_issued",
    "invoice.sent": "invoice_sent",
    "invoice.will_be_due": "invoice_due_soon",
    "invoice.overdue": "invoice_overdue",
    "invoice.overpaid": "invoice_overpaid",
    "invoice.paid": "invoice_paid",
    "invoice.payment_succeeded": "invoice_payment_succeeded",
    "invoice.payment_failed": "invoice_payment_failed",
    "invoice.payment_action_required": "invoice_payment_action_required",
    "invoice.upcoming": "invoice_upcoming",
    "invoice.voided": "invoice_voided",
    "invoice.marked_uncollectible": "invoice_uncollectible",
    "payment_intent.created": "payment_begun",
    "payment_intent.processing": "payment_processing",
    "payment_intent.requires_action": "payment_action_required",
    "payment_intent.amount_capturable_updated": "payment_authorized",
    "payment_intent.partially_funded": "payment_partially_funded",
    "payment_intent.succeeded": "payment_succeeded",
    "payment_intent.payment_failed": "payment_failed",
    "payment_intent.canceled": "payment_cancelled",
    "refund.created": "refund_begun",
    "refund.updated": "refund_updated",
    "refund.failed": "refund_failed",
    "credit_note.created": "credit_note_issued",
    "credit_note.voided": "credit_note_voided",
    "quote.finalized": "quote_issued",
    "quote.accepted": "quote_accepted",
    "quote.canceled": "quote_cancelled",
    "radar.early_fraud_warning.created": "fraud_warning",
    "review.opened": "payment_review_opened",
    "review.closed": "payment_review_closed",
    "customer.source.expiring": "payment_source_expires_soon",
    "customer.subscription.trial_will_end": "trial_ends_soon",
}
"""What an event is called here. Beside these, `customer.subscription.*` are versions of a contract
and `customer.*` say who somebody is; any other is kept as Unsupported, with whoever it names.
"""

OF_A_PERSON = frozenset({"customer", "order"})
"""Objects whose own mail address, phone and name are the customer's. An account has them too: they
are the merchant's.
"""


def _id_of(value: object) -> object:
    """Of an object that was expanded in place of its id."""
    return value.get("id") if isinstance(value, dict) else value


Text = Annotated[str, BeforeValidator(as_text)]
Reference = Annotated[IfReadable[Annotated[str, Field(max_length=255)]], BeforeValidator(_id_of)]
Written = Annotated[Text, Field(max_length=320)]
Seconds = Annotated[int, Field(ge=0, lt=10**11)]
Cents = Annotated[int, Field(gt=-(10**15), lt=10**15)]


class StripeSecret(Secret):
    """`signing_secrets`: the endpoint's `whsec_…`; while one is rolled, both. `account`: how this
    Stripe account is called here, where an event names none (one of neither Connect nor an
    organization).
    """

    signing_secrets: list[Annotated[str, StringConstraints(min_length=8)]] = Field(min_length=1)
    account: str = Field(default="stripe", min_length=1, max_length=100)


class Details(Payload):
    """Who pays, as a checkout or a charge states it."""

    email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None


class Paying(Payload):
    """A payment method, or a charge within a payment."""

    billing_details: IfReadable[Details] = None


class Charges(Payload):
    data: Annotated[list[IfReadable[Paying]], BeforeValidator(as_list)] = []


class Card(Payload):
    """Before 2018 a charge tells nothing else of who pays."""

    name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None


class PayPal(Payload):
    """Who paid through it, as it tells itself; a page that only shows its button asks nobody."""

    payer_email: IfReadable[Written] = None
    payer_name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None


class Means(Payload):
    paypal: IfReadable[PayPal] = None


class Evidence(Payload):
    """Against a dispute, where nothing else says whose it is."""

    customer_email_address: IfReadable[Written] = None
    customer_name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None


class Failure(Payload):
    payment_method: IfReadable[Paying] = None
    code: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    decline_code: IfReadable[Annotated[Text, Field(max_length=200)]] = None

    @property
    def codes(self) -> tuple[str | None, str | None]:
        return self.decline_code, self.code


class Recovery(Payload):
    url: IfReadable[Annotated[Text, Field(max_length=4096)]] = None


class AfterExpiration(Payload):
    recovery: IfReadable[Recovery] = None


class Price(Payload):
    """A plan of before 2018 has a name."""

    nickname: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    name: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    product: Reference = None
    id: IfReadable[Annotated[Text, Field(max_length=255)]] = None


class SubscriptionItem(Payload):
    """Before 2020 it had a plan, which says the same."""

    price: IfReadable[Price] = None
    plan: IfReadable[Price] = None
    current_period_end: IfReadable[Seconds] = None


class SubscriptionItems(Payload):
    data: Annotated[list[IfReadable[SubscriptionItem]], BeforeValidator(as_list)] = []


class Object(Payload):
    """What an event is about, as far as we read any of them."""

    id: IfReadable[ProviderId] = None
    object: IfReadable[Annotated[str, Field(max_length=60)]] = None
    customer: Reference = None
    payment_intent: Reference = None
    charge: Reference = None
    amount: IfReadable[Cents] = None
    amount_total: IfReadable[Cents] = None
    amount_due: IfReadable[Cents] = None
    amount_refunded: IfReadable[Cents] = None
    currency: IfReadable[Annotated[str, Field(pattern=r"^[a-zA-Z]{3}$")]] = None
    number: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    reason: IfReadable[Annotated[Text, Field(max_length=255)]] = None
    status: IfReadable[Annotated[Text, Field(max_length=60)]] = None
    payment_status: IfReadable[Annotated[Text, Field(max_length=60)]] = None
    fraud_type: IfReadable[Annotated[Text, Field(max_length=60)]] = None
    cancellation_reason: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    failure_reason: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    failure_code: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    last_payment_error: IfReadable[Failure] = None
    hosted_invoice_url: IfReadable[Annotated[Text, Field(max_length=4096)]] = None
    after_expiration: IfReadable[AfterExpiration] = None
    client_reference_id: IfReadable[Annotated[Text, Field(max_length=200)]] = None
    items: IfReadable[SubscriptionItems] = None
    plan: IfReadable[Price] = None
    cancel_at: IfReadable[Seconds] = None
    cancel_at_period_end: IfReadable[bool] = None
    current_period_end: IfReadable[Seconds] = None
    ended_at: IfReadable[Seconds] = None
    # Who it is
    email: IfReadable[Written] = None
    phone: IfReadable[Written] = None
    name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None
    receipt_email: IfReadable[Written] = None
    instructions_email: IfReadable[Written] = None
    """Of a refund: where its payer is asked for an account."""
    customer_email: IfReadable[Written] = None
    customer_phone: IfReadable[Written] = None
    customer_name: IfReadable[Annotated[Text, Field(max_length=1024)]] = None
    customer_details: IfReadable[Details] = None
    billing_details: IfReadable[Details] = None
    owner: IfReadable[Details] = None
    payment_method_details: IfReadable[Means] = None
    evidence: IfReadable[Evidence] = None
    charges: IfReadable[Charges] = None
    """Of a payment, before 2022-11-15."""
    card: IfReadable[Card] = None
    source: IfReadable[Card] = None
    active_card: IfReadable[Card] = None
    """Of a customer, before 2013-07-05.
    https://docs.stripe.com/changelog/2013-07-05/customers-include-cards-sublist-default-card-field
    """
    preferred_locales: IfReadable[list[Annotated[str, Field(max_length=35)]]] = None
    locale: IfReadable[Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z0-9]{2,3})?$")]] = None
    """In which language a checkout was shown; `auto` says nothing."""

    @property
    def who(self) -> Details:
        """Whoever pays, by the first place that says it; what was typed where counts first."""
        error = self.last_payment_error
        tried = [error.payment_method] if error else []
        within = [*tried, *(self.charges.data if self.charges else [])]
        mail = self.customer_email or self.receipt_email or self.instructions_email
        paypal = (self.payment_method_details or Means()).paypal or PayPal()
        evidence = self.evidence or Evidence()
        # A card of nobody's is a merchant's, for payouts.
        own = self if self.object == "card" and self.customer else None
        cards = (self.card, self.source, self.active_card, own)
        places: list[Details | Object | None] = [
            self.customer_details,
            self.billing_details,
            self.owner,
            Details(email=mail, phone=self.customer_phone, name=self.customer_name),
            self if self.object in OF_A_PERSON else None,
            *(one.billing_details for one in within if one),
            Details(email=paypal.payer_email, name=paypal.payer_name),
            Details(email=evidence.customer_email_address, name=evidence.customer_name),
            *(Details(name=one.name) for one in cards if one),
        ]
        told = [one for one in places if one]
        return Details(
            email=next((one.email for one in told if one.email), None),
            phone=next((one.phone for one in told if one.phone), None),
            name=next((one.name for one in told if one.name), None),
        )

    @property
    def payer(self) -> str | None:
        return self.id if self.object == "customer" else self.customer

    @property
    def full_name(self) -> str | None:
        return (self.who.name or "")[:200] or None

    @property
    def language(self) -> str | None:
        return next(iter(self.preferred_locales or ()), None) or self.locale

    @property
    def ends_at(self) -> datetime | None:
        """Of a subscription. With 2025's versions its period stands with what was subscribed."""
        periods = [one.current_period_end for one in self.items.data if one] if self.items else []
        end = self.current_period_end or next(filter(None, periods), None)
        at_period_end = end if self.cancel_at_period_end else None
        return _moment(self.ended_at or self.cancel_at or at_period_end)

    def identifiers(self, account: str) -> tuple[Identifier, ...]:
        """Stripe's own number is proven by whose account it is; what was typed there is stated."""
        who = self.who
        known = (
            (IdentifierType.CUSTOMER_NUMBER, "", self.client_reference_id),
            (IdentifierType.PAYER, account, self.payer),
            (IdentifierType.PHONE, "", who.phone),
        )
        found = [
            Identifier(type=kind, scope=scope, value=value.strip())
            for kind, scope, value in known
            if value and value.strip()
        ]
        mail = email_identifier(who.email or "")
        return (*found, mail) if mail else tuple(found)


class Data(Payload):
    object: IfReadable[dict[str, Any]] = None


class Related(Payload):
    """What a thin event is about: it must be fetched, and is named all the same."""

    id: IfReadable[ProviderId] = None
    type: IfReadable[Annotated[str, Field(max_length=60)]] = None


class Event(Payload):
    id: ProviderId
    type: str = Field(pattern=r"^[a-z0-9_.\[\]]{1,100}$")
    created: IfReadable[Seconds | str] = None
    account: Annotated[
        IfReadable[Annotated[Text, Field(max_length=100)]],
        Field(validation_alias=AliasChoices("account", "user_id")),
    ] = None
    """Of Connect. https://docs.stripe.com/changelog/2017-05-25/events-connect-specify-originating-account"""
    context: IfReadable[Annotated[Text, Field(max_length=100)]] = None
    """Of an organization's accounts.
    https://docs.stripe.com/changelog/basil/2025-04-30/additional-context-organization-events
    """
    data: IfReadable[Data] = None
    related_object: IfReadable[Related] = None

    @property
    def whose(self) -> str | None:
        """The account it happened in; a context tells the way there, through the organization."""
        return self.account or (self.context or "").rpartition("/")[2] or None

    @property
    def names(self) -> Object | None:
        """Whom it names, wherever it tells that."""
        thin = self.related_object
        return self.about or (Object(id=thin.id, object=thin.type) if thin else None)

    @property
    def about(self) -> Object | None:
        """Of what kind it is, the event's type tells where the object itself does not."""
        told = self.data.object if self.data else None
        if not told:
            return None
        if self.type.startswith("customer.subscription."):
            kind = "subscription"
        else:
            kind = self.type.rpartition(".")[0]
        return read_model(Object, {"object": kind} | told)


class Stripe(Provider[StripeSecret]):
    name = NAME
    secret_type = StripeSecret
    largest_body = MEGABYTE

    def verify(self, request: WebhookRequest, secret: StripeSecret, fetch: Fetch) -> None:
        parts = [one.partition("=") for one in request.header("stripe-signature").split(",")]
        stamp = next((value for key, _, value in parts if key.strip() == "t"), "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
            raise Unauthentic("Stripe-Signature has no time")
        if abs(request.arrived_at.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise Unauthentic("Stripe-Signature is more than five minutes away")
        # v0 is of test events alone and could be chosen by a forger: it is skipped.
        given = [value for key, _, value in parts if key.strip() == "v1"]
        valid = [
            hmac.digest(key.encode(), f"{stamp}.".encode() + request.body, sha256).hex()
            for key in secret.signing_secrets
        ]
        if not any(same(one, expected) for one in given for expected in valid):
            raise Unauthentic("Stripe-Signature is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: StripeSecret, received_at: datetime
    ) -> list[Observed]:
        event = read_model(Event, read_json(request.body))
        account = event.whose or secret.account
        occurred_at = believable(_moment(event.created), received_at)
        about, named = event.about, event.names
        touchpoint = Touchpoint(
            provider=NAME,
            account=account,
            provider_event_id=event.id,
            channel=Channel.WEB,
            direction=Direction.PASSIVE,
            occurred_at=occurred_at,
            received_at=received_at,
            content=_content(event, about, occurred_at),
            identifiers=named.identifiers(account) if named else (),
            name=about.full_name if about else None,
            language=about.language if about else None,
        )
        return [Observed(touchpoint, request.body)]


def _content(event: Event, about: Object | None, at: datetime) -> Content:
    if about is None:
        return Unsupported(what=f"event of type {event.type}")
    if event.type in FACTS:
        return TrackedEvent(name=FACTS[event.type], properties=_facts(about))
    status = SUBSCRIPTION_STATUSES.get(about.status or "")
    if event.type == "customer.subscription.deleted":
        status = "ended"
    if about.object == "subscription" and status and about.id:
        return Contract(
            number=about.id,
            status=status,
            version_at=at,
            product=_product(about),
            ends_at=about.ends_at,
        )
    if event.type in {"customer.created", "customer.updated"}:
        return Identification()
    return Unsupported(what=f"event of type {event.type}")


def _facts(about: Object) -> dict[str, JsonValue]:
    currency = about.currency.upper() if about.currency else None
    amounts = (about.amount_total, about.amount_due, about.amount)
    amount = next((one for one in amounts if one is not None), None)
    failure = about.last_payment_error or Failure()
    recovery = about.after_expiration.recovery if about.after_expiration else None
    # Of a refund that failed: why it did, before why it was made.
    why = (about.failure_reason, about.reason, about.failure_code, about.cancellation_reason)
    facts = {
        "reference": about.id,
        "payment": about.payment_intent or about.charge,
        "number": about.number,
        "amount": _amount(amount, currency),
        "refunded": _amount(about.amount_refunded or None, currency),
        "currency": currency,
        "status": about.status,
        "payment_status": about.payment_status,
        "reason": next(filter(None, (*why, about.fraud_type, *failure.codes)), None),
        "invoice_url": about.hosted_invoice_url,
        "recovery_url": recovery.url if recovery else None,
    }
    return {key: value for key, value in facts.items() if value}


def _amount(cents: int | None, currency: str | None) -> str | None:
    """In whole units of the currency, as text: 1099 EUR is 10.99."""
    if cents is None or currency is None:
        return None
    places = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    return format(Decimal(cents).scaleb(-places), f".{places}f")


def _product(about: Object) -> str | None:
    items = about.items.data if about.items else []
    prices = [*(one.price or one.plan for one in items if one), about.plan]
    names = (
        name for one in prices if one for name in (one.nickname, one.name, one.product, one.id)
    )
    return next(filter(None, names), None)


def _moment(stated: int | str | None) -> datetime | None:
    """Seconds since 1970, or the ISO text of a thin event."""
    try:
        if isinstance(stated, str):
            moment = datetime.fromisoformat(stated[:40])
            return moment.astimezone(UTC) if moment.tzinfo else None
        return datetime.fromtimestamp(stated, UTC) if stated else None
    except (ValueError, OverflowError, OSError):
        return None


PROVIDER = Stripe()
