"""What providers tell us of the messages they took: planned on the local cloud's clock, signed as
they sign, and brought to our own webhooks.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from infra.local.behaviour import Behaviour, Manner, failure_of
from infra.local.clients.base import Call, find_client
from infra.local.clock import VirtualClock
from infra.local.simulators.base import (
    Callback,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
    calls_back,
)
from infra.local.timers import Due, Timers

GROUP = "callbacks"
BETWEEN_COPIES = timedelta(seconds=10)
_KEPT = 200


class Told(NamedTuple):
    """A callback that came, and what we answered. A provider would send what is no 2xx again; here
    it is only shown.
    """

    at: datetime
    provider: str
    status: str
    answered: int


class Callbacks:
    """`bring` hands a signed call to the gateway and returns our answer's status; `later` runs it
    beside everything else.

    Until `always` is set, only a provider that was told how to call back does so.
    """

    def __init__(
        self,
        clock: VirtualClock,
        timers: Timers,
        secrets: Mapping[str, Any],
        *,
        later: Callable[[Callable[[], None]], None],
        bring: Callable[[Call], int],
        always: bool = False,
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._secrets = secrets
        self._later = later
        self._bring = bring
        self._numbers = count(1)
        self.url = ""
        self.always = always
        self.told: deque[Told] = deque(maxlen=_KEPT)

    def plan(
        self,
        account: str,
        request: SimulatedRequest,
        response: SimulatedResponse,
        manner: Manner,
    ) -> None:
        """`account` is the name of the secret by which the request was let in, `twilio/milano`."""
        provider = account.partition("/")[0]
        simulator = calls_back(provider)
        wanted = manner.has(Behaviour.STATUS_FAILED) or manner.has(Behaviour.REORDER)
        if simulator is None or not (self.always or wanted or manner.has(Behaviour.REDELIVER)):
            return
        taken = Taken(
            request=request,
            response=response,
            secret=self._secrets[account],
            webhook=f"{self.url}/webhooks/{account}",
            at=self._clock.now(),
            failure=failure_of(provider, manner),
        )
        for callback in _as_told(simulator.callbacks(taken), manner):
            self._set(account, taken.at, callback)

    def _set(self, account: str, taken_at: datetime, callback: Callback) -> None:
        path = urlsplit(callback.call.url).path
        due = Due(
            at=taken_at + callback.after,
            name=f"{account} {callback.status} {next(self._numbers):06}",
            group=GROUP,
            arn=path,
            input={"provider": account, "status": callback.status},
        )
        self._timers.add(due, lambda: self._later(lambda: self._call(account, callback)))

    def _call(self, account: str, callback: Callback) -> None:
        """Signed in real time, as the gateway stamps it. Where the request named an address that is
        no webhook of ours, nobody is there.
        """
        provider = account.partition("/")[0]
        parts = urlsplit(callback.call.url)
        answered = 0
        if parts.path.startswith("/webhooks/"):
            query = f"?{parts.query}" if parts.query else ""
            call = replace(callback.call, url=f"{self.url}{parts.path}{query}")
            signed = find_client(provider).sign(call, self._secrets[account], datetime.now(UTC))
            answered = self._bring(signed)
        self.told.append(Told(self._clock.now(), account, callback.status, answered))


def _as_told(callbacks: list[Callback], manner: Manner) -> list[Callback]:
    """Repeated as a whole, and told backwards at the same times."""
    copies = manner.copies if manner.has(Behaviour.REDELIVER) else 1
    all_ = [
        replace(one, after=one.after + copy * BETWEEN_COPIES)
        for copy in range(copies)
        for one in callbacks
    ]
    if not manner.has(Behaviour.REORDER):
        return all_
    times = sorted(one.after for one in all_)
    last_first = sorted(all_, key=lambda one: one.after, reverse=True)
    return [replace(one, after=after) for one, after in zip(last_first, times, strict=True)]
