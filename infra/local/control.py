"""What only a local cloud has, below /_local: page, clock, outbox, balance, files, a token, and how
its providers and its fake of Bedrock behave.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from infra.local import bedrock, provision
from infra.local.behaviour import Behaviour, read_manner
from infra.local.files import FILES
from infra.local.gateway import Request, Response
from infra.local.page import Page, back_to_page
from infra.local.shop import Shop
from infra.local.simulators.base import SimulatedRequest, calls_back, fallible, simulators
from shared.domain.errors import InvalidInput
from shared.runtime.http import problem

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

SIMULATORS = "/_local/simulators/"
PROVIDERS = "/_local/providers/"
AGENT = "agent@boutique.example"
_PASSWORD = "Local-agent-1"
_FURTHEST = timedelta(days=3660)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


class Control:
    def __init__(self, cloud: "LocalCloud") -> None:
        self._cloud = cloud
        self._page = Page(cloud)
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/_local/clock"): lambda _: _json(self._clock()),
            ("POST", "/_local/clock"): self._move_clock,
            ("POST", "/_local/settle"): self._settle,
            ("GET", "/_local/outbox"): lambda _: cloud.files.within_reach(
                _json([one.as_json() for one in cloud.outbox.all()])
            ),
            ("GET", "/_local/balance"): lambda _: _json(cloud.stories.balance()),
            ("GET", "/_local/failures"): lambda _: _json(self.failures()),
            ("GET", "/_local/token"): lambda _: _json({"token": self.token()}),
            ("GET", "/_local/logs"): self._logs,
            ("POST", "/_local/redrive"): self._redrive,
            ("GET", "/_local/bedrock"): lambda _: _json(self._bedrock()),
            ("POST", "/_local/bedrock"): self._tell_bedrock,
            ("GET", "/_local/providers"): lambda _: _json(self._providers()),
            ("POST", "/_local/providers"): self._tell_all,
            ("POST", "/_local/replay"): self._replay,
            ("GET", "/_local/ai_report"): lambda one: cloud.stories.ai_report(one.query),
            ("GET", "/_local"): self._page.show,
            ("GET", "/_local/chat"): Shop(cloud).show,
            ("POST", "/_local/page/play"): self._page.play,
            ("POST", "/_local/page/clock"): self._move_clock_on_page,
        }

    def answer(self, request: Request) -> Response:
        if request.path.startswith(SIMULATORS):
            return self._simulate(request)
        if not _is_from_here(request):
            return _problem(HTTPStatus.FORBIDDEN, "only pages of this address may ask for this")
        if request.path.startswith(FILES) and request.method in {"GET", "POST"}:
            return self._cloud.files.answer(request)
        asset = self._page.asset(request.path.removeprefix("/_local/"))
        if asset is not None and request.method == "GET":
            return asset
        handler = self._routes.get((request.method, request.path.rstrip("/")))
        if request.path.startswith(PROVIDERS) and request.method == "POST":
            handler = self._tell_one
        if handler is None:
            known = {path for _, path in self._routes}
            if request.path.rstrip("/") in known:
                return _problem(HTTPStatus.METHOD_NOT_ALLOWED, "this address takes another method")
            return _problem(HTTPStatus.NOT_FOUND, "there is no such address in the local cloud")
        try:
            return handler(request)
        except InvalidInput as error:
            wrong = [{"field": error.field, "reason": str(error)}]
            return _problem(HTTPStatus.BAD_REQUEST, str(error), wrong)

    # The clock

    def _clock(self) -> dict[str, Any]:
        return {
            "now": f"{self._cloud.clock.now():%Y-%m-%dT%H:%M:%SZ}",
            "ahead_of_real_time_seconds": round(self._cloud.clock.offset.total_seconds()),
            "waiting": [
                {"at": f"{due.at:%Y-%m-%dT%H:%M:%SZ}", "name": due.name, "input": due.input}
                for due in self._cloud.timers.waiting()
            ],
        }

    def _move_clock(self, request: Request) -> Response:
        before = len(self._cloud.outbox.all())
        by = _duration(_object(request).get("advance"))
        self._cloud.advance(by)
        sent = len(self._cloud.outbox.all()) - before
        return _json({**self._clock(), "sent": sent})

    def _move_clock_on_page(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        self._cloud.advance(_duration(form.get("advance")))
        return back_to_page()

    def _settle(self, _: Request) -> Response:
        settled = self._cloud.settle()
        return _json(
            {"settled": True, "waited_for": settled.waited_for, "seconds": settled.seconds}
        )

    # The ledger

    def failures(self) -> dict[str, Any]:
        """What went wrong and is not yet put right, wherever it ended up."""
        cloud = self._cloud
        return {
            "journeys": [
                {"input": one.input, "error": one.error, "cause": one.cause}
                for one in cloud.failed_journeys
            ],
            "dead_letters": [one._asdict() for one in cloud.dead_letters],
            "functions": [
                {"function": one.function, "error": one.error_type} for one in cloud.lambdas.errors
            ],
        }

    def _redrive(self, request: Request) -> Response:
        touchpoint_id = _object(request).get("touchpoint_id")
        if not isinstance(touchpoint_id, str):
            raise InvalidInput("a touchpoint's id is missing", field="touchpoint_id")
        return _json({"sent_again": self._cloud.stories.redrive(touchpoint_id)})

    def _replay(self, request: Request) -> Response:
        told = self._cloud.stories.replay(_object(request))
        return Response(200, {"content-type": "text/plain; charset=utf-8"}, f"{told}\n".encode())

    def _logs(self, _: Request) -> Response:
        text = "\n".join(self._cloud.logs.lines())
        return Response(200, {"content-type": "application/jsonl; charset=utf-8"}, text.encode())

    # The providers

    def _providers(self) -> dict[str, Any]:
        """How each behaves, what it could be told, and what came back of it."""
        cloud = self._cloud
        return {
            "statuses": cloud.callbacks.always,
            "known": list(Behaviour),
            "providers": {name: self._provider(name) for name in simulators()},
            "callbacks": [
                {
                    "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
                    "provider": one.provider,
                    "status": one.status,
                    "answered": one.answered,
                }
                for one in list(cloud.callbacks.told)
            ],
        }

    def _provider(self, name: str) -> dict[str, Any]:
        faults = getattr(fallible(name), "FAULTS", None)
        return {
            **self._cloud.outbox.manners.of(name).model_dump(mode="json"),
            "refusals": {one.code: one.message for one in faults.refusals} if faults else {},
            "failures": dict(faults.failures) if faults else {},
            "calls_back": calls_back(name) is not None,
        }

    def _tell_all(self, request: Request) -> Response:
        told = _object(request)
        if set(told) != {"statuses"} or not isinstance(told["statuses"], bool):
            reason = "true or false is wanted, and nothing beside it; one provider has a path"
            raise InvalidInput(reason, field="statuses")
        self._cloud.callbacks.always = told["statuses"]
        return _json(self._providers())

    def _tell_one(self, request: Request) -> Response:
        name = request.path.removeprefix(PROVIDERS).rstrip("/")
        manner = read_manner(name, _object(request))
        self._cloud.outbox.manners.tell(name, manner)
        return _json({name: self._provider(name)})

    # The fake of Bedrock

    def _bedrock(self) -> dict[str, Any]:
        return {
            "behaviour": self._cloud.bedrock.behaviour,
            "known": list(bedrock.Behaviour),
            "asked": self._cloud.bedrock.asked,
            "enabled": self._cloud.bedrock_enabled,
        }

    def _tell_bedrock(self, request: Request) -> Response:
        wanted = _object(request).get("behaviour")
        if wanted not in set(bedrock.Behaviour):
            reason = f"one of {', '.join(bedrock.Behaviour)} is wanted"
            raise InvalidInput(reason, field="behaviour")
        self._cloud.bedrock.behave(bedrock.Behaviour(wanted))
        return _json(self._bedrock())

    # Around it

    def _simulate(self, request: Request) -> Response:
        host, _, path = request.path.removeprefix(SIMULATORS).partition("/")
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        asked = SimulatedRequest(
            method=request.method,
            host=host,
            path=f"/{path}",
            query=request.query,
            headers={**headers, "host": host},
            body=request.body,
        )
        # Nobody is written to by asking a model: it does not belong in the outbox.
        is_model = host == bedrock.HOST
        answer = (self._cloud.bedrock if is_model else self._cloud.outbox).answer(asked)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, headers, answer.body)

    def token(self) -> str:
        """Signs the local agent in at the user pool, who is in each of its groups; what comes back
        is the pool's own token.
        """
        (pool,) = self._cloud.made.pools.values()
        cognito = provision.client("cognito-idp")
        with self._cloud.wire.lock:
            known = cognito.list_users(UserPoolId=pool.pool_id)["Users"]
            if not known:
                cognito.admin_create_user(
                    UserPoolId=pool.pool_id,
                    Username=AGENT,
                    UserAttributes=[{"Name": "email", "Value": AGENT}],
                )
                cognito.admin_set_user_password(
                    UserPoolId=pool.pool_id, Username=AGENT, Password=_PASSWORD, Permanent=True
                )
                for group in cognito.list_groups(UserPoolId=pool.pool_id)["Groups"]:
                    cognito.admin_add_user_to_group(
                        UserPoolId=pool.pool_id, Username=AGENT, GroupName=group["GroupName"]
                    )
            answer = cognito.admin_initiate_auth(
                UserPoolId=pool.pool_id,
                ClientId=pool.client_id,
                AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": AGENT, "PASSWORD": _PASSWORD},
            )
        token: str = answer["AuthenticationResult"]["AccessToken"]
        return token


def _is_from_here(request: Request) -> bool:
    """Whether no page of another site is behind it, not even under a name that points here."""
    name = request.headers.get("host", "").rpartition(":")[0]
    return name in {"127.0.0.1", "localhost", "[::1]"} and (
        request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    )


def _object(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except ValueError:
        raise InvalidInput("the body is not JSON", field="body") from None
    if not isinstance(value, dict):
        raise InvalidInput("the body is not a JSON object", field="body")
    return value


def _duration(value: object) -> timedelta:
    """`PT72H`: an ISO 8601 duration, positive, ten years at most. Raises InvalidInput."""
    try:
        if not isinstance(value, str) or not value.upper().startswith("P"):
            raise ValueError
        duration = _DURATION.validate_python(value)
    except (ValidationError, ValueError):
        reason = "an ISO 8601 duration is wanted, such as PT72H"
        raise InvalidInput(reason, field="advance") from None
    if not timedelta(0) < duration <= _FURTHEST:
        raise InvalidInput("the clock moves forwards, ten years at most", field="advance")
    return duration


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=2).encode()
    return Response(status, {"content-type": "application/json; charset=utf-8"}, body)


def _problem(
    status: HTTPStatus, detail: str, errors: list[dict[str, str]] | None = None
) -> Response:
    made = problem(status, detail, errors=errors or [])
    return Response(made["statusCode"], made["headers"], made["body"].encode())
