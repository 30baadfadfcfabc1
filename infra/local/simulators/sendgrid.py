"""SendGrid's Web API, as far as a mail is sent through it.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "api.sendgrid.com"
ALSO_AT = ("api.eu.sendgrid.com",)

_ADDRESS = re.compile(r"[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
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
_LONGEST_CUSTOM_ARGS = 10_000


class _Refused(Exception):
    def __init__(self, message: str, field: str | None, *, status: int = 400) -> None:
        super().__init__(message)
        self.field, self.status = field, status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        _accept(request, secret)
    except _Refused as refused:
        error = {"message": str(refused), "field": refused.field, "help": None}
        return SimulatedResponse(
            status=refused.status,
            headers={"content-type": "application/json"},
            body=json.dumps({"errors": [error]}).encode(),
        )
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
    try:
        content = json.loads(request.body)
    except ValueError:
        raise _Refused("Bad Request", None) from None
    _check_addresses(content, secret)
    _check_content(content)


def _check_addresses(content: Mapping[str, Any], secret: Mapping[str, Any]) -> None:
    for place, one in enumerate(content.get("personalizations", [{}])):
        for number, to in enumerate(one.get("to", [{}])):
            if not _ADDRESS.fullmatch(to.get("email", "")):
                field = f"personalizations.{place}.to.{number}.email"
                raise _Refused("Does not contain a valid address.", field)
    sender = content.get("from", {}).get("email", "")
    if not _ADDRESS.fullmatch(sender):
        raise _Refused("The from email does not contain a valid address.", "from.email")
    if sender not in secret["addresses"]:
        raise _Refused(
            "The from address does not match a verified Sender Identity. Mail cannot be sent until"
            " this error is resolved.",
            "from",
            status=403,
        )


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
    if order != sorted(order, key=["text/plain", "text/html"].index):
        raise _Refused("If present, text/plain must be first, followed by text/html.", "content")
    for name in content.get("headers", {}):
        if name.lower() in _RESERVED or not name.isascii():
            raise _Refused(f"The header {name} is a reserved header.", "headers")
    if len(json.dumps(content.get("custom_args", {}))) > _LONGEST_CUSTOM_ARGS:
        raise _Refused("The custom_args may not exceed 10000 bytes.", "custom_args")
