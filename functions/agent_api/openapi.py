"""The OpenAPI 3.1 document: what the routes say of themselves, and the errors they share."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from shared.runtime.http import PROBLEM_TYPE

TITLE = "Passerelle: the API of the agents"
VERSION = "1.0.0"
DESCRIPTION = """\
Every contact a customer had with the company, whatever the channel, as one person's history; the
tickets that say what is owed to them, and the follow-ups that keep the promise.

Lists come in pages: `cursor` of one page asks for the next, and null ends them. Errors are problem
details (RFC 9457); `errors` names each field that is wrong, and why.
"""
TAGS = {
    "touchpoints": "Observed contacts, immutable, with what they were understood as and what "
    "became of them.",
    "profiles": "The one view of a person.",
    "consents": "What a person allowed and forbade, and what stops messages to them.",
    "segments": "Sets of people that live: who is in follows from a rule, at every moment.",
    "tickets": "Tracked obligations.",
    "uploads": "Files that a reply sends along.",
    "follow-ups": "Dated commitments, and how they ended.",
    "privacy": "What a person may ask of their data: a copy, a correction, to be forgotten.",
    "accounts": "Our lines at the providers, and what holds at each.",
    "webhooks": "Systems of the company that are told what happens here, signed, for a day, with a "
    "log.",
    "ai-uses": "Where AI is used, what is promised of it, and the switch that stops it.",
}
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of the user pool; its `sub` is the agent. A client's own, whose `sub` "
    "is its `client_id`, is a machine's.",
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {
            "type": "string",
            "const": "window_closed",
            "description": "Of a reply that was refused: its reply window is closed.",
        },
        "templates": {
            "type": "array",
            "items": {"type": "string"},
            "description": "With `window_closed`: what may be sent instead, by name.",
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
ERRORS: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read, or a parameter says nothing",
    HTTPStatus.UNAUTHORIZED: "No token, or not a valid one",
    HTTPStatus.FORBIDDEN: "Only a person may do this, or only an administrator, and the token is "
    "another's",
    HTTPStatus.NOT_FOUND: "Nothing has that id",
    HTTPStatus.CONFLICT: "It contradicts the current state; read again",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value breaks a rule",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side; try again",
}
EVERYWHERE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
}
WITH_BODY = {
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
OF_PERSONS = frozenset(
    {
        "switch_ai_use",
        "override",
        "release_override",
        "list_webhook_subscriptions",
        "read_webhook_subscription",
        "subscribe_webhook",
        "unsubscribe_webhook",
        "read_webhook_secrets",
        "rotate_webhook_secret",
        "list_webhook_deliveries",
        "replay_webhook_delivery",
    }
)
"""Operations that no machine's token may ask for; those of `Administrator` no other agent's."""
NOT_OURS = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
"""What Powertools describes and our errors replace."""


def describe(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The document, made from the routes."""
    schema = app.get_openapi_schema(title=TITLE, version=VERSION, description=DESCRIPTION)
    document: dict[str, Any] = schema.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    document["security"] = [{"bearer": []}]
    parts = document["components"]
    parts["securitySchemes"] = {"bearer": BEARER}
    parts["schemas"] = {k: v for k, v in parts["schemas"].items() if k not in NOT_OURS}
    parts["schemas"]["Problem"] = PROBLEM
    parts["responses"] = {status.name.lower(): _error(status) for status in ERRORS}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _name_errors(operation, has_id="{" in path or "requestBody" in operation)
            if operation["operationId"] in OF_PERSONS:
                operation["responses"]["403"] = {"$ref": "#/components/responses/forbidden"}
            if method == "delete":
                operation["responses"]["409"] = {"$ref": "#/components/responses/conflict"}
    return document


def _error(status: HTTPStatus) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": ERRORS[status],
    }
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        reason = "Input should be less than or equal to 100"
        example |= {
            "detail": f"limit: {reason}",
            "errors": [{"field": "limit", "reason": reason}],
        }
    return {
        "description": ERRORS[status],
        "content": {
            PROBLEM_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {status.name.lower(): {"value": example}},
            }
        },
    }


def _name_errors(operation: dict[str, Any], *, has_id: bool) -> None:
    possible = EVERYWHERE | ({HTTPStatus.NOT_FOUND} if has_id else set())
    possible |= WITH_BODY if "requestBody" in operation else set()
    answers = {code: said for code, said in operation["responses"].items() if code < "400"}
    for status in sorted(possible):
        answers[str(status.value)] = {"$ref": f"#/components/responses/{status.name.lower()}"}
    operation["responses"] = answers
