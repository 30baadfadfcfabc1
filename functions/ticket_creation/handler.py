"""Lambda: the journey's third step."""

from typing import Any

from functions.ticket_creation.logic.creation import create_ticket
from shared.domain.journey import JourneyState
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import TicketCreationSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = TicketCreationSettings.read()
    step = create_ticket(
        JourneyState.model_validate(event),
        ledger=wiring.ledger(settings),
        tickets=wiring.tickets(settings),
        policies=read_policies(),
        clock=wiring.clock(),
    )
    return step.model_dump(mode="json", exclude_none=True)
