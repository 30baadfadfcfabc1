"""The local cloud: the synthesised template alive in this process."""

import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import requests

from infra.local import bedrock as fake_bedrock
from infra.local import dynamodb_local, provision
from infra.local.bedrock import FakeBedrock
from infra.local.bus import Bus, Target
from infra.local.callbacks import Callbacks
from infra.local.clients.base import Call, find_client
from infra.local.clock import VirtualClock
from infra.local.control import Control
from infra.local.files import Files
from infra.local.flight import Flight
from infra.local.gateway import Gateway, Request, Response
from infra.local.journeys import Ended, prepare_interpreter
from infra.local.lambdas import FunctionError, Lambdas
from infra.local.logs import LogTail
from infra.local.outbox import Outbox
from infra.local.provision import AsyncInvocation, Provisioned
from infra.local.server import Server
from infra.local.stories import Stories
from infra.local.streams import Stream
from infra.local.tables import Change, Tables, Units
from infra.local.template import Template, TemplateError
from infra.local.timers import Due, Timers
from infra.local.wire import TIME_TO_LIVE, Wire, calling_function
from shared.domain.ai_use import AiUseName
from shared.policies.reader import read_policies
from shared.runtime import wiring

SECRETS = Path(__file__).parent / "secrets.json"
STACK_NAME = "Passerelle"
WORKERS = 8
"""Journeys that are under way at once; more would only take turns on the same processor."""
PACE = 0.1
"""Waits before a retry are a tenth as long: nothing here needs longer to recover."""
PATIENCE = timedelta(minutes=10)
"""How long `settle` waits before it says what is stuck."""
_KEPT_ENDS = 1000


class Settled(NamedTuple):
    """What `settle` waited for, by kind, and how long."""

    waited_for: dict[str, int]
    seconds: float


class DeadLetter(NamedTuple):
    """What nobody could deliver: its queue and the message."""

    queue: str
    message: Any


class NotSettled(Exception):
    """Something is still under way; the message counts it."""


class LocalCloud:
    """`with LocalCloud(template) as cloud:` is a company's whole account, empty, on a free port.

    One at a time in a process, any number one after the other.
    """

    _alive = Lock()

    def __init__(
        self,
        template: Mapping[str, Any],
        *,
        port: int = 0,
        secrets: Mapping[str, Any] | None = None,
        variables: Mapping[str, Mapping[str, str]] | None = None,
        workers: int = WORKERS,
        pace: float = PACE,
        log_file: Path | None = None,
        store: str = "moto",
        bedrock: bool = False,
        statuses: bool = False,
    ) -> None:
        """`variables` are further ones of a function, by its name.

        `store` is `moto`, or `dynamodb-local` for AWS's own. With `bedrock` the classification asks
        our fake of it. With `statuses` every provider tells what became of what we sent.
        """
        self._template = template
        self._port = port
        given = json.loads(SECRETS.read_text(encoding="utf-8")) if secrets is None else secrets
        self.secrets: Mapping[str, Any] = given
        self._variables = dict(variables or {})
        self._workers = workers
        self._pace = pace
        self._store = store
        self._poller: dynamodb_local.Poller | None = None
        self._stack = ExitStack()
        self._ending = Event()
        self._moving = Lock()
        self.clock = VirtualClock()
        self.flight = Flight()
        self.wire = Wire()
        self.meter = self.wire.meter
        self.lambdas = Lambdas(self.clock, self.meter, self.flight.give_way)
        self.bus = Bus(self.clock, self._deliver)
        self.timers = Timers(self.clock, self._fire)
        self.bedrock = FakeBedrock()
        self.bedrock_enabled = bedrock
        self.callbacks = Callbacks(
            self.clock,
            self.timers,
            self.secrets,
            later=self._later,
            bring=lambda call: self.receive(call).status,
            always=statuses,
        )
        self.outbox = Outbox(self.clock, self.secrets, plan=self.callbacks.plan, pause=self.pause)
        self.gateway = Gateway(self.lambdas, self.meter, self._jwks)
        self.logs = LogTail(log_file)
        self.dead_letters: list[DeadLetter] = []
        self.failed_journeys: deque[Ended] = deque(maxlen=_KEPT_ENDS)
        self.events: deque[dict[str, Any]] = deque(maxlen=20 * _KEPT_ENDS)

    # Life

    def __enter__(self) -> Self:
        if not LocalCloud._alive.acquire(blocking=False):
            raise RuntimeError("there is a local cloud in this process already")
        self._stack.callback(LocalCloud._alive.release)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        stack = self._stack
        _forget_clients()
        stack.callback(_forget_clients)
        self.wire.answers = {
            "events": self.bus.answer,
            "lambda": self._invoked,
            "scheduler": self.timers.answer,
            "sesv2": self.outbox.ses,
            "sns": self.outbox.sns,
        }
        environment: dict[str, str] = {}
        if self._store == "dynamodb-local":
            url = stack.enter_context(dynamodb_local.running())
            environment = dict.fromkeys(dynamodb_local.SERVICES, url)
        else:
            self.wire.answers["dynamodb"] = Tables(self._on_change).answer
        self.wire.install(stack, environment)
        self.wire.after.append(self.outbox.mail_left)
        self.bus.listeners.append(self.events.append)
        stack.enter_context(self.logs)
        prepare_interpreter(stack, lambdas=self.lambdas, meter=self.meter, pause=self.pause)
        server = Server(self._answer, self._port)
        self.url = self.callbacks.url = server.url
        stack.callback(server.end)
        # botocore's own variable for a service that answers elsewhere.
        endpoint = f"{self.url}/_local/simulators/{fake_bedrock.HOST}"
        stack.enter_context(patch.dict(os.environ, {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": endpoint}))
        self.made = self._provision()
        self._streams = {
            _table_of(source.stream_arn): Stream(
                source,
                lambdas=self.lambdas,
                flight=self.flight,
                clock=self.clock,
                dead_letter=self._dead_letter,
                pause=self.pause,
            )
            for source in self.made.sources
        }
        self._journeys = ThreadPoolExecutor(self._workers, "journey")
        self._invocations = ThreadPoolExecutor(self._workers, "invocation")
        for pool in (self._journeys, self._invocations):
            stack.callback(pool.shutdown, cancel_futures=True)
        for stream in self._streams.values():
            stream.start()
            stack.callback(stream.end)
        if self._store == "dynamodb-local":
            arns = {_table_of(one.stream_arn): one.stream_arn for one in self.made.sources}
            self._poller = dynamodb_local.Poller(self._streams, arns)
            self._poller.start()
            stack.callback(self._poller.end)
        self.timers.start()
        stack.callback(self.timers.end)
        stack.callback(self.flight.end)
        stack.callback(self._ending.set)
        stack.callback(self.bedrock.end)
        self.files = Files(self.wire, self.url, self.made.expiry.buckets)
        self.stories = Stories(self)
        self.control = Control(self)
        server.start()

    def _provision(self) -> Provisioned:
        preferences = {"PREFERENCES_URL": f"{self.url}/preferences/"}
        simulators = {"PROVIDER_GATEWAY": f"{self.url}/_local/simulators"}
        paid = read_policies().ai_register[AiUseName.BEDROCK_CLASSIFICATION].paid
        model = {"BEDROCK_MODEL_ID": paid.price.model} if paid and self.bedrock_enabled else {}
        webhooks = {"LOOPBACK_WEBHOOKS": "true"}
        ours = {
            "follow_up_delivery": simulators | preferences,
            "media_fetching": simulators,
            "agent_api": preferences | webhooks | {"WEBHOOKS_URL": f"{self.url}/webhooks/"},
            "webhook_delivery": webhooks,
            "ai_classification": model,
        }
        variables = {
            name: {**ours.get(name, {}), **self._variables.get(name, {})}
            for name in {*ours, *self._variables}
        }
        made = Provisioned(
            lambdas=self.lambdas,
            bus=self.bus,
            gateway=self.gateway,
            secrets=self.secrets,
            variables=variables,
        )
        Template(self._template, stack_name=STACK_NAME, make=made.make).make_all()
        for address in _mail_senders(self.secrets):
            provision.client("sesv2").create_email_identity(EmailIdentity=address)
        self.lambdas.warm_up()
        return made

    def pause(self, seconds: float) -> None:
        """Wait, at this cloud's pace; ends at once when the cloud does."""
        self._ending.wait(seconds * self._pace)

    # What flows

    def _on_change(self, change: Change) -> None:
        stream = self._streams.get(change.table)
        if stream is not None:
            stream.add(change)

    def _deliver(self, target: Target, input_: Any, event_id: str) -> None:
        """An event that matched a rule, on its way to the rule's target."""
        if target.arn in self.made.machines:
            self.flight.take_off("journeys")
            self._submit(self._journeys, self._journey, target, input_, event_id)
        else:
            self._invoke_later(target.arn, input_, target.dead_letter_arn)

    def _journey(self, target: Target, input_: Any, event_id: str) -> None:
        try:
            ended = self.made.machines[target.arn].run(event_id, input_)
            if ended.error is not None:
                self.failed_journeys.append(ended)
        finally:
            self.flight.land("journeys")

    def _fire(self, due: Due) -> None:
        self._invoke_later(due.arn, due.input, None)

    def _invoked(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Units] | None:
        """Invoke by whoever does not wait; everything else of the service is moto's."""
        if (operation, parameters.get("InvocationType")) != ("Invoke", "Event"):
            return None
        self._invoke_later(parameters["FunctionName"], json.loads(parameters["Payload"]), None)
        return {"StatusCode": 202}, Units()

    def _invoke_later(self, arn: str, event: Any, dead_letter_arn: str | None) -> None:
        try:
            self.lambdas.find(arn)
        except KeyError:
            raise TemplateError(f"the local cloud cannot deliver to {arn}") from None
        self.flight.take_off("invocations")
        self._submit(self._invocations, self._invoke, arn, event, dead_letter_arn)

    def _invoke(self, arn: str, event: Any, dead_letter_arn: str | None) -> None:
        """An asynchronous invocation: tried again as the template says, then a dead letter."""
        settings = self.made.retries.get(arn, AsyncInvocation())
        try:
            for attempt in range(settings.retries + 1):
                try:
                    self.lambdas.invoke(arn, event)
                    return
                except FunctionError:
                    if attempt < settings.retries:
                        self.pause(2.0 ** (attempt + 1))
            self._dead_letter(settings.dead_letter_arn or dead_letter_arn or "", event)
        finally:
            self.flight.land("invocations")

    def _later(self, work: Callable[[], None]) -> None:
        """A provider calls back: `settle` waits for it, as for all that is under way."""

        def call() -> None:
            try:
                work()
            finally:
                self.flight.land("callbacks")

        self.flight.take_off("callbacks")
        self._submit(self._invocations, call)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        # The caller's context, its settings and clock, is not the worker's.
        pool.submit(work, *arguments)

    def _dead_letter(self, arn: str, message: Any) -> None:
        queue = self.made.queues.get(arn)
        if queue is None:
            self.dead_letters.append(DeadLetter("", message))
            return
        url = provision.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        provision.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(message))
        self.dead_letters.append(DeadLetter(queue, message))

    # The door

    def _answer(self, request: Request) -> Response:
        if request.path == "/_local" or request.path.startswith("/_local/"):
            return self.control.answer(request)
        with self.flight.answering():
            return self.files.within_reach(self.gateway.answer(request))

    def _jwks(self, issuer: str) -> Mapping[str, Any]:
        with self.wire.lock:
            # Moto answers this in process.
            answer = requests.get(f"{issuer}/.well-known/jwks.json", timeout=5)
        keys: dict[str, Any] = answer.json()
        return keys

    # Time

    def settle(self, patience: timedelta = PATIENCE) -> Settled:
        """Return when nothing is in flight and nothing due. Raises NotSettled after `patience`."""
        began, before = monotonic(), self.flight.seen() - self.flight.under_way()
        fired = 0
        while True:
            left = patience.total_seconds() - (monotonic() - began)
            if not self.flight.wait_until_idle(left):
                under_way = dict(self.flight.under_way())
                raise NotSettled(f"after {patience} there is still {under_way}")
            if self._poller is not None and self._poller.catch_up():
                continue
            if self.timers.fire_next(self.clock.now()) is None:
                break
            fired += 1
        waited_for = dict(self.flight.seen() - before)
        if fired:
            waited_for["schedules"] = fired
        return Settled(waited_for, round(monotonic() - began, 3))

    def advance(self, by: timedelta) -> datetime:
        """Move the clock, stopping at every schedule on the way; the new time."""
        return self.advance_to(self.clock.now() + by)

    def advance_to(self, moment: datetime) -> datetime:
        with self._moving:
            self.timers.hold()
            try:
                self.settle()
                while (waiting := self.timers.waiting()) and waiting[0].at <= moment:
                    self.clock.advance_to(waiting[0].at)
                    self.timers.fire_next(self.clock.now())
                    self.settle()
                self.clock.advance_to(moment)
                self.settle()
                self._let_expire()
                self.settle()
            finally:
                self.timers.release()
        return self.clock.now()

    def _let_expire(self) -> None:
        """Nobody pays for what a time to live deletes, so it bears a name of its own."""
        name = calling_function.set(TIME_TO_LIVE)
        try:
            with self.wire.lock:
                self.made.expiry.apply(provision.client, self.clock.now())
        finally:
            calling_function.reset(name)

    # For those who test

    def post(
        self,
        path: str,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> Response:
        """One request as the server would hand it on. `path` may hold a query."""
        path, _, query = path.partition("?")
        content = body.encode() if isinstance(body, str) else body
        names = {name.lower(): value for name, value in (headers or {}).items()}
        host = {"host": self.url.removeprefix("http://")}
        request = Request(
            method=method, path=path, query=query, headers={**host, **names}, body=content
        )
        return copy_context().run(self._answer, request)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return self.post(path, headers=headers, method="GET")

    def signed(
        self,
        provider: str,
        body: bytes | str,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = "",
        method: str = "POST",
    ) -> Call:
        """A genuine webhook of that provider, signed now. `path` follows /webhooks/{provider}."""
        call = Call(
            method=method,
            url=f"{self.url}/webhooks/{provider}{path}",
            headers=dict(headers or {}),
            body=body.encode() if isinstance(body, str) else body,
        )
        return find_client(provider).sign(call, self.secrets[provider], datetime.now(UTC))

    def receive(self, call: Call) -> Response:
        """That call, answered as if it had come over HTTP."""
        path = call.url.removeprefix(self.url)
        return self.post(path, call.body, call.headers, method=call.method)


def _table_of(stream_arn: str) -> str:
    return stream_arn.split("/")[1]


def _forget_clients() -> None:
    """Clients, and whatever holds one, belong to one cloud and end with it."""
    for member in vars(wiring).values():
        if hasattr(member, "cache_clear"):
            member.cache_clear()
    provision.client.cache_clear()


def _mail_senders(secrets: Mapping[str, Any]) -> set[str]:
    """The addresses that Amazon SES may send from: our mailboxes."""
    return set(secrets.get("email_ses", {}).get("addresses", []))
