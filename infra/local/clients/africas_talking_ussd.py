"""The callbacks of Africa's Talking, as its servers send them: a form to the address that was set.

https://developers.africastalking.com/docs/ussd/handle_sessions
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = False
"""Nothing is signed. Whoever knows the address may call it."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    return replace(call, url=f"{call.url.rstrip('/')}/{secret['path_secrets'][0]}")
