"""The SMS API of Africa's Talking, as far as a message is sent through it.

https://developers.africastalking.com/docs/sms/sending/bulk
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from infra.local.simulators.base import (
    DELIVERED,
    SENT,
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "api.africastalking.com"
PATH = "/version1/messaging"

_PHONE = re.compile(r"\+[1-9][0-9]{8,14}")
_REQUIRED = ("username", "to", "message")


FAULTS = Faults(
    throttled=Fault(status=429, code="http_429", message="Too many requests"),
    broken=Fault(status=500, code="500", message="InternalServerError"),
    refusals=(
        Fault(status=201, code="406", message="UserInBlacklist"),
        Fault(status=201, code="403", message="InvalidPhoneNumber"),
        Fault(status=201, code="405", message="InsufficientBalance"),
        Fault(status=201, code="407", message="CouldNotRoute"),
        Fault(status=201, code="409", message="DoNotDisturbRejection"),
    ),
    failures={
        name: name
        for name in ("UserInBlackList", "AbsentSubscriber", "DeliveryFailure", "UserDoesNotExist")
    },
)
"""What it refuses for good stands beside the recipient, under HTTP 201."""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    if fault.status == 201:
        refused = {
            "statusCode": int(fault.code),
            "status": fault.message,
            "messageId": "None",
            "number": "+254711000111",
            "cost": "0",
        }
        return _answered("Sent to 0/1 Total Cost: 0", [refused])
    told = _text(fault.status, fault.message)
    if wait is None:
        return told
    headers = {**told.headers, "retry-after": str(wait)}
    return SimulatedResponse(status=told.status, headers=headers, body=told.body)


def callbacks(taken: Taken) -> list[Callback]:
    """Delivery reports, to the address of the line.

    https://developers.africastalking.com/docs/sms/notifications
    """
    answered = json.loads(taken.response.body)["SMSMessageData"]["Recipients"]
    form = _form(taken.request)
    lines = taken.secret["lines"]
    own = [one for one in lines if one["username"] == form["username"]]
    account = form.get("from") or own[0]["account"]
    last = {} if taken.failure is None else {"failureReason": taken.failure}
    stages: list[tuple[str, timedelta, dict[str, str]]] = [
        ("Sent", SENT, {}),
        ("Failed" if last else "Success", DELIVERED, last),
    ]
    return [
        Callback(
            after=after,
            status=status,
            call=taken.post(
                urlencode(
                    {
                        "id": one["messageId"],
                        "status": status,
                        "phoneNumber": one["number"],
                        "networkCode": "63902",
                        "retryCount": "0",
                        **more,
                    }
                ).encode(),
                "application/x-www-form-urlencoded",
                url=f"{taken.webhook}/{account}",
            ),
        )
        for one in answered
        if one["statusCode"] == 101
        for status, after, more in stages
    ]


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
