"""Instagram's Send API, as an app with Instagram's own login calls it."""

from collections.abc import Mapping
from typing import Any

from infra.local.simulators._graph import Refused, refusal, trace_of
from infra.local.simulators._send_api import answer as send
from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "graph.instagram.com"


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    """`me` is whoever the token is of."""
    if not request.path.endswith("/me/messages"):
        return refusal(Refused(100, "Unsupported request: unknown path"), trace_of(request))
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    token = given if given in secret["access_tokens"].values() else None
    return send(request, token, longest=1000, in_bytes=True)
