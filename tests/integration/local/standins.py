"""Functions for the small template: each keeps what it was given and does what the test told it."""

from collections import defaultdict
from collections.abc import Callable
from threading import Lock
from typing import Any

given: dict[str, list[Any]] = defaultdict(list)
answers: dict[str, Callable[[Any], Any]] = {}
_lock = Lock()


class Hopeless(Exception):
    """What a second try cannot mend."""


def _called(name: str, event: Any) -> Any:
    with _lock:
        given[name].append(event)
    return answers[name](event) if name in answers else {}


def intake(event: Any, context: object) -> Any:
    return _called("intake", event)


def publisher(event: Any, context: object) -> Any:
    return _called("publisher", event)


def first_step(event: Any, context: object) -> Any:
    return _called("first_step", event)


def second_step(event: Any, context: object) -> Any:
    return _called("second_step", event)


def timer(event: Any, context: object) -> Any:
    return _called("timer", event)


def agent_api(event: Any, context: object) -> Any:
    return _called("agent_api", event)
