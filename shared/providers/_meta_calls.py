"""How far a call came and how it ended, which WhatsApp and Messenger tell alike.

https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls
https://developers.facebook.com/documentation/business-messaging/messenger-platform/calling/webhooks
"""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from shared.domain.touchpoint import Call, CallState, Direction
from shared.providers._meta import Part, Stamp, moment

DIRECTIONS: Mapping[str, Direction] = {
    "USER_INITIATED": Direction.INBOUND,
    "BUSINESS_INITIATED": Direction.OUTBOUND,
}
"""These words, and those of a status, are in capitals with WhatsApp, and are not with Messenger."""

STATES: Mapping[str, CallState] = {
    "RINGING": CallState.RINGING,
    "ACCEPTED": CallState.IN_PROGRESS,
    "REJECTED": CallState.BUSY,
}
"""Of a call of ours, by what the person's phone does."""


def direction_of(stated: str) -> Direction:
    return DIRECTIONS.get(stated.upper(), Direction.PASSIVE)


def call_in_progress(call_id: str, status: str, at: datetime) -> Call:
    part = f"status:{status.lower()}"
    state = STATES.get(status.upper())
    if state is None:
        return Call(call_id=call_id, parts=(part,))
    answered_at = at if state is CallState.IN_PROGRESS else None
    return Call(call_id=call_id, parts=(part,), state=state, answered_at=answered_at)


class Ending(Part):
    """What is told when a call is over."""

    status: str = ""
    timestamp: Stamp = None
    start_time: Stamp = None
    end_time: Stamp = None
    duration: int | None = Field(default=None, ge=0, lt=10**9)

    def ended_at(self, received_at: datetime) -> datetime:
        return moment(self.timestamp if self.end_time is None else self.end_time, received_at)

    def call(self, call_id: str, received_at: datetime, answered_at: datetime | None) -> Call:
        """Nobody else tells whether it was taken: where nobody picked up, nobody was reached.

        One that broke off after that is missed all the same: nobody tells that they were heard.
        """
        was_taken = answered_at is not None
        if self.status.upper() == "FAILED":
            state = CallState.FAILED
        else:
            state = CallState.COMPLETED if was_taken else CallState.NO_ANSWER
        return Call(
            call_id=call_id,
            parts=("terminate",),
            state=state,
            answered_at=answered_at,
            ended_at=self.ended_at(received_at),
            duration=self.duration if was_taken else None,
            reached_person=None if was_taken and state is CallState.FAILED else was_taken,
        )
