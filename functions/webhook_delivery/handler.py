"""Lambda: an event for a subscription, from the bus; or a delivery whose time has come."""

from typing import Any

from functions.webhook_delivery.logic import Begun, Due, Ports, begin, go_on
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import WebhookDeliverySettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = WebhookDeliverySettings.read()
    ports = Ports(
        webhooks=wiring.webhooks(settings),
        receivers=wiring.webhook_receivers(settings),
        secrets=wiring.secrets(settings),
        timer=wiring.timer(settings),
        clock=wiring.clock(),
    )
    if "delivery_id" in event:
        return {"ended": go_on(Due.model_validate(event), ports)}
    return {"ended": begin(Begun.model_validate(event), ports)}
