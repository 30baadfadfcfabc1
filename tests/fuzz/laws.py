"""What must hold of any request at all, whoever made it.

A proven one becomes touchpoints that can be stored, or a MalformedPayload that repeats nothing. One
without a proof is refused as Unauthentic, whatever it looks like: all who can reach the network may
send it.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from infra.local.clients.base import Call, find_client
from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.touchpoint import Touchpoint
from shared.providers.base import (
    Observed,
    Outcome,
    PartlyMalformed,
    Provider,
    WebhookRequest,
    find_provider,
)
from tests.fuzz.values import CANARY
from tests.unit.providers.fixtures import NOW, SECRETS, fetch

LONGEST_ERROR = 300


class Subject(NamedTuple):
    """A provider with its secret, read once."""

    name: str
    provider: Provider[Any]
    secret: Any

    @classmethod
    def of(cls, name: str) -> "Subject":
        provider = find_provider(name)
        return cls(name, provider, provider.read_secret(SECRETS[name]))


class Reading(NamedTuple):
    outcome: Outcome
    observed: list[Observed]


class Broken(Exception):
    """A law does not hold. The message says which, and is the same for the same defect."""


def read(subject: Subject, request: WebhookRequest) -> Reading:
    """`parse`, not `read`, which hides what broke. Raises Broken."""
    try:
        # A copy knows nothing yet: what was read of a request is kept with it.
        observed = subject.provider.parse(replace(request), subject.secret, NOW)
        return Reading(Outcome.ACCEPTED, observed)
    except PartlyMalformed as error:
        _check_message(error)
        return Reading(Outcome.QUARANTINED, error.readable)
    except MalformedPayload as error:
        _check_message(error)
        return Reading(Outcome.QUARANTINED, [])
    except Exception as error:
        raise Broken(f"parse raises {_named(error)}") from error


def check_read(subject: Subject, reading: Reading) -> None:
    """What was read can be stored and is the same afterwards. Raises Broken."""
    outcome, observed = reading
    if len(observed) > subject.provider.longest_list:
        raise Broken("more touchpoints of one request than it may hold")
    for one in observed:
        try:
            stored = one.touchpoint.model_dump_json()
            again = Touchpoint.model_validate_json(stored)
            known = one.touchpoint.touchpoint_id
            kept = [file.attachment.model_dump_json() for file in one.files]
        except Exception as error:
            raise Broken(f"a touchpoint cannot be stored: {_named(error)}") from error
        if again != one.touchpoint or again.touchpoint_id != known:
            raise Broken(f"a {one.touchpoint.content.kind} is another one after it was stored")
        if len(kept) > len(getattr(one.touchpoint.content, "attachments", ())):
            raise Broken("there are more files than attachments")
    try:
        subject.provider.respond(outcome, observed)
    except Exception as error:
        raise Broken(f"respond raises {_named(error)}") from error


def _check_message(error: MalformedPayload) -> None:
    text = str(error)
    if CANARY.lower() in text.lower():
        raise Broken("an error repeats words of the request")
    if len(text) >= LONGEST_ERROR:
        raise Broken("an error is too long")
    if not text.isprintable():
        raise Broken("an error is not printable")


def check_unproven(subject: Subject, request: WebhookRequest) -> bool:
    """As webhook_intake goes, up to `parse`. Raises Broken; says whether it was proven."""
    provider, secret = subject.provider, subject.secret
    try:
        if (answer := provider.challenge(request, secret)) is not None:
            answer.body.encode()
            return False
        provider.verify(request, secret, fetch)
    except Unauthentic as error:
        if CANARY.lower() in str(error).lower() or len(str(error)) >= LONGEST_ERROR:
            raise Broken("a refusal repeats words of the request") from None
        return False
    except Exception as error:
        raise Broken(f"without a proof: {_named(error)}") from error
    try:
        provider.mailbox(request, secret)
        provider.one_time_proof(request, secret)
        provider.without_proof(request, secret)
    except Exception as error:
        raise Broken(f"with a proof: {_named(error)}") from error
    return True


def proven(subject: Subject, request: WebhookRequest) -> WebhookRequest | None:
    """The request with a proof over what it holds now; None where its client cannot make one."""
    call = Call(
        method=request.method, url=request.url, headers=dict(request.headers), body=request.body
    )
    try:
        signed = find_client(subject.name).sign(call, SECRETS[subject.name], NOW)
        headers = {name.lower(): value for name, value in signed.headers.items()}
    except Exception:
        return None  # it only signs what makes sense to it
    return replace(request, url=signed.url, headers=headers, body=signed.body)


def _named(error: BaseException) -> str:
    """With the line that raised it, so that two defects have two names."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/shared/" in file:
            place = f"{file.rpartition('/shared/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}" if place else type(error).__name__
