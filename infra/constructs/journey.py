"""The touchpoint journey: an Express state machine whose states bear the names of the functions.

It is written as the Amazon States Language it becomes, in JSONPath. Each step's answer is kept
under the step's own name, so the state at the end is a `JourneyState`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge
from shared.events.catalogue import StepFailed, TouchpointClassified

STEPS = ("profile_update", "ai_classification", "ticket_creation", "follow_up_scheduling")

HOPELESS = ["Conflict", "InvalidInput", "NotFound", "PolicyError", "ValidationError"]
"""Our own errors that a second try cannot mend."""

RETRY: list[dict[str, Any]] = [
    {"ErrorEquals": HOPELESS, "MaxAttempts": 0},
    {
        # Two journeys of one customer met. Nothing was written; the second one reads again.
        "ErrorEquals": ["Contention"],
        "IntervalSeconds": 1,
        "BackoffRate": 1.6,
        "MaxDelaySeconds": 10,
        "MaxAttempts": 12,
        "JitterStrategy": "FULL",
    },
    {
        # Throttled, timed out, unreachable: the names are many, so every name is tried again.
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 20,
        "MaxAttempts": 6,
        "JitterStrategy": "FULL",
    },
]

REFUSED = "DynamoDB.ConditionalCheckFailedException"
WRITE_RETRY = [
    {"ErrorEquals": [REFUSED], "MaxAttempts": 0},
    RETRY[-1],
]

THIS_ROUND = "#state = :received AND (attribute_not_exists(#attempt) OR #attempt = :attempt)"
"""An execution may be late, and a person may have sent the touchpoint round again meanwhile: then
only the later round writes. The first has no number in the table.
"""
ATTEMPT = {"N.$": "States.Format('{}', $.attempt)"}

CLASSIFIED = {
    "touchpoint_id": "$.touchpoint_id",
    "profile_id": "$.profile_update.profile_id",
    **{
        name: f"$.ai_classification.classification.{name}"
        for name in ("language", "intent", "sentiment", "urgency", "decided_by")
    },
}
"""Where the fields of TouchpointClassified stand in the state."""

FAILED = {
    "touchpoint_id": "$.touchpoint_id",
    "step": "$.failed_step",
    # The name alone: the cause may quote its input.
    "error": "$.failure.Error",
}
"""Where the fields of StepFailed stand in the state."""


def carried(event: type[Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """The `event` attribute of an item, as DynamoDB's JSON.

    Raises ValueError where the event has other fields than the paths.
    """
    if set(paths) != set(event.model_fields):
        raise ValueError(f"{event.__name__} has other fields than the journey gives it")
    data = {name: {"S.$": paths[name]} for name in event.model_fields}
    return {"M": {"type": {"S": event.__name__}, "data": {"M": data}}}


def definition(
    *, functions: Mapping[str, str], touchpoints_table: str, partition: str
) -> dict[str, Any]:
    """The state machine. `functions` are the ARNs of the steps, by name."""
    wants = {
        "needs_understanding": _choice("profile_update", "ai_classification", "finished"),
        "owes_something": _choice("ai_classification", "ticket_creation", "record_outcome"),
        "promises_something": _choice("ticket_creation", "follow_up_scheduling", "record_outcome"),
    }
    steps = {
        "profile_update": _step("profile_update", functions, then="needs_understanding"),
        "ai_classification": _step("ai_classification", functions, then="owes_something"),
        "ticket_creation": _step("ticket_creation", functions, then="promises_something"),
        "follow_up_scheduling": _step(
            "follow_up_scheduling",
            functions,
            then="record_outcome",
            Parameters={
                "ticket_id.$": "$.ticket_creation.ticket_id",
                "when": "ticket_opened",
            },
        ),
    }
    record_outcome = {
        "Type": "Task",
        "Resource": update_item(partition),
        "Parameters": {
            "TableName": touchpoints_table,
            "Key": {"touchpoint_id": {"S.$": "$.touchpoint_id"}},
            # An execution that came later and found the journey ended has nothing to say about it.
            "ConditionExpression": THIS_ROUND,
            "UpdateExpression": (
                "SET #state = :state, #outcome = :outcome, #event = :event "
                "REMOVE #trouble, #failed_step, #error"
            ),
            "ExpressionAttributeNames": _names(
                "state", "attempt", "outcome", "event", "trouble", "failed_step", "error"
            ),
            "ExpressionAttributeValues": {
                ":received": {"S": "received"},
                ":attempt": ATTEMPT,
                ":state": {"S": "processed"},
                ":outcome": {"S.$": "States.JsonToString($)"},
                ":event": carried(TouchpointClassified, CLASSIFIED),
            },
        },
        "ResultPath": None,
        "Retry": WRITE_RETRY,
        "Catch": [
            {
                "ErrorEquals": [REFUSED],
                "ResultPath": None,
                "Next": "finished",
            },
            *_catch("record_outcome"),
        ],
        "Next": "finished",
    }
    marks = {
        f"{name}_failed": {
            "Type": "Pass",
            "Result": name,
            "ResultPath": "$.failed_step",
            "Next": "record_failure",
        }
        for name in (*steps, "record_outcome")
    }
    return {
        "Comment": "The way of a touchpoint",
        "QueryLanguage": "JSONPath",
        "StartAt": "profile_update",
        "States": {
            **steps,
            **wants,
            "record_outcome": record_outcome,
            "finished": {"Type": "Succeed"},
            **marks,
            "record_failure": record_failure(touchpoints_table, partition, then="failed"),
            "failed": {"Type": "Fail", "Error": "StepFailed"},
        },
    }


def record_failure(touchpoints_table: str, partition: str, *, then: str) -> dict[str, Any]:
    """A state that records on a touchpoint which step of its journey gave up."""
    return {
        "Type": "Task",
        "Resource": update_item(partition),
        "Parameters": {
            "TableName": touchpoints_table,
            "Key": {"touchpoint_id": {"S.$": "$.touchpoint_id"}},
            # If another execution of this touchpoint came through, there is no failure to record.
            "ConditionExpression": THIS_ROUND,
            "UpdateExpression": (
                "SET #state = :state, #trouble = :state, #failed_step = :step, "
                "#error = :error, #event = :event"
            ),
            "ExpressionAttributeNames": _names(
                "state", "attempt", "trouble", "failed_step", "error", "event"
            ),
            "ExpressionAttributeValues": {
                ":received": {"S": "received"},
                ":attempt": ATTEMPT,
                ":state": {"S": "failed"},
                ":step": {"S.$": FAILED["step"]},
                ":error": {"S.$": FAILED["error"]},
                ":event": carried(StepFailed, FAILED),
            },
        },
        "ResultPath": None,
        "Retry": WRITE_RETRY,
        "Next": then,
    }


def update_item(partition: str) -> str:
    return f"arn:{partition}:states:::dynamodb:updateItem"


def _step(name: str, functions: Mapping[str, str], *, then: str, **more: Any) -> dict[str, Any]:
    """With the function itself as resource the answer comes bare, without an envelope."""
    return {
        "Type": "Task",
        "Resource": functions[name],
        **more,
        "ResultPath": f"$.{name}",
        "Retry": RETRY,
        "Catch": _catch(name),
        "Next": then,
    }


def _choice(step: str, wanted: str, otherwise: str) -> dict[str, Any]:
    rule = {"Variable": f"$.{step}.next_step", "StringEquals": wanted, "Next": wanted}
    return {"Type": "Choice", "Choices": [rule], "Default": otherwise}


def _catch(name: str) -> list[dict[str, Any]]:
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": f"{name}_failed"}]


def _names(*attributes: str) -> dict[str, str]:
    return {f"#{attribute}": attribute for attribute in attributes}


class TouchpointJourney(Construct):
    """Express: a thirtieth of a standard workflow's price, at least once, at most five minutes.

    Errors are logged, without the state. X-Ray is off for its price.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        machine_name: str,
        definition: Mapping[str, Any],
        steps: Collection[lambda_.IFunction],
        touchpoints: dynamodb.ITable,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[one.function_arn for one in steps]
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[touchpoints.table_arn])
        )
        self.machine = sfn.StateMachine(
            self,
            "machine",
            state_machine_name=machine_name,
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_string(
                Stack.of(self).to_json_string(definition)
            ),
            role=role,
            timeout=Duration.minutes(5),
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
                "SF1": "Errors only: a log of all events would cost more than the journeys.",
                "SF2": "A trace costs 5 dollars a million, half of everything else together.",
            },
        )
        acknowledge(role, {"IAM5[Resource::*]": "Log delivery (logs:*LogDelivery) knows no ARN."})
