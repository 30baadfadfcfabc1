"""How much the intake accepts, and how much comes all the way, over real HTTP."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from statistics import median, quantiles
from time import perf_counter
from typing import Any, NamedTuple

from infra.local.cloud import LocalCloud
from tests.bench.load import Generator, Load
from tests.bench.traffic import Mix

CONNECTIONS = 4
"""Two for each processor of the machine the goals were set for. Each sends the next webhook when it
has the answer to the last.
"""
INTAKE_TOUCHPOINTS = 6_000
"""About 2,800 requests in the default mix."""
WARM_UP_TOUCHPOINTS = 200
JOURNEY_TOUCHPOINTS = 1_000
PATIENCE = timedelta(minutes=15)


class Intake(NamedTuple):
    """`per_second` are accepted requests."""

    per_second: float
    p95_ms: float
    median_ms: float
    touchpoints_per_second: float
    requests: int
    connections: int
    providers: dict[str, int]


class Journeys(NamedTuple):
    """All of them: accepted, understood and settled."""

    per_second: float
    """Touchpoints from the first post to the moment when nothing is in flight."""
    touchpoints: int
    intake: Intake
    """The intake's own figures while the journeys run beside it."""


def without_streams(template: Mapping[str, Any]) -> dict[str, Any]:
    """The same account with its journeys held back: nothing reads the tables' streams.

    On AWS the intake shares no processor with what follows: alone it is measured as it runs there.
    """
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::Lambda::EventSourceMapping"
    }
    return {**template, "Resources": resources}


def measure_intake(
    template: Mapping[str, Any],
    mix: Mix,
    tell: Callable[[str], None],
    touchpoints: int = INTAKE_TOUCHPOINTS,
) -> Intake:
    with LocalCloud(without_streams(template)) as cloud:
        tell("intake: first requests, which are not counted")
        warm_up = _generator(cloud, mix, WARM_UP_TOUCHPOINTS, series=1).go()
        generator = _generator(cloud, mix, touchpoints, series=2)
        tell(f"intake: {touchpoints} touchpoints over {CONNECTIONS} connections")
        load = generator.go()
        _all_in(cloud, warm_up, load)
    return intake_of(load)


def measure_journeys(
    template: Mapping[str, Any],
    mix: Mix,
    tell: Callable[[str], None],
    touchpoints: int = JOURNEY_TOUCHPOINTS,
) -> Journeys:
    with LocalCloud(template) as cloud:
        tell("end to end: first touchpoints, which are not counted")
        warm_up = _generator(cloud, mix, WARM_UP_TOUCHPOINTS // 4, series=3).go()
        cloud.settle(PATIENCE)
        generator = _generator(cloud, mix, touchpoints, series=4)
        tell(f"end to end: {touchpoints} touchpoints, until nothing is in flight")
        began = perf_counter()
        load = generator.go()
        cloud.settle(PATIENCE)
        lasted = perf_counter() - began
        _all_in(cloud, warm_up, load)
        if cloud.failed_journeys or cloud.dead_letters:
            raise RuntimeError("some journeys failed")
    return Journeys(load.touchpoints / lasted, load.touchpoints, intake_of(load))


def intake_of(load: Load) -> Intake:
    return Intake(
        per_second=load.per_second,
        p95_ms=quantiles(load.latencies, n=20)[-1],
        median_ms=median(load.latencies),
        touchpoints_per_second=load.touchpoints * load.accepted / load.requests / load.seconds,
        requests=load.requests,
        connections=CONNECTIONS,
        providers=load.providers,
    )


def _generator(cloud: LocalCloud, mix: Mix, touchpoints: int, series: int) -> Generator:
    return Generator(
        cloud.url,
        cloud.secrets,
        mix=mix,
        touchpoints=touchpoints,
        connections=CONNECTIONS,
        series=series,
    )


def _all_in(cloud: LocalCloud, *loads: Load) -> None:
    """Everything was accepted, and the ledger holds each touchpoint once. Raises RuntimeError."""
    accepted = sum(one.accepted for one in loads)
    sent = sum(one.requests for one in loads)
    balance = json.loads(cloud.get("/_local/balance").body)
    expected = sum(one.touchpoints for one in loads)
    if accepted != sent or balance["duplicate"] or balance["received"] != expected:
        errors = sorted({str(one) for one in cloud.lambdas.errors})
        raise RuntimeError(f"{accepted} of {sent} accepted, {balance}, {errors}")
