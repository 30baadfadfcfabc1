"""Mailgun's API, as far as a message is sent through it.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl

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

HOST = "api.mailgun.net"
ALSO_AT = ("api.eu.mailgun.net",)

_REGIONS = {"us": HOST, "eu": ALSO_AT[0]}
_PATH = re.compile(r"/v3/([a-z0-9.-]+)/messages")
_LARGEST = 25 * 1024 * 1024
_ADDRESS = re.compile(r"[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


FAULTS = Faults(
    throttled=Fault(status=429, code="429", message="Too Many Requests"),
    broken=Fault(status=500, code="500", message="Internal Server Error"),
    refusals=(
        Fault(status=400, code="400", message="to parameter is not a valid address"),
        Fault(status=402, code="402", message="Request limit exceeded: message sending"),
        Fault(status=403, code="403", message="Domain is disabled"),
        Fault(status=413, code="413", message="Request Entity Too Large"),
    ),
    failures={"5.1.1": "5.1.1 user unknown", "5.7.1": "5.7.1 message refused"},
)
"""https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses: only the HTTP status
tells one from another.
"""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    told = _json(fault.status, {"message": fault.message})
    if wait is None:
        return told
    headers = {**told.headers, "retry-after": str(wait)}
    return SimulatedResponse(status=told.status, headers=headers, body=told.body)


def callbacks(taken: Taken) -> list[Callback]:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads"""
    form = _form(taken.request)
    message_id = json.loads(taken.response.body)["id"]
    recipient = _bare(form["to"])
    variables = {name[2:]: value for name, value in form.items() if name.startswith("v:")}
    stages: list[tuple[str, timedelta, dict[str, Any]]] = [
        ("accepted", SENT, {}),
        ("delivered", DELIVERED, {"delivery-status": {"code": 250, "message": "OK"}}),
    ]
    if taken.failure is not None:
        status = {
            "code": 550,
            "enhanced-code": taken.failure,
            "message": FAULTS.failures[taken.failure],
        }
        more = {"severity": "permanent", "reason": "bounce", "delivery-status": status}
        stages[1] = ("failed", DELIVERED, more)
    told = []
    for event, after, more in stages:
        data = {
            "id": hashlib.sha256(f"{message_id}{event}".encode()).hexdigest()[:22],
            "event": event,
            "timestamp": (taken.at + after).timestamp(),
            "recipient": recipient,
            "user-variables": variables,
            "flags": {"is-test-mode": False},
            "message": {"headers": {"message-id": message_id.strip("<>"), "to": form["to"]}},
            **more,
        }
        call = taken.post(json.dumps({"event-data": data}).encode(), "application/json")
        told.append(Callback(after=after, status=event, call=call))
    return told


def _bare(address: str) -> str:
    return address.rpartition("<")[2].rstrip(">")


class _Refused(Exception):
    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        form = _accept(request, secret)
    except _Refused as refused:
        if refused.status == 401:
            return SimulatedResponse(status=401, headers={}, body=b"Forbidden")
        return _json(refused.status, {"message": str(refused)})
    drawn = hashlib.sha256(request.body).hexdigest()[:16]
    message_id = form.get("h:Message-ID") or f"<20261122120000.{drawn}@{secret['domain']}>"
    return _json(200, {"id": message_id, "message": "Queued. Thank you."})


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> dict[str, str]:
    """The form. Raises _Refused where Mailgun would refuse."""
    login = b64encode(f"api:{secret['api_key']}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {login}":
        raise _Refused("Forbidden", status=401)
    path = _PATH.fullmatch(request.path)
    if path is None or request.method != "POST":
        raise _Refused("not found", status=404)
    # A domain lies in one region, and the other does not know it.
    if path[1] != secret["domain"] or request.host != _REGIONS[secret.get("region", "us")]:
        raise _Refused(f"Domain not found: {path[1]}", status=404)
    if len(request.body) > _LARGEST:
        raise _Refused("Request Entity Too Large", status=413)
    form = _form(request)
    for name in ("from", "to"):
        if not form.get(name):
            raise _Refused(f"{name} parameter is missing")
        if not _ADDRESS.fullmatch(_bare(form[name])):
            raise _Refused(f"{name} parameter is not a valid address. please check documentation")
    if not form.get("text") and not form.get("html"):
        raise _Refused(
            "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
        )
    return form


def _form(request: SimulatedRequest) -> dict[str, str]:
    """Mailgun takes both ways of writing a form; of anything else it reads nothing."""
    declared = request.headers.get("content-type", "")
    if declared.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if not declared.startswith("multipart/form-data"):
        return {}
    head = f"content-type: {declared}\r\n\r\n".encode()
    parts = message_from_bytes(head + request.body, policy=policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): bytes(
            part.get_payload(decode=True) or b""
        ).decode("utf-8", "replace")
        for part in parts.iter_parts()
        if part.get_filename() is None
    }


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
