"""What the proof and the reading of one request cost, provider by provider, beside a bare floor.

The floor is what nobody can do without: an HMAC-SHA256 over the body, and its JSON read. Both are
processor time of this process, measured in turns, so that a neighbour slows both.
"""

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from statistics import median
from time import process_time
from typing import Any, NamedTuple

from pydantic_core import from_json

from shared.domain.errors import MalformedPayload
from shared.providers.base import Provider, WebhookRequest, find_provider, provider_names
from tests.unit.providers.fixtures import NOW, SECRETS, cases, fetch

ROUNDS = 3
READINGS = 5
"""In a round, one after the other: the clock is too coarse for one."""


class Reading(NamedTuple):
    """Of one request, the median over the fixtures of a provider."""

    requests: int
    ms: float
    floor_ms: float
    ratio: float
    """Median of the fixtures' own ratios, each with the floor of its own body."""


def measure(tell: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, Reading]:
    tell("reading: proof and meaning of each fixture")
    genuine: dict[str, list[WebhookRequest]] = {name: [] for name in provider_names()}
    for case in cases():
        if case.expected and case.request.body:
            genuine[case.provider].append(case.request)
    return {name: _of(name, requests, rounds) for name, requests in genuine.items()}


def _of(name: str, requests: list[WebhookRequest], rounds: int) -> Reading:
    provider = find_provider(name)
    secret = provider.read_secret(SECRETS[name])
    pairs = [_pair(provider, secret, request, rounds) for request in requests]
    return Reading(
        len(pairs),
        median(ours for ours, _ in pairs),
        median(floor for _, floor in pairs),
        median(ours / floor for ours, floor in pairs),
    )


def _pair(
    provider: Provider[Any], secret: Any, request: WebhookRequest, rounds: int
) -> tuple[float, float]:
    """Milliseconds of ours and of the floor: of the rounds, the fastest."""

    def ours() -> None:
        provider.verify(request, secret, fetch)
        try:
            provider.parse(request, secret, NOW)
        except MalformedPayload:
            return  # some fixtures are readable in part

    as_json = _as_json(request.body)

    def floor() -> None:
        hmac.new(b"a secret", request.body, sha256).hexdigest()
        from_json(as_json)

    ours()
    floor()
    taken = [(_ms(ours), _ms(floor)) for _ in range(rounds)]
    return min(one for one, _ in taken), min(one for _, one in taken)


def _as_json(body: bytes) -> bytes:
    """Forms and mails as one JSON text: nobody signs their fields in another form."""
    try:
        json.loads(body)
    except ValueError:
        return json.dumps(body.decode("latin-1")).encode()
    return body


def _ms(work: Callable[[], None]) -> float:
    began = process_time()
    for _ in range(READINGS):
        work()
    return (process_time() - began) * 1000 / READINGS
