"""Lambda: the journey's first step."""

from typing import Any

from functions.profile_update.logic.update import update_profile
from shared.domain.journey import JourneyState
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import ProfileUpdateSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = ProfileUpdateSettings.read()
    policies = read_policies()
    step = update_profile(
        JourneyState.model_validate(event),
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        consents=wiring.consents(settings),
        policy=policies.identity,
        forms=wiring.identifier_forms(),
        segments=policies.segments,
        accounts=policies.accounts,
    )
    return step.model_dump(mode="json", exclude_none=True)
