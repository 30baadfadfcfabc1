"""API Gateway's event (payload format 2.0) and our request, there and back."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from shared.providers.base import WebhookRequest, WebhookResponse


def webhook_request(event: Mapping[str, Any], *, public_url: str) -> WebhookRequest:
    """The request as the provider made it.

    `public_url` stands in for a host the gateway does not know.
    """
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    query = event.get("rawQueryString", "")
    scheme = headers.get("x-forwarded-proto", "https")
    host = public_url.rstrip("/") or f"{scheme}://{headers.get('host') or context['domainName']}"
    body = event.get("body") or ""
    return WebhookRequest(
        method=context["http"]["method"],
        url=f"{host}{event['rawPath']}" + (f"?{query}" if query else ""),
        path=event.get("pathParameters", {}).get("path", "").strip("/"),
        headers=headers,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        body=b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        arrived_at=datetime.fromtimestamp(context["timeEpoch"] / 1000, UTC),
    )


def gateway_response(response: WebhookResponse) -> dict[str, Any]:
    return {
        "statusCode": response.status,
        "headers": {"content-type": response.content_type, **(response.headers or {})},
        "body": response.body,
    }
