"""What became of what we sent over WhatsApp, and what people want sent to them.

Statuses: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from shared.domain.touchpoint import (
    Channel,
    ConsentStatement,
    Content,
    DeliveryStatus,
    Direction,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._meta import OFFERS, Part, Stamp, compact, content_key, moment
from shared.providers._whatsapp import Failure
from shared.providers._whatsapp_people import OurNumber, Recipient
from shared.providers.base import ProviderId, read_model

STATUSES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}

NO_OFFERS = Stop(kind="opt_out", classes="marketing")
STOPS: Mapping[str, Stop] = {
    "131050": NO_OFFERS,  # they want no marketing of ours
    "131026": Stop(kind="bounce"),  # not on WhatsApp, or their WhatsApp cannot take it
}
"""https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
(2026-11)
"""

PREFERENCES: Mapping[str, Literal["granted", "withdrawn"]] = {
    "stop": "withdrawn",
    "resume": "granted",
    "signup": "granted",
}
"""What a person sets in WhatsApp itself about the offers of one business.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
"""


class Preference(Part):
    """`timestamp` is when the webhook was sent."""

    wa_id: str = Field(default="", max_length=64)
    user_id: str = Field(default="", max_length=200)
    parent_user_id: str = Field(default="", max_length=200)
    category: str = ""
    value: str = ""
    detail: str = Field(default="", max_length=500)
    timestamp: Stamp = None


class Pricing(Part):
    category: str = Field(default="", max_length=60)
    billable: bool | None = None


class Origin(Part):
    type: str = Field(default="", max_length=60)


class Conversation(Part):
    """How it was charged until 2025-07: by conversation."""

    origin: Origin = Origin()


class Payment(Part):
    reference_id: str = Field(default="", max_length=200)


class Status(Recipient):
    """`type` tells a payment for what we asked money for from what became of a message: both can
    fail.
    """

    id: ProviderId
    type: str = ""
    sender: str = Field(default="", alias="from", max_length=200)
    payment: Payment = Payment()
    status: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    timestamp: Stamp = None
    recipient_type: str = ""
    recipient_participant_id: str = Field(default="", max_length=64)
    recipient_participant_user_id: str = Field(default="", max_length=200)
    """In a group: who of them."""
    pricing: Pricing = Pricing()
    conversation: Conversation = Conversation()
    send_key: str = Field(default="", alias="biz_opaque_callback_data", max_length=512)
    errors: list[Failure] = Field(default=[], max_length=100)


def status_of(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """In a group each of them has a status of their own."""
    status = read_model(Status, original)
    if status.type == "payment":
        return _paid(number, status)
    is_group = status.recipient_type == "group"
    content: Content
    if known := STATUSES.get(status.status):
        reason = "; ".join(f"{one.code} {one.title}".strip() for one in status.errors[:5])
        stops = (STOPS.get(str(one.code)) for one in status.errors)
        stop = next((one for one in stops if one is not None), None)
        content = DeliveryStatus(
            status=known,
            message_id=status.id,
            send_key=status.send_key[:64] or None,
            reason=reason or None,
            stop=stop if known == "failed" else None,
            price_category=status.pricing.category or status.conversation.origin.type or None,
            billable=status.pricing.billable,
        )
    else:
        content = Unsupported(what=f"status {status.status}")
    member = status.recipient_participant_id or status.recipient_participant_user_id
    of_whom = f".{content_key(member.encode())[:16]}" if is_group else ""
    return number.touchpoint(
        f"{status.id}:{status.status}{of_whom}",
        moment(status.timestamp, number.received_at),
        content,
        Direction.PASSIVE,
        number.person(status.recipient_participant_id, status.recipient_participant_user_id)
        if is_group
        else status.person(number),
        answerable=not is_group,
    )


def _paid(number: OurNumber, status: Status) -> Touchpoint:
    """https://developers.facebook.com/docs/whatsapp/cloud-api/payments-api/payments-in/pg"""
    told: dict[str, JsonValue] = {
        "status": status.status,
        "reference_id": status.payment.reference_id,
    }
    return number.touchpoint(
        f"{status.id}:payment:{status.status}",
        moment(status.timestamp, number.received_at),
        TrackedEvent(name="whatsapp_payment", properties=told),
        Direction.PASSIVE,
        number.person(status.recipient_id, status.sender, status.recipient_user_id),
    )


def preference_of(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """Stopping withdraws the consent to offers; what we owe them may still be sent.

    Where they want offers again, what a refused one had stopped holds no longer.
    """
    preference = read_model(Preference, original)
    state = PREFERENCES.get(preference.value)
    content: Content
    if preference.category == "marketing_messages" and state is not None:
        content = ConsentStatement(
            purpose=OFFERS,
            channel=Channel.WHATSAPP,
            state=state,
            wording=preference.detail or None,
            lifts=NO_OFFERS if state == "granted" else None,
        )
    else:
        content = Unsupported(what="a preference of an unknown kind")
    return number.touchpoint(
        content_key(compact(original)),
        moment(preference.timestamp, number.received_at),
        content,
        Direction.PASSIVE,
        number.person(
            preference.wa_id, preference.user_id, parent_user_id=preference.parent_user_id
        ),
    )
