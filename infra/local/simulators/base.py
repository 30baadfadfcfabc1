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
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast


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


class Simulator(Protocol):
    HOST: str

    def answer(self, request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse: ...


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


def secrets_of(provider: str, secrets: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The provider's own, then those that accounts have for themselves."""
    others = [one for name, one in secrets.items() if name.startswith(f"{provider}/")]
    return [secrets[provider], *others]


def simulator_of(
    request: SimulatedRequest, secrets: Mapping[str, Any]
) -> tuple[str, Simulator] | None:
    """Whose request this is, by its provider's name; None where the host is nobody's."""
    here = {name: one for name, one in simulators().items() if request.host in hosts(one)}
    choosy = {name: one.is_for for name, one in here.items() if hasattr(one, "is_for")}
    for name, is_for in choosy.items():
        if any(is_for(request, secret) for secret in secrets_of(name, secrets)):
            return name, here[name]
    return next(((name, one) for name, one in here.items() if name not in choosy), None)
