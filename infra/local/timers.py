"""EventBridge Scheduler: moto keeps the schedules; here they fire, by the local cloud's clock.

What providers tell us later waits on the same clock.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Condition, Thread
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.scheduler.models import Schedule, scheduler_backends

from infra.local.clock import VirtualClock
from infra.local.tables import Refused, Units
from infra.local.template import ACCOUNT, REGION

_AT = re.compile(r"^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$")
_FIELDS = {
    "description": "Description",
    "end_date": "EndDate",
    "flexible_time_window": "FlexibleTimeWindow",
    "group_name": "GroupName",
    "kms_key_arn": "KmsKeyArn",
    "name": "Name",
    "schedule_expression": "ScheduleExpression",
    "schedule_expression_timezone": "ScheduleExpressionTimezone",
    "start_date": "StartDate",
    "state": "State",
    "target": "Target",
}
_LONGEST_NAME = 64


class Due(NamedTuple):
    """A schedule that will fire: when, its name and group, its target and what it carries."""

    at: datetime
    name: str
    group: str
    arn: str
    input: Any


class Timers:
    """`fire` hands a due schedule's input to its target and returns at once."""

    def __init__(self, clock: VirtualClock, fire: Callable[[Due], None]) -> None:
        self._clock = clock
        self._fire = fire
        self._changed = Condition()
        self._ended = False
        self._held = 0
        self._calls: dict[str, tuple[Due, Callable[[], None]]] = {}
        self._thread = Thread(target=self._work, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def answer(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Units] | None:
        """CreateSchedule and UpdateSchedule on moto's own schedules; the rest is moto's."""
        if operation not in {"CreateSchedule", "UpdateSchedule"}:
            return None
        backend = scheduler_backends[ACCOUNT][REGION]
        given: dict[str, Any] = {field: parameters.get(name) for field, name in _FIELDS.items()}
        # An update that names no state enables the schedule; moto would leave it without one.
        given["state"] = parameters.get("State", "ENABLED")
        if len(parameters["Name"]) > _LONGEST_NAME:
            raise Refused("ValidationException", "name must have length less than or equal to 64")
        _due_at(
            parameters["ScheduleExpression"], parameters.get("ScheduleExpressionTimezone", "UTC")
        )
        if parameters.get("GroupName", "default") not in backend.schedule_groups:
            raise Refused("ResourceNotFoundException", "Schedule group does not exist.")
        try:
            if operation == "CreateSchedule":
                given["action_after_completion"] = parameters.get("ActionAfterCompletion")
                schedule = backend.create_schedule(**given)
            else:
                schedule = backend.update_schedule(**given)
        except (JsonRESTError, ServiceException) as error:
            code = getattr(error, "error_type", None) or getattr(error, "code", "")
            raise Refused(str(code), str(error.message)) from None
        with self._changed:
            self._changed.notify_all()
        return {"ScheduleArn": schedule.arn}, Units()

    def add(self, due: Due, work: Callable[[], None]) -> None:
        """Something that is no schedule of ours; `work` starts it and returns at once."""
        with self._changed:
            self._calls[due.name] = (due, work)
            self._changed.notify_all()

    def waiting(self) -> list[Due]:
        """All that has not fired, the next first."""
        groups = list(scheduler_backends[ACCOUNT][REGION].schedule_groups.values())
        schedules = [
            _due(schedule)
            for group in groups
            for schedule in list(group.schedules.values())
            if schedule.state == "ENABLED"
        ]
        with self._changed:
            calls = [due for due, _ in self._calls.values()]
        return sorted([*schedules, *calls], key=lambda one: one[:3])

    def fire_next(self, until: datetime) -> Due | None:
        """Fire the next thing that is due by `until`; None where there is none."""
        with self._changed:
            due = next((one for one in self.waiting() if one.at <= until), None)
            if due is None:
                return None
            if due.name in self._calls:
                _, work = self._calls.pop(due.name)
                work()
                return due
            group = scheduler_backends[ACCOUNT][REGION].schedule_groups[due.group]
            # Without ActionAfterCompletion a one-time schedule stays, and never fires again.
            if group.schedules[due.name].action_after_completion == "DELETE":
                group.delete_schedule(due.name)
            else:
                group.schedules[due.name].state = "DISABLED"
        self._fire(due)
        return due

    def hold(self) -> None:
        """Nothing fires by itself until `release`: somebody else moves the clock."""
        with self._changed:
            self._held += 1

    def release(self) -> None:
        with self._changed:
            self._held -= 1
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._ended:
                    return
                waiting = [] if self._held else self.waiting()
                due = waiting[0].at - self._clock.now() if waiting else timedelta(hours=1)
                if due > timedelta(0):
                    self._changed.wait(min(due.total_seconds(), 3600))
                    continue
            self.fire_next(self._clock.now())


def _due(schedule: Schedule) -> Due:
    target = schedule.target
    return Due(
        at=_due_at(schedule.schedule_expression, schedule.schedule_expression_timezone),
        name=schedule.name,
        group=schedule.group_name,
        arn=target["Arn"],
        input=json.loads(target.get("Input", "{}")),
    )


@lru_cache(maxsize=10_000)
def _due_at(expression: str, time_zone: str) -> datetime:
    """Only `at(…)`: the house sets one-time schedules and no other."""
    if not (found := _AT.match(expression)):
        raise Refused("ValidationException", f"Invalid Schedule Expression {expression}.")
    return datetime.fromisoformat(found[1]).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
