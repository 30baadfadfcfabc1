"""Shuffled, doubled and all at once, the steps end where they end in calm order. On DynamoDB Local.

moto is no oracle for concurrency; AWS's own code is. The steps are the real logic on the real
adapters; only what a message means is given, since this is not about understanding.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from typing import TypeVar

from functions.follow_up_scheduling.logic import schedule_follow_ups
from functions.profile_update.logic.update import update_profile
from functions.ticket_creation.logic.creation import create_ticket
from shared.domain.classification import Urgency
from shared.domain.errors import Contention
from shared.domain.identity import IdentifierType
from shared.domain.journey import ClassificationStep, JourneyState, SchedulingRequest
from shared.domain.touchpoint import PageView, Touchpoint
from shared.runtime import wiring
from tests.builders import (
    NOON,
    classification,
    identifier,
    observed,
    policies,
    sms,
    touchpoint,
    whatsapp_message,
)
from tests.fake_tickets import FakeTimer
from tests.fakes import FakeClock
from tests.integration.conftest import Stores
from tests.state import State

WRITERS = 16
PEOPLE = [f"+3361234{n:04}" for n in range(8)]
MEANINGS = ("order_status", "refund", "billing_or_payment", "technical_problem", "appointment")
"""Each says enough by itself. What merely continues depends on what came before."""
MOST_TRIES = 200

T = TypeVar("T")


def feed() -> list[Touchpoint]:
    """A dozen touchpoints a person, on three channels, some of which say something."""
    seen: list[Touchpoint] = []
    for place, phone in enumerate(PEOPLE):
        for n in range(12):
            at = NOON + timedelta(minutes=7 * n, seconds=place)
            card = identifier(f"card-{place}", IdentifierType.LOYALTY_CARD)
            who = (identifier(phone), card)
            if n % 3 == 0:
                seen.append(whatsapp_message(f"message {n}", phone=phone, at=at, identifiers=who))
            elif n % 3 == 1:
                seen.append(sms(f"message {n}", phone=phone, at=at))
            else:
                view = PageView(name=f"page {n}")
                seen.append(touchpoint(view, key=f"{phone}-{n}", at=at, identifiers=who))
    return seen


def meaning(of: Touchpoint) -> ClassificationStep:
    """Derived from the touchpoint, so every run gives it the same one."""
    number = int(of.touchpoint_id[:8], 16)
    meant = classification(
        intent=MEANINGS[number % len(MEANINGS)],
        urgency=Urgency.HIGH if number % 4 == 0 else Urgency.NORMAL,
    )
    return ClassificationStep(classification=meant, next_step="ticket_creation")


class Journey:
    """The state machine's order of the steps, with its retry on Contention."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.timer = FakeTimer()
        self.clock = FakeClock(NOON)
        self.lock = Lock()
        self.contended = 0

    def run(self, seen: Touchpoint) -> None:
        state = JourneyState(touchpoint_id=seen.touchpoint_id)
        profile = self._retried(
            lambda: update_profile(
                state,
                ledger=self.stores.ledger,
                profiles=self.stores.profiles,
                consents=self.stores.consents,
                policy=policies().identity,
                forms=wiring.identifier_forms(),
            )
        )
        if profile.next_step == "nothing":
            return
        state = state.model_copy(
            update={"profile_update": profile, "ai_classification": meaning(seen)}
        )
        ticket = self._retried(
            lambda: create_ticket(
                state,
                ledger=self.stores.ledger,
                tickets=self.stores.tickets,
                policies=policies(),
                clock=self.clock,
            )
        )
        if ticket.next_step == "follow_up_scheduling" and ticket.ticket_id is not None:
            request = SchedulingRequest(ticket_id=ticket.ticket_id, when="ticket_opened")
            self._retried(
                lambda: schedule_follow_ups(
                    request,
                    tickets=self.stores.tickets,
                    timer=self.timer,
                    policies=policies(),
                    clock=self.clock,
                )
            )

    def _retried(self, step: Callable[[], T]) -> T:
        for _ in range(MOST_TRIES):
            try:
                return step()
            except Contention:
                with self.lock:
                    self.contended += 1
        raise AssertionError("the writers keep each other from ever getting through")


def run(stores: Stores, deliveries: Sequence[Touchpoint], *, writers: int) -> tuple[State, Journey]:
    stores.ledger.record([observed(one) for one in deliveries])
    journey = Journey(stores)
    with ThreadPoolExecutor(max_workers=writers) as pool:
        list(pool.map(journey.run, deliveries))
    balance = stores.ledger.balance()
    assert balance.holds
    assert balance.received == len(deliveries)
    return stores.state(), journey


def test_any_order_any_number_of_times_all_at_once(
    real_stores: Stores, second_real_stores: Stores
) -> None:
    calm, _ = run(real_stores, feed(), writers=1)
    deliveries = feed() * 2
    random.Random(4512).shuffle(deliveries)
    wild, journey = run(second_real_stores, deliveries, writers=WRITERS)
    assert wild == calm
    assert journey.contended > 0, "the writers never met, so this proved nothing"
    for phone in PEOPLE:
        owners = [person for person in wild["persons"] if any(phone in key for key in person)]
        assert len(owners) == 1
    queues = [(one["profile_id"], one["queue"]) for one in wild["tickets"].values()]
    assert len(queues) == len(set(queues))
    assert {one["due_at"] for one in wild["follow_ups"].values()} == {
        one["due_at"] for one in calm["follow_ups"].values()
    }
