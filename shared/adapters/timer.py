"""One-time schedules on EventBridge Scheduler.

Their names derive from their cause, so scheduling twice is harmless.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters.dynamo import error_code

_RETRY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


class SchedulerTimer:
    """`client` is asked for when a timer is set: most sends need none."""

    def __init__(
        self,
        client: Callable[[], Any],
        *,
        group: str,
        role_arn: str,
        target_arn: str,
        dead_letter_arn: str,
    ) -> None:
        self._client = client
        self._group = group
        self._target = {
            "Arn": target_arn,
            "RoleArn": role_arn,
            "DeadLetterConfig": {"Arn": dead_letter_arn},
            "RetryPolicy": _RETRY,
        }

    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        try:
            self._client().create_schedule(**self._parameters(name, at, payload))
        except ClientError as error:
            if error_code(error) == "ConflictException":
                return False
            raise
        return True

    def move(self, name: str, at: datetime, payload: Mapping[str, Any]) -> None:
        try:
            self._client().update_schedule(**self._parameters(name, at, payload))
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise

    def _parameters(self, name: str, at: datetime, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Name": name,
            "GroupName": self._group,
            "ScheduleExpression": f"at({_whole_second(at):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {**self._target, "Input": json.dumps(payload)},
        }


def _whole_second(at: datetime) -> datetime:
    """In UTC, rounded up: an expression knows no fractions, and a schedule must not fire early."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=0) + timedelta(seconds=1) if at.microsecond else at
