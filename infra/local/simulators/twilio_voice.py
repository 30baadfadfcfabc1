"""Twilio's REST API, as far as somebody is called through it.

https://www.twilio.com/docs/voice/api/call-resource#create-a-call
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import ParseError, fromstring

from infra.local.simulators._twilio import (
    BROKEN,
    PHONE,
    THROTTLED,
    Refused,
    as_json,
    check_access,
    form_of,
    sid_of,
)
from infra.local.simulators._twilio import HOST as HOST
from infra.local.simulators._twilio import tell as tell
from infra.local.simulators.base import (
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_EVENTS = {"initiated", "ringing", "answered", "completed"}


FAULTS = Faults(
    throttled=THROTTLED,
    broken=BROKEN,
    refusals=(
        Fault(status=400, code="21211", message="Invalid 'To' Phone Number"),
        Fault(status=400, code="21210", message="'From' phone number not verified"),
        Fault(status=400, code="13227", message="No International Permission"),
        Fault(status=400, code="21215", message="Geo Permission configuration is not permitting"),
    ),
    failures={"busy": "486", "no-answer": "487", "failed": "404"},
)
"""A call that was taken fails by its state; the reason beside it is the code of SIP."""


def callbacks(taken: Taken) -> list[Callback]:
    """The states that the request asked for, to the address that it named.

    https://www.twilio.com/docs/voice/api/call-resource#statuscallback
    """
    pairs = form_of(taken.request)
    form, answered = dict(pairs), json.loads(taken.response.body)
    events = {value for name, value in pairs if name == "StatusCallbackEvent"} or {"completed"}
    stages = [("initiated", "initiated", 0), ("ringing", "ringing", 2)]
    stages += [("answered", "in-progress", 6), ("completed", "completed", 20)]
    if taken.failure is not None:
        stages[2:] = [("completed", taken.failure, 20)]
    told: list[Callback] = []
    for event, state, seconds in stages:
        if event not in events or not form.get("StatusCallback"):
            continue
        after = timedelta(seconds=seconds)
        fields = {
            "AccountSid": answered["account_sid"],
            "ApiVersion": "2010-04-01",
            "CallSid": answered["sid"],
            "CallStatus": state,
            "CallbackSource": "call-progress-events",
            "Called": form["To"],
            "Caller": form["From"],
            "Direction": "outbound-api",
            "From": form["From"],
            "SequenceNumber": str(len(told)),
            "Timestamp": format_datetime(taken.at + after),
            "To": form["To"],
        }
        if event == "completed":
            fields |= {"CallDuration": "0", "Duration": "0"}
            fields["SipResponseCode"] = FAULTS.failures.get(taken.failure or "", "200")
            if taken.failure is None:
                fields |= {"CallDuration": "14", "Duration": "1"}
        call = taken.post(urlencode(fields).encode(), _FORM, url=form["StatusCallback"])
        told.append(Callback(after=after, status=state, call=call))
    return told


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
