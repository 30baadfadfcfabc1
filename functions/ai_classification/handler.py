"""Lambda: the journey's second step."""

from typing import Any

from functions.ai_classification.logic import understand
from shared.domain.journey import JourneyState
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import AiClassificationSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = AiClassificationSettings.read()
    step = understand(
        JourneyState.model_validate(event),
        ledger=wiring.ledger(settings),
        classifier=wiring.classifier(settings),
        profiles=wiring.profiles(settings),
        consents=wiring.consents(settings),
        policies=read_policies(),
        clock=wiring.clock(),
    )
    return step.handed_on()
