"""Lambda: a schedule has fired, or an agent has answered."""

from typing import Any

from functions.follow_up_delivery.logic.delivery import deliver
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.journey import DeliveryRequest
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import FollowUpDeliverySettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = FollowUpDeliverySettings.read()
    ports = Ports(
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        tickets=wiring.tickets(settings),
        timer=wiring.timer(settings),
        secrets=wiring.secrets(settings),
        sender=wiring.sender(settings),
        policies=read_policies(),
        clock=wiring.clock(),
    )
    follow_up = deliver(DeliveryRequest.model_validate(event), ports)
    return {"follow_up_id": follow_up.follow_up_id, "state": follow_up.state}
