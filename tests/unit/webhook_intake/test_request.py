"""API Gateway's event is the provider's request again, byte by byte."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.webhook_intake.request import gateway_response, webhook_request
from infra.local.clients.base import Call, find_client
from shared.domain.errors import Unauthentic
from shared.providers.base import WebhookResponse, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, fetch

GATEWAY = "a1b2c3.execute-api.eu-west-1.amazonaws.com"
OURS = "https://hooks.boutique.example"


def gateway_event(body: bytes = b"{}", *, base64: bool = False, **overrides: Any) -> dict[str, Any]:
    """Payload format 2.0, as API Gateway makes it."""
    return {
        "version": "2.0",
        "rawPath": "/webhooks/twilio",
        "rawQueryString": "",
        "headers": {"host": GATEWAY, "x-forwarded-proto": "https"},
        "requestContext": {
            "domainName": GATEWAY,
            "http": {"method": "POST", "path": "/webhooks/twilio"},
            "timeEpoch": 1_795_348_800_123,
        },
        "pathParameters": {"provider": "twilio"},
        "body": b64encode(body).decode() if base64 else body.decode(),
        "isBase64Encoded": base64,
    } | overrides


class TestTheBody:
    @pytest.mark.parametrize("base64", [True, False])
    def test_trap_1_it_is_the_same_bytes_however_the_gateway_wrapped_it(self, base64: bool) -> None:
        body = '{"text": "arriv\\u00e9e 😡"}'.encode()
        assert webhook_request(gateway_event(body, base64=base64), public_url="").body == body

    def test_what_is_no_text_comes_in_base64(self) -> None:
        body = bytes(range(256))
        assert webhook_request(gateway_event(body, base64=True), public_url="").body == body

    def test_a_request_without_one_has_an_empty_one(self) -> None:
        event = gateway_event()
        del event["body"]
        assert webhook_request(event, public_url="").body == b""
        assert webhook_request(event | {"body": None}, public_url="").body == b""


class TestTheUrl:
    def test_it_is_the_one_the_provider_called(self) -> None:
        event = gateway_event(rawQueryString="a=1&b=caf%C3%A9")
        request = webhook_request(event, public_url="")
        assert request.url == f"https://{GATEWAY}/webhooks/twilio?a=1&b=caf%C3%A9"

    def test_without_a_query_it_ends_with_its_path(self) -> None:
        assert webhook_request(gateway_event(), public_url="").url.endswith("/webhooks/twilio")

    @pytest.mark.parametrize("public_url", [OURS, f"{OURS}/"])
    def test_a_custom_domain_stands_in_for_the_gateways(self, public_url: str) -> None:
        request = webhook_request(gateway_event(rawQueryString="a=1"), public_url=public_url)
        assert request.url == f"{OURS}/webhooks/twilio?a=1"

    def test_without_a_host_header_it_is_the_gateways_own_name(self) -> None:
        request = webhook_request(gateway_event(headers={}), public_url="")
        assert request.url == f"https://{GATEWAY}/webhooks/twilio"

    def test_a_local_server_speaks_http(self) -> None:
        headers = {"host": "127.0.0.1:8080", "x-forwarded-proto": "http"}
        request = webhook_request(gateway_event(headers=headers), public_url="")
        assert request.url == "http://127.0.0.1:8080/webhooks/twilio"

    def test_trap_7_a_signature_over_the_public_url_is_good_behind_a_custom_domain(self) -> None:
        body = b"MessageSid=SM1&From=%2B33612345678&Body=a&Body=b"
        call = Call(
            method="POST",
            url=f"{OURS}/webhooks/twilio?shop=1",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=body,
        )
        signed = find_client("twilio").sign(call, SECRETS["twilio"], NOW)
        event = gateway_event(
            body,
            base64=True,
            rawQueryString="shop=1",
            headers={**{k.lower(): v for k, v in signed.headers.items()}, "host": GATEWAY},
        )
        provider = find_provider("twilio")
        secret = provider.read_secret(SECRETS["twilio"])
        provider.verify(webhook_request(event, public_url=OURS), secret, fetch)
        with pytest.raises(Unauthentic):
            provider.verify(webhook_request(event, public_url=""), secret, fetch)


class TestTheRest:
    def test_a_query_keeps_its_order_its_doubles_and_its_blanks(self) -> None:
        event = gateway_event(rawQueryString="b=2&a=1&b=&hub.challenge=1+2")
        request = webhook_request(event, public_url="")
        assert request.query == (("b", "2"), ("a", "1"), ("b", ""), ("hub.challenge", "1 2"))
        assert request.parameter("b") == "2"
        assert request.parameter("none") == ""

    def test_header_names_are_read_in_any_case(self) -> None:
        headers = {"X-Hub-Signature-256": "sha256=ab", "Content-Type": "Application/JSON; a=b"}
        request = webhook_request(gateway_event(headers=headers), public_url="")
        assert request.header("x-hub-signature-256") == "sha256=ab"
        assert request.header("X-HUB-SIGNATURE-256") == "sha256=ab"
        assert request.content_type == "application/json"
        assert request.header("none") == ""

    def test_a_request_may_have_no_header_at_all(self) -> None:
        event = gateway_event()
        del event["headers"]
        assert webhook_request(event, public_url="").headers == {}

    @pytest.mark.parametrize(
        ("parameters", "path"),
        [
            ({"provider": "segment", "path": "v1/track"}, "v1/track"),
            ({"provider": "segment", "path": "/v1/track/"}, "v1/track"),
            ({"provider": "segment"}, ""),
        ],
    )
    def test_the_path_is_what_follows_the_provider(
        self, parameters: dict[str, str], path: str
    ) -> None:
        request = webhook_request(gateway_event(pathParameters=parameters), public_url="")
        assert request.path == path

    @pytest.mark.parametrize(
        ("path", "slug", "rest"),
        [
            ("milano", "milano", ""),
            ("/milano/", "milano", ""),
            ("milano/sessions", "milano", "sessions"),
            ("sessions", "", "sessions"),
            ("roma", "", "roma"),
            ("Milano", "", "Milano"),
            ("v1/milano", "", "v1/milano"),
            ("", "", ""),
        ],
    )
    def test_a_slug_of_the_provider_goes_before_its_own_path(
        self, path: str, slug: str, rest: str
    ) -> None:
        event = gateway_event(pathParameters={"provider": "web_chat", "path": path})
        request = webhook_request(
            event, public_url="", account_secrets={"web_chat/milano", "twilio/roma"}
        )
        assert (request.slug, request.path) == (slug, rest)

    def test_it_arrived_when_the_gateway_says(self) -> None:
        request = webhook_request(gateway_event(), public_url="")
        assert request.arrived_at == datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)


def test_the_answer_is_what_the_provider_wants_to_hear() -> None:
    said = WebhookResponse(status=202, body="<Response/>", content_type="text/xml")
    assert gateway_response(said) == {
        "statusCode": 202,
        "headers": {"content-type": "text/xml"},
        "body": "<Response/>",
    }
    more = WebhookResponse(headers={"access-control-allow-origin": "*"})
    assert gateway_response(more)["headers"] == {
        "content-type": "text/plain; charset=utf-8",
        "access-control-allow-origin": "*",
    }


def test_what_is_compressed_travels_as_base64() -> None:
    answer = gateway_response(WebhookResponse(content=bytes(range(256))))
    assert answer["isBase64Encoded"]
    assert b64decode(answer["body"]) == bytes(range(256))
