"""Segment's tracking libraries: basic authentication with the write key as user and no password."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from infra.local.clients.base import Call

SIGNS_BODY = False
"""A write key names its source and proves nothing about the body; TLS alone protects that."""


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    credentials = b64encode(f"{secret['write_keys'][0]['key']}:".encode()).decode()
    return replace(call, headers=call.headers | {"Authorization": f"Basic {credentials}"})
