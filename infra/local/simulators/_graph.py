"""What Meta's Graph API asks of every request, and how it says no.

https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from infra.local.simulators.base import Fault, SimulatedRequest, SimulatedResponse

OLDEST_VERSION = 21
"""Version 20 ended on 2026-09-24."""


class Refused(Exception):
    def __init__(
        self, code: int, message: str, *, status: int = 400, subcode: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.status, self.subcode = code, status, subcode


def trace_of(request: SimulatedRequest) -> str:
    """The same for the same request."""
    return hashlib.sha256(request.path.encode() + request.body).hexdigest()


def read(request: SimulatedRequest, token: str | None) -> dict[str, Any]:
    """The JSON of a request that may be asked for. Raises Refused."""
    version = request.path.split("/")[1].removeprefix("v").removesuffix(".0")
    if request.method != "POST" or not version.isdigit() or int(version) < OLDEST_VERSION:
        raise Refused(100, "Unsupported request: unknown path, version or method")
    if token is None or request.headers.get("authorization") != f"Bearer {token}":
        raise Refused(190, "Invalid OAuth access token", status=401)
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise Refused(100, "The body is not declared as JSON")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(100, "Invalid parameter: the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(100, "Invalid parameter: the body is no object")
    return body


def refusal(refused: Refused, trace: str, **more: Any) -> SimulatedResponse:
    error = {
        "message": f"(#{refused.code}) {refused}",
        "type": "OAuthException",
        "code": refused.code,
        **({"error_subcode": refused.subcode} if refused.subcode else {}),
        **more,
        "fbtrace_id": trace[:23],
    }
    return as_json(refused.status, {"error": error})


def tell(fault: Fault, wait: int | None, **more: Any) -> SimulatedResponse:
    """Meta names no `Retry-After`; it says in minutes, rounded up, when access comes back.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    """
    code, _, subcode = fault.code.partition("/")
    refused = Refused(
        int(code),
        fault.message,
        status=fault.status,
        subcode=int(subcode) if subcode else None,
    )
    response = refusal(refused, "A" * 23, **more)
    if wait is None:
        return response
    use = {"type": "messages", "call_count": 100, "estimated_time_to_regain_access": -(-wait // 60)}
    usage = json.dumps({"102290129340398": [use]})
    headers = {**response.headers, "x-business-use-case-usage": usage}
    return SimulatedResponse(status=response.status, headers=headers, body=response.body)


def as_json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json; charset=UTF-8"},
        body=json.dumps(content).encode(),
    )


def text(parent: object, name: str, longest: int) -> bool:
    value = parent.get(name) if isinstance(parent, dict) else None
    return isinstance(value, str) and 0 < len(value) <= longest
