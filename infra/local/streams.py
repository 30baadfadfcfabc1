"""DynamoDB streams and event source mappings: each table's changes, in order, to a function."""

import json
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Condition, Thread
from typing import Any

from moto.events.models import EventPattern

from infra.local.clock import VirtualClock
from infra.local.flight import Flight
from infra.local.lambdas import FunctionError, Lambdas
from infra.local.tables import Change
from infra.local.template import REGION

KIND = "changes"
_FIRST_SEQUENCE_NUMBER = 1_100_000_000_017_454_423_009


@dataclass(frozen=True)
class EventSource:
    """An event source mapping of the template, as far as it is honoured here."""

    stream_arn: str
    function_arn: str
    batch_size: int
    patterns: tuple[str, ...]
    retries: int
    reports_failures: bool
    dead_letter_arn: str | None

    @classmethod
    def read(cls, properties: Mapping[str, Any], function_arn: str) -> "EventSource":
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        dead_letters = properties.get("DestinationConfig", {}).get("OnFailure", {})
        retries = properties.get("MaximumRetryAttempts", -1)
        return cls(
            stream_arn=properties["EventSourceArn"],
            function_arn=function_arn,
            batch_size=properties.get("BatchSize", 100),
            patterns=tuple(one["Pattern"] for one in filters),
            retries=retries if retries >= 0 else 10_000,
            reports_failures="ReportBatchItemFailures"
            in properties.get("FunctionResponseTypes", []),
            dead_letter_arn=dead_letters.get("Destination"),
        )


class Stream:
    """One mapping at work: a thread that hands batches to the function, and the failed ones again.

    A record that still fails after its retries goes to the dead-letter queue; the next has its
    turn.
    """

    def __init__(
        self,
        mapping: EventSource,
        *,
        lambdas: Lambdas,
        flight: Flight,
        clock: VirtualClock,
        dead_letter: Callable[[str, Any], None],
        pause: Callable[[float], None],
    ) -> None:
        self._mapping = mapping
        self._lambdas = lambdas
        self._flight = flight
        self._clock = clock
        self._dead_letter = dead_letter
        self._pause = pause
        self._patterns = [EventPattern.load(text) for text in mapping.patterns]
        self._numbers = count(_FIRST_SEQUENCE_NUMBER)
        self._waiting: deque[dict[str, Any]] = deque()
        self._arrived = Condition()
        self._ended = False
        self._thread = Thread(target=self._work, name=f"stream {mapping.stream_arn}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        with self._arrived:
            self._ended = True
            self._arrived.notify()
        self._thread.join()

    def add(self, change: Change) -> None:
        """Called as the write happens, so that the order of records is the order of writes."""
        self.add_record(
            stream_record(change, self._mapping.stream_arn, next(self._numbers), self._clock)
        )

    def add_record(self, record: Any) -> None:
        if self._patterns and not any(one.matches_event(record) for one in self._patterns):
            return
        self._flight.take_off(KIND)
        with self._arrived:
            self._waiting.append(record)
            self._arrived.notify()

    def _work(self) -> None:
        while batch := self._next_batch():
            self._deliver(batch)
            self._flight.land(KIND, len(batch))

    def _next_batch(self) -> list[dict[str, Any]]:
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._ended)
            if self._ended:
                return []
            size = min(self._mapping.batch_size, len(self._waiting))
            return [self._waiting.popleft() for _ in range(size)]

    def _deliver(self, batch: Sequence[dict[str, Any]]) -> None:
        attempt = 0
        while batch and not self._ended:
            left = self._try(batch)
            # A batch that moved on has its retries anew, as its first record is another one.
            attempt = attempt + 1 if len(left) == len(batch) else 0
            if attempt > self._mapping.retries:
                if self._mapping.dead_letter_arn:
                    self._dead_letter(self._mapping.dead_letter_arn, left[0])
                left, attempt = left[1:], 0
            elif left:
                self._pause(min(0.1 * 2**attempt, 5))
            batch = left

    def _try(self, batch: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """The records that have to be tried again: those from the first that failed."""
        try:
            answer = self._lambdas.invoke(self._mapping.function_arn, {"Records": batch})
        except FunctionError:
            return batch
        if not self._mapping.reports_failures or not isinstance(answer, dict):
            return []
        failed = {one["itemIdentifier"] for one in answer.get("batchItemFailures") or []}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        first = next((at for at, number in enumerate(numbers) if number in failed), None)
        if first is None:
            # An identifier that is not in the batch fails the whole batch, as on AWS.
            return batch if failed else []
        return batch[first:]


def stream_record(
    change: Change, stream_arn: str, number: int, clock: VirtualClock
) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"""
    images = {"OldImage": change.before, "NewImage": change.after}
    name = "INSERT" if change.before is None else "REMOVE" if change.after is None else "MODIFY"
    return {
        "eventID": f"{number:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": clock.now().timestamp(),
            "Keys": change.keys,
            "SequenceNumber": str(number),
            "SizeBytes": len(json.dumps(change.keys)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{key: as_json(image) for key, image in images.items() if image is not None},
        },
        "eventSourceARN": stream_arn,
    }


def as_json(value: Any) -> Any:
    """Bytes as Base64, as a function gets them."""
    match value:
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {key: as_json(one) for key, one in value.items()}
        case list():
            return [as_json(one) for one in value]
        case _:
            return value
