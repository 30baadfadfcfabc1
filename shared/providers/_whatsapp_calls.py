"""Calls over WhatsApp: one call is one touchpoint that grows (`shared.domain.call`).

They are taken and made by whatever the company connected for it; here is what is told of them.

People call: https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls
We call: https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/business-initiated-calls
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared.domain.touchpoint import Call, CallState, Direction, Touchpoint
from shared.providers._meta import Stamp, moment
from shared.providers._meta_calls import Ending
from shared.providers._whatsapp import Parties
from shared.providers._whatsapp_people import OurNumber, Person, Recipient
from shared.providers.base import ProviderId, read_model

DIRECTIONS: Mapping[str, Direction] = {
    "USER_INITIATED": Direction.INBOUND,
    "BUSINESS_INITIATED": Direction.OUTBOUND,
}

STATES: Mapping[str, CallState] = {
    "RINGING": CallState.RINGING,
    "ACCEPTED": CallState.IN_PROGRESS,
    "REJECTED": CallState.BUSY,
}
"""Of a call of ours, by what the person's phone does."""


class Told(Parties, Ending):
    """`start_time` and `duration` are there only where somebody picked up. `connect` is the offer
    of a call, and no more: it rings.
    """

    id: ProviderId
    event: str = Field(default="", pattern=r"^[a-z_]{0,60}$")
    direction: str = ""

    def person(self, number: OurNumber) -> Person:
        if DIRECTIONS.get(self.direction) is Direction.OUTBOUND:
            return number.person(self.to, self.to_user_id, parent_user_id=self.to_parent_user_id)
        return number.person(
            self.sender, self.from_user_id, parent_user_id=self.from_parent_user_id
        )


class Progress(Recipient):
    id: ProviderId
    status: str = Field(pattern=r"^[A-Za-z_]{1,60}$")
    timestamp: Stamp = None


def call_of(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    told = read_model(Told, original)
    at = moment(told.timestamp, number.received_at)
    answered_at = None
    if told.start_time is not None:
        answered_at = moment(told.start_time, number.received_at)
    facts: dict[str, Any] = {}
    if told.event == "connect":
        facts["state"] = CallState.RINGING
    elif told.event == "terminate":
        facts = told.facts(number.received_at, answered_at)
    return number.touchpoint(
        told.id,
        answered_at or at,
        Call(call_id=told.id, parts=(told.event or "told",), **facts),
        DIRECTIONS.get(told.direction, Direction.PASSIVE),
        told.person(number),
    )


def call_status_of(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """How far a call of ours came."""
    progress = read_model(Progress, original)
    at = moment(progress.timestamp, number.received_at)
    facts: dict[str, Any] = {}
    if (state := STATES.get(progress.status)) is not None:
        facts = {"state": state, "answered_at": at if state is CallState.IN_PROGRESS else None}
    return number.touchpoint(
        progress.id,
        at,
        Call(call_id=progress.id, parts=(f"status:{progress.status.lower()}",), **facts),
        Direction.OUTBOUND,
        progress.person(number),
    )
