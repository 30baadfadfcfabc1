"""Lambda: GET and POST /preferences/{token}, for whoever holds the link."""

from base64 import b64decode
from typing import Any

from functions.preference_page.logic.answer import Request, answer
from functions.preference_page.logic.preferences import Ports
from shared.policies.reader import read_policies
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import PreferencePageSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings, body = PreferencePageSettings.read(), event.get("body") or ""
    request = Request(
        method=event["requestContext"]["http"]["method"],
        token=event["pathParameters"]["token"],
        accept_language=event.get("headers", {}).get("accept-language", ""),
        body=b64decode(body) if event.get("isBase64Encoded") else body.encode(),
    )
    ports = Ports(
        ledger=wiring.ledger(settings),
        profiles=wiring.profiles(settings),
        consents=wiring.consents(settings),
        policy=read_policies().consent,
        clock=wiring.clock(),
    )
    return answer(request, ports, wiring.secrets(settings)).response()
