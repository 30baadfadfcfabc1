"""Meta's webhooks, as its servers send them, of whichever of its products.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """The signature covers the bytes of the body and nothing else; Meta stamps no time."""
    digest = hmac.digest(secret["app_secrets"][0].encode(), call.body, hashlib.sha256).hex()
    return replace(call, headers={**call.headers, "X-Hub-Signature-256": f"sha256={digest}"})
