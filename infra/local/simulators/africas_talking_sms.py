"""The SMS API of Africa's Talking, as far as a message is sent through it.

https://developers.africastalking.com/docs/sms/sending/bulk
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "api.africastalking.com"
PATH = "/version1/messaging"

_PHONE = re.compile(r"\+[1-9][0-9]{8,14}")
_REQUIRED = ("username", "to", "message")


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    if request.path != PATH:
        return _text(404, "The requested resource could not be found.")
    if request.method != "POST":
        return _text(405, "HTTP method not allowed, supported methods: POST")
    given = request.headers.get("apikey", "")
    if not given:
        return _text(401, "The request is missing its API key")
    form = _form(request)
    missing = next((name for name in _REQUIRED if not form.get(name)), None)
    if missing is not None:
        return _text(400, f"Request is missing required form field '{missing}'")
    own = [line for line in secret["lines"] if line["username"] == form["username"]]
    if given not in [line["api_key"] for line in own]:
        return _text(401, "The supplied authentication is invalid")
    if form.get("from") and form["from"] not in [line["account"] for line in own]:
        return _answered("InvalidSenderId", [])
    recipients = [_recipient(number, request) for number in form["to"].split(",")]
    taken = sum(one["statusCode"] == 101 for one in recipients)
    summary = f"Sent to {taken}/{len(recipients)} Total Cost: KES {0.8 * taken:.4f}"
    return _answered(summary, recipients)


def _recipient(number: str, request: SimulatedRequest) -> dict[str, Any]:
    if not _PHONE.fullmatch(number):
        refused = {"statusCode": 403, "status": "InvalidPhoneNumber", "messageId": "None"}
        return {"number": number, "cost": "0", **refused}
    digest = hashlib.sha256(number.encode() + request.body).hexdigest()[:32]
    taken = {"statusCode": 101, "status": "Success", "messageId": f"ATXid_{digest}"}
    return {"number": number, "cost": "KES 0.8000", **taken}


def _form(request: SimulatedRequest) -> dict[str, str]:
    if request.headers.get("content-type", "") != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _answered(summary: str, recipients: list[dict[str, Any]]) -> SimulatedResponse:
    body = {"SMSMessageData": {"Message": summary, "Recipients": recipients}}
    return SimulatedResponse(
        status=201,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )


def _text(status: int, text: str) -> SimulatedResponse:
    return SimulatedResponse(
        status=status, headers={"content-type": "text/plain; charset=UTF-8"}, body=text.encode()
    )
