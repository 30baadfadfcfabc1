"""Real tables, as the stack describes them, on moto and on AWS's own DynamoDB Local."""

import os
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import uuid4

import boto3
import pytest
from aws_cdk import App, CfnElement, Stack
from aws_cdk.assertions import Template
from botocore.config import Config
from moto import mock_aws

from infra.constructs.storage import Tables
from shared.adapters.consents import DynamoConsentStore
from shared.adapters.ledger import DynamoLedger
from shared.adapters.media_files import S3MediaFiles
from shared.adapters.profiles import DynamoProfileStore
from shared.adapters.tickets import DynamoTicketStore
from tests.integration import dynamodb_local
from tests.state import State, state_of

REGION: Final = "eu-west-1"
KEPT = {"AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema"}
"""What CreateTable and CloudFormation spell alike, and these tests need."""


class Stores(NamedTuple):
    ledger: DynamoLedger
    media_files: S3MediaFiles
    profiles: DynamoProfileStore
    consents: DynamoConsentStore
    tickets: DynamoTicketStore
    client: Any
    names: dict[str, str]
    """Of the tables, in this run."""
    bucket: str

    def state(self) -> State:
        names = {name: self.names[name] for name in ("touchpoints", "profiles", "tickets")}
        return state_of(self.client, **names)


@pytest.fixture(scope="session", autouse=True)
def _no_account() -> None:
    """No test can reach an account, whatever this machine is signed in to."""
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
    )


@pytest.fixture(scope="session")
def table_definitions() -> dict[str, dict[str, Any]]:
    """CreateTable's parameters by table, from the stack's own construct."""
    stack = Stack(App(), "Stores")
    tables = Tables(stack, "tables", production=False)
    resources = Template.from_stack(stack).find_resources("AWS::DynamoDB::Table")
    definitions = {}
    for name, table in tables.by_name.items():
        resource = table.node.default_child
        assert isinstance(resource, CfnElement)
        logical_id = stack.get_logical_id(resource)
        properties = resources[logical_id]["Properties"]
        definitions[name] = {k: v for k, v in properties.items() if k in KEPT}
    return definitions


@pytest.fixture(scope="session")
def dynamodb_local_url() -> Iterator[str]:
    if reason := dynamodb_local.missing():
        pytest.skip(f"NOT PROVEN HERE, DynamoDB Local cannot run: {reason}")
    with dynamodb_local.running() as url:
        yield url


@pytest.fixture
def real_stores(
    dynamodb_local_url: str, table_definitions: dict[str, dict[str, Any]]
) -> Iterator[Stores]:
    """On DynamoDB Local, with fresh tables; S3 is moto's."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_local_url,
        config=Config(max_pool_connections=32),
    )
    with mock_aws():
        yield _stores(client, table_definitions)
    client.close()


second_real_stores = real_stores
"""The same fixture under a second name: a test that compares two histories asks for both."""


@pytest.fixture(params=["moto", "dynamodb_local"])
def stores(
    request: pytest.FixtureRequest, table_definitions: dict[str, dict[str, Any]]
) -> Iterator[Stores]:
    """The same on both: what moto promises, AWS's own code must keep."""
    if request.param == "dynamodb_local":
        yield request.getfixturevalue("real_stores")
        return
    with mock_aws():
        yield _stores(boto3.client("dynamodb"), table_definitions)


def _stores(client: Any, definitions: dict[str, dict[str, Any]]) -> Stores:
    run = uuid4().hex
    names = {name: f"{name}-{run}" for name in definitions}
    for name, definition in definitions.items():
        client.create_table(TableName=names[name], **definition)
    s3 = boto3.client("s3")
    bucket = f"raws-{run}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Stores(
        ledger=DynamoLedger(client, lambda: s3, names["touchpoints"], bucket),
        media_files=S3MediaFiles(lambda: s3, bucket),
        profiles=DynamoProfileStore(client, names["profiles"], names["touchpoints"]),
        consents=DynamoConsentStore(client, names["profiles"], names["touchpoints"]),
        tickets=DynamoTicketStore(
            client, names["tickets"], names["touchpoints"], names["profiles"]
        ),
        client=client,
        names=names,
        bucket=bucket,
    )
