"""How long a handler would run on Lambda, from how long it ran here.

Here AWS's answers come at once from the same process, and the handler has a whole processor. On
Lambda it has the share its memory buys, and waits for every answer. The first half of this is
measured, the second is assumed, in the table below.
"""

from collections.abc import Mapping
from math import ceil

from tests.bench.recorder import JOURNEY, Counted

WHOLE_PROCESSOR_MB = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html. That one processor of
Lambda is as fast as one of this machine is assumed too.
"""

WAITS: Mapping[tuple[str, str], float] = {
    ("dynamodb", "TransactWriteItems"): 0.012,
    ("dynamodb", ""): 0.005,
    ("events", ""): 0.020,
    ("scheduler", ""): 0.050,
    ("s3", ""): 0.040,
    ("secretsmanager", ""): 0.020,
    ("sesv2", ""): 0.100,
    ("sqs", ""): 0.010,
}
"""Seconds that a function in the same region waits for an answer, assumed in 2026-11 on the high
side, by service and operation.
"""
PROVIDER_WAIT = 0.300
"""Seconds until a provider's API has taken a message."""
STEP = 0.005
"""Seconds that Step Functions takes for a state of its own."""
EXPRESS_STEP_SECONDS, EXPRESS_STEP_GB = 0.1, 64 / 1024


def seconds_on_lambda(counted: Counted, memory_mb: Mapping[str, int]) -> dict[str, float]:
    """By function, of all its invocations together."""
    return {
        name: _computing(counted, name) / min(1, memory_mb[name] / WHOLE_PROCESSOR_MB)
        + waiting(counted, name)
        for name in counted.seconds
    }


def gb_seconds(seconds: Mapping[str, float], memory_mb: Mapping[str, int]) -> float:
    return sum(spent * memory_mb[name] / 1024 for name, spent in seconds.items())


def journey_gb_seconds(counted: Counted, seconds: Mapping[str, float], steps: set[str]) -> float:
    """Of the Express executions. Each is taken to last as long as all of them do on average."""
    if not counted.executions:
        return 0.0
    lasted = (
        sum(seconds.get(step, 0.0) for step in steps)
        + waiting(counted, JOURNEY)
        + counted.transitions * STEP
    ) / counted.executions
    billed = ceil(lasted / EXPRESS_STEP_SECONDS) * EXPRESS_STEP_SECONDS
    return counted.executions * billed * EXPRESS_STEP_GB


def _computing(counted: Counted, name: str) -> float:
    return max(0.0, counted.seconds[name] - counted.answering.get(name, 0.0))


def waiting(counted: Counted, name: str) -> float:
    """For AWS and for providers, one call after the other."""
    calls = sum(
        number * (WAITS.get((service, operation)) or WAITS[service, ""])
        for (function, service, operation), number in counted.aws_calls.items()
        if function == name
    )
    sends = name == "follow_up_delivery"
    return calls + (counted.provider_requests * PROVIDER_WAIT if sends else 0.0)
