"""What Shopify tells of a shop's customers: who they are, what they allowed and subscribed to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Channel,
    ConsentStatement,
    Content,
    Contract,
    Identification,
    Unsupported,
)
from shared.providers._shopify import (
    Addressed,
    Customer,
    Moment,
    Number,
    Text,
    Told,
    Written,
    event,
    identifier,
)
from shared.providers.base import IfReadable, Payload

PRIVACY: Mapping[str, str] = {
    "customers/data_request": "privacy_export_requested",
    "customers/redact": "privacy_erasure_requested",
}
CONSENTS: Mapping[str | None, Literal["granted", "withdrawn"]] = {
    "subscribed": "granted",
    "unsubscribed": "withdrawn",
}
"""`pending` and `not_subscribed` are no word of the person's."""
SUBSCRIPTIONS: Mapping[str | None, Literal["active", "suspended", "ended"]] = {
    "active": "active",
    "paused": "suspended",
    "cancelled": "ended",
    "expired": "ended",
    "failed": "ended",
    "stale": "ended",
}
"""https://shopify.dev/docs/api/customer/latest/enums/SubscriptionContractSubscriptionStatus"""


_KEY = "%Y-%m-%dT%H:%M:%SZ"


class MarketingConsent(Payload):
    state: IfReadable[Text] = None
    consent_updated_at: IfReadable[Moment] = None
    updated_at: IfReadable[Moment] = None
    """WhatsApp's name for the same."""

    @property
    def since(self) -> datetime | None:
        return self.consent_updated_at or self.updated_at


class Consenting(Addressed):
    """What a customer allowed, by mail, by text message and by WhatsApp; in older versions by mail
    alone.
    """

    accepts_marketing: IfReadable[bool] = None
    accepts_marketing_updated_at: IfReadable[Moment] = None

    email_marketing_consent: IfReadable[MarketingConsent] = None
    sms_marketing_consent: IfReadable[MarketingConsent] = None
    whats_app_marketing_consent: IfReadable[MarketingConsent] = None

    def consents(self, at: datetime) -> Mapping[str, Content]:
        """`at` is when it happened: not all say since when somebody consents."""
        by_mail = self.email_marketing_consent
        if by_mail is None and self.accepts_marketing:
            since = self.accepts_marketing_updated_at
            by_mail = MarketingConsent(state="subscribed", consent_updated_at=since)
        told = {
            Channel.EMAIL: by_mail,
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
    email_address: IfReadable[Written] = None
    phone_number: IfReadable[Written] = None

    @property
    def person(self) -> Customer:
        return Customer(
            id=self.customer_id or self.id, email=self.email_address, phone=self.phone_number
        )

    def content(self, topic: str, at: datetime) -> Content:
        """Where the customer said neither yes nor no."""
        return event("consent_pending", {})


class LostCustomerBody(Told):
    id: Number

    @property
    def person(self) -> Customer:
        return Customer(id=self.id)

    def content(self, topic: str, at: datetime) -> Content:
        return event("customer_deleted", {})


class SubscriptionBody(Told):
    """It says in no version when it was: it is as new as the delivery says."""

    id: Number = Field(validation_alias=AliasChoices("id", "admin_graphql_api_id"))
    status: IfReadable[Text] = None

    def content(self, topic: str, at: datetime) -> Content:
        status = SUBSCRIPTIONS.get((self.status or "").lower())
        if status is None:
            return Unsupported(what=f"topic {topic}")
        return Contract(number=f"subscription-{self.id}", status=status, version_at=at)


class MergeBody(Told):
    """Of two customers the merchant made one: whoever was known by either number is the same."""

    status: IfReadable[Text] = None
    kept: Annotated[
        IfReadable[Number], Field(validation_alias="admin_graphql_api_customer_kept_id")
    ] = None
    deleted: Annotated[
        IfReadable[Number], Field(validation_alias="admin_graphql_api_customer_deleted_id")
    ] = None

    @property
    def is_done(self) -> bool:
        return (self.status or "").lower() == "completed"

    @property
    def proof(self) -> Proof | None:
        """The company itself says that both are one."""
        return Proof.TRUSTED_KEY if self.is_done else None

    def content(self, topic: str, at: datetime) -> Content:
        return Identification() if self.is_done else super().content(topic, at)

    def identifiers(self, shop: str) -> tuple[Identifier, ...]:
        numbers = (self.kept, self.deleted) if self.is_done else ()
        found = [identifier(IdentifierType.SHOP_CUSTOMER, one, shop) for one in numbers]
        return tuple(one for one in found if one is not None)


class PrivacyBody(Told):
    """Shopify passes on what a customer asked of the merchant: see docs/operations.md."""

    def content(self, topic: str, at: datetime) -> Content:
        return event(PRIVACY[topic], {})
