"""Lambda: any request below /webhooks/{provider}."""

from typing import Any

from functions.webhook_intake.logic import Intake, take_in
from functions.webhook_intake.request import (
    gateway_response,
    is_unattended,
    unattended,
    webhook_request,
)
from shared.domain.account import Accounts, secret_name
from shared.domain.errors import (
    MissingSecret,
    PasserelleError,
    TooLarge,
    Unauthentic,
    UnknownProvider,
)
from shared.providers.base import find_provider
from shared.runtime import wiring
from shared.runtime.http import STATUS, problem
from shared.runtime.observability import count, logger, observed
from shared.runtime.settings import WebhookIntakeSettings

REFUSALS = (UnknownProvider, MissingSecret, Unauthentic, TooLarge)


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    settings = WebhookIntakeSettings.read()
    name = event["pathParameters"]["provider"]
    try:
        provider = find_provider(name)
        secrets = settings.account_secrets
        request = webhook_request(event, public_url=settings.public_url, account_secrets=secrets)
        hurried = provider.answer_within is not None and not is_unattended(event)
        intake = take_in(
            request,
            provider,
            secret=wiring.secrets(settings).read(secret_name(provider.name, request.slug)),
            ledger=wiring.hurried_ledger(settings) if hurried else wiring.ledger(settings),
            clock=wiring.clock(),
            fetch=wiring.fetch(),
            accounts=_listed() if secrets else Accounts(),
            haste=wiring.haste(settings, unattended(event)) if hurried else None,
        )
    except REFUSALS as error:
        return _refused(error)
    _measure(provider.name, intake)
    return gateway_response(intake.response)


def _listed() -> Accounts:
    """Reading YAML costs a cold start, so only where an account has a secret of its own."""
    from shared.policies.reader import read_policies

    return read_policies().accounts


def _refused(error: PasserelleError) -> dict[str, Any]:
    """One line, and nothing changed. The name in the path is the caller's, so it is not logged."""
    logger().warning("webhook_refused", extra={"error": type(error).__name__, "reason": str(error)})
    return problem(STATUS[type(error)], str(error))


def _measure(provider: str, intake: Intake) -> None:
    count("TouchpointsReceived", intake.received, provider=provider)
    count("TouchpointsDuplicate", intake.duplicate, provider=provider)
    count("TouchpointsQuarantined", intake.quarantined, provider=provider)
    count("RequestsHandedOver", intake.handed_over, provider=provider)
    count("RequestsNotKept", intake.not_kept, provider=provider)
