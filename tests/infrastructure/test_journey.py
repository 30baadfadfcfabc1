"""The touchpoint journey, interpreted: what follows what, and what each end writes."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend

from infra.constructs import batch
from infra.constructs.journey import CLASSIFIED, FAILED, HOPELESS, RETRY, STEPS, carried, definition
from shared.domain import errors
from shared.domain.journey import JourneyState
from shared.events.catalogue import ProfileUpdated, StepFailed, TouchpointClassified

REGION = "eu-west-1"
TABLE = "touchpoints"
TOUCHPOINT_ID = "6d0b0e7e-6f53-5b0e-9f5e-0d6d3b0a3b11"
ENDED_WITHIN_SECONDS = 60
"""A limit for a broken machine; a whole journey takes a fraction of a second."""

CLASSIFICATION = {
    "language": "fr",
    "language_confidence": 0.98,
    "intent": "delivery",
    "intent_confidence": 0.91,
    "sentiment": "negative",
    "sentiment_score": -0.8,
    "sentiment_confidence": 0.9,
    "urgency": "high",
    "decided_by": "embedded",
    "version": "embedded-1",
}
ANSWERS: Mapping[str, dict[str, Any]] = {
    "profile_update": {"profile_id": "p1", "next_step": "ai_classification", "why": "new"},
    "ai_classification": {"classification": CLASSIFICATION, "next_step": "ticket_creation"},
    "ticket_creation": {
        "outcome": "opened",
        "ticket_id": "t1",
        "queue": "delivery",
        "next_step": "follow_up_scheduling",
    },
    "follow_up_scheduling": {"follow_ups": ["f1"]},
}


class Refused(Exception):
    """How a fake step fails: with this error name."""


class Journey(NamedTuple):
    """Runs one touchpoint through the state machine and tells what the steps were given."""

    run: Callable[..., tuple[str, dict[str, Any]]]
    run_batch: Callable[..., tuple[str, list[dict[str, Any]]]]
    heard: dict[str, dict[str, Any]]


@pytest.fixture
def journey(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journey]:
    answers: dict[str, dict[str, Any] | Refused] = {}
    heard: dict[str, dict[str, Any]] = {}

    def invoke(
        self: object, function_name: str, qualifier: object, body: Any, headers: Any, answered: Any
    ) -> bytes:
        name = function_name.rpartition(":")[2]
        heard[name] = json.loads(body)
        answer = answers[name]
        if isinstance(answer, Refused):
            answered["x-amz-function-error"] = "Unhandled"
            answer = {"errorType": str(answer), "errorMessage": "the customer's own words"}
        return json.dumps(answer).encode()

    # moto's Lambda only echoes; its interpreter of the States Language is what is wanted here.
    monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setitem(os.environ, name, "testing")
    config: Any = {
        "lambda": {"use_docker": False},
        "stepfunctions": {"execute_state_machine": True},
    }
    with mock_aws(config=config):
        table = boto3.client("dynamodb", region_name=REGION)
        table.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "touchpoint_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "touchpoint_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        machine = _machine()

        def run_batch(
            answer: dict[str, Any] | Refused, known: Sequence[dict[str, Any]]
        ) -> tuple[str, list[dict[str, Any]]]:
            answers["profile_update"] = answer
            for item in known:
                table.put_item(TableName=TABLE, Item=item)
            ids = [one["touchpoint_id"] for one in known]
            asked = {"touchpoint_ids": [one["S"] for one in ids]}
            status = _execute(_machine_of_many(), asked)
            keys = [{"touchpoint_id": one} for one in ids]
            return status, [table.get_item(TableName=TABLE, Key=one)["Item"] for one in keys]

        def run(
            given: Mapping[str, dict[str, Any] | Refused], *, attempt: str = ""
        ) -> tuple[str, dict[str, Any]]:
            answers.update(given)
            known = {"touchpoint_id": {"S": TOUCHPOINT_ID}, "state": {"S": "received"}}
            if attempt:
                known["attempt"] = {"N": attempt}
            table.put_item(TableName=TABLE, Item=known)
            status = _execute(machine)
            key = {"touchpoint_id": {"S": TOUCHPOINT_ID}}
            return status, table.get_item(TableName=TABLE, Key=key)["Item"]

        yield Journey(run, run_batch, heard)


FUNCTIONS = {name: f"arn:aws:lambda:{REGION}:123456789012:function:{name}" for name in STEPS}


def _machine_of_many() -> str:
    return _made(
        "touchpoint_batch",
        batch.definition(
            profile_update=FUNCTIONS["profile_update"], touchpoints_table=TABLE, partition="aws"
        ),
    )


def _machine() -> str:
    machine = definition(functions=FUNCTIONS, touchpoints_table=TABLE, partition="aws")
    return _made("touchpoint_journey", machine)


def _made(name: str, machine: Mapping[str, Any]) -> str:
    made = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name=name,
        definition=json.dumps(machine),
        roleArn="arn:aws:iam::123456789012:role/journey",
    )
    return made["stateMachineArn"]


ASKED = {"touchpoint_id": TOUCHPOINT_ID, "kind": "message", "attempt": 1}


def _execute(machine: str, asked: Mapping[str, Any] = ASKED) -> str:
    client = boto3.client("stepfunctions", region_name=REGION)
    execution = client.start_execution(
        stateMachineArn=machine,
        name="one",
        input=json.dumps(asked),
    )["executionArn"]
    until = time.monotonic() + ENDED_WITHIN_SECONDS
    while time.monotonic() < until:
        status = client.describe_execution(executionArn=execution)["status"]
        if status != "RUNNING":
            return status
    raise AssertionError("the journey does not end")


def test_a_message_goes_the_whole_way(journey: Journey) -> None:
    status, item = journey.run(ANSWERS)
    assert status == "SUCCEEDED"
    assert list(journey.heard) == list(STEPS)
    assert item["state"] == {"S": "processed"}
    assert journey.heard["profile_update"]["touchpoint_id"] == TOUCHPOINT_ID
    assert journey.heard["follow_up_scheduling"] == {"ticket_id": "t1", "when": "ticket_opened"}


def test_the_outcome_is_the_state_of_the_journey(journey: Journey) -> None:
    _, item = journey.run(ANSWERS)
    outcome = JourneyState.model_validate_json(item["outcome"]["S"])
    assert outcome.touchpoint_id == TOUCHPOINT_ID
    assert outcome.ai_classification is not None
    assert outcome.ai_classification.classification.intent == "delivery"
    assert outcome.ticket_creation is not None
    assert outcome.ticket_creation.ticket_id == "t1"


def test_the_end_carries_its_event(journey: Journey) -> None:
    _, item = journey.run(ANSWERS)
    event = TouchpointClassified(
        touchpoint_id=TOUCHPOINT_ID,
        profile_id="p1",
        language="fr",
        intent="delivery",
        sentiment="negative",
        urgency="high",
        decided_by="embedded",
    )
    data = {name: {"S": value} for name, value in event.carried()["data"].items()}
    assert item["event"] == {"M": {"type": {"S": "TouchpointClassified"}, "data": {"M": data}}}


@pytest.mark.parametrize("given", [ANSWERS, {**ANSWERS, "profile_update": Refused("PolicyError")}])
def test_a_round_that_was_overtaken_writes_nothing(
    journey: Journey, given: Mapping[str, dict[str, Any] | Refused]
) -> None:
    """A person sent the touchpoint round again meanwhile: what counts is the round after."""
    _, item = journey.run(given, attempt="2")
    assert item == {
        "touchpoint_id": {"S": TOUCHPOINT_ID},
        "state": {"S": "received"},
        "attempt": {"N": "2"},
    }


def test_the_round_that_is_under_way_ends(journey: Journey) -> None:
    _, item = journey.run(ANSWERS, attempt="1")
    assert item["state"] == {"S": "processed"}


SUMMARY = "Ma commande n'est pas arrivée"


def test_what_was_said_is_kept_in_the_outcome_and_goes_nowhere_else(journey: Journey) -> None:
    """The summary names nobody, and still neither an event nor the follow-ups hear of it."""
    meant = {**ANSWERS["ai_classification"]["classification"], "summary": SUMMARY}
    told = {**ANSWERS["ai_classification"], "classification": meant}
    _, item = journey.run({**ANSWERS, "ai_classification": told})
    outcome = JourneyState.model_validate_json(item["outcome"]["S"])
    assert outcome.ai_classification is not None
    assert outcome.ai_classification.classification.summary == SUMMARY
    assert SUMMARY not in json.dumps(item["event"], ensure_ascii=False)
    assert SUMMARY not in json.dumps(journey.heard["follow_up_scheduling"], ensure_ascii=False)


@pytest.mark.parametrize("step", ["ticket_creation", "follow_up_scheduling"])
def test_what_was_said_is_in_no_failure(journey: Journey, step: str) -> None:
    meant = {**ANSWERS["ai_classification"]["classification"], "summary": SUMMARY}
    told = {**ANSWERS["ai_classification"], "classification": meant}
    status, item = journey.run({**ANSWERS, "ai_classification": told, step: Refused("NotFound")})
    assert status == "FAILED"
    assert SUMMARY not in json.dumps(item, ensure_ascii=False)


def test_what_was_in_trouble_before_no_longer_is(journey: Journey) -> None:
    _, item = journey.run(ANSWERS)
    assert set(item) == {"touchpoint_id", "state", "outcome", "event"}


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ("profile_update", "received"),
        ("ai_classification", "processed"),
        ("ticket_creation", "processed"),
    ],
)
def test_a_journey_ends_where_nothing_is_left_to_do(
    journey: Journey, last: str, state: str
) -> None:
    """After `profile_update` the touchpoint is finished by that step itself, in its transaction."""
    status, item = journey.run({**ANSWERS, last: {**ANSWERS[last], "next_step": "nothing"}})
    assert status == "SUCCEEDED"
    assert list(journey.heard) == list(STEPS[: STEPS.index(last) + 1])
    assert item["state"] == {"S": state}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_gives_up_leaves_its_name_and_no_words(journey: Journey, step: str) -> None:
    status, item = journey.run({**ANSWERS, step: Refused("PolicyError")})
    assert status == "FAILED"
    data = {
        "touchpoint_id": {"S": TOUCHPOINT_ID},
        "step": {"S": step},
        "error": {"S": "PolicyError"},
    }
    assert item == {
        "touchpoint_id": {"S": TOUCHPOINT_ID},
        "state": {"S": "failed"},
        "trouble": {"S": "failed"},
        "failed_step": {"S": step},
        "error": {"S": "PolicyError"},
        "event": {"M": {"type": {"S": "StepFailed"}, "data": {"M": data}}},
    }


IN_FLIGHT, TIED, OVERTAKEN = (
    {"touchpoint_id": {"S": "t1"}, "state": {"S": "received"}},
    {"touchpoint_id": {"S": "t2"}, "state": {"S": "processed"}},
    {"touchpoint_id": {"S": "t3"}, "state": {"S": "received"}, "attempt": {"N": "2"}},
)


def test_what_was_told_of_together_takes_one_step(journey: Journey) -> None:
    known = [IN_FLIGHT, TIED, OVERTAKEN]
    status, items = journey.run_batch({"tied": 3}, known)
    assert (status, items) == ("SUCCEEDED", known)
    assert journey.heard == {"profile_update": {"touchpoint_ids": ["t1", "t2", "t3"]}}


def test_of_those_that_were_told_of_together_only_who_is_not_tied_has_failed(
    journey: Journey,
) -> None:
    status, items = journey.run_batch(Refused("PolicyError"), [IN_FLIGHT, TIED, OVERTAKEN])
    assert status == "FAILED"
    data = {"touchpoint_id": "t1", "step": "profile_update", "error": "PolicyError"}
    told = {name: {"S": value} for name, value in data.items()}
    failed = {
        **IN_FLIGHT,
        "state": {"S": "failed"},
        "trouble": {"S": "failed"},
        "failed_step": {"S": "profile_update"},
        "error": {"S": "PolicyError"},
        "event": {"M": {"type": {"S": "StepFailed"}, "data": {"M": told}}},
    }
    assert items == [failed, TIED, OVERTAKEN]


def test_errors_of_the_house_are_named_as_they_are() -> None:
    """The names are text in the state machine, so a renamed class must be noticed here."""
    ours = {name for name in (*HOPELESS, "Contention") if name != "ValidationError"}
    assert all(issubclass(getattr(errors, name), errors.PasserelleError) for name in ours)


def test_contention_is_tried_longest_and_everything_with_jitter() -> None:
    tries = {name: rule for rule in RETRY for name in rule["ErrorEquals"]}
    assert tries["Contention"]["MaxAttempts"] > tries["States.ALL"]["MaxAttempts"] > 0
    for name in ("Contention", "States.ALL"):
        assert tries[name]["JitterStrategy"] == "FULL"
        assert tries[name]["MaxDelaySeconds"] <= 20
    assert list(tries)[-1] == "States.ALL", "it catches all, so it must come last"


def test_an_event_with_other_fields_than_the_journey_knows_is_refused() -> None:
    assert carried(StepFailed, FAILED)["M"]["type"] == {"S": "StepFailed"}
    with pytest.raises(ValueError, match="ProfileUpdated has other fields"):
        carried(ProfileUpdated, CLASSIFIED)
