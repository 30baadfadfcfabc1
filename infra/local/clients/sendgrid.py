"""Twilio SendGrid's webhooks: forms of Inbound Parse, JSON of the Event Webhook.

https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
The keys beside this file sign nothing but what a laptop sends to itself; each is found by its
public key.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.local.clients.base import Call

SIGNS_BODY = False
"""Events are signed whole; Inbound Parse, unless it has a security policy, only logs in."""

_KEYS = Path(__file__).with_name("sendgrid_keys.json")


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    headers = {name.lower(): value for name, value in call.headers.items()}
    is_mail = headers.get("content-type", "").startswith("multipart/form-data")
    keys = secret.get("parse_keys", []) if is_mail else secret["event_keys"]
    if not keys:
        login = b64encode(f"parse:{secret['webhook_secrets'][0]}".encode()).decode()
        return replace(call, headers={**call.headers, "Authorization": f"Basic {login}"})
    stamp = str(int(now.timestamp()))
    signature = _key(keys[0]).sign(stamp.encode() + call.body, ECDSA(SHA256()))
    return replace(
        call,
        headers={
            **call.headers,
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        },
    )


@cache
def _key(public: str) -> EllipticCurvePrivateKey:
    """The private key behind a public one."""
    key = load_pem_private_key(json.loads(_KEYS.read_text())[public].encode(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key
