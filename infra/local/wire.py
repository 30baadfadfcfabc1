"""Every AWS call of this process: to the local cloud's own answers, or one at a time to moto.

It hangs on botocore's `before-call` event, as moto does on `before-send`; adapters use the clients
they use on AWS, and botocore checks their parameters as ever.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from threading import Lock, RLock
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import botocore.session
from botocore.handlers import BUILTIN_HANDLERS
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.models import botocore_stubber

from infra.local.tables import Refused, Units
from infra.local.template import REGION

Parameters = Mapping[str, Any]
Answer = Callable[[str, Parameters], tuple[dict[str, Any], Units] | None]
"""Operation and parameters to response and price; None leaves the call to moto. Raises Refused."""

_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
_KEPT = "passerelle-parameters"

TIME_TO_LIVE = "time_to_live"
calling_function: ContextVar[str] = ContextVar("calling_function", default="")
"""Which function makes the call, for the meter."""


@dataclass(frozen=True)
class _HttpAnswer:
    status_code: int


class Meter:
    """Counts what costs money on AWS; `reset` starts anew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.calls: Counter[tuple[str, str, str]] = Counter()
            """By function, service and operation."""
            self.write_units = 0.0
            self.read_units = 0.0
            self.facts: Counter[str] = Counter()
            """Transitions of state machines, events on the bus, gateway requests and the like."""
            self.invocations: Counter[str] = Counter()
            """Of each function."""
            self.seconds: Counter[str] = Counter()
            """Of each function, as long as it ran here."""

    def call(self, service: str, operation: str, units: Units) -> None:
        with self._lock:
            self.calls[calling_function.get(), service, operation] += 1
            self.write_units += units.write
            self.read_units += units.read

    def count(self, fact: str, number: int = 1) -> None:
        with self._lock:
            self.facts[fact] += number

    def ran(self, function: str, seconds: float) -> None:
        with self._lock:
            self.facts["invocations"] += 1
            self.invocations[function] += 1
            self.seconds[function] += seconds  # type: ignore[assignment]  # a Counter of floats


class Wire:
    """Installed while the local cloud lives. `answers` are asked first, by service.

    `after` hears of every call that succeeded: service, operation, parameters, response.
    `interfere` may raise instead of a call (`before`) or after it was done (`after`), as a network
    does.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.meter = Meter()
        self.answers: dict[str, Answer] = {}
        self.after: list[Callable[[str, str, Parameters, dict[str, Any]], None]] = []
        self.interfere: Callable[[str, str, str], None] | None = None

    def install(self, stack: ExitStack, environment: Mapping[str, str]) -> None:
        stack.enter_context(patch.dict(os.environ, {**_ENVIRONMENT, **environment}))
        stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        # One process, many clients: AWS's own models are read once.
        stack.enter_context(patch.object(botocore.session, "create_loader", _one_loader))
        process = botocore_stubber.process_request

        def one_at_a_time(request: Any) -> Any:
            if request.url.startswith("http://127.0.0.1"):
                return None
            with self.lock:
                return process(request)

        stack.enter_context(patch.object(botocore_stubber, "process_request", one_at_a_time))
        handlers = [
            ("before-parameter-build", _keep_parameters),
            ("before-call", self._before_call),
            ("after-call", self._after_call),
        ]
        BUILTIN_HANDLERS.extend(handlers)
        for handler in handlers:
            stack.callback(BUILTIN_HANDLERS.remove, handler)

    def _before_call(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        service, operation = model.service_model.service_name, model.name
        if self.interfere is not None:
            self.interfere(service, operation, "before")
        answer = self.answers.get(service)
        if answer is None:
            return None
        try:
            with self.lock:
                answered = answer(operation, context[_KEPT])
        except Refused as refused:
            return _HttpAnswer(refused.status), _error(refused)
        if answered is None:
            return None
        response, units = answered
        context["passerelle-units"] = units
        return _HttpAnswer(200), {**response, "ResponseMetadata": _metadata(200)}

    def _after_call(
        self,
        http_response: Any,
        parsed: dict[str, Any],
        model: Any,
        context: dict[str, Any],
        **_: Any,
    ) -> None:
        service, operation = model.service_model.service_name, model.name
        self.meter.call(service, operation, context.get("passerelle-units", Units()))
        if http_response.status_code < 300:
            for hear in self.after:
                hear(service, operation, context[_KEPT], parsed)
        if self.interfere is not None:
            self.interfere(service, operation, "after")


@cache
def _one_loader(search_path: str | None = None) -> Any:
    return create_loader(search_path)


def _keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[_KEPT] = params


def _metadata(status: int) -> dict[str, Any]:
    return {
        "RequestId": str(uuid4()),
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }


def _error(refused: Refused) -> dict[str, Any]:
    return {
        "Error": {"Code": refused.code, "Message": str(refused)},
        "message": str(refused),
        **refused.members,
        "ResponseMetadata": _metadata(refused.status),
    }
