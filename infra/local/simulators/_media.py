"""Where providers keep the files people sent: each in its own way, with its own refusals.

Which file it is, the last letter of its id says (`FILES`). What is fetched is no message that left,
so the outbox does not hold it.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002"
    "000001e221bc330000000049454e44ae426082"
)
"""One transparent pixel."""
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n%%EOF\n"
VOICE = b"OggS\x00\x02" + bytes(22) + b"OpusHead" + bytes(64)
VIRUS = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""What scanners take for one, to be tested with."""
PAGE = b"<html><script>alert(document.domain)</script></html>"
GONE = "0"
FILES = {"2": PDF, "3": VOICE, "4": VIRUS, "5": PAGE}
"""By the last letter of a file's id; GONE has none, and every other is PNG."""


class Place(NamedTuple):
    provider: str
    path: re.Pattern[str]
    answer: Callable[[SimulatedRequest, str, Mapping[str, Any]], SimulatedResponse]
    """With what the path names, and the provider's secret."""


def media_answer(request: SimulatedRequest, secrets: Mapping[str, Any]) -> SimulatedResponse | None:
    """What the keeper of a file answers; None for what is no such place."""
    if request.method != "GET":
        return None
    for place in PLACES.get(request.host, ()):
        if (found := place.path.fullmatch(request.path)) is not None:
            return place.answer(request, found[1], secrets[place.provider])
    return None


def _file(id_: str) -> SimulatedResponse:
    if id_.endswith(GONE):
        return SimulatedResponse(status=404, headers={}, body=b"")
    # As little is told of it as the providers tell.
    headers = {"content-type": "application/octet-stream"}
    return SimulatedResponse(status=200, headers=headers, body=FILES.get(id_[-1:], PNG))


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    headers = {"content-type": "application/json"}
    return SimulatedResponse(status=status, headers=headers, body=json.dumps(content).encode())


def _is_metas(request: SimulatedRequest, secret: Mapping[str, Any]) -> bool:
    return request.headers.get("authorization") == f"Bearer {secret['access_token']}"


def _medium_of_meta(
    request: SimulatedRequest, id_: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media"""
    if not _is_metas(request, secret):
        error = {"message": "Invalid OAuth access token", "type": "OAuthException", "code": 190}
        return _json(401, {"error": error})
    content = FILES.get(id_[-1:], PNG)
    lies_at = f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid={id_}&ext=1&hash=h"
    return _json(
        200,
        {
            "url": lies_at,
            "mime_type": "application/octet-stream",
            "sha256": hashlib.sha256(content).hexdigest(),
            "file_size": len(content),
            "id": id_,
            "messaging_product": "whatsapp",
        },
    )


def _file_of_meta(
    request: SimulatedRequest, path: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    if not _is_metas(request, secret):
        return SimulatedResponse(status=401, headers={}, body=b"")
    return _file(parse_qs(request.query).get("mid", [GONE])[0])


def _medium_of_twilio(
    request: SimulatedRequest, sid: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    """https://www.twilio.com/docs/messaging/api/media-resource"""
    logins = (f"{secret['account_sid']}:{token}".encode() for token in secret["auth_tokens"])
    given = request.headers.get("authorization", "")
    if given not in {f"Basic {b64encode(login).decode()}" for login in logins}:
        return _json(401, {"code": 20003, "message": "Authenticate", "status": 401})
    if sid.endswith(GONE):
        message = f"The requested resource {request.path} was not found"
        return _json(404, {"code": 20404, "message": message, "status": 404})
    return SimulatedResponse(
        status=307, headers={"location": f"https://mms.twiliocdn.com/{sid}"}, body=b""
    )


def _file_of_twilio(
    request: SimulatedRequest, sid: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    """The content network signs its addresses, and refuses whoever shows it a login besides."""
    if "authorization" in request.headers:
        return SimulatedResponse(status=400, headers={}, body=b"InvalidArgument")
    return _file(sid)


def _medium_of_telegram(
    request: SimulatedRequest, token: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    """https://core.telegram.org/bots/api#getfile"""
    if token not in {bot["token"] for bot in secret["bots"]}:
        return _json(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
    id_ = parse_qs(request.query).get("file_id", [""])[0]
    if not id_:
        said = "Bad Request: file_id not specified"
        return _json(400, {"ok": False, "error_code": 400, "description": said})
    path = f"documents/{quote(id_)}"
    return _json(200, {"ok": True, "result": {"file_id": id_, "file_path": path}})


def _file_of_telegram(
    request: SimulatedRequest, id_: str, secret: Mapping[str, Any]
) -> SimulatedResponse:
    return _file(id_)


PLACES = {
    "graph.facebook.com": (
        Place("whatsapp_cloud", re.compile(r"/v\d\d\.0/(\d{5,20})"), _medium_of_meta),
    ),
    "lookaside.fbsbx.com": (
        Place("whatsapp_cloud", re.compile(r"(/whatsapp_business/attachments/)"), _file_of_meta),
    ),
    "api.twilio.com": (
        Place(
            "twilio",
            re.compile(r"/2010-04-01/Accounts/AC\w{32}/Messages/[A-Z]{2}\w{32}/Media/(ME\w{32})"),
            _medium_of_twilio,
        ),
    ),
    "mms.twiliocdn.com": (Place("twilio", re.compile(r"/(ME\w{32})"), _file_of_twilio),),
    "api.telegram.org": (
        Place("telegram", re.compile(r"/bot([^/]+)/getFile"), _medium_of_telegram),
        Place("telegram", re.compile(r"/file/bot[^/]+/documents/(.+)"), _file_of_telegram),
    ),
}
"""By host."""
