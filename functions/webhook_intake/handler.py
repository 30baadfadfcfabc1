"""Lambda: any request below /webhooks/{provider}."""

from functools import partial
from typing import Any

from functions.webhook_intake import request as gateway
from functions.webhook_intake.logic import take_in
from functions.webhook_intake.telling import REFUSALS, measure, refused
from shared.domain.account import secret_name
from shared.providers.base import find_provider
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import WebhookIntakeSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = WebhookIntakeSettings.read()
    try:
        provider = find_provider(event["pathParameters"]["provider"])
        request = gateway.webhook_request(
            event, public_url=settings.public_url, account_secrets=settings.account_secrets
        )
        is_proven = gateway.is_proven(event)
        hurried = provider.answer_within is not None and not is_proven
        intake = take_in(
            request,
            provider,
            secret=wiring.secrets(settings).read(secret_name(provider.name, request.slug)),
            ledger=wiring.hurried_ledger(settings) if hurried else wiring.ledger(settings),
            media_files=wiring.media_files(settings),
            clock=wiring.clock(),
            fetch=wiring.fetch(),
            accounts=wiring.accounts(settings),
            haste=wiring.haste(settings, partial(gateway.proven, event)) if hurried else None,
            is_proven=is_proven,
        )
    except REFUSALS as error:
        return refused(error)
    measure(provider.name, intake)
    return gateway.gateway_response(intake.response)
