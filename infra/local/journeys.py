"""Step Functions: the state machine of the template, run by moto's interpreter of its language.

Moto 5.2.5 parses the definition for every execution, makes a botocore client for every task and a
thread for every state. Here the definition and its paths are parsed once, tasks go to the functions
and tables they name, and a state without a timeout runs where its execution runs. The language
itself is moto's business.
"""

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import botocore.session
from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.asl.eval.states import (
    ContextObjectData,
    ExecutionData,
    StateMachineData,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)
from moto.stepfunctions.parser.asl.utils import json_path

from infra.local.lambdas import FunctionError, Lambdas
from infra.local.template import ACCOUNT, REGION, TemplateError
from infra.local.wire import Meter, calling_function

_EXPRESS = StateMachineType.EXPRESS


class Ended(NamedTuple):
    """How an execution ended. `error` is None where it succeeded."""

    name: str
    input: Any
    error: str | None
    cause: str | None


class StateMachine:
    """One state machine of the template, ready to run any number of executions at once."""

    def __init__(self, *, name: str, arn: str, role_arn: str, definition: str) -> None:
        self.name = name
        self.arn = arn
        self._role_arn = role_arn
        try:
            program, _ = AmazonStateLanguageParser.parse(definition)
        except ASLParserException as error:
            raise TemplateError(f"the state machine {name}: {error}") from None
        assert isinstance(program, Program)
        self._program = program

    def run(self, name: str, input_: Any) -> Ended:
        """One execution from its first state to its end, in this thread."""
        environment = Environment(
            aws_execution_details=AWSExecutionDetails(
                account=ACCOUNT, region=REGION, role_arn=self._role_arn
            ),
            execution_type=_EXPRESS,
            context=ContextObjectData(
                Execution=ExecutionData(
                    Id=f"{self.arn.replace(':stateMachine:', ':express:')}:{name}",
                    Input=input_,
                    Name=name,
                    RoleArn=self._role_arn,
                    StartTime=datetime.now(UTC).isoformat(),
                ),
                StateMachine=StateMachineData(Id=self.arn, Name=self.name),
                State=None,
                Task=None,
                Map=None,
            ),
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store={},
        )
        calling_function.set(self.name.rpartition("-")[2])
        environment.next_state_name = self._program.start_at.start_at_name
        # `Program.eval` is this in a thread of its own.
        self._program._eval_body(environment)
        state = environment.program_state()
        if isinstance(state, ProgramError):
            error = state.error or {}
            return Ended(name, input_, error.get("error") or "", error.get("cause"))
        return Ended(name, input_, None, None)


def prepare_interpreter(
    stack: ExitStack, *, lambdas: Lambdas, meter: Meter, pause: Callable[[float], None]
) -> None:
    """Join moto's interpreter to the local cloud for as long as `stack` is open."""

    def add_event(self: Any, context: Any, event_type: Any, *_: Any, **__: Any) -> int:
        # Nobody reads the history of an Express execution.
        if str(getattr(event_type, "value", event_type)).endswith("StateEntered"):
            meter.count("transitions")
        return 0

    @cache
    def client(service: str) -> Any:
        if service == "lambda":
            return _LambdaClient(lambdas)
        return botocore.session.get_session().create_client(service)

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return client(service)

    for module in (lambda_eval_utils, state_task_service_dynamodb):
        stack.enter_context(patch.object(module, "boto_client_for", client_for))
    stack.enter_context(patch.object(EventManager, "add_event", add_event))
    stack.enter_context(
        patch.object(ExecutionState, "_evaluate_with_timeout", _evaluate_in_this_thread)
    )
    stack.enter_context(patch.object(json_path, "parse", cache(vars(json_path)["parse"])))
    stack.enter_context(patch.object(result_path, "parse", cache(vars(result_path)["parse"])))
    stack.enter_context(patch.object(retrier_decl, "time", SimpleNamespace(sleep=pause)))
    stack.enter_context(
        patch.object(
            WaitFunction, "_wait_interval", lambda _, env, wait_seconds: pause(wait_seconds)
        )
    )
    logger = logging.getLogger("moto.stepfunctions")
    # It logs the input of what failed, which is told where it belongs: on the touchpoint.
    stack.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.CRITICAL)


class _LambdaClient:
    """As much of a Lambda client as the interpreter uses."""

    def __init__(self, lambdas: Lambdas) -> None:
        self._lambdas = lambdas

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        try:
            answer: Any = self._lambdas.invoke(FunctionName, json.loads(Payload))
        except FunctionError as error:
            return {
                "FunctionError": "Unhandled",
                "Payload": BytesIO(json.dumps(error.payload).encode()),
            }
        return {"StatusCode": 200, "Payload": BytesIO(json.dumps(answer).encode())}


_evaluate_with_timeout = ExecutionState._evaluate_with_timeout


def _evaluate_in_this_thread(state: Any, env: Environment) -> None:
    """Moto's own method, less the thread and the copied environment that only a timeout needs."""
    if not state.timeout.is_default_value():
        _evaluate_with_timeout(state, env)
        return
    before = list(env.stack)
    try:
        state._eval_execution(env)
        output = env.stack.pop()
    finally:
        env.stack[:] = before
    env.stack.append(output)
    if not state._is_language_query_jsonpath():
        env.states.set_result(output)
    if state.assign_decl:
        state.assign_decl.eval(env=env)
    if state.result_selector:
        state.result_selector.eval(env=env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())
