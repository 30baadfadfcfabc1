"""Lambda: the journey's fourth step, and what follows an agent's reply."""

from typing import Any

from functions.follow_up_scheduling.logic import schedule_follow_ups
from shared.domain.journey import SchedulingRequest
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import FollowUpSchedulingSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = FollowUpSchedulingSettings.read()
    promised = schedule_follow_ups(
        SchedulingRequest.model_validate(event),
        tickets=wiring.tickets(settings),
        timer=wiring.timer(settings),
        policies=read_policies(),
        clock=wiring.clock(),
    )
    return {"follow_ups": promised}
