"""What the intake tells: a provider that it is refused, the metrics what came of a request."""

from typing import Any

from functions.webhook_intake.logic import Intake
from shared.domain.errors import (
    MissingSecret,
    PasserelleError,
    TooLarge,
    Unauthentic,
    UnknownProvider,
)
from shared.runtime.http import STATUS, problem
from shared.runtime.observability import count, logger

REFUSALS = (UnknownProvider, MissingSecret, Unauthentic, TooLarge)


def refused(error: PasserelleError) -> dict[str, Any]:
    """One line, and nothing changed. The name in the path is the caller's, so it is not logged."""
    logger().warning("webhook_refused", extra={"error": type(error).__name__, "reason": str(error)})
    return problem(STATUS[type(error)], str(error))


def measure(provider: str, intake: Intake) -> None:
    count("TouchpointsReceived", intake.received, provider=provider)
    count("TouchpointsDuplicate", intake.duplicate, provider=provider)
    count("TouchpointsQuarantined", intake.quarantined, provider=provider)
    count("RequestsHandedOver", intake.handed_over, provider=provider)
    count("RequestsNotKept", intake.not_kept, provider=provider)
