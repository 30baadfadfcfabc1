"""A system of the company that sends Standard Webhooks, to the source its URL names.

Written from https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from infra.local.clients.base import Call

SIGNS_BODY = True


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """Where the call has no `webhook-id`, one derives from its body."""
    name = urlsplit(call.url).path.rstrip("/").rpartition("/")[2]
    source = next(one for one in secret["sources"] if one["name"] == name)
    key = base64.b64decode(source["signing_secrets"][0].removeprefix("whsec_"))
    message_id = call.headers.get("webhook-id", f"msg_{hashlib.sha256(call.body).hexdigest()[:27]}")
    stamp = str(int(now.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + call.body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }
    return replace(call, headers=call.headers | headers)
