"""The state machines of privacy: what follows what, who may what, what ends when."""

import json
from typing import Any

import pytest

from functions.privacy_requests.logic import erasure, export
from functions.privacy_requests.logic.steps import Next, StepRequest
from infra.constructs.erasure import ERASURE, EXPORT, LONGEST_JOURNEY, definition
from infra.constructs.storage import EXPIRES_AT
from shared.domain.retention import CLASS_OF_KIND
from shared.events.catalogue import ErasureRequested, ExportRequested
from shared.policies.reader import read_policies
from tests.infrastructure.conftest import Synthesised

MACHINES = {"erasure_id": (ERASURE, erasure.STEPS), "export_id": (EXPORT, export.STEPS)}


def machine(id_name: str) -> dict[str, Any]:
    return definition(MACHINES[id_name][0], id_name=id_name, function="arn", comment="")


@pytest.mark.parametrize("id_name", MACHINES)
def test_the_machine_knows_exactly_the_steps_of_the_logic(id_name: str) -> None:
    steps, logic = MACHINES[id_name]
    assert [*steps, "give_up"] == list(logic)


@pytest.mark.parametrize("id_name", MACHINES)
def test_each_way_leads_somewhere_and_each_step_can_give_up(id_name: str) -> None:
    states = machine(id_name)["States"]
    for name, state in states.items():
        ways = [state.get("Next"), state.get("Default")]
        ways += [one["Next"] for one in (*state.get("Choices", []), *state.get("Catch", []))]
        assert {way for way in ways if way} <= set(states), name
    for name in MACHINES[id_name][0]:
        assert states[name]["Catch"][0] == {
            "ErrorEquals": ["States.ALL"],
            "ResultPath": "$.failure",
            "Next": "give_up",
        }
        answers = {one["StringEquals"] for one in states[f"after_{name}"]["Choices"]}
        assert answers <= set(Next)
        assert states[f"after_{name}"]["Default"] == "ended"
    assert states["give_up"]["Next"] == "failed"
    assert "null" not in json.dumps(states), "CDK leaves it out, and then it means something else"


def test_between_two_passes_every_journey_ends() -> None:
    waiting = machine("erasure_id")["States"]["wait_for_journeys"]
    assert waiting == {"Type": "Wait", "Seconds": 360, "Next": "begin_pass"}
    assert LONGEST_JOURNEY.to_minutes() > 5
    assert "wait_for_journeys" not in machine("export_id")["States"]


@pytest.mark.parametrize(
    ("id_name", "event"),
    [
        ("erasure_id", ErasureRequested(erasure_id="e1")),
        ("export_id", ExportRequested(export_id="x1")),
    ],
)
def test_a_step_gets_from_the_event_what_it_asks_for(
    id_name: str, event: ErasureRequested | ExportRequested
) -> None:
    said = event.model_dump()
    given = machine(id_name)["States"][next(iter(MACHINES[id_name][0]))]["Parameters"]
    read = {
        name.removesuffix(".$"): "run-1" if path.startswith("$$") else said.get(path[2:], path)
        for name, path in given.items()
    }
    assert StepRequest.model_validate(read).attempt == 1


def test_they_are_standard_and_log_no_state(stack: Synthesised) -> None:
    machines = stack.resources("AWS::StepFunctions::StateMachine").values()
    standard = [
        one["Properties"] for one in machines if one["Properties"]["StateMachineType"] == "STANDARD"
    ]
    assert {one["StateMachineName"] for one in standard} == {
        "passerelle-erasure",
        "passerelle-export",
    }
    assert not any(one["LoggingConfiguration"]["IncludeExecutionData"] for one in standard)


def test_only_privacy_requests_deletes_what_is_personal(stack: Synthesised) -> None:
    def may(action: str) -> set[str]:
        return {
            name
            for name, function in stack.functions().items()
            if f'"{action}"' in json.dumps(stack.statements(function["Role"]))
        }

    # What is not kept, and what came while its touchpoint was erased, goes at once.
    assert may("s3:DeleteObject") == {"privacy_requests", "media_fetching"}
    assert may("scheduler:DeleteSchedule") == {"privacy_requests"}
    # Who may not list is told of a file that is gone that it is forbidden.
    asks = {"agent_api", "follow_up_delivery"}
    assert may("s3:ListBucket") == {"privacy_requests", "media_fetching"} | asks
    files = [
        one["Resource"]
        for one in stack.statements(stack.functions()["media_fetching"]["Role"])
        if "s3:DeleteObject" in json.dumps(one["Action"])
    ]
    assert [json.dumps(one).endswith('"/attachments/*"]]}') for one in files] == [True]


def test_the_api_reads_exports_and_no_other_file_of_that_kind(stack: Synthesised) -> None:
    role = stack.functions()["agent_api"]["Role"]
    readable = [
        json.dumps(one["Resource"])
        for one in stack.statements(role)
        if one["Action"] == "s3:GetObject"
    ]
    assert len(readable) == 3
    assert any("/attachments/*" in one for one in readable)
    assert any("/exports/*" in one for one in readable)
    assert any("/touchpoint/*" in one for one in readable)


def test_tables_delete_what_has_had_its_time(stack: Synthesised) -> None:
    for table in stack.resources("AWS::DynamoDB::Table").values():
        said = table["Properties"]["TimeToLiveSpecification"]
        assert said == {"AttributeName": EXPIRES_AT, "Enabled": True}


def test_files_end_after_what_led_to_them(stack: Synthesised) -> None:
    (bucket,) = stack.resources("AWS::S3::Bucket").values()
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {one["Prefix"]: one["ExpirationInDays"] for one in rules if "Prefix" in one}
    retention = read_policies().retention
    assert days == {
        **{
            f"{kind}/{name}/": getattr(retention, name).days + 1
            for kind in ("touchpoint", "raw")
            for name in CLASS_OF_KIND.values()
        },
        "attachments/": retention.message.days + 1,
        "uploads/": retention.upload.days + 1,
        "request/": 91,
        "exports/": 8,
        "proofs/": retention.proof.days + 1,
    }


def test_the_key_of_the_proofs_is_drawn_and_stays(
    stack: Synthesised, production: Synthesised
) -> None:
    def secret(of: Synthesised) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = (
            one
            for one in of.resources("AWS::SecretsManager::Secret").values()
            if one["Properties"]["Name"].endswith("/privacy")
        )
        return found

    assert secret(stack)["Properties"]["GenerateSecretString"]["GenerateStringKey"] == "key"
    assert "SecretString" not in secret(stack)["Properties"]
    assert secret(production)["DeletionPolicy"] == "Retain"
