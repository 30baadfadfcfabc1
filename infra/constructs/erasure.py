"""The state machines of privacy: `erasure` forgets a person, `export` copies what is known of them.

Standard, since they may take hours and each run must be accounted for. Both are made of the same
piece: a step of `privacy_requests`, and where its answer leads. The history of an execution, which
AWS keeps for 90 days, holds the id of the request and nothing of the person.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge
from infra.constructs.journey import RETRY

LONGEST_JOURNEY = Duration.minutes(6)
"""An Express execution lasts five minutes at most, a delivery one: whatever was under way in one
pass is over in the next.
"""


class Step(NamedTuple):
    """Where a step's answer leads: `on` and `again`. Every step may also find that it is over."""

    on: str
    again: str = ""


ERASURE: Mapping[str, Step] = {
    "begin_pass": Step("erase_tickets"),
    "erase_tickets": Step("erase_touchpoints", "erase_tickets"),
    "erase_touchpoints": Step("leave_graphs", "erase_touchpoints"),
    "leave_graphs": Step("erase_profiles"),
    "erase_profiles": Step("search_ledger", "erase_profiles"),
    "search_ledger": Step("end_pass", "search_ledger"),
    "end_pass": Step("write_proof", "wait_for_journeys"),
    "write_proof": Step("ended"),
}
EXPORT: Mapping[str, Step] = {
    "begin": Step("collect"),
    "collect": Step("assemble", "collect"),
    "assemble": Step("ended"),
}
WAITS = {"wait_for_journeys": "begin_pass"}
"""What goes on after the longest journey."""


def definition(
    steps: Mapping[str, Step], *, id_name: str, function: str, comment: str
) -> dict[str, Any]:
    """The state machine. `id_name` is the field of its input that names the request."""
    states: dict[str, Any] = {}
    for name, step in steps.items():
        states |= _step(name, id_name, function, then=f"after_{name}")
        states[f"after_{name}"] = _choice(step)
    targets = {target for step in steps.values() for target in step}
    for name, then in WAITS.items():
        if name in targets:
            seconds = int(LONGEST_JOURNEY.to_seconds())
            states[name] = {"Type": "Wait", "Seconds": seconds, "Next": then}
    states |= _step("give_up", id_name, function, then="failed")
    states["give_up"].pop("Catch")
    states["ended"] = {"Type": "Succeed"}
    states["failed"] = {"Type": "Fail", "Error": "GaveUp"}
    return {
        "Comment": comment,
        "QueryLanguage": "JSONPath",
        "StartAt": next(iter(steps)),
        "States": states,
    }


def _step(name: str, id_name: str, function: str, *, then: str) -> dict[str, Any]:
    return {
        name: {
            "Type": "Task",
            "Resource": function,
            "Parameters": {
                "step": name,
                "run.$": "$$.Execution.Name",
                "attempt.$": "$.attempt",
                f"{id_name}.$": f"$.{id_name}",
            },
            "ResultPath": "$.answer",
            "Retry": RETRY,
            # Beside the input, which `give_up` needs. (A null path, which forgets the failure, does
            # not outlive CDK's way of writing JSON.)
            "Catch": [
                {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "give_up"}
            ],
            "Next": then,
        }
    }


def _choice(step: Step) -> dict[str, Any]:
    ways = {"on": step.on, "again": step.again}
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.answer.next", "StringEquals": answer, "Next": target}
            for answer, target in ways.items()
            if target
        ],
        "Default": "ended",
    }


class PrivacyMachine(Construct):
    """One of the two, with a log of its errors that holds no state."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        machine_name: str,
        steps: Mapping[str, Step],
        id_name: str,
        comment: str,
        privacy_requests: lambda_.IFunction,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[privacy_requests.function_arn]
            )
        )
        function = privacy_requests.function_arn
        self.machine = sfn.StateMachine(
            self,
            "machine",
            state_machine_name=machine_name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(
                Stack.of(self).to_json_string(
                    definition(steps, id_name=id_name, function=function, comment=comment)
                )
            ),
            role=role,
            timeout=Duration.days(7),
            tracing_enabled=False,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "logs",
                    log_group_name=f"/aws/vendedlogs/states/{machine_name}",
                    retention=log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        acknowledge(
            self.machine,
            {
                "SF1": "Errors only: what a run did stands in its request and in its proof.",
                "SF2": "Its steps are listed in the execution's own history.",
            },
        )
        acknowledge(role, {"IAM5[Resource::*]": "Log delivery (logs:*LogDelivery) knows no ARN."})
