"""How a prepared message reaches its simulator and what comes of it."""

from typing import Any
from urllib.parse import urlsplit

from infra.local.simulators.base import SimulatedRequest, hosts, simulators
from shared.domain.model import TouchpointId
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Endpoint,
    Touchpoint,
    Writer,
    touchpoint_id,
)
from shared.providers.base import HttpRequest, HttpResponse, Provider
from tests.unit.providers.fixtures import SECRETS


def message_to(
    channel: Channel, provider: str, account: str, address: str, **given: Any
) -> OutboundMessage:
    """An outbound message with everything that a test does not care about."""
    endpoint = Endpoint(channel=channel, provider=provider, account=account, address=address)
    return OutboundMessage(
        **{
            "send_key": "send-key-1",
            "endpoint": endpoint,
            "message_class": MessageClass.SERVICE,
            "text": "We are on it.",
            "written_by": Writer.PERSON,
            **given,
        }
    )


def prepared(provider: Provider[Any], message: OutboundMessage, **secret: Any) -> HttpRequest:
    content = {**SECRETS[provider.name], **secret}
    request = provider.prepare(message, provider.read_secret(content))
    assert isinstance(request, HttpRequest)
    return request


def simulated(provider: str, request: HttpRequest) -> HttpResponse:
    """What the provider's simulator answers to it."""
    url = urlsplit(request.url)
    simulator = simulators()[provider]
    assert url.scheme == "https"
    assert url.netloc in hosts(simulator)
    answer = simulator.answer(
        SimulatedRequest(
            method=request.method,
            host=url.netloc,
            path=url.path,
            query=url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.body,
        ),
        SECRETS[provider],
    )
    return HttpResponse(status=answer.status, headers=answer.headers, body=answer.body)


def message_of(status: Touchpoint) -> TouchpointId:
    """The outbound touchpoint that a delivery status is about, as the ledger finds it."""
    assert isinstance(status.content, DeliveryStatus)
    return touchpoint_id(status.provider, status.account, status.content.message_id)
