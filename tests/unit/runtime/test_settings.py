"""The environment of a function is a typed value; what is missing is named."""

from collections.abc import Iterator, Mapping

import pytest
from pydantic import ValidationError

from shared.runtime.settings import (
    EventPublishingSettings,
    FollowUpDeliverySettings,
    ProfileUpdateSettings,
    WebhookIntakeSettings,
    environment,
)
from tests.builders import policies

INTAKE = {
    "TOUCHPOINTS_TABLE": "touchpoints",
    "RAW_BUCKET": "raws",
    "SECRETS_PREFIX": "passerelle",
    "RETENTION": policies().retention.model_dump_json(),
    "INTAKE_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:webhook_intake",
}


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    """What the function finds in its environment, and nothing else."""
    given: dict[str, str] = {}
    token = environment.set(given)
    yield given
    environment.reset(token)


def test_a_field_is_the_variable_of_its_name(variables: dict[str, str]) -> None:
    variables |= INTAKE
    settings = WebhookIntakeSettings.read()
    assert settings.touchpoints_table == "touchpoints"
    assert settings.public_url == ""
    assert settings.retention == policies().retention


def test_what_is_set_beside_the_default_counts(variables: dict[str, str]) -> None:
    variables |= INTAKE | {"PUBLIC_URL": "https://hooks.boutique.example"}
    assert WebhookIntakeSettings.read().public_url == "https://hooks.boutique.example"


@pytest.mark.parametrize("missing", INTAKE)
def test_what_is_missing_is_named(variables: dict[str, str], missing: str) -> None:
    variables |= {name: value for name, value in INTAKE.items() if name != missing}
    with pytest.raises(ValidationError, match=missing.lower()):
        WebhookIntakeSettings.read()


def test_what_lambda_sets_of_its_own_is_no_trouble(variables: dict[str, str]) -> None:
    variables |= {"BUS_NAME": "passerelle", "AWS_REGION": "eu-west-1", "bus_name": "no"}
    assert EventPublishingSettings.read() == EventPublishingSettings(bus_name="passerelle")


def test_the_stack_must_set_exactly_what_has_no_default() -> None:
    assert WebhookIntakeSettings.variables() == frozenset(INTAKE)
    assert "PROVIDER_GATEWAY" not in FollowUpDeliverySettings.variables()
    assert ProfileUpdateSettings.variables() == {
        "TOUCHPOINTS_TABLE",
        "RAW_BUCKET",
        "PROFILES_TABLE",
        "RETENTION",
    }


def test_settings_are_a_key_so_that_an_adapter_is_made_once(variables: dict[str, str]) -> None:
    variables |= INTAKE
    assert hash(WebhookIntakeSettings.read()) == hash(WebhookIntakeSettings.read())


def test_without_anything_of_its_own_it_is_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUS_NAME", "passerelle")
    found: Mapping[str, str] = environment.get()
    assert found["BUS_NAME"] == EventPublishingSettings.read().bus_name
