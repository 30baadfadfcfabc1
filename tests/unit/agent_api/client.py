"""The API as API Gateway calls it, with every response held against the OpenAPI document."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from openapi_schema_validator import OAS31Validator

from functions.agent_api import ports
from functions.agent_api.app import build_app
from functions.agent_api.door import refusal
from functions.agent_api.handler import answer
from functions.agent_api.openapi import describe
from shared.runtime import wiring
from tests.builders import policies
from tests.fakes import World

AGENT = "agent-7"


@cache
def document() -> dict[str, Any]:
    return describe(build_app())


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def fields(self) -> list[str]:
        """Those that a problem says are wrong."""
        return [one["field"] for one in self.body.get("errors", [])]


class Client:
    """Calls with a signed-in agent; `token=False` leaves the token away."""

    def __init__(self, world: World) -> None:
        self.claims = {"sub": AGENT, "client_id": "front-end", "token_use": "access"}
        self._app = build_app()
        overrides: dict[Any, Any] = {
            ports.ledger: lambda: world.ledger,
            ports.media_files: lambda: world.ledger.media_files,
            ports.profiles: lambda: world.profiles,
            ports.segments: lambda: world.segments,
            ports.consents: lambda: world.consents,
            ports.secrets: lambda: world.secrets,
            ports.preferences_url: lambda: "https://shop.example/preferences/",
            ports.webhooks_url: lambda: "https://shop.example/webhooks/",
            ports.ai_uses: lambda: world.ai_uses,
            ports.tickets: lambda: world.tickets,
            ports.webhooks: lambda: world.webhooks,
            ports.event_rules: lambda: world.event_rules,
            ports.loopback_webhooks: lambda: False,
            wiring.phone_numbers: lambda: world.phone_numbers,
            wiring.clock: lambda: world.clock,
            ports.policies: policies,
        }
        self._app.dependency_overrides.update(overrides)

    def override(self, port: Any, fake: Any) -> None:
        self._app.dependency_overrides[port] = lambda: fake

    def get(self, path: str, **query: str | int) -> Answer:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, body=json.dumps(body), headers=names)

    def patch(self, path: str, **fields: object) -> Answer:
        return self.call("PATCH", path, body=json.dumps(fields))

    def put(self, path: str, **fields: object) -> Answer:
        return self.call("PUT", path, body=json.dumps(fields))

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        token: bool = True,
        encoded: bool = False,
    ) -> Answer:
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}),
            "headers": {"content-type": "application/json", **(headers or {})},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
                "stage": "$default",
                "requestId": "request-1",
            },
            "isBase64Encoded": encoded,
        }
        if query:
            event["queryStringParameters"] = {k: str(v) for k, v in query.items()}
        if body is not None:
            event["body"] = body
        if token:
            jwt = {"claims": self.claims, "scopes": None}
            event["requestContext"]["authorizer"] = {"jwt": jwt}
        return self._read(method, path, refusal(event) or answer(self._app, event, None))

    def _read(self, method: str, path: str, raw: dict[str, Any]) -> Answer:
        headers = {name.lower(): value for name, value in raw["headers"].items()}
        text = raw["body"]
        if raw.get("isBase64Encoded"):
            headers["body-bytes"] = str(len(base64.b64decode(text)))
            return Answer(raw["statusCode"], text, headers)
        kind = headers["content-type"]
        read = json.loads(text) if kind.endswith("json") else text
        if operation := _operation(method, path):
            _check(operation, raw["statusCode"], kind, read)
        return Answer(raw["statusCode"], read, headers)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of this path, where it has it."""
    for template, methods in document()["paths"].items():
        parts, wanted = path.split("/"), template.split("/")
        same = len(parts) == len(wanted) and all(
            want in (part, f"{{{want[1:-1]}}}") for part, want in zip(parts, wanted, strict=True)
        )
        if same and method.lower() in methods:
            operation: dict[str, Any] = methods[method.lower()]
            return operation
    return None


def _check(operation: dict[str, Any], status: int, kind: str, body: object) -> None:
    components = document()["components"]
    said = operation["responses"].get(str(status))
    assert said is not None, f"{operation['operationId']} does not say that it answers {status}"
    if "$ref" in said:
        said = components["responses"][said["$ref"].rsplit("/", 1)[1]]
    schema = said["content"][kind]["schema"]
    OAS31Validator({**schema, "components": components}).validate(body)
