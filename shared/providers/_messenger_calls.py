"""Calls over Messenger: one call is one touchpoint that grows (`shared.domain.call`).

They are taken and made by whatever the company connected for them; here is what is told of them.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/calling/webhooks
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from shared.domain.touchpoint import Call, CallState, Direction, Touchpoint
from shared.providers._meta import Stamp, moment
from shared.providers._meta_calls import Ending
from shared.providers._meta_events import OurAccount
from shared.providers._meta_message import Id
from shared.providers.base import ProviderId, read_model

DIRECTIONS: Mapping[str, Direction] = {
    "user_initiated": Direction.INBOUND,
    "business_initiated": Direction.OUTBOUND,
}

STATES: Mapping[str, CallState] = {
    "ringing": CallState.RINGING,
    "accepted": CallState.IN_PROGRESS,
}
"""Of a call of ours, by what the person's phone does."""


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


def call_of(account: OurAccount, original: dict[str, Any], sent_at: Stamp) -> list[Touchpoint]:
    told = read_model(Told, original)
    stated = next((one for one in (told.start_time, told.timestamp, sent_at) if one), None)
    at = moment(stated, account.received_at)
    part, direction = told.event or "told", DIRECTIONS.get(told.call_direction, Direction.PASSIVE)
    facts: dict[str, Any] = {}
    if part == "connect":
        facts["state"] = CallState.RINGING
    elif part == "terminate":
        facts = _ended(told, account)
    elif part == "call_status":
        status = told.call_status.lower()
        part, direction = f"status:{status}", Direction.OUTBOUND
        if (state := STATES.get(status)) is not None:
            facts = {"state": state, "answered_at": at if state is CallState.IN_PROGRESS else None}
    both = (told.recipient_id, told.sender, told.to)
    person = next((one for one in both if one not in {"", account.id}), "")
    content = Call(call_id=told.id, parts=(part,), **facts)
    return [account.touchpoint(told.id, at, content, direction, person)]


def _ended(told: Told, account: OurAccount) -> dict[str, Any]:
    """Without a duration we never took it."""
    ended_at = told.ended_at(account.received_at)
    answered_at = ended_at - timedelta(seconds=told.duration) if told.duration else None
    return told.facts(account.received_at, answered_at)
