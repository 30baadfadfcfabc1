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


class Told(Parties):
    """`start_time` and `duration` are there only where somebody picked up. `connect` is the offer
    of a call, and no more: it rings.
    """

    id: ProviderId
    event: str = Field(default="", pattern=r"^[a-z_]{0,60}$")
    direction: str = ""
    status: str = ""
    timestamp: Stamp = None
    start_time: Stamp = None
    end_time: Stamp = None
    duration: int | None = Field(default=None, ge=0, lt=10**9)

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
    facts: dict[str, Any] = {}
    if told.event == "connect":
        facts["state"] = CallState.RINGING
    elif told.event == "terminate":
        facts = _ended(told, number)
    return number.touchpoint(
        told.id,
        at if told.start_time is None else moment(told.start_time, number.received_at),
        Call(call_id=told.id, parts=(told.event or "told",), **facts),
        DIRECTIONS.get(told.direction, Direction.PASSIVE),
        told.person(number),
    )


def _ended(told: Told, number: OurNumber) -> dict[str, Any]:
    """Nobody else tells whether it was taken: where nobody picked up, nobody was reached."""
    ended = told.timestamp if told.end_time is None else told.end_time
    facts: dict[str, Any] = {"ended_at": moment(ended, number.received_at)}
    if told.start_time is None:
        failed = told.status == "FAILED"
        state = CallState.FAILED if failed else CallState.NO_ANSWER
        return facts | {"state": state, "reached_person": False}
    return facts | {
        "state": CallState.COMPLETED,
        "reached_person": True,
        "answered_at": moment(told.start_time, number.received_at),
        "duration": told.duration,
    }


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
