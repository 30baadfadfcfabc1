"""Secrets from AWS Secrets Manager."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from shared.adapters.secrets import SecretsManager
from shared.domain.errors import MissingSecret


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        manager = boto3.client("secretsmanager")
        manager.create_secret(Name="passerelle/twilio", SecretString='{"auth_tokens": ["one"]}')
        yield manager


def test_a_secret_is_its_json_object(client: Any) -> None:
    assert SecretsManager(client, "passerelle").read("twilio") == {"auth_tokens": ["one"]}


def test_where_there_is_none_there_is_none(client: Any) -> None:
    assert SecretsManager(client, "passerelle").read("whatsapp_cloud") is None
    assert SecretsManager(client, "another").read("twilio") is None


@pytest.mark.parametrize(
    "content",
    [
        {"SecretString": "not JSON with a s3cret in it"},
        {"SecretString": '["s3cret"]'},
        {"SecretString": '"s3cret"'},
        {"SecretBinary": b'{"s3cret": 1}'},
    ],
)
def test_what_is_no_object_is_named_and_never_quoted(
    client: Any, content: dict[str, str | bytes]
) -> None:
    with Stubber(client) as stub:
        stub.add_response("get_secret_value", content)
        with pytest.raises(MissingSecret, match="passerelle/twilio is not a JSON obj") as raised:
            SecretsManager(client, "passerelle").read("twilio")
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_it_is_fetched_once_and_again_after_some_minutes(client: Any) -> None:
    """A rotated secret becomes known without a deployment."""
    now = 1_000.0
    secrets = SecretsManager(client, "passerelle", elapsed=lambda: now)
    before = secrets.read("twilio")
    client.put_secret_value(SecretId="passerelle/twilio", SecretString='{"auth_tokens": ["two"]}')
    now += 299
    assert secrets.read("twilio") == before
    now += 1
    assert secrets.read("twilio") == {"auth_tokens": ["two"]}


def test_that_there_is_none_is_remembered_as_long(client: Any) -> None:
    """Whoever calls a route without a secret costs one look-up in five minutes, not one a call."""
    now = 1_000.0
    secrets = SecretsManager(client, "passerelle", elapsed=lambda: now)
    assert secrets.read("whatsapp_cloud") is None
    client.create_secret(Name="passerelle/whatsapp_cloud", SecretString='{"a": 1}')
    assert secrets.read("whatsapp_cloud") is None
    now += 300
    assert secrets.read("whatsapp_cloud") == {"a": 1}


def test_what_the_role_may_not_read_was_never_made(client: Any) -> None:
    """It is allowed the secrets of the stack, each by its name: AWS says no more of the others."""
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", "AccessDeniedException", http_status_code=400)
        assert SecretsManager(client, "passerelle").read("whatsapp_cloud/milano") is None


def test_a_failure_rises_and_is_not_remembered(client: Any) -> None:
    secrets = SecretsManager(client, "passerelle")
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", "InternalServiceError", http_status_code=500)
        with pytest.raises(ClientError):
            secrets.read("twilio")
    assert secrets.read("twilio") == {"auth_tokens": ["one"]}
