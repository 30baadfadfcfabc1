"""Instagram's Send API, as an app with Instagram's own login calls it."""

from collections.abc import Mapping
from typing import Any

from infra.local.simulators._graph import Refused, refusal, trace_of
from infra.local.simulators._graph import tell as tell
from infra.local.simulators._send_api import FAULTS as FAULTS
from infra.local.simulators._send_api import answer as send
from infra.local.simulators._send_api import message_of, told
from infra.local.simulators.base import (
    READ,
    Callback,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "graph.instagram.com"


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    """`me` is whoever the token is of."""
    if not request.path.endswith("/me/messages"):
        return refusal(Refused(100, "Unsupported request: unknown path"), trace_of(request))
    given = _given(request)
    token = given if given in secret["access_tokens"].values() else None
    return send(request, token, longest=1000, in_bytes=True)


def callbacks(taken: Taken) -> list[Callback]:
    """That it was seen is all Instagram tells.

    https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks
    """
    tokens = taken.secret["access_tokens"].items()
    account = next(name for name, token in tokens if token == _given(taken.request))
    return [told(taken, "instagram", account, READ, "read", {"mid": message_of(taken)})]


def _given(request: SimulatedRequest) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")
