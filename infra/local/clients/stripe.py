"""Stripe's webhooks, as its servers send them. https://docs.stripe.com/webhooks/signature"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = True


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    stamp = str(int(now.timestamp()))
    signed = f"{stamp}.".encode() + call.body
    digest = hmac.digest(secret["signing_secrets"][0].encode(), signed, hashlib.sha256).hex()
    return replace(call, headers={**call.headers, "Stripe-Signature": f"t={stamp},v1={digest}"})
