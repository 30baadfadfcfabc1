"""Logs and metrics: structured, little, and without personal data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from time import time
from typing import TYPE_CHECKING, Any

from shared.domain.errors import PasserelleError

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Passerelle"

Handler = Callable[[dict[str, Any], Any], Any]


@cache
def logger() -> Logger:
    # Most invocations log nothing, and need not wait for the library.
    from aws_lambda_powertools import Logger

    return Logger(service="passerelle", utc=True)


def count(fact: str, number: int = 1, **dimensions: str) -> None:
    """One business fact for CloudWatch, in its embedded metric format: a log line that becomes a
    metric.
    """
    if number == 0:
        return
    metric = {
        "Namespace": NAMESPACE,
        "Dimensions": [sorted(dimensions)],
        "Metrics": [{"Name": fact, "Unit": "Count"}],
    }
    stamp = {"Timestamp": int(time() * 1000), "CloudWatchMetrics": [metric]}
    logger().info(fact, extra={"_aws": stamp, fact: number, **dimensions})


def observed(handler: Handler) -> Handler:
    """Log what a function could not do, once, and let it rise: the caller retries, catches or
    redelivers.
    """

    @wraps(handler)
    def run(event: dict[str, Any], context: Any) -> Any:
        try:
            return handler(event, context)
        except PasserelleError as error:
            logger().warning(
                "step_refused", extra={"error": type(error).__name__, "reason": str(error)}
            )
            raise
        except Exception as error:
            # The message of a foreign exception may quote its input, so only its type is logged.
            logger().error("step_failed", extra={"error": type(error).__name__})
            raise

    return run
