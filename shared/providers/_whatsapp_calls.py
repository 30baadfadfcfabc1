"""Calls over WhatsApp: one call is one touchpoint that grows (`shared.domain.call`).

They are taken and made by whatever the company connected for it; here is what is told of them.

People call: https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls
We call: https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/business-initiated-calls
"""

from typing import Any

from pydantic import Field

from shared.domain.touchpoint import Call, CallState, Direction, Touchpoint
from shared.providers._meta import Stamp, moment
from shared.providers._meta_calls import Ending, call_in_progress, direction_of
from shared.providers._whatsapp import Parties
from shared.providers._whatsapp_people import OurNumber, Person, Recipient
from shared.providers.base import ProviderId, read_model


class Told(Parties, Ending):
    """`start_time` and `duration` are there only where somebody picked up. `connect` is the offer
    of a call, and no more: it rings.
    """

    id: ProviderId
    event: str = Field(default="", pattern=r"^[a-z_]{0,60}$")
    direction: str = ""

    def person(self, number: OurNumber) -> Person:
        if direction_of(self.direction) is Direction.OUTBOUND:
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
    match told.event:
        case "terminate":
            call = told.call(told.id, number.received_at, answered_at)
        case "connect":
            call = Call(call_id=told.id, parts=("connect",), state=CallState.RINGING)
        case other:
            call = Call(call_id=told.id, parts=(other or "told",))
    return number.touchpoint(
        told.id, answered_at or at, call, direction_of(told.direction), told.person(number)
    )


def call_status_of(number: OurNumber, original: dict[str, Any]) -> Touchpoint:
    """How far a call of ours came."""
    progress = read_model(Progress, original)
    at = moment(progress.timestamp, number.received_at)
    return number.touchpoint(
        progress.id,
        at,
        call_in_progress(progress.id, progress.status, at),
        Direction.OUTBOUND,
        progress.person(number),
    )
