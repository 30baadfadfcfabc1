"""Twilio's REST API, as far as a message is sent through it.

https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
https://www.twilio.com/docs/api/errors
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.local.simulators._twilio import (
    HOST as HOST,
)
from infra.local.simulators._twilio import (
    PHONE,
    Refused,
    as_json,
    check_access,
    form_of,
    sid_of,
)
from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

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
    "": PHONE,
    _WHATSAPP: _WHATSAPP_USER,
    "messenger:": re.compile(r"[0-9]{1,40}"),
    "rcs:": PHONE,
}
_MOST_FILES = {"": 10, "rcs:": 10}


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        form = _accept(request, secret)
    except Refused as refused:
        return refused.response
    account = secret["account_sid"]
    sid = sid_of("SM", request)
    return as_json(
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
    """The form. Raises Refused where Twilio would refuse."""
    check_access(request, secret, "Messages")
    pairs = form_of(request)
    form = dict(pairs)
    _check_addresses(form.get("To", ""), form.get("From", ""))
    _check_content(form, [value for name, value in pairs if name == "MediaUrl"])
    if not re.fullmatch(r"(https?://\S+)?", form.get("StatusCallback", "")):
        raise Refused(21609, "The 'StatusCallback' URL is not a valid URL")
    return form


def _check_addresses(to: str, sender: str) -> None:
    if not to:
        raise Refused(21604, "A 'To' phone number is required.")
    if not sender:
        raise Refused(21603, "A 'From' phone number is required.")
    channel, recipient = _parts(to)
    ours, line = _parts(sender)
    if channel != ours:
        raise Refused(21910, "Invalid 'From' and 'To' pair. They should be of the same channel")
    if not _RECIPIENTS[channel].fullmatch(recipient):
        raise Refused(21211, "Invalid 'To' Phone Number")
    if not _SENDERS[channel].fullmatch(line):
        raise Refused(21212, "Invalid 'From' Phone Number")
    if to == sender:
        raise Refused(21266, "'To' and 'From' number cannot be the same")


def _parts(address: str) -> tuple[str, str]:
    """What names the channel, and the address on it."""
    found = _CHANNEL.fullmatch(address)
    return (found[1] or "", found[2]) if found else ("", "")


def _check_content(form: dict[str, str], media: Sequence[str]) -> None:
    body, content_sid = form.get("Body", ""), form.get("ContentSid", "")
    if not body and not content_sid and not media:
        raise Refused(21619, "A text message body or media urls must be specified.")
    if len(media) > _MOST_FILES.get(_parts(form["To"])[0], 1):
        raise Refused(21623, "Number of media files exceeds allowed limit")
    if not all(re.fullmatch(r"https?://\S+", one) for one in media):
        raise Refused(21620, "Invalid media URL(s)")
    if len(body) > 1600:
        raise Refused(21617, "The concatenated message body exceeds the 1600 character limit")
    if content_sid and not _CONTENT_SID.fullmatch(content_sid):
        raise Refused(21655, "The ContentSid is invalid")
    try:
        variables = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise Refused(21656, "The ContentVariables parameter is invalid")
