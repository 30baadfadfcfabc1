"""Calls over Messenger: one call is one touchpoint that grows (`shared.domain.call`).

They are taken and made by whatever the company connected for them; here is what is told of them.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/calling/webhooks
"""

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from shared.domain.touchpoint import Call, CallState, Direction, Touchpoint
from shared.providers._meta import Stamp, moment
from shared.providers._meta_calls import Ending, call_in_progress, direction_of
from shared.providers._meta_events import OurAccount
from shared.providers._meta_message import Id
from shared.providers.base import ProviderId, read_model


class Told(Ending):
    """Who calls whom is told at the beginning only. `start_time` is when it began to ring, and
    `duration` counts from when we took it.
    """

    id: ProviderId
    event: str = Field(default="", pattern=r"^[a-z_]{0,60}$")
    sender: Id = Field(default="", alias="from")
    to: Id = ""
    call_direction: str = ""
    recipient_id: Id = ""
    call_status: str = Field(default="", pattern=r"^[A-Za-z_]{0,60}$")

    def answered_at(self, received_at: datetime) -> datetime | None:
        """Without a duration we never took it."""
        if not self.duration:
            return None
        return self.ended_at(received_at) - timedelta(seconds=self.duration)


def call_of(account: OurAccount, original: dict[str, Any], sent_at: Stamp) -> list[Touchpoint]:
    told = read_model(Told, original)
    stated = next((one for one in (told.start_time, told.timestamp, sent_at) if one), None)
    at = moment(stated, account.received_at)
    direction = direction_of(told.call_direction)
    match told.event:
        case "terminate":
            call = told.call(told.id, account.received_at, told.answered_at(account.received_at))
        case "connect":
            call = Call(call_id=told.id, parts=("connect",), state=CallState.RINGING)
        case "call_status":
            direction = Direction.OUTBOUND
            call = call_in_progress(told.id, told.call_status, at)
        case other:
            call = Call(call_id=told.id, parts=(other or "told",))
    both = (told.recipient_id, told.sender, told.to)
    person = next((one for one in both if one not in {"", account.id}), "")
    return [account.touchpoint(told.id, at, call, direction, person)]
