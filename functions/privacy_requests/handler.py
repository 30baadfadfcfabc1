"""Lambda: one step of the state machines `erasure` and `export`."""

from typing import Any

from functions.privacy_requests.logic.erasure import erase
from functions.privacy_requests.logic.export import make_export
from functions.privacy_requests.logic.steps import Ports, StepRequest
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import PrivacyRequestsSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = PrivacyRequestsSettings.read()
    request = StepRequest.model_validate(event)
    ports = Ports(
        requests=wiring.privacy_requests(settings),
        data=wiring.personal_data(settings),
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        tickets=wiring.tickets(settings),
        consents=wiring.consents(settings),
        secrets=wiring.secrets(settings),
        policy=read_policies().identity,
        clock=wiring.clock(),
    )
    return {"next": erase(request, ports) if request.erasure_id else make_export(request, ports)}
