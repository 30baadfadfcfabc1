"""Errors of the house as HTTP, mapped once: problem details (RFC 9457) in the form API Gateway
wants.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from shared.domain import errors

PROBLEM_TYPE = "application/problem+json"

STATUS: dict[type[errors.PasserelleError], HTTPStatus] = {
    errors.UnknownProvider: HTTPStatus.NOT_FOUND,
    errors.MissingSecret: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unauthentic: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.MalformedPayload: HTTPStatus.BAD_REQUEST,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.Unlisted: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.WindowClosed: HTTPStatus.CONFLICT,
    errors.Contention: HTTPStatus.CONFLICT,
}
"""What is not in here is our own fault and rises: a 5xx means "send it again"."""


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """A response whose body says what is wrong; `errors` holds {"field", "reason"} of each wrong
    field, `more` the members that one kind of problem has beside (RFC 9457, section 3.2).
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **(more or {}),
    }
    if errors:
        body["errors"] = list(errors)
    return {
        "statusCode": status.value,
        "headers": {"content-type": PROBLEM_TYPE, **(headers or {})},
        "body": json.dumps(body, ensure_ascii=False),
    }


def problem_of(error: errors.PasserelleError) -> dict[str, Any]:
    """The answer to one of our errors; one that has no status is an internal error, and says no
    more.
    """
    status = STATUS.get(type(error))
    if status is None:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong on our side")
    wrong = (
        [{"field": error.field, "reason": str(error)}]
        if isinstance(error, errors.InvalidInput)
        else []
    )
    more: dict[str, object] = (
        {"reason": "window_closed", "templates": list(error.templates)}
        if isinstance(error, errors.WindowClosed)
        else {}
    )
    return problem(status, str(error), errors=wrong, more=more)
