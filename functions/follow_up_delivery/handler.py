"""Lambda: a schedule has fired, an agent has answered, or a word calls for a notice."""

from typing import Any

from functions.follow_up_delivery.logic.request import fulfil, read_request
from functions.follow_up_delivery.logic.state import Ports
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
        consents=wiring.consents(settings),
        tickets=wiring.tickets(settings),
        timer=wiring.timer(settings),
        secrets=wiring.secrets(settings),
        media_files=wiring.media_files(settings),
        sender=wiring.sender(settings),
        breakers=wiring.breakers(settings),
        ai_uses=wiring.ai_uses(settings),
        policies=read_policies(),
        clock=wiring.clock(),
        preferences_url=settings.preferences_url,
    )
    return fulfil(read_request(event), ports)
