"""Mailgun's API, as far as a message is sent through it.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "api.mailgun.net"
ALSO_AT = ("api.eu.mailgun.net",)

_REGIONS = {"us": HOST, "eu": ALSO_AT[0]}
_PATH = re.compile(r"/v3/([a-z0-9.-]+)/messages")
_ADDRESS = re.compile(r"[^@\s<>,;\"]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


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
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise _Refused("from parameter is missing")
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    for name in ("from", "to"):
        if not form.get(name):
            raise _Refused(f"{name} parameter is missing")
        address = form[name].rpartition("<")[2].rstrip(">")
        if not _ADDRESS.fullmatch(address):
            raise _Refused(f"{name} parameter is not a valid address. please check documentation")
    if not form.get("text") and not form.get("html"):
        raise _Refused(
            "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
        )
    return form


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
