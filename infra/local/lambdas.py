"""Lambda: the functions of the template, run in this process from their source."""

import json
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from importlib import import_module
from time import monotonic
from typing import Any
from uuid import uuid4

from infra.local.clock import VirtualClock
from infra.local.wire import Meter, calling_function
from shared.runtime.settings import environment
from shared.runtime.wiring import current_clock


@dataclass(frozen=True)
class Function:
    """A function of the template. `handler` is the import path Lambda uses."""

    name: str
    arn: str
    handler: str
    variables: Mapping[str, str]
    memory_mb: int
    timeout_seconds: int


@dataclass(frozen=True)
class LambdaContext:
    """What a handler gets to know of its invocation."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    _ends_at: float
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._ends_at - monotonic()) * 1000))


class FunctionError(Exception):
    """A handler raised. `payload` is what Lambda answers then: errorType and errorMessage."""

    def __init__(self, function: str, error: BaseException) -> None:
        super().__init__(f"{function} raised {type(error).__name__}")
        self.function = function
        self.error_type = type(error).__name__
        self.payload = {"errorType": self.error_type, "errorMessage": str(error)}


class Lambdas:
    """`give_way` is called before each invocation from behind the door."""

    def __init__(self, clock: VirtualClock, meter: Meter, give_way: Callable[[], None]) -> None:
        self._clock = clock
        self._meter = meter
        self._give_way = give_way
        self._functions: dict[str, Function] = {}
        self._handlers: dict[str, Callable[[Any, LambdaContext], Any]] = {}
        self.errors: list[FunctionError] = []

    def add(self, function: Function) -> None:
        self._functions[function.arn] = function

    def find(self, arn: str) -> Function:
        """Raises KeyError for what is no function of the template."""
        return self._functions[arn]

    def all(self) -> list[Function]:
        return list(self._functions.values())

    def warm_up(self) -> None:
        """Import every handler, so that the first customer does not wait for it."""
        for function in self._functions.values():
            self._handler(function)

    def invoke(self, arn: str, event: Any, *, at_the_door: bool = False) -> Any:
        """The handler's answer, as JSON would carry it. Raises FunctionError."""
        if not at_the_door:
            self._give_way()
        function = self._functions[arn]
        handler = self._handler(function)
        # In a context of its own, as functions share nothing on AWS.
        return copy_context().run(self._run, function, handler, json.loads(json.dumps(event)))

    def _run(
        self, function: Function, handler: Callable[[Any, LambdaContext], Any], event: Any
    ) -> Any:
        environment.set(function.variables)
        current_clock.set(self._clock)
        calling_function.set(function.name)
        began = monotonic()
        context = LambdaContext(
            function_name=function.name,
            invoked_function_arn=function.arn,
            memory_limit_in_mb=function.memory_mb,
            _ends_at=began + function.timeout_seconds,
        )
        try:
            return json.loads(json.dumps(handler(event, context)))
        except Exception as error:
            failure = FunctionError(function.name, error)
            self.errors.append(failure)
            raise failure from error
        finally:
            self._meter.ran(function.name, monotonic() - began)

    def _handler(self, function: Function) -> Callable[[Any, LambdaContext], Any]:
        if function.handler not in self._handlers:
            module, _, name = function.handler.rpartition(".")
            self._handlers[function.handler] = getattr(import_module(module), name)
        return self._handlers[function.handler]
