"""Telegram's webhooks, as its servers send them.

https://core.telegram.org/bots/api#setwebhook
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = False
"""The secret token names who set the webhook and proves nothing about the body; TLS alone does."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    token = secret["bots"][0]["secret_tokens"][0]
    return replace(call, headers={**call.headers, "X-Telegram-Bot-Api-Secret-Token": token})
