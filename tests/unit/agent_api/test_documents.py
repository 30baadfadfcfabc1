"""/openapi.json and /docs."""

import re
from base64 import b64encode
from hashlib import sha256

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.unit.agent_api.client import Client


def test_the_document_is_openapi_3_1_and_open_to_everybody(client: Client) -> None:
    document = client.call("GET", "/openapi.json", token=False).body
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_says_what_it_is_for_and_how_it_fails(client: Client) -> None:
    document = client.get("/openapi.json").body
    assert set(document["paths"]) == {
        "/v1/touchpoints",
        "/v1/touchpoints/{touchpoint_id}",
        "/v1/touchpoints/{touchpoint_id}/overrides",
        "/v1/touchpoints/{touchpoint_id}/overrides/{override_id}",
        "/v1/profiles",
        "/v1/profiles/{profile_id}",
        "/v1/profiles/{profile_id}/timeline",
        "/v1/profiles/{profile_id}/records",
        "/v1/profiles/{profile_id}/segments",
        "/v1/profiles/{profile_id}/merges",
        "/v1/merge-suggestions",
        "/v1/merges",
        "/v1/separations",
        "/v1/segments",
        "/v1/segments/{name}/members",
        "/v1/segments/{name}/export",
        "/v1/tickets",
        "/v1/tickets/{ticket_id}",
        "/v1/tickets/{ticket_id}/replies",
        "/v1/uploads",
        "/v1/follow-ups",
        "/v1/profiles/{profile_id}/exports",
        "/v1/profiles/{profile_id}/erasures",
        "/v1/profiles/{profile_id}/consents",
        "/v1/profiles/{profile_id}/suppressions",
        "/v1/profiles/{profile_id}/suppressions/{suppression_id}",
        "/v1/profiles/{profile_id}/preference-links",
        "/v1/exports/{export_id}",
        "/v1/erasures/{erasure_id}",
        "/v1/accounts",
        "/v1/webhook-subscriptions",
        "/v1/webhook-subscriptions/{name}",
        "/v1/webhook-subscriptions/{name}/rotate",
        "/v1/webhook-subscriptions/{name}/secrets",
        "/v1/webhook-subscriptions/{name}/deliveries",
        "/v1/webhook-subscriptions/{name}/deliveries/{delivery_id}/replay",
        "/v1/ai-uses",
        "/v1/ai-uses/{ai_use}",
        "/v1/ai-uses/{ai_use}/switch",
    }
    tags = {tag["name"] for tag in document["tags"]}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert set(operation["tags"]) <= tags
            assert {"400", "401", "422", "500"} <= set(operation["responses"])
    replies = document["paths"]["/v1/tickets/{ticket_id}/replies"]["post"]
    assert {"202", "404", "409", "413", "415"} <= set(replies["responses"])
    assert replies["requestBody"]["content"]["application/json"]["examples"]
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["bearerFormat"] == "JWT"
    parameters = {
        one["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for one in operation.get("parameters", ())
    }
    assert "folder" not in parameters
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_docs_page_needs_nothing_but_itself(client: Client) -> None:
    page = client.call("GET", "/docs", token=False)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    tags = re.sub(r"<(script|style)>.*?</\1>", "", page.body, flags=re.DOTALL)
    assert "src=" not in tags
    assert "href=" not in tags
    assert "@import" not in page.body


def test_the_docs_page_runs_under_a_strict_policy(client: Client) -> None:
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    inline = re.findall(r"<(script|style)>(.*?)</\1>", page.body, flags=re.DOTALL)
    assert [kind for kind, _ in inline] == ["style", "script", "script"]
    for _, text in inline:
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_the_docs_page_travels_compressed(client: Client) -> None:
    whole = len(client.get("/docs").body.encode())
    small = client.call("GET", "/docs", headers={"accept-encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["body-bytes"]) < whole / 2
