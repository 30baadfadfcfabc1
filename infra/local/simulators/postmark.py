"""Postmark's email API.

https://postmarkapp.com/developer/api/email-api
https://postmarkapp.com/developer/api/overview#error-codes
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from infra.local.simulators.base import (
    DELIVERED,
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "api.postmarkapp.com"

_ADDRESS = re.compile(r"[a-z0-9.!#$%&'`*+\-/=^_{}|~]+@[a-z0-9.-]+", re.IGNORECASE)
"""https://postmarkapp.com/support/article/1180-what-does-errorcode-300-mean"""
INACTIVE = "inactive@example.com"
"""Postmark has such addresses for tests, too; this one never took a mail."""
_TEXTS = {"From", "To", "ReplyTo", "Subject", "TextBody", "HtmlBody", "MessageStream", "Tag"}
_BOUNCES = {"HardBounce": 1, "SpamNotification": 512}
"""https://postmarkapp.com/developer/api/bounce-api#bounce-types"""
_LARGEST = 10 * 1024 * 1024
_FORBIDDEN = {"bat", "cmd", "com", "cpl", "exe", "hta", "jar", "js", "msi", "pif", "scr", "vbs"}
"""Some of them: https://postmarkapp.com/developer/user-guide/send-email-with-api#attachments"""
_MOST_METADATA, _LONGEST_NAME, _LONGEST_VALUE = 10, 20, 80


FAULTS = Faults(
    throttled=Fault(status=429, code="429", message="Rate limit exceeded"),
    broken=Fault(status=500, code="500", message="Internal Server Error"),
    refusals=(
        Fault(status=422, code="406", message="You tried to send to an inactive recipient."),
        Fault(status=422, code="300", message="Invalid email request"),
        Fault(status=422, code="405", message="Not allowed to send: you ran out of credits."),
        Fault(status=422, code="412", message="Account is pending approval."),
    ),
    failures={
        "HardBounce": "smtp;550 5.1.1 user unknown",
        "SpamNotification": "smtp;550 5.7.1 message refused as spam",
    },
)
"""Failures are the types of a bounce."""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    told = _json(fault.status, {"ErrorCode": int(fault.code), "Message": fault.message})
    if wait is None:
        return told
    headers = {**told.headers, "retry-after": str(wait)}
    return SimulatedResponse(status=told.status, headers=headers, body=told.body)


def callbacks(taken: Taken) -> list[Callback]:
    """https://postmarkapp.com/developer/webhooks/delivery-webhook and bounce-webhook."""
    asked, answered = json.loads(taken.request.body), json.loads(taken.response.body)
    at = f"{taken.at + DELIVERED:%Y-%m-%dT%H:%M:%S.0000000}Z"
    event = {
        "MessageID": answered["MessageID"],
        "MessageStream": asked.get("MessageStream", "outbound"),
        "Metadata": asked.get("Metadata", {}),
        "ServerID": 23,
        "Tag": asked.get("Tag", ""),
    }
    if taken.failure is None:
        more = {"DeliveredAt": at, "Details": "smtp;250 OK", "Recipient": asked["To"]}
        event |= {"RecordType": "Delivery", **more}
    else:
        event |= {
            "RecordType": "Bounce",
            "ID": uuid5(NAMESPACE_URL, answered["MessageID"]).int % 2**62,
            "Type": taken.failure,
            "TypeCode": _BOUNCES[taken.failure],
            "Details": FAULTS.failures[taken.failure],
            "Email": asked["To"],
            "From": asked["From"],
            "BouncedAt": at,
            "Inactive": taken.failure == "HardBounce",
            "CanActivate": True,
            "DumpAvailable": False,
        }
    call = taken.post(json.dumps(event).encode(), "application/json")
    return [Callback(after=DELIVERED, status=event["RecordType"], call=call)]


class _Refused(Exception):
    def __init__(self, code: int, message: str, *, status: int = 422) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        content = _accept(request, secret)
    except _Refused as refused:
        return _json(refused.status, {"ErrorCode": refused.code, "Message": str(refused)})
    return _json(
        200,
        {
            "To": content["To"],
            "SubmittedAt": "2026-11-22T12:00:00.0000000Z",
            "MessageID": str(uuid5(NAMESPACE_URL, request.body.decode())),
            "ErrorCode": 0,
            "Message": "OK",
        },
    )


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> dict[str, Any]:
    """The message. Raises _Refused where Postmark would refuse."""
    if request.path != "/email" or request.method != "POST":
        raise _Refused(404, "Not found", status=404)
    if request.headers.get("x-postmark-server-token") != secret["server_token"]:
        raise _Refused(
            10,
            "Request does not contain a valid Server token.",
            status=401,
        )
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise _Refused(0, "The Content-Type is not application/json.", status=415)
    content = _read(request.body)
    sender = content.get("From", "").rpartition("<")[2].rstrip(">")
    for name, address in (("From", sender), ("To", content.get("To", ""))):
        if not _ADDRESS.fullmatch(address):
            raise _Refused(300, f"Invalid '{name}' address: '{address}'.")
    if sender not in secret["addresses"]:
        raise _Refused(
            400,
            f"The 'From' address you supplied ({sender}) is not a Sender Signature on your"
            " account.",
        )
    if content["To"] == INACTIVE:
        raise _Refused(
            406,
            "You tried to send to recipient(s) that have been marked as inactive. Found inactive"
            f" addresses: {INACTIVE}. Inactive recipients are ones that have generated a hard"
            " bounce, a spam complaint, or a manual suppression.",
        )
    if not content.get("TextBody") and not content.get("HtmlBody"):
        raise _Refused(300, "Provide either email TextBody or HtmlBody or both.")
    _check_metadata(content.get("Metadata", {}))
    _check_attachments(content.get("Attachments", []))
    streams = {secret.get("stream", "outbound"), secret.get("marketing_stream", "")}
    if content.get("MessageStream", "outbound") not in streams - {""}:
        raise _Refused(1235, "The message stream provided: does not exist on this server.")
    return content


def _read(body: bytes) -> dict[str, Any]:
    """Raises _Refused for what is no JSON, or of another type than the API reads."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _Refused(402, "Invalid JSON")
    for name, value in content.items():
        if name in _TEXTS and not isinstance(value, str | None):
            raise _Refused(402, f"Invalid JSON: '{name}' is not a string.")
    content = {name: value for name, value in content.items() if value is not None}
    metadata = content.get("Metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
        raise _Refused(402, "Invalid JSON: 'Metadata' is not an object of strings.")
    return content


def _check_metadata(metadata: Mapping[str, str]) -> None:
    too_long = any(
        len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE for name, value in metadata.items()
    )
    if too_long or len(metadata) > _MOST_METADATA:
        raise _Refused(
            300, "Metadata is limited to 10 fields, names of 20 and values of 80 characters"
        )


def _check_attachments(attachments: Sequence[Mapping[str, str]]) -> None:
    """https://postmarkapp.com/updates/upcoming-changes-to-attachment-validation-action-may-be-required"""
    for one in attachments:
        if not one.get("Name") or not one.get("Content"):
            raise _Refused(300, "Attachments: 'Name' and 'Content' are required.")
        try:
            b64decode(one["Content"], validate=True)
        except ValueError:
            raise _Refused(402, "Invalid JSON: 'Content' is not base64.") from None
        if not re.fullmatch(r"[!-~]+/[!-~]+", one.get("ContentType", "")):
            raise _Refused(300, f"Invalid attachment content type: '{one.get('ContentType')}'.")
        if one["Name"].rpartition(".")[2].lower() in _FORBIDDEN:
            raise _Refused(411, f"Attachment file type is not allowed: '{one['Name']}'.")
    if sum(len(one["Content"]) for one in attachments) >= _LARGEST:
        message = f"Attachments too big. The total size should be less than {_LARGEST} bytes."
        raise _Refused(300, message)


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
