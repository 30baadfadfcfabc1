"""Schedules that are set again."""

from datetime import timedelta
from typing import Any

from infra.local import provision
from infra.local.cloud import LocalCloud
from tests.integration.local import standins


def test_a_schedule_that_was_moved_fires_at_its_new_time(small: LocalCloud) -> None:
    client = provision.client("scheduler")

    def at(hours: int) -> dict[str, Any]:
        moment = small.clock.now() + timedelta(hours=hours)
        return {
            "Name": "moved",
            "GroupName": "small",
            "ScheduleExpression": f"at({moment:%Y-%m-%dT%H:%M:%S})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": "arn:aws:lambda:us-east-1:123456789012:function:small-timer",
                "RoleArn": "arn:aws:iam::1:role/x",
            },
        }

    client.create_schedule(**at(1))
    client.update_schedule(**at(5))
    small.advance(timedelta(hours=2))
    assert standins.given["timer"] == []
    small.advance(timedelta(hours=4))
    assert len(standins.given["timer"]) == 1
