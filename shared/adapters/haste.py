"""Work against the clock, and Lambda's own queue for what was not done in time.

An asynchronous invocation is durable once Lambda has answered 202: it is tried again for hours and
ends in a dead-letter queue. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from datetime import timedelta
from threading import Thread
from typing import Any, TypeVar

from shared.providers.base import WebhookRequest
from shared.runtime.observability import logger

T = TypeVar("T")

Started = Callable[[Callable[[], T]], "Future[T]"]


def started(work: Callable[[], T]) -> Future[T]:
    """Under way in a thread of its own, so that none waits for another that hangs.

    Lambda freezes it with the function and lets it go on with the next invocation; the timeouts of
    its client end it.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return done


class LambdaHaste:
    """`hand_over` invokes `function_arn` with what `event_of` makes of a request; `start` puts work
    under way.
    """

    def __init__(
        self,
        client: Any,
        function_arn: str,
        event_of: Callable[[WebhookRequest], Mapping[str, Any]],
        start: Started[Any] = started,
    ) -> None:
        self._client = client
        self._function_arn = function_arn
        self._event_of = event_of
        self._start = start

    def within(self, limit: timedelta, work: Callable[[], T]) -> T | None:
        future: Future[T] = self._start(work)
        try:
            return future.result(limit.total_seconds())
        except Exception as error:
            # Whatever it is, somebody waits; the second time, with nobody waiting, it rises.
            logger().warning("not_done_in_time", extra={"error": type(error).__name__})
            return None

    def hand_over(self, request: WebhookRequest) -> bool:
        self._client.invoke(
            FunctionName=self._function_arn,
            InvocationType="Event",
            Payload=json.dumps(self._event_of(request)).encode(),
        )
        return True
