"""SendGrid's Web API, as far as a mail is sent through it.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

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

HOST = "api.sendgrid.com"
ALSO_AT = ("api.eu.sendgrid.com",)

_ADDRESS = re.compile(r"[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_NO_SENDER = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this"
    " error is resolved."
)
_RESERVED = {
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
}
_PERSON = {"email": str, "name": str}
_SHAPE = {
    "personalizations": [{"to": [_PERSON]}],
    "from": _PERSON,
    "subject": str,
    "content": [{"type": str, "value": str}],
    "headers": {"*": str},
    "custom_args": {"*": str},
    "attachments": [{"content": str, "type": str, "filename": str, "disposition": str}],
}
_TYPES = {
    str: "string",
    dict: "object",
    list: "array",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_LONGEST_CUSTOM_ARGS = 10_000
_LARGEST = 30_000_000

FAULTS = Faults(
    throttled=Fault(status=429, code="429", message="too many requests"),
    broken=Fault(status=500, code="500", message="Internal server error"),
    refusals=(
        Fault(status=403, code="from", message=_NO_SENDER),
        Fault(status=401, code="401", message="Maximum credits exceeded"),
        Fault(status=413, code="413", message="The maximum message size is 30MB."),
    ),
    failures={
        "5.1.1": "550 5.1.1 The email account that you tried to reach does not exist",
        "5.7.1": "550 5.7.1 Message rejected as spam",
    },
)
"""SendGrid names the field that is wrong, where one is."""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    """https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits"""
    field = None if fault.code.isdecimal() else fault.code
    told = _error(fault.status, fault.message, field)
    if wait is None:
        return told
    headers = {**told.headers, "x-ratelimit-remaining": "0", "retry-after": str(wait)}
    return SimulatedResponse(status=told.status, headers=headers, body=told.body)


def callbacks(taken: Taken) -> list[Callback]:
    """The Event Webhook: one list for each of the two times.

    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
    """
    asked = json.loads(taken.request.body)
    message_id = taken.response.headers["X-Message-Id"]
    stages: list[tuple[str, timedelta, dict[str, Any]]] = [
        ("processed", SENT, {}),
        ("delivered", DELIVERED, {"response": "250 OK"}),
    ]
    if taken.failure is not None:
        reason = FAULTS.failures[taken.failure]
        is_spam = taken.failure.startswith("5.7")
        more = {"type": "blocked" if is_spam else "bounce", "status": taken.failure}
        stages[1] = ("bounce", DELIVERED, {**more, "reason": reason})
    told = []
    for event, after, more in stages:
        one = {
            "email": asked["personalizations"][0]["to"][0]["email"],
            "timestamp": int((taken.at + after).timestamp()),
            "event": event,
            "sg_event_id": hashlib.sha256(f"{message_id}{event}".encode()).hexdigest()[:22],
            "sg_message_id": f"{message_id}.recvd-local-1-0.0",
            **asked.get("custom_args", {}),
            **more,
        }
        call = taken.post(json.dumps([one]).encode(), "application/json")
        told.append(Callback(after=after, status=event, call=call))
    return told


class _Refused(Exception):
    def __init__(self, message: str, field: str | None, *, status: int = 400) -> None:
        super().__init__(message)
        self.field, self.status = field, status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        _accept(request, secret)
    except _Refused as refused:
        return _error(refused.status, str(refused), refused.field)
    message_id = hashlib.sha256(request.path.encode() + request.body).hexdigest()[:22]
    return SimulatedResponse(status=202, headers={"X-Message-Id": message_id}, body=b"")


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> None:
    """Raises _Refused where SendGrid would refuse."""
    if request.path != "/v3/mail/send" or request.method != "POST":
        raise _Refused("not found", None, status=404)
    if request.headers.get("authorization") != f"Bearer {secret['api_key']}":
        raise _Refused(
            "The provided authorization grant is invalid, expired, or revoked",
            None,
            status=401,
        )
    if request.headers.get("content-type") != "application/json":
        raise _Refused("Content-Type should be application/json.", None, status=415)
    if len(request.body) > _LARGEST:
        raise _Refused("The maximum message size is 30MB.", None, status=413)
    try:
        content = json.loads(request.body)
    except ValueError:
        raise _Refused("Bad Request", None) from None
    _check_type(content, _SHAPE, "")
    _check_addresses(content, secret)
    _check_content(content)


def _check_type(value: Any, shape: Any, field: str) -> None:
    """As the JSON schema of the API says, and in its words."""
    expected: type = type(shape) if isinstance(shape, dict | list) else shape
    given: type = type(value)
    if given is not expected:
        told = f"Invalid type. Expected: {_TYPES[expected]}, given: {_TYPES[given]}."
        raise _Refused(told, field or None)
    parts: list[tuple[Any, Any, Any]] = []
    if expected is list:
        parts = [(number, one, shape[0]) for number, one in enumerate(value)]
    elif expected is dict:
        parts = [(name, one, shape.get(name, shape.get("*"))) for name, one in value.items()]
    for name, one, part in parts:
        if part is not None:
            _check_type(one, part, f"{field}.{name}".strip("."))


def _check_addresses(content: Mapping[str, Any], secret: Mapping[str, Any]) -> None:
    for place, one in enumerate(content.get("personalizations") or [{}]):
        for number, to in enumerate(one.get("to") or [{}]):
            if not _ADDRESS.fullmatch(to.get("email", "")):
                field = f"personalizations.{place}.to.{number}.email"
                raise _Refused("Does not contain a valid address.", field)
    sender = content.get("from", {}).get("email", "")
    if not _ADDRESS.fullmatch(sender):
        raise _Refused("The from email does not contain a valid address.", "from.email")
    if sender not in secret["addresses"]:
        raise _Refused(_NO_SENDER, "from", status=403)


def _check_content(content: Mapping[str, Any]) -> None:
    if not content.get("subject"):
        raise _Refused("The subject is required.", "subject")
    forms = content.get("content", [])
    if not forms:
        raise _Refused("The content value must be a string at least one character.", "content")
    if any(not form.get("value") for form in forms):
        raise _Refused(
            "The content value must be a string at least one character in length.",
            "content.0.value",
        )
    order = [form.get("type") for form in forms]
    known = ["text/plain", "text/html"]
    if not set(order) <= set(known) or order != sorted(order, key=known.index):
        raise _Refused("If present, text/plain must be first, followed by text/html.", "content")
    for name in content.get("headers", {}):
        if name.lower() in _RESERVED or not name.isascii():
            raise _Refused(f"The header {name} is a reserved header.", "headers")
    if len(json.dumps(content.get("custom_args", {}))) > _LONGEST_CUSTOM_ARGS:
        raise _Refused("The custom_args may not exceed 10000 bytes.", "custom_args")
    for number, one in enumerate(content.get("attachments", [])):
        _check_attachment(one, f"attachments.{number}")


def _check_attachment(attachment: Mapping[str, str], field: str) -> None:
    content = attachment.get("content", "")
    if not content:
        message = "The attachment content must be a string at least one character in length."
        raise _Refused(message, f"{field}.content")
    try:
        b64decode(content, validate=True)
    except ValueError:
        message = "The attachment content must be base64 encoded."
        raise _Refused(message, f"{field}.content") from None
    if not attachment.get("filename"):
        message = "The attachment filename must be a string at least one character in length."
        raise _Refused(message, f"{field}.filename")
    if any(letter in attachment.get("type", "") for letter in ";,\r\n"):
        message = "The attachment type cannot contain ';', ',', or CRLF characters."
        raise _Refused(message, f"{field}.type")


def _error(status: int, message: str, field: str | None) -> SimulatedResponse:
    error = {"message": message, "field": field, "help": None}
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps({"errors": [error]}).encode(),
    )
