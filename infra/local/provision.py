"""Gives each resource of the template life, on moto or in a part of the local cloud.

A type that is neither made nor known to be inert is an error: what the template says happens here
too.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session

from infra.local.bus import Bus
from infra.local.expiry import Expiry
from infra.local.gateway import Authorizer, Gateway
from infra.local.journeys import StateMachine
from infra.local.lambdas import Function, Lambdas
from infra.local.streams import EventSource
from infra.local.template import ACCOUNT, REGION, Made, TemplateError

INERT = {
    "AWS::ApiGatewayV2::Stage": "throttling and access logs, which one laptop does not need",
    "AWS::CDK::Metadata": "for AWS's statistics",
    "AWS::CloudWatch::Alarm": "nobody is called at night for a laptop",
    "AWS::CloudWatch::Dashboard": "the page at /_local shows more",
    "AWS::Events::Archive": "the bus of a laptop forgets",
    "AWS::IAM::Policy": "moto grants everything; tests/infrastructure reads the roles",
    "AWS::IAM::Role": "as above",
    "AWS::Lambda::Permission": "as above",
    "AWS::Logs::LogGroup": "logs go to a file",
    "AWS::Logs::MetricFilter": "metrics are not counted",
    "AWS::S3::BucketPolicy": "as roles",
    "AWS::SNS::Topic": "only alarms publish to it",
    "AWS::SNS::TopicPolicy": "as roles",
    "AWS::SNS::Subscription": "as above",
    "AWS::SQS::QueuePolicy": "as roles",
}
"""What has no effect on a laptop, and why that is right."""

_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
)


@cache
def client(service: str) -> Any:
    """A client of one service. Forgotten when the local cloud ends."""
    return botocore.session.get_session().create_client(service)


@dataclass
class Provisioned:
    """What the template has become, beyond what lives in moto."""

    lambdas: Lambdas
    bus: Bus
    gateway: Gateway
    secrets: Mapping[str, Any]
    variables: Mapping[str, Mapping[str, str]]
    """Further variables of a function, by the last part of its name."""
    tables: list[str] = field(default_factory=list)
    expiry: Expiry = field(default_factory=Expiry)
    machines: dict[str, StateMachine] = field(default_factory=dict)
    sources: list[EventSource] = field(default_factory=list)
    queues: dict[str, str] = field(default_factory=dict)
    """Names of dead-letter queues by ARN."""
    retries: dict[str, "AsyncInvocation"] = field(default_factory=dict)
    """By the ARN of the function."""
    function_arns: dict[str, str] = field(default_factory=dict)
    pools: dict[str, "UserPool"] = field(default_factory=dict)

    def make(self, logical_id: str, kind: str, properties: dict[str, Any]) -> Made:
        """One resource of the template. Raises TemplateError for a type nobody thought of."""
        if kind in INERT:
            return _inert(logical_id, kind, properties)
        maker = _MAKERS.get(kind)
        if maker is None:
            raise TemplateError(
                f"{logical_id} is an {kind}, which the local cloud does not know: "
                "teach it in infra/local/provision.py, or list it there as inert with a reason"
            )
        return maker(self, logical_id, properties)


@dataclass(frozen=True)
class AsyncInvocation:
    """How often an asynchronous invocation is tried again, and where it goes in the end."""

    retries: int = 2
    dead_letter_arn: str | None = None


@dataclass(frozen=True)
class UserPool:
    pool_id: str
    client_id: str


Maker = Callable[[Provisioned, str, dict[str, Any]], Made]


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _physical(logical_id: str) -> str:
    return f"passerelle-{logical_id}"


def _inert(logical_id: str, kind: str, properties: Mapping[str, Any]) -> Made:
    service = kind.split("::")[1].lower()
    name = properties.get("LogGroupName") or logical_id
    return Made(name, {"Arn": f"arn:aws:{service}::{ACCOUNT}:{logical_id}", "TopicName": name})


def _table(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    stream = properties.get("StreamSpecification")
    answer = client("dynamodb").create_table(
        TableName=properties.get("TableName", _physical(logical_id)),
        **{name: properties[name] for name in _TABLE_PROPERTIES if name in properties},
        **({"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}),
    )["TableDescription"]
    made.tables.append(answer["TableName"])
    made.expiry.add_table(answer["TableName"], properties)
    return Made(
        answer["TableName"],
        {"Arn": answer["TableArn"], "StreamArn": answer.get("LatestStreamArn", "")},
    )


def _bucket(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    # Bucket names have no capitals.
    name = properties.get("BucketName", _physical(logical_id)).lower()
    client("s3").create_bucket(Bucket=name)
    made.expiry.add_bucket(name, properties)
    return Made(name, {"Arn": f"arn:aws:s3:::{name}"})


def _secret(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties["Name"]
    content = made.secrets.get(name.partition("/")[2])
    text = properties.get("SecretString", "{}") if content is None else json.dumps(content)
    arn = client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]
    return Made(arn, {"Id": arn})


def _queue(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("QueueName", _physical(logical_id))
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = _arn("sqs", name)
    made.queues[arn] = name
    return Made(url, {"Arn": arn, "QueueName": name})


def _bus(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties["Name"]
    made.bus.add_bus(name)
    return Made(name, {"Arn": _arn("events", f"event-bus/{name}"), "Name": name})


def _rule(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    made.bus.add_rule(logical_id, properties)
    return Made(logical_id, {"Arn": _arn("events", f"rule/{logical_id}")})


def _group(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties["Name"]
    arn = client("scheduler").create_schedule_group(Name=name)["ScheduleGroupArn"]
    return Made(name, {"Arn": arn})


def _function(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("FunctionName", _physical(logical_id))
    arn = _arn("lambda", f"function:{name}")
    further = next((v for k, v in made.variables.items() if name.endswith(f"-{k}")), {})
    made.lambdas.add(
        Function(
            name=name,
            arn=arn,
            handler=properties["Handler"],
            variables={**properties.get("Environment", {}).get("Variables", {}), **further},
            memory_mb=properties.get("MemorySize", 128),
            timeout_seconds=properties.get("Timeout", 3),
        )
    )
    made.function_arns[name] = arn
    return Made(name, {"Arn": arn})


def _event_source(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    made.sources.append(
        EventSource.read(properties, made.function_arns[properties["FunctionName"]])
    )
    return Made(logical_id)


def _async_invocation(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    failed = properties.get("DestinationConfig", {}).get("OnFailure", {})
    arn = made.function_arns[properties["FunctionName"]]
    made.retries[arn] = AsyncInvocation(
        properties.get("MaximumRetryAttempts", 2), failed.get("Destination")
    )
    return Made(logical_id)


def _state_machine(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("StateMachineName", _physical(logical_id))
    arn = _arn("states", f"stateMachine:{name}")
    made.machines[arn] = StateMachine(
        name=name,
        arn=arn,
        role_arn=properties["RoleArn"],
        definition=properties["DefinitionString"],
    )
    return Made(arn, {"Arn": arn, "Name": name})


def _user_pool(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    pool = client("cognito-idp").create_user_pool(PoolName=_physical(logical_id))["UserPool"]
    return Made(pool["Id"], {"Arn": pool["Arn"], "UserPoolId": pool["Id"]})


def _user_pool_client(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    pool_id = properties["UserPoolId"]
    answer = client("cognito-idp").create_user_pool_client(
        UserPoolId=pool_id,
        ClientName=_physical(logical_id),
        ExplicitAuthFlows=properties.get("ExplicitAuthFlows", []),
    )["UserPoolClient"]
    made.pools[pool_id] = UserPool(pool_id, answer["ClientId"])
    return Made(answer["ClientId"], {"ClientId": answer["ClientId"]})


def _user_pool_group(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    client("cognito-idp").create_group(
        UserPoolId=properties["UserPoolId"], GroupName=properties["GroupName"]
    )
    return Made(properties["GroupName"])


def _api(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    made.gateway.cors = properties.get("CorsConfiguration")
    endpoint = f"https://{logical_id}.execute-api.{REGION}.amazonaws.com"
    return Made(logical_id, {"ApiId": logical_id, "ApiEndpoint": endpoint})


def _integration(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    if (properties["IntegrationType"], properties["PayloadFormatVersion"]) != ("AWS_PROXY", "2.0"):
        raise TemplateError(f"{logical_id}: only AWS_PROXY with payload format 2.0 is known here")
    made.gateway.integrations[logical_id] = properties["IntegrationUri"]
    return Made(logical_id)


def _authorizer(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    if properties["AuthorizerType"] != "JWT":
        raise TemplateError(f"{logical_id}: only JWT authorizers are known here")
    settings = properties["JwtConfiguration"]
    made.gateway.authorizers[logical_id] = Authorizer(settings["Issuer"], settings["Audience"])
    return Made(logical_id)


def _route(made: Provisioned, logical_id: str, properties: dict[str, Any]) -> Made:
    made.gateway.add_route(
        properties["RouteKey"],
        integration=properties["Target"].removeprefix("integrations/"),
        authorizer=properties.get("AuthorizerId"),
    )
    return Made(logical_id)


_MAKERS: dict[str, Maker] = {
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::ApiGatewayV2::Authorizer": _authorizer,
    "AWS::ApiGatewayV2::Integration": _integration,
    "AWS::ApiGatewayV2::Route": _route,
    "AWS::Cognito::UserPool": _user_pool,
    "AWS::Cognito::UserPoolClient": _user_pool_client,
    "AWS::Cognito::UserPoolGroup": _user_pool_group,
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::EventBus": _bus,
    "AWS::Events::Rule": _rule,
    "AWS::Lambda::EventInvokeConfig": _async_invocation,
    "AWS::Lambda::EventSourceMapping": _event_source,
    "AWS::Lambda::Function": _function,
    "AWS::S3::Bucket": _bucket,
    "AWS::SQS::Queue": _queue,
    "AWS::Scheduler::ScheduleGroup": _group,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::StepFunctions::StateMachine": _state_machine,
}
