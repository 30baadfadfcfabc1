"""Twilio's webhooks, as its servers send them.

https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from infra.local.clients.base import Call

SIGNS_BODY = True


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """Of a form, the URL and every field are signed; of any other body, the URL with its hash."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    url, signed = call.url, ""
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        fields = parse_qs(call.body.decode(), keep_blank_values=True)
        for name, values in sorted(fields.items()):
            signed += "".join(name + value for value in sorted(set(values)))
    elif call.body:
        url += "&" if "?" in url else "?"
        url += f"bodySHA256={hashlib.sha256(call.body).hexdigest()}"
    digest = hmac.digest(secret["auth_tokens"][0].encode(), (url + signed).encode(), hashlib.sha1)
    signature = base64.b64encode(digest).decode()
    return replace(call, url=url, headers={**call.headers, "X-Twilio-Signature": signature})
