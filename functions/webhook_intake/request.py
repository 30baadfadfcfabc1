"""API Gateway's event (payload format 2.0) and our request, there and back."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.domain.account import secret_name
from shared.providers.base import WebhookRequest, WebhookResponse

_PROVEN = "passerelle_proven"
"""Beside what the gateway says. Its callers write none of an event's own names, and nobody but the
gateway and this function may invoke it: so who it is from needs no second proof.
"""


def proven(event: Mapping[str, Any], request: WebhookRequest) -> dict[str, Any]:
    """The event for a second time, of the request that was verified and kept no proof
    (`Provider.without_proof`): nobody waits for its answer, and it may lie in a queue.

    It is written anew of what `webhook_request` reads, for the gateway says the path four times.
    """
    context = event["requestContext"]
    parts = urlsplit(request.url)
    path = "/".join(one for one in (request.slug, request.path.strip("/")) if one)
    return {
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": dict(request.headers),
        "requestContext": {
            "domainName": context.get("domainName", ""),
            "http": {"method": request.method},
            "timeEpoch": context["timeEpoch"],
        },
        "pathParameters": {"provider": event["pathParameters"]["provider"], "path": path},
        "body": event.get("body", ""),
        "isBase64Encoded": event.get("isBase64Encoded", False),
        _PROVEN: True,
    }


def is_proven(event: Mapping[str, Any]) -> bool:
    return event.get(_PROVEN) is True


def webhook_request(
    event: Mapping[str, Any], *, public_url: str, account_secrets: Collection[str] = ()
) -> WebhookRequest:
    """The request as the provider made it.

    `public_url` stands in for a host the gateway does not know. The path begins with an account
    where that has a secret of its own; whatever else it begins with is the provider's.
    """
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    query = event.get("rawQueryString", "")
    scheme = headers.get("x-forwarded-proto", "https")
    host = public_url.rstrip("/") or f"{scheme}://{headers.get('host') or context['domainName']}"
    body = event.get("body") or ""
    parameters = event.get("pathParameters", {})
    path = parameters.get("path", "").strip("/")
    first, _, rest = path.partition("/")
    of_account = secret_name(parameters.get("provider", ""), first) in account_secrets
    slug, path = (first, rest.strip("/")) if of_account else ("", path)
    return WebhookRequest(
        method=context["http"]["method"],
        url=f"{host}{event['rawPath']}" + (f"?{query}" if query else ""),
        path=path,
        slug=slug,
        headers=headers,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        body=b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        arrived_at=datetime.fromtimestamp(context["timeEpoch"] / 1000, UTC),
    )


def gateway_response(response: WebhookResponse) -> dict[str, Any]:
    answer = {
        "statusCode": response.status,
        "headers": {"content-type": response.content_type, **(response.headers or {})},
        "body": response.body,
    }
    if response.content is not None:
        answer |= {"body": b64encode(response.content).decode(), "isBase64Encoded": True}
    return answer
