"""What the resources of Twilio's REST API have in common: the path, the login, the errors.

https://www.twilio.com/docs/usage/requests-to-twilio
https://www.twilio.com/docs/api/errors
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from infra.local.simulators.base import Fault, SimulatedRequest, SimulatedResponse

HOST = "api.twilio.com"
PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/([A-Za-z]+)\.json")


class Refused(Exception):
    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status

    @property
    def response(self) -> SimulatedResponse:
        return as_json(
            self.status,
            {
                "code": self.code,
                "message": str(self),
                "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
                "status": self.status,
            },
        )


THROTTLED = Fault(status=429, code="20429", message="Too Many Requests")
BROKEN = Fault(status=500, code="20500", message="Internal Server Error")


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    response = Refused(int(fault.code), fault.message, status=fault.status).response
    if wait is None:
        return response
    headers = {**response.headers, "retry-after": str(wait)}
    return SimulatedResponse(status=response.status, headers=headers, body=response.body)


def check_access(request: SimulatedRequest, secret: Mapping[str, Any], resource: str) -> None:
    """Raises Refused for another path, and for a login that is not this account's."""
    path = _PATH.fullmatch(request.path)
    if path is None or path[2] != resource or request.method != "POST":
        raise Refused(20404, "The requested resource was not found", status=404)
    logins = [f"{secret['account_sid']}:{token}" for token in secret["auth_tokens"]]
    given = request.headers.get("authorization", "")
    if given not in {f"Basic {b64encode(login.encode()).decode()}" for login in logins}:
        raise Refused(20003, "Authenticate", status=401)
    if path[1] != secret["account_sid"]:
        raise Refused(20404, "The requested resource was not found", status=404)


def form_of(request: SimulatedRequest) -> list[tuple[str, str]]:
    if request.headers.get("content-type", "") != "application/x-www-form-urlencoded":
        raise Refused(21604, "A 'To' phone number is required.")
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def sid_of(kind: str, request: SimulatedRequest) -> str:
    return kind + hashlib.sha256(request.path.encode() + request.body).hexdigest()[:32]


def as_json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
