"""Verify, parse, keep, answer: in that order, and nothing is answered before it is kept."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.domain.account import secret_name
from shared.domain.errors import MalformedPayload, Unauthentic
from shared.ports import Clock, Ledger
from shared.providers.base import (
    Fetch,
    Outcome,
    PartlyMalformed,
    Provider,
    WebhookRequest,
    WebhookResponse,
)


class Intake(NamedTuple):
    """The answer, and what was taken in, for the metrics."""

    response: WebhookResponse
    received: int = 0
    duplicate: int = 0
    quarantined: int = 0


def take_in(
    request: WebhookRequest,
    provider: Provider[Any],
    *,
    secret: Mapping[str, Any] | None,
    ledger: Ledger,
    clock: Clock,
    fetch: Fetch,
) -> Intake:
    """Take in one webhook.

    Raises MissingSecret, TooLarge or Unauthentic, and then nothing has changed. An error of the
    ledger rises too: without an answer, the provider sends the same again, and what was kept
    already counts as a duplicate.
    """
    usable = provider.read_secret(secret, secret_name(provider.name, request.slug))
    provider.check_size(request)
    if (challenge := provider.challenge(request, usable)) is not None:
        return Intake(challenge)
    provider.verify(request, usable, fetch)
    if (endpoint := provider.mailbox(request, usable)) is not None:
        waiting = [entry.touchpoint for entry in ledger.mailbox(endpoint)]
        return Intake(provider.render_mailbox(request, waiting))
    now = clock.now()
    proof = provider.one_time_proof(request, usable)
    if proof is not None and not ledger.claim(provider.name, proof, now):
        raise Unauthentic("the proof came with something else before")
    try:
        observed = provider.read(request, usable, now)
    except MalformedPayload as error:
        readable = error.readable if isinstance(error, PartlyMalformed) else []
        new = ledger.record(readable)
        kept = provider.without_proof(request, usable)
        ledger.quarantine(provider.name, kept, str(error), now)
        return Intake(
            provider.respond(Outcome.QUARANTINED, readable),
            received=1 + len(new),
            duplicate=new.count(False),
            quarantined=1,
        )
    new = ledger.record(observed)
    return Intake(
        provider.answer(request, usable, observed),
        received=len(new),
        duplicate=new.count(False),
    )
