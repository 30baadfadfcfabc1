"""Slack's requests, as its servers send them.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = True


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """The version, the time and the bytes of the body, between colons."""
    stamp = str(int(now.timestamp()))
    signed = b":".join((b"v0", stamp.encode(), call.body))
    digest = hmac.new(secret["signing_secrets"][0].encode(), signed, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
    return replace(call, headers={**call.headers, **headers})
