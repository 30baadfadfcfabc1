"""One-time schedules on EventBridge Scheduler."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from shared.adapters.timer import SchedulerTimer

GROUP = "passerelle"
NAME = "0e8333f2-a1f9-575e-8674-95571540b4ad-0"
DUE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PAYLOAD = {"ticket_id": "t-1", "follow_up_id": "f-1"}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        scheduler = boto3.client("scheduler")
        scheduler.create_schedule_group(Name=GROUP)
        yield scheduler


@pytest.fixture
def timer(client: Any) -> SchedulerTimer:
    return SchedulerTimer(
        lambda: client,
        group=GROUP,
        role_arn="arn:aws:iam::123456789012:role/timer",
        target_arn="arn:aws:lambda:eu-west-1:123456789012:function:follow_up_delivery",
        dead_letter_arn="arn:aws:sqs:eu-west-1:123456789012:dead",
    )


def schedule(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.get_schedule(GroupName=GROUP, Name=NAME)
    return found


def test_it_fires_once_at_its_time_and_is_gone(client: Any, timer: SchedulerTimer) -> None:
    assert timer.schedule(NAME, DUE, PAYLOAD) is True
    made = schedule(client)
    assert made["ScheduleExpression"] == "at(2026-11-24T12:00:00)"
    assert made["ScheduleExpressionTimezone"] == "UTC"
    assert made["ActionAfterCompletion"] == "DELETE"
    assert made["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert json.loads(made["Target"]["Input"]) == PAYLOAD


def test_what_cannot_be_delivered_is_tried_for_a_day_and_then_kept(
    client: Any, timer: SchedulerTimer
) -> None:
    timer.schedule(NAME, DUE, PAYLOAD)
    target = schedule(client)["Target"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == timedelta(days=1).total_seconds()
    assert target["DeadLetterConfig"]["Arn"].endswith(":dead")


@pytest.mark.parametrize(
    ("at", "expression"),
    [
        (DUE.astimezone(timezone(timedelta(hours=5, minutes=30))), "at(2026-11-24T12:00:00)"),
        (DUE + timedelta(microseconds=1), "at(2026-11-24T12:00:01)"),
        (DUE - timedelta(microseconds=1), "at(2026-11-24T12:00:00)"),
    ],
)
def test_it_never_fires_before_its_time(
    client: Any, timer: SchedulerTimer, at: datetime, expression: str
) -> None:
    timer.schedule(NAME, at, PAYLOAD)
    assert schedule(client)["ScheduleExpression"] == expression


def test_scheduling_twice_leaves_the_first(client: Any, timer: SchedulerTimer) -> None:
    timer.schedule(NAME, DUE, PAYLOAD)
    assert timer.schedule(NAME, DUE + timedelta(hours=1), PAYLOAD) is False
    assert schedule(client)["ScheduleExpression"] == "at(2026-11-24T12:00:00)"


def test_moving_changes_the_time_and_nothing_else(client: Any, timer: SchedulerTimer) -> None:
    timer.schedule(NAME, DUE, PAYLOAD)
    before = schedule(client)
    timer.move(NAME, DUE - timedelta(hours=1), PAYLOAD)
    after = schedule(client)
    assert after["ScheduleExpression"] == "at(2026-11-24T11:00:00)"
    assert after["Target"] == before["Target"]
    assert after["ActionAfterCompletion"] == "DELETE"


def test_what_has_fired_stays_gone(client: Any, timer: SchedulerTimer) -> None:
    timer.move(NAME, DUE, PAYLOAD)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        schedule(client)


@pytest.mark.parametrize("operation", ["create_schedule", "update_schedule"])
def test_any_other_trouble_rises(client: Any, timer: SchedulerTimer, operation: str) -> None:
    act = timer.schedule if operation == "create_schedule" else timer.move
    with Stubber(client) as stub:
        stub.add_client_error(operation, "ThrottlingException", http_status_code=429)
        with pytest.raises(ClientError, match="Throttling"):
            act(NAME, DUE, PAYLOAD)
