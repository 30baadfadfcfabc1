"""What both state machines share: what a step is given, what it answers, what it needs."""

from enum import StrEnum
from typing import NamedTuple

from pydantic import ConfigDict

from shared.domain.identity import IdentityPolicy
from shared.domain.model import Model
from shared.domain.privacy import Erasure, Export
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger
from shared.ports.privacy import PersonalData, PrivacyRequests
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock, Secrets
from shared.ports.tickets import TicketStore

ROUNDS = 100
"""Bounded pieces of work in one invocation, which is less than a minute of it."""


class Ports(NamedTuple):
    requests: PrivacyRequests
    data: PersonalData
    ledger: Ledger
    profiles: ProfileStore
    tickets: TicketStore
    consents: ConsentStore
    secrets: Secrets
    policy: IdentityPolicy
    clock: Clock


class Next(StrEnum):
    """Where the state machine goes from a step."""

    ON = "on"
    AGAIN = "again"
    ENDED = "ended"
    """Another execution has it, or it is over: there is nothing to do, and nothing is wrong."""


class StepRequest(Model):
    """The input of a step. It holds ids only, since the machine's history is kept for 90 days."""

    model_config = ConfigDict(extra="ignore")

    step: str
    run: str
    """The execution's name."""
    attempt: int
    erasure_id: str = ""
    export_id: str = ""


def has_begun_elsewhere(one: Erasure | Export, request: StepRequest) -> bool:
    """Whether this execution was started by an event that came twice, or by an earlier attempt."""
    return (one.run_attempt, one.run) != (request.attempt, request.run)
