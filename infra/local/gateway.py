"""API Gateway: the template's HTTP API. A request becomes an event in payload format 2.0."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote

import jwt

from infra.local.lambdas import FunctionError, Lambdas
from infra.local.template import ACCOUNT, TemplateError
from infra.local.wire import Meter

LARGEST_BODY = 10 * 1024 * 1024
_TEXT_TYPES = re.compile(r"^(text/.*|application/(json|javascript|xml|.*\+json|.*\+xml))$")
_VARIABLE = re.compile(r"\{(\w+)(\+?)\}")
Jwks = Callable[[str], Mapping[str, Any]]
"""The public keys of an issuer, as its jwks.json."""


@dataclass(frozen=True)
class Request:
    """As it came over the wire.

    `path` is undecoded; header names are in lower case, repeated ones joined.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Authorizer:
    issuer: str
    audiences: Sequence[str]


@dataclass(frozen=True)
class _Route:
    key: str
    method: str
    pattern: re.Pattern[str]
    rank: tuple[int, int, int]
    integration: str
    authorizer: str | None


class Refused(Exception):
    """The token is not accepted; the message says why, in a word."""


@dataclass
class Gateway:
    lambdas: Lambdas
    meter: Meter
    jwks: Jwks
    integrations: dict[str, str] = field(default_factory=dict)
    authorizers: dict[str, Authorizer] = field(default_factory=dict)
    cors: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._routes: list[_Route] = []
        self._numbers = count(1)
        self._keys: dict[str, jwt.PyJWKSet] = {}
        self._lock = Lock()

    def add_route(self, key: str, *, integration: str, authorizer: str | None) -> None:
        method, _, path = key.partition(" ")
        if not path.startswith("/"):
            raise TemplateError(f"the local cloud does not know the route {key!r}")
        regex, at = "", 0
        for found in _VARIABLE.finditer(path):
            regex += re.escape(path[at : found.start()])
            regex += f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
            at = found.end()
        regex += re.escape(path[at:])
        # The most specific route wins: no greedy variable, few variables, a method by name.
        rank = ("+}" in path, path.count("{"), method == "ANY")
        route = _Route(key, method, re.compile(regex), rank, integration, authorizer)
        self._routes = sorted([*self._routes, route], key=lambda one: one.rank)

    @property
    def routes(self) -> list[str]:
        return [route.key for route in self._routes]

    def answer(self, request: Request) -> Response:
        """What API Gateway would answer. Never raises for what a caller sent."""
        self.meter.count("gateway_requests")
        origin = request.headers.get("origin", "")
        # A route that takes the preflight itself (ANY) answers it itself.
        if self.cors and request.method == "OPTIONS" and origin and not self._find(request):
            return Response(204, self._cors_headers(origin), b"")
        response = self._answer(request)
        if self.cors and origin:
            return Response(
                response.status, {**response.headers, **self._cors_headers(origin)}, response.body
            )
        return response

    def _answer(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _message(404, "Not Found")
        if len(request.body) > LARGEST_BODY:
            return _message(413, "Request Entity Too Large")
        route, parameters = found
        claims = None
        if route.authorizer is not None:
            try:
                claims = self._claims(self.authorizers[route.authorizer], request)
            except Refused as refused:
                challenge = f'Bearer scope="" error="invalid_token" error_description="{refused}"'
                return _message(401, "Unauthorized", {"www-authenticate": challenge})
        event = self._event(request, route, parameters, claims)
        arn = self.integrations[route.integration]
        try:
            answer = self.lambdas.invoke(arn, event, at_the_door=True)
        except FunctionError:
            return _message(500, "Internal Server Error")
        try:
            return _response(answer)
        except (ValueError, TypeError, AttributeError):
            # The function's answer is not what the gateway reads.
            return _message(500, "Internal Server Error")

    def _find(self, request: Request) -> tuple[_Route, dict[str, str]] | None:
        for route in self._routes:
            if route.method in {"ANY", request.method} and (
                found := route.pattern.fullmatch(request.path)
            ):
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def _event(
        self,
        request: Request,
        route: _Route,
        parameters: Mapping[str, str],
        claims: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
        # The gateway says how it was called, whatever the caller says of that.
        headers = {**request.headers, "x-forwarded-proto": "http"}
        cookies = headers.pop("cookie", None)
        now = datetime.now(UTC)
        context: dict[str, Any] = {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": headers.get("host", "127.0.0.1"),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": f"local-{next(self._numbers)}",
            "routeKey": route.key,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        }
        if claims is not None:
            texts = {name: _claim(value) for name, value in claims.items()}
            context["authorizer"] = {"jwt": {"claims": texts, "scopes": None}}
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": request.path,
            "rawQueryString": request.query,
            "headers": headers,
            "requestContext": context,
            "isBase64Encoded": False,
        }
        if cookies:
            event["cookies"] = cookies.split("; ")
        if request.query:
            event["queryStringParameters"] = _joined(
                parse_qsl(request.query, keep_blank_values=True)
            )
        if parameters:
            event["pathParameters"] = dict(parameters)
        if request.body:
            event["body"], event["isBase64Encoded"] = _as_text(request)
        return event

    def _claims(self, authorizer: Authorizer, request: Request) -> Mapping[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("no token")
        try:
            key_id = jwt.get_unverified_header(token)["kid"]
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(authorizer.issuer, key_id),
                algorithms=["RS256"],
                issuer=authorizer.issuer,
                # An access token of Cognito names its client in client_id and has no audience.
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError):
            raise Refused("the token is not valid") from None
        audience = claims.get("aud") or claims.get("client_id")
        if audience not in authorizer.audiences:
            raise Refused("the token is for somebody else")
        return claims

    def _key(self, issuer: str, key_id: str) -> Any:
        with self._lock:
            if issuer not in self._keys:
                self._keys[issuer] = jwt.PyJWKSet.from_dict(dict(self.jwks(issuer)))
            return self._keys[issuer][key_id].key

    def _cors_headers(self, origin: str) -> dict[str, str]:
        assert self.cors is not None
        allowed = self.cors.get("AllowOrigins", [])
        if "*" not in allowed and origin not in allowed:
            return {}
        return {
            "access-control-allow-origin": "*" if "*" in allowed else origin,
            "access-control-allow-methods": ",".join(self.cors.get("AllowMethods", [])),
            "access-control-allow-headers": ",".join(self.cors.get("AllowHeaders", [])),
            "access-control-expose-headers": ",".join(self.cors.get("ExposeHeaders", [])),
            "access-control-max-age": str(self.cors.get("MaxAge", 0)),
        }


def _claim(value: object) -> str:
    """As a JWT authoriser hands it over: always text, a list as `[one two]`.

    https://github.com/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/pull/803
    """
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Repeated keys are joined with commas, as payload format 2.0 does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _as_text(request: Request) -> tuple[str, bool]:
    """The body, and whether it is base64: binary by type, by encoding, or for want of UTF-8."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    is_text = bool(_TEXT_TYPES.match(kind)) and "content-encoding" not in request.headers
    if is_text:
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(request.body).decode(), True


def _response(answer: Any) -> Response:
    """A function's answer; without a status code it is the body of a 200, as the gateway infers."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())
    body = answer.get("body", "")
    headers = {"content-type": "application/json"}
    headers |= {str(name).lower(): str(value) for name, value in answer.get("headers", {}).items()}
    if answer.get("cookies"):
        headers["set-cookie"] = ", ".join(answer["cookies"])
    content = b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
    return Response(int(answer["statusCode"]), headers, content)


def _message(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps({"message": text}).encode()
    return Response(status, {"content-type": "application/json", **(headers or {})}, body)
