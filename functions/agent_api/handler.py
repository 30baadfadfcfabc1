"""Lambda: the API of the agents, its OpenAPI document and its docs page."""

from functools import cache
from threading import Lock
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.agent_api.app import build_app
from functions.agent_api.door import plain, refusal
from shared.runtime.observability import observed

_app = cache(build_app)

_one_at_a_time = Lock()
"""Powertools keeps the current request on a class. Lambda hands over one request at a time; the
local cloud, which runs this handler in threads, does not.
"""


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return refusal(event) or answer(_app(), event, context)


def answer(app: APIGatewayHttpResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    with _one_at_a_time:
        return app.resolve(plain(event), context)
