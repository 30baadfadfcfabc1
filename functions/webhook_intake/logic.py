"""Verify, parse, keep, answer: in that order, and nothing is promised before it is kept."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from shared.domain.account import Accounts, secret_name
from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.media import with_links
from shared.ports.ledger import Haste, Ledger, MediaFiles
from shared.ports.providers import Clock
from shared.providers.base import (
    Fetch,
    Observed,
    Outcome,
    PartlyMalformed,
    Provider,
    WebhookRequest,
    WebhookResponse,
)

KEEPING = 0.7
HANDING_OVER = 0.2
"""Of what `answer_within` allows; the rest is for proof, reading and the way back."""


class Intake(NamedTuple):
    """The answer, and what was taken in, for the metrics."""

    response: WebhookResponse
    received: int = 0
    duplicate: int = 0
    quarantined: int = 0
    handed_over: int = 0
    """Not kept in time, and to be taken in once more."""
    not_kept: int = 0
    """Neither kept nor handed over, and the caller was told so."""


NOT_LISTED = Accounts()
ANOTHERS = "it tells of an account that another secret proves"


class Reading(NamedTuple):
    """What a request holds, and why a part of it, or all, cannot be read; empty where all was."""

    observed: list[Observed]
    unreadable: str = ""


def take_in(
    request: WebhookRequest,
    provider: Provider[Any],
    *,
    secret: Mapping[str, Any] | None,
    ledger: Ledger,
    media_files: MediaFiles,
    clock: Clock,
    fetch: Fetch,
    haste: Haste | None = None,
    accounts: Accounts = NOT_LISTED,
    is_proven: bool = False,
) -> Intake:
    """Take in one webhook. `haste` is for a provider that waits for its answer; None where nobody
    does, or where it tries again. `is_proven` is one that we have verified, and handed over without
    what proves it.

    Raises MissingSecret, TooLarge or Unauthentic, and then nothing has changed. An error of the
    ledger rises too: without an answer, the provider sends the same again, and what was kept
    already counts as a duplicate.
    """
    usable = provider.read_secret(secret, secret_name(provider.name, request.slug))
    provider.check_size(request)
    if (challenge := provider.challenge(request, usable)) is not None:
        return Intake(challenge)
    if not is_proven:
        provider.verify(request, usable, fetch)
    if (endpoint := provider.mailbox(request, usable)) is not None:
        found = ledger.mailbox(endpoint, after=provider.mailbox_since(request))
        waiting = [with_links(entry.touchpoint, media_files.address) for entry in found]
        return Intake(provider.render_mailbox(request, waiting))
    now = clock.now()
    proof = provider.one_time_proof(request, usable)
    if proof is not None and not ledger.claim(provider.name, proof, now):
        raise Unauthentic("the proof came with something else before")
    reading = _by_its_own(_read(request, provider, usable, now), request.slug, accounts)
    answer = (
        provider.respond(Outcome.QUARANTINED, reading.observed)
        if reading.unreadable
        else provider.answer(request, usable, reading.observed)
    )
    bare = provider.without_proof(request, usable)
    keep = partial(_keep, reading, bare, answer, provider.name, ledger, now)
    if provider.answer_within is None or haste is None:
        return keep()
    if (kept := _in_time(keep, answer, provider.answer_within, haste, bare)) is not None:
        return kept
    return Intake(provider.respond(Outcome.NOT_KEPT, reading.observed), not_kept=1)


def _read(request: WebhookRequest, provider: Provider[Any], secret: Any, now: datetime) -> Reading:
    try:
        return Reading(provider.read(request, secret, now))
    except MalformedPayload as error:
        readable = error.readable if isinstance(error, PartlyMalformed) else []
        return Reading(readable, str(error))


def _by_its_own(reading: Reading, slug: str, accounts: Accounts) -> Reading:
    """Without what tells of a line that another secret proves: that waits in quarantine."""
    own = [
        one
        for one in reading.observed
        if accounts.may_speak(slug, one.touchpoint.provider, one.touchpoint.account)
    ]
    if len(own) == len(reading.observed):
        return reading
    return Reading(own, reading.unreadable or ANOTHERS)


def _keep(
    reading: Reading,
    request: WebhookRequest,
    answer: WebhookResponse,
    provider: str,
    ledger: Ledger,
    now: datetime,
) -> Intake:
    new = ledger.record(reading.observed)
    if reading.unreadable:
        ledger.quarantine(provider, request, reading.unreadable, now)
    quarantined = int(bool(reading.unreadable))
    return Intake(
        answer,
        received=len(new) + quarantined,
        duplicate=new.count(False),
        quarantined=quarantined,
    )


def _in_time(
    keep: Callable[[], Intake],
    answer: WebhookResponse,
    limit: timedelta,
    haste: Haste,
    bare: WebhookRequest,
) -> Intake | None:
    """Kept if the store is quick enough, else handed over, which is durable too; None for neither.
    A store that comes late after all has kept it twice: one more delivery.
    """
    if (kept := haste.within(KEEPING * limit, keep)) is not None:
        return kept
    if haste.within(HANDING_OVER * limit, partial(haste.hand_over, bare)):
        return Intake(answer, handed_over=1)
    return None
