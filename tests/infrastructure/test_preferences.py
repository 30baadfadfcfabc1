"""The page behind a signed link, and what a word in a message sets going."""

import json
from typing import Any

import pytest

from tests.infrastructure.conftest import Synthesised
from tests.infrastructure.test_stack import text


def test_only_who_signs_or_reads_links_reads_their_key(stack: Synthesised) -> None:
    readers = {
        name
        for name, function in stack.functions().items()
        for statement in stack.statements(function["Role"])
        if "secretsmanager:" in text(statement["Action"])
        and "preferencesecret" in text(statement["Resource"]).lower()
    }
    assert readers == {"follow_up_delivery", "agent_api", "preference_page"}


def test_the_key_of_the_links_is_drawn(stack: Synthesised) -> None:
    (secret,) = (
        one["Properties"]
        for one in stack.resources("AWS::SecretsManager::Secret").values()
        if one["Properties"]["Name"] == "passerelle/preferences"
    )
    assert secret["GenerateSecretString"]["PasswordLength"] == 64
    assert json.loads(secret["GenerateSecretString"]["SecretStringTemplate"]) == {"id": "k1"}


def test_a_link_needs_no_sign_in_and_its_address_is_told(stack: Synthesised) -> None:
    routes = {
        one["Properties"]["RouteKey"]: one["Properties"]
        for one in stack.resources("AWS::ApiGatewayV2::Route").values()
    }
    for method in ("GET", "POST"):
        route = routes[f"{method} /preferences/{{token}}"]
        assert route.get("AuthorizationType", "NONE") == "NONE"
    for name in ("follow_up_delivery", "agent_api"):
        told = text(stack.functions()[name]["Environment"]["Variables"]["PREFERENCES_URL"])
        assert "ApiEndpoint" in told and "/preferences/" in told


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ("EndpointSuppressed", {"data": {"confirm": [True]}}),
        ("EndpointReleased", {"data": {"confirm": [True]}}),
        ("HelpRequested", None),
    ],
)
def test_what_a_word_calls_for_is_handed_to_delivery(
    stack: Synthesised, event: str, detail: dict[str, Any] | None
) -> None:
    (rule,) = (
        one["Properties"]
        for one in stack.resources("AWS::Events::Rule").values()
        if one["Properties"]["EventPattern"].get("detail-type") == [event]
    )
    assert rule["EventPattern"].get("detail") == detail
    (target,) = rule["Targets"]
    assert "followupdelivery" in text(target["Arn"])
    assert "$.detail.data.touchpoint_id" in text(target["InputTransformer"])
