"""The states of the AI uses in memory, true to their port."""

from collections.abc import Collection
from datetime import datetime
from threading import Lock

from shared.domain.ai_use import (
    AiUseName,
    AiUseState,
    PaidModel,
    Refusal,
    Reservation,
    Switch,
    reserved,
    settled,
    switched,
)
from shared.events.envelope import Event


class FakeAiUses:
    """Every fact it was told stands in `events`. While `broken`, whatever is asked raises it."""

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.broken: Exception | None = None
        self.reads = 0
        self._states: dict[AiUseName, AiUseState] = {}
        self._lock = Lock()

    def put(self, state: AiUseState) -> None:
        self._states[state.ai_use] = state

    def state(self, ai_use: AiUseName) -> AiUseState:
        return self._states.get(ai_use, AiUseState(ai_use=ai_use))

    def states(self, ai_uses: Collection[AiUseName]) -> dict[AiUseName, AiUseState]:
        self._rise()
        self.reads += 1
        return {one: self.state(one) for one in ai_uses}

    def switch(self, ai_use: AiUseName, switch: Switch, event: Event) -> AiUseState:
        self._rise()
        before = self.state(ai_use)
        after = switched(before, switch)
        if after is not before:
            self.put(after)
            self.events.append(event)
        return after

    def reserve(
        self, state: AiUseState, cost: int, paid: PaidModel, now: datetime
    ) -> Reservation | Refusal:
        self._rise()
        with self._lock:
            decided = reserved(self.state(state.ai_use), cost, paid, now)
            if isinstance(decided, Refusal):
                return decided
            after, reservation = decided
            self.put(after)
            return reservation

    def settle(
        self,
        reservation: Reservation,
        cost: int,
        paid: PaidModel,
        now: datetime,
        *,
        failed: bool,
    ) -> None:
        self._rise()
        with self._lock:
            before = self.state(reservation.ai_use)
            self.put(settled(before, reservation, cost, paid, now, failed=failed))

    def _rise(self) -> None:
        if self.broken is not None:
            raise self.broken
