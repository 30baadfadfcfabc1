"""Everything that costs money, counted while the local cloud runs.

The calls are those the functions and the state machine really make. Their units are reckoned from
the items before and after; looking at them is not counted, and its time is taken off again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from infra.local import provision
from infra.local.cloud import LocalCloud
from infra.local.tables import Refused
from infra.local.wire import TIME_TO_LIVE, Answer, calling_function
from tests.bench.dynamodb_calls import read_price, refusal_price, targets, write_price
from tests.bench.dynamodb_units import Item, Table, Units

JOURNEY = "touchpoint_journey"
"""The state machine, where a function's name is asked for."""
WRITER_THREADS = "webhook_intake"
"""Calls whose thread belongs to no invocation: the ledger writes a batch in threads of its own."""
LOG_OVERHEAD = 26
"""Bytes that CloudWatch Logs adds to each line it bills."""


@dataclass
class Counted:
    """By function, where it says so; a function is named without the stack's prefix."""

    http_requests: int = 0
    invocations: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """By function: how long its invocations took here, alone on the machine."""
    answering: dict[str, float] = field(default_factory=dict)
    """By function: the part of that in which the local cloud answered in AWS's place."""
    aws_calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By function, service and operation."""
    units: dict[str, Units] = field(default_factory=dict)
    """By function."""
    executions: int = 0
    transitions: int = 0
    events: int = 0
    event_bytes: int = 0
    schedules_fired: int = 0
    provider_requests: int = 0
    log_lines: int = 0
    log_bytes: int = 0

    @property
    def write_units(self) -> float:
        return sum(one.write for one in self.units.values())

    @property
    def read_units(self) -> float:
        return sum(one.read for one in self.units.values())

    def calls_of(self, service: str, *operations: str) -> int:
        return sum(
            number
            for (_, of, operation), number in self.aws_calls.items()
            if of == service and (not operations or operation in operations)
        )


class Recorder:
    """One for each local cloud. Nothing else may happen in it while `recording`."""

    def __init__(self, cloud: LocalCloud, log_file: Path) -> None:
        """`log_file` is the one the cloud was given."""
        self._cloud = cloud
        self._log_file = log_file
        self._prefix = _shared_prefix([one.name for one in cloud.lambdas.all()])
        describe = provision.client("dynamodb").describe_table
        self._tables = {
            name: Table.read(describe(TableName=name)["Table"]) for name in cloud.made.tables
        }
        self._is_on = False
        self._units: dict[str, Units] = {}
        self._answering: dict[str, float] = defaultdict(float)
        self._looking: dict[str, float] = defaultdict(float)
        self._events: list[int] = []
        cloud.bus.listeners.append(lambda event: self._events.append(len(str(event["detail"]))))
        self._tables_answer = cloud.wire.answers["dynamodb"]
        for service, answer in list(cloud.wire.answers.items()):
            whole = self._dynamodb if service == "dynamodb" else answer
            cloud.wire.answers[service] = self._timed(whole)

    @contextmanager
    def recording(self) -> Iterator[Counted]:
        """Fills what it yields, when the block ends and nothing is in flight any more."""
        cloud, counted = self._cloud, Counted()
        cloud.settle()
        cloud.meter.reset()
        for tally in (self._units, self._answering, self._looking, self._events):
            tally.clear()
        flown, waiting = cloud.flight.seen(), len(cloud.timers.waiting())
        sent, logged = len(cloud.outbox.all()), self._log_file.stat().st_size
        self._is_on = True
        try:
            yield counted
            cloud.settle()
        finally:
            self._is_on = False
        meter = cloud.meter
        counted.http_requests = meter.facts["gateway_requests"]
        counted.transitions = meter.facts["transitions"]
        counted.executions = (cloud.flight.seen() - flown)["journeys"]
        counted.invocations = Counter({self._name(k): n for k, n in meter.invocations.items()})
        counted.answering = dict(self._answering)
        counted.seconds = {
            self._name(name): seconds - self._looking[self._name(name)]
            for name, seconds in meter.seconds.items()
        }
        for (function, service, operation), number in meter.calls.items():
            if function == TIME_TO_LIVE:
                continue
            counted.aws_calls[self._name(function), service, operation] += number
        counted.units = dict(self._units)
        counted.events, counted.event_bytes = len(self._events), sum(self._events)
        created = counted.calls_of("scheduler", "CreateSchedule")
        counted.schedules_fired = waiting + created - len(cloud.timers.waiting())
        mails = counted.calls_of("sesv2", "SendEmail")
        counted.provider_requests = len(cloud.outbox.all()) - sent - mails
        with self._log_file.open("rb") as file:
            file.seek(logged)
            lines = file.read().splitlines()
        counted.log_lines = len(lines)
        counted.log_bytes = sum(len(line) + LOG_OVERHEAD for line in lines)

    def _name(self, function: str) -> str:
        return function.removeprefix(self._prefix) or WRITER_THREADS

    def _timed(self, answer: Answer) -> Answer:
        def timed(operation: str, parameters: Mapping[str, Any]) -> Any:
            began = perf_counter()
            try:
                return answer(operation, parameters)
            finally:
                name = self._name(calling_function.get())
                self._answering[name] += perf_counter() - began

        return timed

    def _dynamodb(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Any] | None:
        if not self._is_on or calling_function.get() == TIME_TO_LIVE:
            return self._tables_answer(operation, parameters)
        with self._not_counted():
            aims = targets(operation, parameters, self._tables, self._look)
        try:
            answered = self._tables_answer(operation, parameters)
        except Refused:
            self._charge(refusal_price(operation, aims, self._tables))
            raise
        if answered is None:
            raise NotImplementedError(f"the local cloud does not answer {operation} by itself")
        with self._not_counted():
            if aims:
                units = write_price(operation, aims, self._tables, self._look)
            else:
                units = read_price(operation, parameters, answered[0])
        self._charge(units)
        return answered

    def _look(self, table: str, key: Mapping[str, Any]) -> Item | None:
        asked = {"TableName": table, "Key": key, "ConsistentRead": True}
        answered = self._tables_answer("GetItem", asked)
        assert answered is not None
        item: Item | None = answered[0].get("Item")
        return item

    @contextmanager
    def _not_counted(self) -> Iterator[None]:
        began = perf_counter()
        yield
        taken = perf_counter() - began
        name = self._name(calling_function.get())
        self._looking[name] += taken
        self._answering[name] -= taken

    def _charge(self, units: Units) -> None:
        name = self._name(calling_function.get())
        self._units[name] = self._units.get(name, Units()).plus(units)


def _shared_prefix(names: list[str]) -> str:
    """`passerelle-` of `passerelle-webhook_intake` and its like."""
    return names[0].rpartition("-")[0] + "-"
