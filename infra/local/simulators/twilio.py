"""Twilio's REST API, as far as a message is sent through it.

https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
https://www.twilio.com/docs/api/errors
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

HOST = "api.twilio.com"

_PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages\.json")
_PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_SENDER = re.compile(r"\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
"""A number, a short code, or an alphanumeric sender id."""
_WHATSAPP_USER = re.compile(r"\+[1-9][0-9]{3,14}|[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
_WHATSAPP = "whatsapp:"
_CHANNEL = re.compile(r"(whatsapp:|messenger:|rcs:)?(.*)")
_SENDERS = {
    "": _SENDER,
    _WHATSAPP: _SENDER,
    "messenger:": re.compile(r"[0-9]{1,40}"),
    "rcs:": re.compile(r"[A-Za-z0-9_]{1,64}"),
}
_RECIPIENTS = {
    "": _PHONE,
    _WHATSAPP: _WHATSAPP_USER,
    "messenger:": re.compile(r"[0-9]{1,40}"),
    "rcs:": _PHONE,
}
_MOST_FILES = {"": 10, "rcs:": 10}


class _Refused(Exception):
    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        form = _accept(request, secret)
    except _Refused as refused:
        return _json(
            refused.status,
            {
                "code": refused.code,
                "message": str(refused),
                "more_info": f"https://www.twilio.com/docs/errors/{refused.code}",
                "status": refused.status,
            },
        )
    account = secret["account_sid"]
    sid = "SM" + hashlib.sha256(request.path.encode() + request.body).hexdigest()[:32]
    return _json(
        201,
        {
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": form.get("Body", ""),
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form["From"],
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "sid": sid,
            "status": "queued",
            "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
        },
    )


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> dict[str, str]:
    """The form. Raises _Refused where Twilio would refuse."""
    path = _PATH.fullmatch(request.path)
    if path is None or request.method != "POST":
        raise _Refused(20404, "The requested resource was not found", status=404)
    logins = [f"{secret['account_sid']}:{token}" for token in secret["auth_tokens"]]
    given = request.headers.get("authorization", "")
    if given not in {f"Basic {b64encode(login.encode()).decode()}" for login in logins}:
        raise _Refused(20003, "Authenticate", status=401)
    if path[1] != secret["account_sid"]:
        raise _Refused(20404, "The requested resource was not found", status=404)
    pairs = _form(request)
    form = dict(pairs)
    _check_addresses(form.get("To", ""), form.get("From", ""))
    _check_content(form, [value for name, value in pairs if name == "MediaUrl"])
    if not re.fullmatch(r"(https?://\S+)?", form.get("StatusCallback", "")):
        raise _Refused(21609, "The 'StatusCallback' URL is not a valid URL")
    return form


def _form(request: SimulatedRequest) -> list[tuple[str, str]]:
    if request.headers.get("content-type", "") != "application/x-www-form-urlencoded":
        raise _Refused(21604, "A 'To' phone number is required.")
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def _check_addresses(to: str, sender: str) -> None:
    if not to:
        raise _Refused(21604, "A 'To' phone number is required.")
    if not sender:
        raise _Refused(21603, "A 'From' phone number is required.")
    channel, recipient = _parts(to)
    ours, line = _parts(sender)
    if channel != ours:
        raise _Refused(21910, "Invalid 'From' and 'To' pair. They should be of the same channel")
    if not _RECIPIENTS[channel].fullmatch(recipient):
        raise _Refused(21211, "Invalid 'To' Phone Number")
    if not _SENDERS[channel].fullmatch(line):
        raise _Refused(21212, "Invalid 'From' Phone Number")
    if to == sender:
        raise _Refused(21266, "'To' and 'From' number cannot be the same")


def _parts(address: str) -> tuple[str, str]:
    """What names the channel, and the address on it."""
    found = _CHANNEL.fullmatch(address)
    return (found[1] or "", found[2]) if found else ("", "")


def _check_content(form: dict[str, str], media: Sequence[str]) -> None:
    body, content_sid = form.get("Body", ""), form.get("ContentSid", "")
    if not body and not content_sid and not media:
        raise _Refused(21619, "A text message body or media urls must be specified.")
    if len(media) > _MOST_FILES.get(_parts(form["To"])[0], 1):
        raise _Refused(21623, "Number of media files exceeds allowed limit")
    if not all(re.fullmatch(r"https?://\S+", one) for one in media):
        raise _Refused(21620, "Invalid media URL(s)")
    if len(body) > 1600:
        raise _Refused(21617, "The concatenated message body exceeds the 1600 character limit")
    if content_sid and not _CONTENT_SID.fullmatch(content_sid):
        raise _Refused(21655, "The ContentSid is invalid")
    try:
        variables = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise _Refused(21656, "The ContentVariables parameter is invalid")


def _json(status: int, content: Mapping[str, Any]) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(content).encode(),
    )
