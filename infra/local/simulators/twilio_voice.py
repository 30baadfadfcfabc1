"""Twilio's REST API, as far as somebody is called through it.

https://www.twilio.com/docs/voice/api/call-resource#create-a-call
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

from infra.local.simulators._twilio import HOST as HOST
from infra.local.simulators._twilio import (
    PHONE,
    Refused,
    as_json,
    check_access,
    form_of,
    sid_of,
)
from infra.local.simulators.base import SimulatedRequest, SimulatedResponse

_EVENTS = {"initiated", "ringing", "answered", "completed"}


def is_for(request: SimulatedRequest, secret: Mapping[str, Any]) -> bool:
    """On the same host messages are sent."""
    return request.path.endswith("/Calls.json")


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    try:
        form = _accept(request, secret)
    except Refused as refused:
        return refused.response
    account = secret["account_sid"]
    sid = sid_of("CA", request)
    return as_json(
        201,
        {
            "account_sid": account,
            "api_version": "2010-04-01",
            "direction": "outbound-api",
            "from": form["From"],
            "sid": sid,
            "status": "queued",
            "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{account}/Calls/{sid}.json",
        },
    )


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> dict[str, str]:
    """The form. Raises Refused where Twilio would refuse."""
    check_access(request, secret, "Calls")
    pairs = form_of(request)
    form = dict(pairs)
    if not form.get("To"):
        raise Refused(21201, "No 'To' number is specified")
    if not form.get("From"):
        raise Refused(21213, "No 'From' number is specified")
    if not PHONE.fullmatch(form["To"]):
        raise Refused(21211, "Invalid 'To' Phone Number")
    if not PHONE.fullmatch(form["From"]):
        raise Refused(21212, "Invalid 'From' Phone Number")
    if not form.get("Twiml"):
        raise Refused(21205, "Url parameter is required.")
    if len(form["Twiml"]) > 4000 or not _is_twiml(form["Twiml"]):
        raise Refused(12100, "Document parse failure")
    if not re.fullmatch(r"(https?://\S+)?", form.get("StatusCallback", "")):
        raise Refused(21609, "The 'StatusCallback' URL is not a valid URL")
    if not {value for name, value in pairs if name == "StatusCallbackEvent"} <= _EVENTS:
        raise Refused(21626, "Invalid StatusCallbackEvents argument")
    return form


def _is_twiml(document: str) -> bool:
    try:
        return fromstring(document).tag == "Response"
    except ParseError:
        return False
