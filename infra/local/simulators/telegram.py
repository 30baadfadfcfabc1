"""Telegram's Bot API, as far as a message is sent through it.

https://core.telegram.org/bots/api#making-requests
https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp (its errors)
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from infra.local.simulators.base import Fault, Faults, SimulatedRequest, SimulatedResponse

HOST = "api.telegram.org"

_PATH = re.compile(r"/bot([0-9]+:[A-Za-z0-9_-]+)/([A-Za-z]+)")
_FILES = {
    "sendPhoto": "photo",
    "sendDocument": "document",
    "sendAudio": "audio",
    "sendVideo": "video",
}
_NO_TEXT = {"chat_id", "media", "reply_markup", "reply_parameters"}
_DATE = 1_795_348_800
"""2026-11-22, always: the same request has the same answer."""

NOT_STARTED, HAS_BLOCKED, IS_GONE, TOO_MUCH = 403, 40301, 40302, 429
"""People who exist only here, each for one refusal."""
_REFUSING = {
    NOT_STARTED: (403, "Forbidden: bot can't initiate conversation with a user"),
    HAS_BLOCKED: (403, "Forbidden: bot was blocked by the user"),
    IS_GONE: (403, "Forbidden: user is deactivated"),
    TOO_MUCH: (429, "Too Many Requests: retry after 7"),
}


FAULTS = Faults(
    throttled=Fault(status=429, code="429", message="Too Many Requests: retry after {wait}"),
    broken=Fault(status=500, code="500", message="Internal Server Error"),
    refusals=(
        Fault(status=403, code="blocked", message="Forbidden: bot was blocked by the user"),
        Fault(status=400, code="chat_not_found", message="Bad Request: chat not found"),
        Fault(status=403, code="deactivated", message="Forbidden: user is deactivated"),
        Fault(
            status=403,
            code="not_started",
            message="Forbidden: bot can't initiate conversation with a user",
        ),
        Fault(status=401, code="401", message="Unauthorized"),
    ),
)
"""Telegram has no codes beside the HTTP status, and no statuses: these are ours."""


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    description = fault.message.format(wait=wait)
    body = {"ok": False, "error_code": fault.status, "description": description}
    if wait is None:
        return _json(fault.status, body, {})
    body["parameters"] = {"retry_after": wait}
    return _json(fault.status, body, {"retry-after": str(wait)})


class _Refused(Exception):
    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        result = _accept(request, secret)
    except _Refused as refused:
        body: dict[str, Any] = {
            "ok": False,
            "error_code": refused.status,
            "description": str(refused),
        }
        headers = {}
        if refused.status == 429:
            body["parameters"] = {"retry_after": 7}
            headers["retry-after"] = "7"
        return _json(refused.status, body, headers)
    return _json(200, {"ok": True, "result": result}, {})


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> Any:
    path = _PATH.fullmatch(request.path)
    if path is None:
        raise _Refused(404, "Not Found")
    if path[1] not in {bot["token"] for bot in secret["bots"]}:
        raise _Refused(401, "Unauthorized")
    if path[2] == "getMe":
        # Whoever begins to send asks this, to see whether its token is one.
        return {**_bot(path[1]), "username": "boutique_bot", "can_join_groups": False}
    body = _read(request)
    check = _CHECKS.get(path[2])
    if check is None or request.method != "POST":
        raise _Refused(404, "Not Found: method not found")
    sent = check(body, path[2])
    chat = body.get("chat_id")
    if not isinstance(chat, int) or chat == 0:
        raise _Refused(400, "Bad Request: chat not found")
    if chat in _REFUSING:
        raise _Refused(*_REFUSING[chat])
    _check_markup(body.get("reply_markup"))
    _check_reply(body.get("reply_parameters"))
    number = int(hashlib.sha256(request.path.encode() + request.body).hexdigest()[:7], 16) + 1
    messages = [
        _message(path[1], chat, number + n, body, content) for n, content in enumerate(sent)
    ]
    return messages if path[2] == "sendMediaGroup" else messages[0]


def _bot(token: str) -> dict[str, Any]:
    return {"id": int(token.split(":")[0]), "is_bot": True, "first_name": "Boutique"}


def _read(request: SimulatedRequest) -> dict[str, Any]:
    """JSON, or a form in which whatever is no text is JSON. Of anything else nothing is read.

    https://core.telegram.org/bots/api#making-requests
    """
    declared = request.headers.get("content-type", "").split(";")[0]
    if declared == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        return {name: _value(name, value) for name, value in fields.items()}
    if declared != "application/json":
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, "Bad Request: can't parse request JSON object")
    return body


def _value(name: str, text: str) -> Any:
    if name not in _NO_TEXT:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _message(
    token: str, chat: int, number: int, body: dict[str, Any], content: dict[str, Any]
) -> dict[str, Any]:
    connection = body.get("business_connection_id")
    return {
        "message_id": number,
        "from": _bot(token),
        "chat": {"id": chat, "first_name": "Awa", "type": "private"},
        "date": _DATE,
        **({"business_connection_id": connection} if connection else {}),
        **content,
    }


def _check_text(body: dict[str, Any], method: str) -> list[dict[str, Any]]:
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise _Refused(400, "Bad Request: message text is empty")
    if len(text) > 4096:
        raise _Refused(400, "Bad Request: message is too long")
    return [{"text": text.strip()}]


def _check_file(body: dict[str, Any], method: str) -> list[dict[str, Any]]:
    _check_url(body.get(_FILES[method]))
    return [_captioned(body)]


def _check_group(body: dict[str, Any], method: str) -> list[dict[str, Any]]:
    media = body.get("media")
    if not isinstance(media, list) or not 2 <= len(media) <= 10:
        raise _Refused(400, "Bad Request: there must be 2-10 items in an album")
    kinds = {one.get("type") for one in media}
    if not (kinds <= {"photo", "video"} or kinds in ({"document"}, {"audio"})):
        raise _Refused(400, "Bad Request: document can't be mixed with other media types")
    for one in media:
        _check_url(one.get("media"))
    return [_captioned(one) for one in media]


def _check_url(url: object) -> None:
    if not isinstance(url, str) or not url:
        raise _Refused(400, "Bad Request: there is no file in the request")
    if not re.fullmatch(r"https?://[^\s/]+\.[^\s/]+/\S*", url):
        raise _Refused(400, "Bad Request: wrong HTTP URL specified")


def _captioned(part: dict[str, Any]) -> dict[str, Any]:
    caption = part.get("caption", "")
    if len(caption) > 1024:
        raise _Refused(400, "Bad Request: message caption is too long")
    return {"caption": caption} if caption else {}


def _check_markup(markup: Any) -> None:
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    for button in (one for row in rows for one in row):
        if not button.get("text"):
            raise _Refused(
                400,
                "Bad Request: can't parse inline keyboard button: "
                "Text buttons are unallowed in the inline keyboard",
            )
        if not 1 <= len(button.get("callback_data", "").encode()) <= 64:
            raise _Refused(400, "Bad Request: BUTTON_DATA_INVALID")


def _check_reply(reply: Any) -> None:
    if reply is not None and not isinstance(reply.get("message_id"), int):
        raise _Refused(400, "Bad Request: message to be replied not found")


_CHECKS = {
    "sendMessage": _check_text,
    **dict.fromkeys(_FILES, _check_file),
    "sendMediaGroup": _check_group,
}
"""What we send. Telegram takes more; whoever sends more adds its check here."""


def _json(status: int, content: Mapping[str, Any], headers: Mapping[str, str]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json", **headers},
        body=json.dumps(content, ensure_ascii=False).encode(),
    )
