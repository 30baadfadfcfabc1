"""The API put together: routes, errors, OpenAPI document and docs page."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from functions.agent_api import (
    accounts,
    ai_uses,
    consents,
    docs,
    follow_ups,
    overrides,
    privacy,
    profiles,
    segments,
    tickets,
    touchpoints,
    uploads,
    webhooks,
)
from functions.agent_api.door import read_body
from shared.domain.errors import PasserelleError
from shared.runtime.http import STATUS, problem, problem_of
from shared.runtime.observability import logger

ROUTERS = (
    touchpoints.router,
    overrides.router,
    profiles.router,
    consents.router,
    segments.router,
    tickets.router,
    uploads.router,
    follow_ups.router,
    privacy.router,
    ai_uses.router,
    accounts.router,
    webhooks.router,
    docs.router,
)
OUR_FAULT = problem_of(PasserelleError())


def build_app() -> APIGatewayHttpResolver:
    """The resolver of all routes. A test puts fakes in by its `dependency_overrides`."""
    app = APIGatewayHttpResolver(
        enable_validation=True,
        response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        json_body_deserializer=read_body,
    )
    for router in ROUTERS:
        app.include_router(router)

    app.exception_handler(PasserelleError)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(Exception)(_broken)

    @app.not_found
    def nothing_there(error: NotFoundError) -> Response[str]:
        return _no_route(app)

    return app


def _response(answer: dict[str, Any]) -> Response[str]:
    headers = dict(answer["headers"])
    return Response(
        status_code=answer["statusCode"],
        content_type=headers.pop("content-type"),
        body=answer["body"],
        headers=headers,
    )


def _refused(error: PasserelleError) -> Response[str]:
    if type(error) not in STATUS:
        return _broken(error)
    return _response(problem_of(error))


def _invalid(error: RequestValidationError) -> Response[str]:
    """What does not fit the route's types. Only field and rule are told, never what was sent."""
    wrong = [
        {"field": _field(one["loc"]), "reason": one["msg"].removeprefix("Value error, ")}
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['reason']}" for one in wrong)
    return _response(problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=wrong))


def _field(location: tuple[str | int, ...]) -> str:
    """`limit` for a parameter, `text` or `body` for a part of the body."""
    return ".".join(map(str, location[1:])) or str(location[0])


def _broken(error: Exception) -> Response[str]:
    """Not the caller's fault. Only the type is logged: a message may quote what was sent."""
    logger().error("request_failed", extra={"error": type(error).__name__})
    return _response(OUR_FAULT)


def _no_route(app: APIGatewayHttpResolver) -> Response[str]:
    """404, or 405 where the path exists with other methods."""
    # Powertools knows its routes, and offers no public way to ask for them.
    routes = app._static_routes + app._dynamic_routes
    path = app.current_event.path
    allowed = sorted({route.method for route in routes if route.rule.match(path)})
    if allowed:
        detail = f"this path takes {', '.join(allowed)}"
        allow = {"allow": ", ".join(allowed)}
        return _response(problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=allow))
    return _response(problem(HTTPStatus.NOT_FOUND, "there is no such path"))
