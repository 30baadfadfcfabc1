"""A breaker: after so many failures in a row nobody asks for a while; then one tries, for all.

The rules are pure: a store only writes what they make of what it read, while that still holds.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import Field

from shared.domain.model import Instant, Model


class Breaker(Model):
    """When it opens, and for how long."""

    failures: int = Field(ge=1)
    open_for: timedelta = Field(gt=timedelta(0))


class BreakerState(Model):
    failures: int = 0
    """In a row."""
    open_until: Instant | None = None
    """Set while the breaker is open. From then on one call may try."""
    opened_at: Instant | None = None
    """Set while the breaker is open: since when."""

    def is_open(self, now: datetime) -> bool:
        """Whether nobody may ask, not even to try."""
        return self.open_until is not None and now < self.open_until


StateT = TypeVar("StateT", bound=BreakerState)


def tried(state: StateT, breaker: Breaker, now: datetime) -> StateT:
    """The state once somebody asks who may.

    Where an open breaker's time is over, it is opened anew by whoever comes first, who alone gets
    through: the others find it open, and if the one never comes back the next try is due in time.
    """
    if state.open_until is None:
        return state
    return state.model_copy(update={"open_until": now + breaker.open_for})


def told(
    state: StateT, breaker: Breaker, began_at: datetime, now: datetime, *, failed: bool
) -> StateT:
    """The state once it is known how a call went.

    One that began before the breaker opened says nothing: the others of its time have told how the
    service was. What began later was let through to try.
    """
    if state.opened_at is not None and began_at <= state.opened_at:
        return state
    if not failed:
        closed = {"failures": 0, "open_until": None, "opened_at": None}
        return state.model_copy(update=closed)
    failures = state.failures + 1
    if failures < breaker.failures:
        return state.model_copy(update={"failures": failures})
    opened = {
        "failures": failures,
        "open_until": now + breaker.open_for,
        "opened_at": state.opened_at or now,
    }
    return state.model_copy(update=opened)
