"""What is refused before any route is looked at."""

from base64 import b64decode
from http import HTTPStatus
from typing import Any

from shared.domain.errors import MalformedPayload, TooLarge, Unauthentic
from shared.providers.base import JSON_TYPE, read_json
from shared.runtime.http import problem, problem_of

LARGEST_BODY = 64_000
"""Characters. A reply has at most 4,096."""


def refusal(event: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to a request that goes no further, or None."""
    if event["rawPath"].startswith("/v1/") and not _has_agent(event):
        return problem_of(Unauthentic("sign in first"))
    try:
        body = _body(event)
    except ValueError:
        return problem_of(MalformedPayload("the body is not UTF-8"))
    if len(body) > LARGEST_BODY:
        return problem_of(TooLarge(f"a body may hold {LARGEST_BODY} characters"))
    kind = event.get("headers", {}).get("content-type", JSON_TYPE).split(";")[0].strip().lower()
    if body and kind != JSON_TYPE:
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be {JSON_TYPE}")
    return None


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """The request with the type of its body as Powertools wants it: in lower case."""
    return event | {"headers": event.get("headers", {}) | {"content-type": JSON_TYPE}}


def _body(event: dict[str, Any]) -> str:
    """The body as text. Raises ValueError where it is none."""
    body = event.get("body") or ""
    return b64decode(body, validate=True).decode() if event.get("isBase64Encoded") else body


def _has_agent(event: dict[str, Any]) -> bool:
    """Whether the gateway's authoriser put a verified token's claims in."""
    authorizer = event["requestContext"].get("authorizer") or {}
    return bool(authorizer.get("jwt", {}).get("claims", {}).get("sub"))


def read_body(text: str) -> Any:
    """The body of a request as JSON. Raises MalformedPayload, which answers 400."""
    try:
        return read_json(text.encode())
    except UnicodeEncodeError:
        raise MalformedPayload("the body is not UTF-8") from None
