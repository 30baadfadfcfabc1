"""A small template by hand, with most kinds of resource once, and functions a test can steer."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from tests.integration.local import standins

FUNCTIONS = ("intake", "publisher", "first_step", "second_step", "timer", "agent_api")


def _function(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": f"small-{name}",
            "Handler": f"tests.integration.local.standins.{name}",
            "Environment": {
                "Variables": {
                    "TOUCHPOINTS_TABLE": {"Ref": "things"},
                    "PROFILES_TABLE": {"Ref": "things"},
                    "TICKETS_TABLE": {"Ref": "things"},
                    "RAW_BUCKET": {"Ref": "files"},
                    "BUS": {"Ref": "bus"},
                }
            },
        },
    }


def _task(name: str, following: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:lambda:us-east-1:123456789012:function:small-{name}",
        "ResultPath": f"$.{name}",
        "Retry": [
            {"ErrorEquals": ["Hopeless"], "MaxAttempts": 0},
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": 1,
                "MaxAttempts": 2,
                "BackoffRate": 2,
                "MaxDelaySeconds": 3,
                "JitterStrategy": "FULL",
            },
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "lost"}],
        "Next": following,
    }


def _record(value: str, following: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Parameters": {
            "TableName": "small-things",
            "Key": {"id": {"S.$": "$.id"}},
            "UpdateExpression": "SET #outcome = :outcome",
            "ExpressionAttributeNames": {"#outcome": "outcome"},
            "ExpressionAttributeValues": {":outcome": {"S.$": value}},
        },
        "ResultPath": None,
        **following,
    }


MACHINE = {
    "StartAt": "first_step",
    "States": {
        "first_step": _task("first_step", "wanted"),
        "wanted": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.first_step.more", "BooleanEquals": True, "Next": "second_step"}
            ],
            "Default": "keep",
        },
        "second_step": _task("second_step", "keep"),
        "keep": _record("States.JsonToString($)", {"End": True}),
        "lost": _record("$.failure.Error", {"Next": "failed"}),
        "failed": {"Type": "Fail", "Error": "Lost"},
    },
}

TEMPLATE: dict[str, Any] = {
    "Resources": {
        **{name: _function(name) for name in FUNCTIONS},
        "things": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "small-things",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind", "at")
                ],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "by_kind",
                        "KeySchema": [
                            {"AttributeName": "kind", "KeyType": "HASH"},
                            {"AttributeName": "at", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            },
        },
        "files": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "small-dead"}},
        "bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "small"}},
        "group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "small"}},
        "source": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["things", "StreamArn"]},
                "FunctionName": {"Ref": "publisher"},
                "BatchSize": 10,
                "MaximumRetryAttempts": 2,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "FilterCriteria": {
                    "Filters": [
                        {"Pattern": '{"dynamodb":{"NewImage":{"event":{"S":[{"exists":true}]}}}}'}
                    ]
                },
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": ["dead", "Arn"]}}
                },
            },
        },
        "machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "StateMachineName": "small",
                "RoleArn": "arn:aws:iam::123456789012:role/none",
                "DefinitionString": json.dumps(MACHINE),
            },
        },
        "starts": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "bus"},
                "EventPattern": {"detail-type": ["Started"]},
                "Targets": [
                    {"Id": "0", "Arn": {"Ref": "machine"}, "InputPath": "$.detail.data"},
                ],
            },
        },
        "tells": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "bus"},
                "EventPattern": {"detail": {"data": {"loud": [True]}}},
                "Targets": [
                    {
                        "Id": "0",
                        "Arn": {"Fn::GetAtt": ["timer", "Arn"]},
                        "InputTransformer": {
                            "InputPathsMap": {"it": "$.detail.data.id"},
                            "InputTemplate": '{"told":<it>,"fixed":"x"}',
                        },
                    }
                ],
            },
        },
        "retries": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "timer"},
                "MaximumRetryAttempts": 1,
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": ["dead", "Arn"]}}
                },
            },
        },
        "pool": {"Type": "AWS::Cognito::UserPool", "Properties": {}},
        "client": {
            "Type": "AWS::Cognito::UserPoolClient",
            "Properties": {"UserPoolId": {"Ref": "pool"}},
        },
        "api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "small"}},
        "to_intake": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "IntegrationType": "AWS_PROXY",
                "PayloadFormatVersion": "2.0",
                "IntegrationUri": {"Fn::GetAtt": ["intake", "Arn"]},
            },
        },
        "signed_in": {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {
                "AuthorizerType": "JWT",
                "JwtConfiguration": {
                    "Audience": [{"Ref": "client"}],
                    "Issuer": {
                        "Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${pool}"
                    },
                },
            },
        },
        "open": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "RouteKey": "ANY /open/{name}/{rest+}",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "to_intake"}]]},
            },
        },
        "closed": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "RouteKey": "GET /closed",
                "AuthorizerId": {"Ref": "signed_in"},
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "to_intake"}]]},
            },
        },
    }
}


@pytest.fixture
def small() -> Iterator[LocalCloud]:
    """The small template alive; what the functions were given is in `standins.given`."""
    standins.given.clear()
    standins.answers.clear()
    with LocalCloud(TEMPLATE, secrets={}, pace=0.001) as alive:
        yield alive
