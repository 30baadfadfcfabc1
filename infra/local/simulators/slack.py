"""Slack's Web API, as far as a message is posted through it.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/block-kit/blocks
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from infra.local.simulators.base import Fault, Faults, SimulatedRequest, SimulatedResponse

HOST = "slack.com"

_CHANNEL = re.compile(r"[CDG][A-Z0-9]{8,}")
_USER = re.compile(r"[UW][A-Z0-9]{8,}")
_TS = re.compile(r"\d{10}\.\d{6}")
_LONGEST_SECTION = 3000

ARCHIVED, NOT_OURS, BUSY = "C0000ARCHIVED", "C0000NOTOURS", "C0000BUSY"
"""Channels that exist only here, each for one refusal."""
_REFUSING = {ARCHIVED: "is_archived", NOT_OURS: "not_in_channel"}


FAULTS = Faults(
    throttled=Fault(status=429, code="ratelimited", message="ratelimited"),
    broken=Fault(status=500, code="internal_error", message="internal_error"),
    refusals=tuple(
        Fault(status=200, code=code, message=code)
        for code in (
            "channel_not_found",
            "is_archived",
            "not_in_channel",
            "user_disabled",
            "msg_too_long",
            "restricted_action",
            "token_revoked",
            "missing_scope",
        )
    ),
)
"""Slack has no statuses."""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    headers = {} if wait is None else {"retry-after": str(wait)}
    return _json(fault.status, {"ok": False, "error": fault.code}, headers)


class _Refused(Exception):
    """`str` is Slack's code."""


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    """Slack answers 200 whatever it thinks of the message; only haste is told by the status."""
    try:
        channel, body = _accept(request, secret)
    except _Refused as refused:
        return _json(200, {"ok": False, "error": str(refused)}, {})
    if channel == BUSY:
        return _json(429, {"ok": False, "error": "ratelimited"}, {"retry-after": "30"})
    number = int(hashlib.sha256(request.body).hexdigest()[:8], 16) % 1_000_000
    ts = f"1795348800.{number:06}"
    message = {
        "type": "message",
        "subtype": "bot_message",
        "text": body.get("text", ""),
        "bot_id": "B0LOCALBOT",
        "ts": ts,
    }
    return _json(200, {"ok": True, "channel": channel, "ts": ts, "message": message}, {})


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The channel and the message. Raises _Refused where Slack would refuse."""
    if request.path != "/api/chat.postMessage":
        raise _Refused("unknown_method")
    if request.method != "POST":
        # What may be asked by GET too reads its token and arguments elsewhere.
        raise _Refused("not_authed")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise _Refused("not_authed")
    if token not in secret["bot_tokens"].values():
        raise _Refused("invalid_auth")
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise _Refused("invalid_post_type")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise _Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise _Refused("json_not_object")
    if not isinstance(body.get("text", ""), str):
        raise _Refused("invalid_arguments")
    channel = str(body.get("channel", ""))
    if channel in _REFUSING:
        raise _Refused(_REFUSING[channel])
    if not (_CHANNEL.fullmatch(channel) or _USER.fullmatch(channel)):
        raise _Refused("channel_not_found")
    if not body.get("text") and not body.get("blocks"):
        raise _Refused("no_text")
    if len(body.get("text", "")) > 40_000:
        raise _Refused("msg_too_long")
    if "thread_ts" in body and not _TS.fullmatch(str(body["thread_ts"])):
        raise _Refused("invalid_thread_ts")
    _check_blocks(body.get("blocks", []))
    # Who is written to by their user id is written to in the app's chat with them.
    return re.sub(r"^[UW]", "D", channel), body


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list) or len(blocks) > 50:
        raise _Refused("invalid_blocks")
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        check = _BLOCKS.get(kind) if isinstance(kind, str) else None
        try:
            fits = check is not None and check(block)
        except (AttributeError, KeyError, TypeError):
            # A part is missing, or of another type than it must be.
            fits = False
        if not fits:
            raise _Refused("invalid_blocks")


def _is_section(block: dict[str, Any]) -> bool:
    return 0 < len(block["text"]["text"]) <= _LONGEST_SECTION


def _is_image(block: dict[str, Any]) -> bool:
    shown = re.fullmatch(r"https?://\S{1,3000}", block.get("image_url", ""))
    return bool(shown and 0 < len(block.get("alt_text", "")) <= 2000)


def _is_actions(block: dict[str, Any]) -> bool:
    elements = block["elements"]
    ids = [one["action_id"] for one in elements]
    fit = all(
        one["text"]["type"] == "plain_text"
        and 0 < len(one["text"]["text"]) <= 75
        and len(one.get("value", "")) <= 2000
        for one in elements
    )
    return fit and 0 < len(elements) <= 25 and len(set(ids)) == len(ids)


_BLOCKS = {"section": _is_section, "image": _is_image, "actions": _is_actions}
"""What we send. Slack takes more; whoever sends more adds its check here."""


def _json(status: int, content: Mapping[str, Any], headers: Mapping[str, str]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json; charset=utf-8", **headers},
        body=json.dumps(content).encode(),
    )
