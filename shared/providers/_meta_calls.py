"""How a call ended, which WhatsApp and Messenger tell alike.

https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls
https://developers.facebook.com/documentation/business-messaging/messenger-platform/calling/webhooks
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.domain.touchpoint import CallState
from shared.providers._meta import Part, Stamp, moment


class Ending(Part):
    """`status` is in capitals with WhatsApp, and is not with Messenger."""

    status: str = ""
    timestamp: Stamp = None
    start_time: Stamp = None
    end_time: Stamp = None
    duration: int | None = Field(default=None, ge=0, lt=10**9)

    def ended_at(self, received_at: datetime) -> datetime:
        return moment(self.timestamp if self.end_time is None else self.end_time, received_at)

    def facts(self, received_at: datetime, answered_at: datetime | None) -> dict[str, Any]:
        """Nobody else tells whether it was taken: where nobody picked up, nobody was reached.

        One that broke off after that is missed all the same: nobody tells that they were heard.
        """
        failed = self.status.upper() == "FAILED"
        facts: dict[str, Any] = {"ended_at": self.ended_at(received_at)}
        if answered_at is None:
            state = CallState.FAILED if failed else CallState.NO_ANSWER
            return facts | {"state": state, "reached_person": False}
        facts |= {"answered_at": answered_at, "duration": self.duration}
        if failed:
            return facts | {"state": CallState.FAILED}
        return facts | {"state": CallState.COMPLETED, "reached_person": True}
