"""Work against the clock, and the invocation that keeps what was not done in time."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.adapters.haste import LambdaHaste, started
from shared.providers.base import WebhookRequest

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:passerelle-webhook_intake"
AT_ONCE = timedelta(0)
REQUEST = WebhookRequest(
    method="POST",
    url="https://passerelle.example/webhooks/africas_talking_ussd/-",
    path="-",
    headers={},
    query=(),
    body=b"text=1",
    arrived_at=datetime(2026, 11, 22, tzinfo=UTC),
)
who: ContextVar[str] = ContextVar("who")


class Waiting:
    """Starts nothing: whether and how work ends is up to the test."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def __call__(self, work: Callable[[], Any]) -> Future[Any]:
        return self.future


def haste(start: Any, client: Any = None) -> LambdaHaste:
    return LambdaHaste(client, ARN, lambda request: {"path": request.path}, start)


class TestWithin:
    def test_what_is_done_is_returned(self) -> None:
        waiting = Waiting()
        waiting.future.set_result("kept")
        assert haste(waiting).within(AT_ONCE, str) == "kept"

    def test_what_hangs_is_given_up(self) -> None:
        assert haste(Waiting()).within(AT_ONCE, str) is None

    def test_what_fails_is_too(self) -> None:
        waiting = Waiting()
        waiting.future.set_exception(ConnectionError("+254711000111"))
        assert haste(waiting).within(AT_ONCE, str) is None

    def test_work_is_started_where_its_caller_is_known(self) -> None:
        """A thread of its own, with the settings and the clock of whoever started it."""
        who.set("webhook_intake")
        assert started(who.get).result(10) == "webhook_intake"

    def test_how_it_fails_is_told(self) -> None:
        def fail() -> None:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            started(fail).result(10)


def test_handing_over_invokes_the_function_without_waiting_for_it() -> None:
    client = boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="id", aws_secret_access_key="key"
    )
    expected = {
        "FunctionName": ARN,
        "InvocationType": "Event",
        "Payload": json.dumps({"path": REQUEST.path}).encode(),
    }
    with Stubber(client) as stubber:
        stubber.add_response("invoke", {"StatusCode": 202}, expected)
        assert haste(started, client).hand_over(REQUEST) is True
        stubber.assert_no_pending_responses()
