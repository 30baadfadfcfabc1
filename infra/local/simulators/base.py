"""What answers when we send: the provider's API, as far as we use it. One file per provider.

A simulator takes exactly what the real API takes and refuses the rest with the real API's error
body, so that a request that arrives here would arrive there. It keeps nothing: the local cloud
records what came in. Message ids derive from the request, so the same run gives the same ids.

Each file defines:

- `HOST`: the API's host name. The local cloud mounts the simulator at
  `/_local/simulators/<HOST>`.
- `ALSO_AT`: other host names of the same API, where a region has its own.
- `answer(request, secret)`: the response. `secret` is the provider's object of
  `infra/local/secrets.json`.
- `is_for(request, secret)`, only where several share a host: whether this request is for it. Who
  does not say so takes what is for nobody else.
- `FAULTS` and `tell(fault, wait)`, only where the local cloud may be told to make it fail: what the
  real API says when it is too busy, broken, or refuses for good, and the response that says so.
- `callbacks(taken)`, only if the provider tells what became of a message: what it calls us with
  afterwards, unsigned. `infra/local/clients` signs it; the local cloud sends it when it is due.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from infra.local.clients.base import Call

SENT, DELIVERED, READ = timedelta(seconds=1), timedelta(seconds=3), timedelta(minutes=1)
"""How long after it was taken a message has usually come so far."""


@dataclass(frozen=True, kw_only=True)
class SimulatedRequest:
    """`path` starts with a slash, `query` has no question mark, header names are in lower case."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class SimulatedResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What an API says when it takes nothing. `code` is its own, or its HTTP status."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Faults:
    """`throttled`: too much at once. `broken`: its own failure. `refusals`: for good, by their
    codes. `failures`: what statuses give as reason why a message they took did not arrive, by code;
    none where the provider tells of no such thing.
    """

    throttled: Fault
    broken: Fault
    refusals: tuple[Fault, ...]
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A message that a simulator took.

    `webhook` is our address at that provider; `failure` the code of `Faults.failures` for which it
    shall not arrive.
    """

    request: SimulatedRequest
    response: SimulatedResponse
    secret: Mapping[str, Any]
    webhook: str
    at: datetime
    failure: str | None = None

    def post(self, body: bytes, content_type: str, *, url: str = "") -> Call:
        """To our address, or to the `url` that the request named."""
        return Call(
            method="POST",
            url=url or self.webhook,
            headers={"content-type": content_type},
            body=body,
        )


@dataclass(frozen=True, kw_only=True)
class Callback:
    """What a provider tells us `after` it took a message. `status` is its own word for it."""

    after: timedelta
    status: str
    call: Call


class Simulator(Protocol):
    HOST: str

    def answer(self, request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse: ...


class Fallible(Protocol):
    """A simulator that can be told to fail."""

    FAULTS: Faults

    def tell(self, fault: Fault, wait: int | None) -> SimulatedResponse:
        """`wait` is what it asks for, in seconds, where the API says such a thing."""
        ...


class CallsBack(Protocol):
    """A simulator of a provider that tells what became of a message."""

    def callbacks(self, taken: Taken) -> list[Callback]: ...


def hosts(simulator: Simulator) -> tuple[str, ...]:
    """Where it answers."""
    return (simulator.HOST, *getattr(simulator, "ALSO_AT", ()))


def simulators() -> dict[str, Simulator]:
    """Every simulator by its provider's name: the files of this folder."""
    here = Path(__file__).parent
    names = sorted(file.stem for file in here.glob("[a-z]*.py") if file.stem != "base")
    return {
        name: cast(Simulator, import_module(f"infra.local.simulators.{name}")) for name in names
    }


def fallible(name: str) -> Fallible | None:
    """The simulator of that provider, where it can be told to fail."""
    found = simulators().get(name)
    return cast(Fallible, found) if hasattr(found, "FAULTS") else None


def calls_back(name: str) -> CallsBack | None:
    """The simulator of that provider, where it tells what became of a message."""
    found = simulators().get(name)
    return cast(CallsBack, found) if hasattr(found, "callbacks") else None


def secrets_of(provider: str, secrets: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The provider's own, then those that accounts have for themselves, by their names."""
    others = {name: one for name, one in secrets.items() if name.startswith(f"{provider}/")}
    return {provider: secrets[provider], **others}


def simulator_of(
    request: SimulatedRequest, secrets: Mapping[str, Any]
) -> tuple[str, Simulator] | None:
    """Whose request this is, by its provider's name; None where the host is nobody's."""
    here = {name: one for name, one in simulators().items() if request.host in hosts(one)}
    choosy = {name: one.is_for for name, one in here.items() if hasattr(one, "is_for")}
    for name, is_for in choosy.items():
        if any(is_for(request, secret) for secret in secrets_of(name, secrets).values()):
            return name, here[name]
    return next(((name, one) for name, one in here.items() if name not in choosy), None)
