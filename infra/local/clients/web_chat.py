"""Our own chat widget in a browser, after it has opened a session.

An unsigned call names the session, and the customer if one is signed in, in its Authorization
header: `Session <session>` or `Session <session> <user id>`. Signing turns that into the token the
session was given, a JSON Web Token (RFC 7519) made here by PyJWT.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt

from infra.local.clients.base import Call

SIGNS_BODY = False  # A bearer token proves who speaks; TLS protects what they say.


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    given = next(
        (value for name, value in call.headers.items() if name.lower() == "authorization"), ""
    )
    scheme, *names = given.split(" ")
    if scheme != "Session":
        return call
    claims = {"aud": "web_chat", "sid": names[0], "exp": now + timedelta(hours=1)}
    if len(names) > 1:
        claims["sub"] = names[1]
    token = jwt.encode(claims, secret["signing_secrets"][0], algorithm="HS256")
    kept = {name: value for name, value in call.headers.items() if name.lower() != "authorization"}
    return replace(call, headers={**kept, "Authorization": f"Bearer {token}"})


def user_hash(user_id: str, secret: Mapping[str, Any]) -> str:
    """What the company's own site puts into its page for a customer who is signed in."""
    key: str = secret["identity_secrets"][0]
    return hmac.digest(key.encode(), user_id.encode(), hashlib.sha256).hex()
