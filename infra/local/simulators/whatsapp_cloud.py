"""Meta's Graph API, as far as a message is sent through it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "graph.facebook.com"

_PATH = re.compile(r"/v(\d{2})\.0/(\d{5,20})/messages")
_PHONE = re.compile(r"\+?[0-9]{7,15}")
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,3})?")
_UNFOLDED = re.compile(r"[\n\t]| {5}")
OLDEST_VERSION = 21
"""Version 20 ended on 2026-09-24."""


class _Refused(Exception):
    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    trace = hashlib.sha256(request.path.encode() + request.body).hexdigest()
    try:
        recipient = _accept(request, secret)
    except _Refused as refused:
        error = {
            "message": f"(#{refused.code}) {refused}",
            "type": "OAuthException",
            "code": refused.code,
            "error_data": {"messaging_product": "whatsapp", "details": str(refused)},
            "fbtrace_id": trace[:23],
        }
        return _json(refused.status, {"error": error})
    digits = recipient.lstrip("+")
    known = {"wa_id": digits} if digits.isdigit() else {"user_id": recipient}
    message_id = "wamid." + b64encode(bytes.fromhex(trace)).decode()
    return _json(
        200,
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": recipient, **known}],
            "messages": [{"id": message_id}],
        },
    )


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> str:
    """The recipient. Raises _Refused where Meta would refuse."""
    path = _PATH.fullmatch(request.path)
    if path is None or int(path[1]) < OLDEST_VERSION or request.method != "POST":
        raise _Refused(100, "Unsupported request: unknown path, version or method")
    if request.headers.get("authorization") != f"Bearer {secret['access_token']}":
        raise _Refused(190, "Invalid OAuth access token", status=401)
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise _Refused(100, "The parameter messaging_product is required.")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise _Refused(100, "Invalid parameter: the body is not JSON") from None
    if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
        raise _Refused(100, "The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise _Refused(131009, "Parameter value is not valid: recipient_type")
    if len(str(body.get("biz_opaque_callback_data", ""))) > 512:
        raise _Refused(131009, "Parameter value is not valid: biz_opaque_callback_data")
    if "context" in body and not _text(body["context"], "message_id", 512):
        raise _Refused(131009, "Parameter value is not valid: context.message_id")
    _CONTENTS.get(str(body.get("type", "text")), _other)(body)
    return _recipient(body)


def _recipient(body: dict[str, Any]) -> str:
    """A phone number in `to`, or a business-scoped user id in `recipient`; `to` goes before."""
    for name, shape in (("to", _PHONE), ("recipient", _USER_ID)):
        if name in body:
            if not isinstance(body[name], str) or not shape.fullmatch(body[name]):
                raise _Refused(131009, f"Parameter value is not valid: {name}")
            return str(body[name])
    raise _Refused(131008, "Required parameter is missing: to")


def _check_text(body: dict[str, Any]) -> None:
    if not _text(body.get("text"), "body", 4096):
        raise _Refused(100, "Param text['body'] must be 1 to 4096 characters long.")


def _check_template(body: dict[str, Any]) -> None:
    template = body.get("template")
    if not isinstance(template, dict) or not _TEMPLATE_NAME.fullmatch(str(template.get("name"))):
        raise _Refused(131008, "Required parameter is missing: template.name")
    language = template.get("language")
    if not isinstance(language, dict) or not _LANGUAGE.fullmatch(str(language.get("code"))):
        raise _Refused(131008, "Required parameter is missing: template.language.code")
    for component in template.get("components", []):
        if component.get("type") not in {"header", "body", "button"}:
            raise _Refused(131009, "Parameter value is not valid: components.type")
        for parameter in component.get("parameters", []):
            if parameter.get("type") == "text" and not _text(parameter, "text", 1024):
                raise _Refused(131008, "Required parameter is missing: parameters.text")
            if _UNFOLDED.search(str(parameter.get("text", ""))):
                raise _Refused(132018, "Param text cannot have new-line/tab or 5 spaces in a row")


def _other(body: dict[str, Any]) -> None:
    raise _Refused(131009, "Parameter value is not valid: type")


_CONTENTS = {"text": _check_text, "template": _check_template}
"""What we send. Meta takes more; whoever sends more adds its check here."""


def _text(parent: object, name: str, longest: int) -> bool:
    value = parent.get(name) if isinstance(parent, dict) else None
    return isinstance(value, str) and 0 < len(value) <= longest


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json; charset=UTF-8"},
        body=json.dumps(content).encode(),
    )
