"""What one touchpoint of each kind causes and costs, and what a mix of them does."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from infra.local.cloud import LocalCloud
from tests.bench.lambda_time import gb_seconds, journey_gb_seconds, seconds_on_lambda
from tests.bench.prices import per_million
from tests.bench.recorder import Counted, Recorder
from tests.bench.traffic import BATCH, Customer, Kind, Mix, Traffic, Webhook, signed

SAMPLES = 60
"""Touchpoints of each kind: a multiple of ten for the batches, and of three and four for the ways
in which the others come.
"""
NEW_CUSTOMERS = 10
"""One customer in so many is heard of for the first time. A chat visitor always is."""
UNTIL_THE_LAST_FOLLOW_UP = timedelta(days=6)
STEPS = {"profile_update", "ai_classification", "ticket_creation", "follow_up_scheduling"}


class Cost(NamedTuple):
    """Of one touchpoint, on average."""

    write_units: float
    read_units: float
    aws_calls: float
    transitions: float
    gb_seconds: float
    """As the handlers ran here, alone."""
    gb_seconds_on_lambda: float
    """With the processor's share that the memory buys, and with waiting for AWS."""
    quantities: Mapping[str, float]
    units_by_function: Mapping[str, Mapping[str, float]]
    calls_by_function: Mapping[str, Mapping[str, float]]

    @property
    def usd_per_million(self) -> dict[str, float]:
        return per_million(self.quantities)


def measure(
    template: Mapping[str, Any], tell: Callable[[str], None], samples: int = SAMPLES
) -> dict[Kind, Cost]:
    """Each kind in a cloud of its own, one webhook at a time and settled before the next.

    So each change reaches `event_publishing` alone, which is the dearest case.
    """
    return {kind: _measure(kind, template, tell, samples) for kind in Kind}


def _measure(
    kind: Kind, template: Mapping[str, Any], tell: Callable[[str], None], samples: int
) -> Cost:
    number = max(1, samples // BATCH) if kind is Kind.PASSIVE_IN_BATCH else samples
    tell(f"cost of {kind}: {number} webhooks, one at a time")
    with recorded_cloud(template) as (cloud, recorder):
        memory = {one.name.rpartition("-")[2]: one.memory_mb for one in cloud.lambdas.all()}
        traffic = Traffic(cloud.url)
        webhooks = _prepare(kind, cloud, traffic, number)
        _warm_up(kind, cloud, traffic)
        with recorder.recording() as counted:
            for webhook in webhooks:
                post(cloud, webhook)
            if kind is Kind.MESSAGE_THAT_OPENS:
                cloud.advance(UNTIL_THE_LAST_FOLLOW_UP)
        _check(kind, cloud, counted, number)
    return cost_of(counted, memory, sum(one.touchpoints for one in webhooks))


@contextmanager
def recorded_cloud(template: Mapping[str, Any]) -> Iterator[tuple[LocalCloud, Recorder]]:
    """On a working day in the morning, whatever day the bench runs, as policies know the hour."""
    with TemporaryDirectory() as folder:
        log_file = Path(folder) / "functions.log"
        with LocalCloud(template, log_file=log_file) as cloud:
            cloud.advance_to(_tuesday_morning(cloud.clock.now()))
            yield cloud, Recorder(cloud, log_file)


def _tuesday_morning(now: datetime) -> datetime:
    paris = ZoneInfo("Europe/Paris")
    day = now.astimezone(paris).date() + timedelta(days=1)
    while day.isoweekday() != 2:
        day += timedelta(days=1)
    return datetime.combine(day, time(10), paris).astimezone(UTC)


def post(cloud: LocalCloud, webhook: Webhook) -> None:
    """Send it and settle. Raises RuntimeError where it is not accepted."""
    call = signed(webhook, cloud.secrets, datetime.now(UTC))
    answer = cloud.post(call.url.removeprefix(cloud.url), call.body, call.headers)
    if answer.status != 200:
        raise RuntimeError(f"{webhook.provider} got {answer.status}")
    cloud.settle()


def _prepare(kind: Kind, cloud: LocalCloud, traffic: Traffic, number: int) -> list[Webhook]:
    """What will be recorded, once all customers but one in ten have been heard of."""
    now = cloud.clock.now()
    customers = traffic.customers(number * (BATCH if kind is Kind.PASSIVE_IN_BATCH else 1))
    known = [one for at, one in enumerate(customers) if at % NEW_CUSTOMERS]
    match kind:
        case Kind.PASSIVE_IN_BATCH:
            for some in _tens(known):
                post(cloud, traffic.batch(some, now))
            return [traffic.batch(some, now) for some in _tens(customers)]
        case Kind.PASSIVE_SINGLE:
            for one in customers:
                # Asked for all, so that each customer is heard of in the same way both times.
                before = traffic.passive(one, now)
                if one in known:
                    post(cloud, before)
            return [traffic.passive(one, now) for one in customers]
        case Kind.MESSAGE_THAT_JOINS:
            for one in customers:
                post(cloud, traffic.opening(one, now - timedelta(minutes=5)))
            return [traffic.joining(one, now) for one in customers]
        case Kind.MESSAGE_THAT_OPENS:
            for one in known:
                post(cloud, traffic.purchase(one, now))
            return [traffic.opening(one, now) for one in customers]


def _tens(customers: list[Customer]) -> list[list[Customer]]:
    return [customers[start : start + BATCH] for start in range(0, len(customers), BATCH)]


def _warm_up(kind: Kind, cloud: LocalCloud, traffic: Traffic) -> None:
    """Secrets are read and models are built once in the life of an instance."""
    now = cloud.clock.now()
    for _ in range(4):
        customer = traffic.customer()
        post(cloud, traffic.opening(customer, now - timedelta(minutes=5)))
        post(cloud, traffic.joining(customer, now))
    for _ in range(3):
        post(cloud, traffic.passive(traffic.customer(), now))
    post(cloud, traffic.batch(traffic.customers(BATCH), now))
    if kind is Kind.MESSAGE_THAT_OPENS:
        cloud.advance(UNTIL_THE_LAST_FOLLOW_UP)


def _check(kind: Kind, cloud: LocalCloud, counted: Counted, number: int) -> None:
    """That it was what it is called. Raises RuntimeError."""
    opened = counted.invocations["follow_up_scheduling"]
    understood = counted.invocations["ai_classification"]
    expected = {
        Kind.PASSIVE_IN_BATCH: (0, 0),
        Kind.PASSIVE_SINGLE: (0, 0),
        Kind.MESSAGE_THAT_JOINS: (0, number),
        Kind.MESSAGE_THAT_OPENS: (number, number),
    }[kind]
    if (opened, understood) != expected:
        raise RuntimeError(
            f"{kind}: {opened} of {number} were scheduled and {understood} understood, "
            f"expected {expected}"
        )
    if kind is Kind.MESSAGE_THAT_OPENS and counted.schedules_fired < 2 * number:
        raise RuntimeError(f"only {counted.schedules_fired} follow-ups of {number} tickets fired")
    if cloud.failed_journeys or cloud.dead_letters:
        raise RuntimeError(f"{kind}: something failed on the way")


def cost_of(counted: Counted, memory_mb: Mapping[str, int], touchpoints: int) -> Cost:
    """`memory_mb` is by function. `touchpoints` is how many the whole recording is shared by."""
    seconds = seconds_on_lambda(counted, memory_mb)
    spent = gb_seconds(seconds, memory_mb)
    quantities = {
        "http_requests": counted.http_requests,
        "invocations": counted.invocations.total(),
        "gb_seconds": spent,
        "write_units": counted.write_units,
        "read_units": counted.read_units,
        "events": counted.events,
        "event_bytes": counted.event_bytes,
        "schedules_fired": counted.schedules_fired,
        "executions": counted.executions,
        "execution_gb_seconds": journey_gb_seconds(counted, seconds, STEPS),
        "s3_puts": counted.calls_of("s3", "PutObject"),
        "sqs_requests": counted.calls_of("sqs"),
        "secret_reads": counted.calls_of("secretsmanager"),
        "log_bytes": counted.log_bytes,
    }
    calls: dict[str, dict[str, float]] = {}
    for (function, service, operation), each in sorted(counted.aws_calls.items()):
        calls.setdefault(function, {})[f"{service}:{operation}"] = each / touchpoints
    return Cost(
        write_units=counted.write_units / touchpoints,
        read_units=counted.read_units / touchpoints,
        aws_calls=counted.aws_calls.total() / touchpoints,
        transitions=counted.transitions / touchpoints,
        gb_seconds=gb_seconds(counted.seconds, memory_mb) / touchpoints,
        gb_seconds_on_lambda=spent / touchpoints,
        quantities={name: quantity / touchpoints for name, quantity in quantities.items()},
        units_by_function={
            name: {"write": units.write / touchpoints, "read": units.read / touchpoints}
            for name, units in counted.units.items()
        },
        calls_by_function=calls,
    )


def mixed(costs: Mapping[Kind, Cost], mix: Mix) -> Cost:
    """The average touchpoint of a mix."""

    def average(figures: Callable[[Cost], Mapping[str, float]]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for kind, cost in costs.items():
            for name, figure in figures(cost).items():
                sums[name] = sums.get(name, 0.0) + mix[kind] * figure
        return sums

    single = average(
        lambda cost: {
            name: getattr(cost, name)
            for name in Cost._fields
            if isinstance(getattr(cost, name), int | float)
        }
    )
    functions = sorted({name for cost in costs.values() for name in cost.calls_by_function})
    return Cost(
        **single,
        quantities=average(lambda cost: cost.quantities),
        units_by_function={
            name: average(lambda cost, name=name: cost.units_by_function.get(name, {}))  # type: ignore[misc]
            for name in functions
        },
        calls_by_function={
            name: average(lambda cost, name=name: cost.calls_by_function.get(name, {}))  # type: ignore[misc]
            for name in functions
        },
    )
