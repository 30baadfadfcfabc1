"""Mailgun's routes and webhooks: the signature is a part of the body.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from infra.local.clients.base import Call

SIGNS_BODY = False
"""Mailgun signs its time and its token, and nothing else of the body."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    stamp = str(int(now.timestamp()))
    token = hashlib.sha256(call.body).hexdigest()[:50]
    digest = hmac.new(secret["signing_keys"][0].encode(), f"{stamp}{token}".encode(), "sha256")
    proof = {"timestamp": stamp, "token": token, "signature": digest.hexdigest()}
    headers = {name.lower(): value for name, value in call.headers.items()}
    content_type = headers.get("content-type", "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return replace(call, body=b"&".join(filter(None, [call.body, urlencode(proof).encode()])))
    if content_type.startswith("multipart/form-data"):
        boundary = content_type.partition("boundary=")[2]
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in proof.items()
        )
        end = f"--{boundary}--".encode()
        return replace(call, body=call.body.replace(end, parts.encode() + end))
    return replace(call, body=json.dumps({"signature": proof, **json.loads(call.body)}).encode())
