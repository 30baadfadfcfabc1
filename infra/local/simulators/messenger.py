"""Messenger's Send API, at the host of Meta's Graph API."""

from collections.abc import Mapping
from typing import Any

from infra.local.simulators._send_api import answer as send
from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "graph.facebook.com"


def is_for(request: SimulatedRequest, secret: Mapping[str, Any]) -> bool:
    """What is sent for one of our pages."""
    return _page(request) in secret["access_tokens"]


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    token = secret["access_tokens"].get(_page(request))
    return send(request, token, longest=2000, in_bytes=False)


def _page(request: SimulatedRequest) -> str:
    """Of `/v26.0/<page>/messages`; empty for every other path."""
    parts = request.path.split("/")
    return parts[2] if len(parts) == 4 and parts[3] == "messages" else ""
