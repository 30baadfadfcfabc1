"""Lambda: the journey's first step."""

from functools import partial
from typing import Any

from functions.profile_update.logic.batch import update_batch
from functions.profile_update.logic.update import update_profile
from shared.domain.journey import BatchState, JourneyState
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import ProfileUpdateSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = ProfileUpdateSettings.read()
    policies = read_policies()
    update = partial(
        update_profile,
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        consents=wiring.consents(settings),
        policy=policies.identity,
        forms=wiring.identifier_forms(),
        segments=policies.segments,
        accounts=policies.accounts,
    )
    if "touchpoint_ids" in event:
        return {"tied": update_batch(BatchState.model_validate(event), update)}
    step = update(JourneyState.model_validate(event))
    return step.model_dump(mode="json", exclude_none=True)
