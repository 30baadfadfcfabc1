"""A request that breaks something, made as small as it can be while it still does."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

from shared.providers.base import WebhookRequest

MOST_TRIES = 2_000
MOST_SECONDS = 60
"""Of processor time: where one try takes long, few are made."""


def reduced(request: WebhookRequest, breaks: Callable[[WebhookRequest], bool]) -> WebhookRequest:
    """Values are taken out of a JSON body, pieces out of any body, as long as it `breaks`."""
    tries, until = MOST_TRIES, process_time() + MOST_SECONDS
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(request):
            tries -= 1
            if tries < 0 or process_time() > until:
                return request
            if breaks(candidate):
                request, smaller = candidate, True
                break
    return request


def _smaller(request: WebhookRequest) -> Iterator[WebhookRequest]:
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict | list):
        for shorter in _without_a_value(document):
            yield replace(request, body=json.dumps(shorter).encode())
        return
    size = len(request.body) // 2
    while size:
        for start in range(0, len(request.body), size):
            yield replace(request, body=request.body[:start] + request.body[start + size :])
        size //= 2


def _without_a_value(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: shorter} for shorter in _without_a_value(one))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield value[:at] + value[at + 1 :]
            yield from (
                [*value[:at], shorter, *value[at + 1 :]] for shorter in _without_a_value(one)
            )
    elif isinstance(value, str) and len(value) > 20:
        half = len(value) // 2
        yield from (value[:half], value[half:])


def as_fixture(provider: str, request: WebhookRequest, broken: str) -> dict[str, Any]:
    """In the form of `tests/fixtures/fuzz`, whose requests the tests replay."""
    try:
        body = {"body": request.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": b64encode(request.body).decode()}
    return {
        "provider": provider,
        "broken": broken,
        "request": {
            "method": request.method,
            "url": request.url,
            "path": request.path,
            "query": [list(pair) for pair in request.query],
            "headers": dict(request.headers),
            **body,
        },
    }


def keep(folder: Path, fixture: dict[str, Any], name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(fixture, indent=2) + "\n")
    return file
