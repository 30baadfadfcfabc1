"""The callbacks of Africa's Talking, as its servers send them: a form to the address that was set.

https://developers.africastalking.com/docs/sms/notifications
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from infra.local.clients.base import Call

SIGNS_BODY = False
"""Nothing is signed. Whoever knows the address may call it."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """The address ends in the secret of the line that it names."""
    account = urlsplit(call.url).path.rstrip("/").rpartition("/")[2]
    line = next((one for one in secret["lines"] if one["account"] == account), secret["lines"][0])
    return replace(call, url=f"{call.url.rstrip('/')}/{line['path_secrets'][0]}")
