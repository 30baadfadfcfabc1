"""Messenger's Send API, at the host of Meta's Graph API."""

from collections.abc import Mapping
from typing import Any

from infra.local.simulators._graph import tell as tell
from infra.local.simulators._send_api import FAULTS as FAULTS
from infra.local.simulators._send_api import answer as send
from infra.local.simulators._send_api import message_of, milliseconds, told
from infra.local.simulators.base import (
    DELIVERED,
    READ,
    Callback,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "graph.facebook.com"


def is_for(request: SimulatedRequest, secret: Mapping[str, Any]) -> bool:
    """What is sent for one of our pages."""
    return _page(request) in secret["access_tokens"]


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    token = secret["access_tokens"].get(_page(request))
    return send(request, token, longest=2000, in_bytes=False)


def callbacks(taken: Taken) -> list[Callback]:
    """A watermark stands for all that was sent until then.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-deliveries
    https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-reads
    """
    page, watermark = _page(taken.request), milliseconds(taken.at)
    delivery = {"mids": [message_of(taken)], "watermark": watermark}
    return [
        told(taken, "page", page, DELIVERED, "delivery", delivery),
        told(taken, "page", page, READ, "read", {"watermark": watermark}),
    ]


def _page(request: SimulatedRequest) -> str:
    """Of `/v26.0/<page>/messages`; empty for every other path."""
    parts = request.path.split("/")
    return parts[2] if len(parts) == 4 and parts[3] == "messages" else ""
