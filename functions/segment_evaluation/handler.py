"""Lambda: a profile changed, a message was understood, or a timer says that time has passed."""

from typing import Any

from functions.segment_evaluation.logic import Ports, evaluate_segments
from shared.domain.segment import EvaluationRequest
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import SegmentEvaluationSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = SegmentEvaluationSettings.read()
    ports = Ports(
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        segments=wiring.segments(settings),
        timer=wiring.timer(settings),
        policy=read_policies().segments,
        clock=wiring.clock(),
    )
    moved = evaluate_segments(EvaluationRequest.model_validate(event), ports)
    return {"moved": moved}
