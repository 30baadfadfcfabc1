"""Logs and metrics: structured, little, and without personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, wraps
from time import time
from typing import TYPE_CHECKING, Any

from shared.domain.errors import PasserelleError

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Passerelle"

Handler = Callable[[dict[str, Any], Any], Any]

_PERSONAL = re.compile(
    r"(?P<mail>[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,5})"
    # What has as many digits and is nobody's: a UUID, a moment, an ARN, a queue's address.
    r"|(?P<kept>(?<!\w)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!\w)"
    r"|(?<![\w-])(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
    r"(?:[+-]\d\d:?\d\d)?)?(?![\d-])"
    r"|\barn:aws[\w-]*:[\w-]*:[\w-]*:\d{12}(?!\d)|\.amazonaws\.com/\d{12}/)"
    # Nine digits or more, as of a phone or a card. Those of other ids stand beside letters or after
    # a dash.
    r"|(?<![\w-])(?<!\w\.)(?:\+\s?)?\(?\d(?:[ .()-]{0,2}\d){8,18}(?!\w|-\w|\.\w)"
)


@cache
def logger() -> Logger:
    # Most invocations log nothing, and need not wait for the library.
    from aws_lambda_powertools import Logger

    return Logger(service="passerelle", utc=True, json_serializer=_serialised)


def _serialised(line: Any) -> str:
    """A line as JSON. The last line of defence: nothing personal is logged on purpose, and what an
    error's reason may bring along is hidden here.
    """
    return json.dumps(without_personal_data(line), default=str, ensure_ascii=False)


def without_personal_data(value: Any) -> Any:
    """The same with `[email]` and `[number]` for addresses and long digit runs in its texts.
    Numbers, names of fields and everything else stay.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {name: without_personal_data(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_personal_data(one) for one in value]
    return _PERSONAL.sub(_instead, str(value))


def _instead(found: re.Match[str]) -> str:
    if found["kept"]:
        return found[0]
    return "[email]" if found["mail"] else "[number]"


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
