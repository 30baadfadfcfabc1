"""Whatever comes, a simulator answers as the real API would: it takes it, or says no."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from infra.local.simulators.base import SimulatedRequest, simulators
from tests.unit.providers.fixtures import SECRETS
from tests.unit.providers.test_callbacks import BY_AWS, MESSAGES, taken

HTTP = [name for name in MESSAGES if name not in BY_AWS]
WORDS: tuple[Any, ...] = ("", " ", "x" * 70_000, "\x00", "💥")
NASTY = (None, True, 0, -1.5, 10**30, *WORDS, [], [[]], [None], {}, {"a": 1})


def spoiled(value: Any) -> Iterator[Any]:
    """The value with one part of it missing or replaced, in every way."""
    yield from NASTY
    if isinstance(value, dict):
        for name, part in value.items():
            yield {key: one for key, one in value.items() if key != name}
            for other in spoiled(part):
                yield {**value, name: other}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            for other in spoiled(part):
                yield [*value[:number], other, *value[number + 1 :]]


def bodies(request: SimulatedRequest) -> Iterator[bytes]:
    if request.headers["content-type"].startswith("application/json"):
        yield from (json.dumps(one).encode() for one in spoiled(json.loads(request.body)))
        return
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    for number in range(len(pairs)):
        yield urlencode(pairs[:number] + pairs[number + 1 :]).encode()
        for other in (*WORDS, "[]", "{"):
            changed = (pairs[number][0], other)
            yield urlencode([*pairs[:number], changed, *pairs[number + 1 :]]).encode()


def sent(name: str) -> SimulatedRequest:
    host = simulators()[name].HOST
    return replace(taken(name).request, host=host)


@pytest.mark.parametrize("name", HTTP)
def test_nothing_breaks_it(name: str) -> None:
    request, simulator = sent(name), simulators()[name]
    assert simulator.answer(request, SECRETS[name]).status < 300
    for body in [b"", b"{", b"\xff\xfe", b"null", b"[]", b"nan", *bodies(request)]:
        answer = simulator.answer(replace(request, body=body), SECRETS[name])
        assert 200 <= answer.status < 500, body[:200]


@pytest.mark.parametrize("name", HTTP)
def test_who_may_not_send_is_refused(name: str) -> None:
    request, simulator = sent(name), simulators()[name]
    access = {"authorization", "apikey", "x-postmark-server-token"}
    if name == "telegram":
        wrong = [replace(request, path=request.path.replace("/bot1", "/bot2"))]
    else:
        without = {key: one for key, one in request.headers.items() if key not in access}
        assert len(without) < len(request.headers)
        other = {
            key: "Bearer nobody" if key in access else one for key, one in request.headers.items()
        }
        wrong = [replace(request, headers=without), replace(request, headers=other)]
    for one in wrong:
        answer = simulator.answer(one, SECRETS[name])
        told = json.loads(answer.body) if answer.body.startswith(b"{") else {}
        assert answer.status == 401 or told.get("error") in {"not_authed", "invalid_auth"}


@pytest.mark.parametrize("name", HTTP)
def test_another_path_or_method_is_nothing_of_its(name: str) -> None:
    request, simulator = sent(name), simulators()[name]
    elsewhere = replace(request, path=f"{request.path}/more")
    fetched = replace(request, method="GET", body=b"")
    for one in (elsewhere, fetched):
        answer = simulator.answer(one, SECRETS[name])
        if name == "slack":
            assert json.loads(answer.body)["ok"] is False
        else:
            assert 400 <= answer.status < 500


@pytest.mark.parametrize("name", HTTP)
def test_what_is_declared_as_something_else_is_not_read(name: str) -> None:
    request, simulator = sent(name), simulators()[name]
    headers = {**request.headers, "content-type": "text/csv"}
    answer = simulator.answer(replace(request, headers=headers), SECRETS[name])
    said = json.loads(answer.body) if name == "slack" else {}
    assert answer.status >= 400 or said["ok"] is False
