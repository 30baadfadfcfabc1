"""Shopify's webhooks, as its servers send them.

https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook-to-ensure-its-coming-from-shopify
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = True


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    digest = hmac.digest(secret["signing_secrets"][0].encode(), call.body, hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    return replace(call, headers={**call.headers, "X-Shopify-Hmac-Sha256": signature})
