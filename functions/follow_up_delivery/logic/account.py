"""Whether the account that a message leaves by may be asked now, and what its answer says of it.

Nothing is written while all is well: one read is what a message costs here.
"""

from datetime import datetime
from typing import NamedTuple

from functions.follow_up_delivery.logic.state import Ports
from shared.domain.breaker import BreakerState, told, tried
from shared.domain.touchpoint import Endpoint
from shared.events.catalogue import AccountResumed, AccountSuspended

TELLING = 5
"""How often it is told, where others tell of the same account at the same moment."""


class Asking(NamedTuple):
    """An account that may be asked, as it stood when that began."""

    endpoint: Endpoint
    state: BreakerState
    began_at: datetime


class Suspended(NamedTuple):
    until: datetime


def ask(endpoint: Endpoint, ports: Ports) -> Asking | Suspended:
    """Where its breaker's time is over, whoever writes so first tries for all the others."""
    now, breaker = ports.clock.now(), ports.policies.sending.breaker
    account = (endpoint.provider, endpoint.account)
    state = ports.breakers.state(*account)
    if state.open_until is None:
        return Asking(endpoint, state, now)
    if state.is_open(now):
        return Suspended(state.open_until)
    trying = tried(state, breaker, now)
    if ports.breakers.change(*account, state, trying):
        return Asking(endpoint, trying, now)
    return Suspended(now + breaker.open_for)


def tell(asking: Asking, *, failed: bool, ports: Ports) -> None:
    """How it went. Where others were quicker every time, they have told as much."""
    now, breaker = ports.clock.now(), ports.policies.sending.breaker
    account = (asking.endpoint.provider, asking.endpoint.account)
    state = asking.state
    for _ in range(TELLING):
        after = told(state, breaker, asking.began_at, now, failed=failed)
        if after == state:
            return
        if ports.breakers.change(*account, state, after, _event(asking.endpoint, state, after)):
            return
        state = ports.breakers.state(*account)


def _event(
    endpoint: Endpoint, before: BreakerState, after: BreakerState
) -> AccountSuspended | AccountResumed | None:
    provider, account = endpoint.provider, endpoint.account
    if before.opened_at is None and after.open_until is not None:
        return AccountSuspended(provider=provider, account=account, until=after.open_until)
    if before.opened_at is not None and after.opened_at is None:
        return AccountResumed(provider=provider, account=account)
    return None
