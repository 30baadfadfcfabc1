"""Streams, bus, state machine, asynchronous invocations and timers, on a small template."""

import json
from datetime import timedelta
from typing import Any

import pytest

from infra.local import provision
from infra.local.cloud import LocalCloud
from infra.local.template import TemplateError
from tests.integration.local import standins
from tests.integration.local.conftest import TEMPLATE

TIMER = "arn:aws:lambda:us-east-1:123456789012:function:small-timer"


def _write(*ids: str) -> None:
    for id_ in ids:
        provision.client("dynamodb").put_item(
            TableName="small-things", Item={"id": {"S": id_}, "event": {"S": "x"}}
        )


def _put_event(kind: str, **data: Any) -> dict[str, Any]:
    answer: dict[str, Any] = provision.client("events").put_events(
        Entries=[
            {
                "Source": "test",
                "DetailType": kind,
                "Detail": json.dumps({"data": data}),
                "EventBusName": "small",
            }
        ]
    )
    return answer


def _schedule(small: LocalCloud, name: str, after: timedelta, **more: Any) -> None:
    at = small.clock.now() + after
    provision.client("scheduler").create_schedule(
        Name=name,
        GroupName="small",
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": TIMER, "RoleArn": "arn:aws:iam::1:role/x", "Input": f'{{"fired":"{name}"}}'},
        **more,
    )


def _outcome(id_: str) -> str:
    answer = provision.client("dynamodb").get_item(TableName="small-things", Key={"id": {"S": id_}})
    return str(answer["Item"]["outcome"]["S"])


def test_a_write_without_an_event_costs_no_invocation(small: LocalCloud) -> None:
    provision.client("dynamodb").put_item(TableName="small-things", Item={"id": {"S": "a"}})
    small.settle()
    assert standins.given["publisher"] == []


def test_a_failed_record_comes_again_with_all_behind_it_and_none_before(small: LocalCloud) -> None:
    failed_once: list[str] = []

    def publish(event: dict[str, Any]) -> dict[str, Any]:
        for record in event["Records"]:
            if record["dynamodb"]["Keys"]["id"]["S"] == "b" and not failed_once:
                failed_once.append("b")
                number = record["dynamodb"]["SequenceNumber"]
                return {"batchItemFailures": [{"itemIdentifier": number}]}
        return {"batchItemFailures": []}

    standins.answers["publisher"] = publish
    _write("a", "b", "c")
    small.settle()
    batches = [
        [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
        for event in standins.given["publisher"]
    ]
    seen = [id_ for batch in batches for id_ in batch]
    assert seen.count("a") == 1
    assert seen.count("b") == 2
    assert seen[-1] == "c"


def test_what_never_succeeds_is_a_dead_letter_and_the_next_has_its_turn(small: LocalCloud) -> None:
    def publish(event: dict[str, Any]) -> dict[str, Any]:
        if any(one["dynamodb"]["Keys"]["id"]["S"] == "bad" for one in event["Records"]):
            raise standins.Hopeless
        return {}

    standins.answers["publisher"] = publish
    _write("bad")
    _write("good")
    small.settle()
    assert [one.queue for one in small.dead_letters] == ["small-dead"]
    assert small.dead_letters[0].message["dynamodb"]["Keys"] == {"id": {"S": "bad"}}
    last = standins.given["publisher"][-1]["Records"]
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in last] == ["good"]


def test_an_event_starts_a_journey_with_its_own_data(small: LocalCloud) -> None:
    standins.answers["first_step"] = lambda _: {"more": True}
    standins.answers["second_step"] = lambda _: {"done": "é"}
    _put_event("Started", id="t1")
    small.settle()
    assert standins.given["first_step"] == [{"id": "t1"}]
    assert standins.given["second_step"] == [{"id": "t1", "first_step": {"more": True}}]
    assert json.loads(_outcome("t1")) == {
        "id": "t1",
        "first_step": {"more": True},
        "second_step": {"done": "é"},
    }


def test_a_step_is_tried_again_and_then_caught(small: LocalCloud) -> None:
    def fail(_: Any) -> None:
        raise TimeoutError("a secret of the customer")

    standins.answers["first_step"] = fail
    _put_event("Started", id="t1")
    small.settle()
    assert len(standins.given["first_step"]) == 3
    assert _outcome("t1") == "TimeoutError"
    assert [one.error for one in small.failed_journeys] == ["Lost"]


def test_an_error_that_no_second_try_mends_is_not_tried_again(small: LocalCloud) -> None:
    def fail(_: Any) -> None:
        raise standins.Hopeless

    standins.answers["first_step"] = fail
    _put_event("Started", id="t1")
    small.settle()
    assert len(standins.given["first_step"]) == 1
    assert _outcome("t1") == "Hopeless"


def test_a_target_gets_what_its_transformer_makes(small: LocalCloud) -> None:
    _put_event("Whatever", id='a "quoted" id', loud=True)
    _put_event("Whatever", id="silent", loud=False)
    small.settle()
    assert standins.given["timer"] == [{"told": 'a "quoted" id', "fixed": "x"}]


def test_an_event_for_no_bus_is_reported_in_the_answer(small: LocalCloud) -> None:
    answer = provision.client("events").put_events(
        Entries=[{"Source": "t", "DetailType": "T", "Detail": "{}", "EventBusName": "none"}]
    )
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "ResourceNotFoundException"


def test_an_invocation_nobody_waits_for_is_tried_again_then_a_dead_letter(
    small: LocalCloud,
) -> None:
    def fail(_: Any) -> None:
        raise standins.Hopeless

    standins.answers["timer"] = fail
    _put_event("Whatever", id="x", loud=True)
    small.settle()
    assert len(standins.given["timer"]) == 2
    assert [one.message for one in small.dead_letters] == [{"told": "x", "fixed": "x"}]


def test_time_stops_at_every_schedule_on_its_way(small: LocalCloud) -> None:
    times = []
    standins.answers["timer"] = lambda event: times.append((event["fired"], small.clock.now()))
    start = small.clock.now()
    _schedule(small, "second", timedelta(hours=5))
    _schedule(small, "first", timedelta(hours=2), ActionAfterCompletion="DELETE")
    _schedule(small, "later", timedelta(hours=80))
    small.advance(timedelta(hours=72))
    assert [name for name, _ in times] == ["first", "second"]
    for (_, at), hours in zip(times, (2, 5), strict=True):
        assert abs(at - start - timedelta(hours=hours)) < timedelta(minutes=5)
    assert [one.name for one in small.timers.waiting()] == ["later"]
    assert small.clock.now() >= start + timedelta(hours=72)


def test_what_a_schedule_sets_within_the_time_passed_fires_too(small: LocalCloud) -> None:
    def fire(event: Any) -> None:
        if event["fired"] == "first":
            _schedule(small, "second", timedelta(hours=1), ActionAfterCompletion="DELETE")

    standins.answers["timer"] = fire
    _schedule(small, "first", timedelta(hours=1), ActionAfterCompletion="DELETE")
    small.advance(timedelta(hours=3))
    assert [one["fired"] for one in standins.given["timer"]] == ["first", "second"]


def test_a_schedule_in_the_past_fires_at_once(small: LocalCloud) -> None:
    _schedule(small, "past", timedelta(hours=-1))
    small.settle()
    assert standins.given["timer"] == [{"fired": "past"}]


def test_the_same_schedule_twice_is_a_conflict(small: LocalCloud) -> None:
    _schedule(small, "one", timedelta(hours=1))
    client = provision.client("scheduler")
    with pytest.raises(client.exceptions.ConflictException):
        _schedule(small, "one", timedelta(hours=1))


def test_a_type_nobody_thought_of_is_an_error() -> None:
    resources = {**TEMPLATE["Resources"], "odd": {"Type": "AWS::Lightsail::Disk"}}
    unknown = LocalCloud({"Resources": resources}, secrets={})
    with pytest.raises(TemplateError, match=r"odd is an AWS::Lightsail::Disk"), unknown:
        pass


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Fn::If": ["a", "b", "c"]}, "does not know Fn::If"),
        ({"Fn::GetAtt": ["things", "Mystery"]}, "does not know the Mystery of things"),
        ({"Ref": "nothing"}, "nothing is not a resource"),
        ({"Ref": "odd"}, "in a circle: odd → odd"),
    ],
)
def test_a_value_nobody_can_tell_is_an_error(value: Any, reason: str) -> None:
    odd = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": value}}
    cloud = LocalCloud({"Resources": {**TEMPLATE["Resources"], "odd": odd}}, secrets={})
    with pytest.raises(TemplateError, match=reason), cloud:
        pass


def test_one_cloud_at_a_time_and_another_after_it(small: LocalCloud) -> None:
    with pytest.raises(RuntimeError, match="already"), LocalCloud(TEMPLATE, secrets={}):
        pass


def test_the_network_can_be_made_to_fail(small: LocalCloud) -> None:
    def interfere(service: str, operation: str, when: str) -> None:
        if (service, operation, when) == ("dynamodb", "PutItem", "after"):
            raise ConnectionError

    small.wire.interfere = interfere
    with pytest.raises(ConnectionError):
        _write("a")
    small.wire.interfere = None
    small.settle()
    assert len(standins.given["publisher"]) == 1, "the write was done, only its answer was lost"
