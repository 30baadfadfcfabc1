"""The journey's first step as the state machine reads it."""

from shared.domain.journey import ProfileStep
from shared.domain.model import ProfileId
from shared.domain.touchpoint import Touchpoint

NOBODY = ProfileId("")


def step_of(touchpoint: Touchpoint, profile_ids: tuple[ProfileId, ...], why: str) -> ProfileStep:
    next_step = "ai_classification" if touchpoint.needs_understanding else "nothing"
    return ProfileStep.model_validate(
        {
            "profile_id": profile_ids[0] if profile_ids else NOBODY,
            "profile_ids": profile_ids,
            "next_step": next_step,
            "why": why,
        }
    )
