"""Postmark's webhooks: it logs in with what stands in the URL.

https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = False
"""Postmark signs nothing."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    login = b64encode(f"postmark:{secret['webhook_secrets'][0]}".encode()).decode()
    return replace(call, headers={**call.headers, "Authorization": f"Basic {login}"})
