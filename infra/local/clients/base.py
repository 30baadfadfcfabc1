"""How a provider's own machines call us: one file per provider in this folder, found by its name.

A client knows the provider's side of the proof and nothing of ours: it never imports
`shared.providers`, so that an error there is not repeated here. Tests compare each with the
provider's official library. The contract suite and the sample day of the local cloud make their
requests genuine with it.

Each file defines:

- `sign(call, secret, now)`: the same call with the provider's proof: headers, or a changed URL or
  body where the provider does it so. `secret` is the provider's object of
  `infra/local/secrets.json`; where several secrets are valid at once the first one signs. `now` is
  the time the provider stamps.
- `SIGNS_BODY`: whether one changed byte of the body breaks the proof. Where it is False, a comment
  says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast


@dataclass(frozen=True, kw_only=True)
class Call:
    """An HTTP request to one of our webhooks. `url` is the public one, with its query."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class Client(Protocol):
    SIGNS_BODY: bool

    def sign(self, call: Call, secret: Mapping[str, Any], now: datetime) -> Call: ...


def client_names() -> tuple[str, ...]:
    """Every provider that has a client: the files of this folder."""
    here = Path(__file__).parent
    return tuple(sorted(file.stem for file in here.glob("[a-z]*.py") if file.stem != "base"))


def find_client(provider: str) -> Client:
    """The client of that provider. Raises ModuleNotFoundError where there is none."""
    return cast(Client, import_module(f"infra.local.clients.{provider}"))
