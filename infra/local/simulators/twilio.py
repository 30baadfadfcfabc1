"""Twilio's REST API, as far as a message is sent through it.

https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
https://www.twilio.com/docs/api/errors
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

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
from infra.local.simulators._twilio import (
    HOST as HOST,
)
from infra.local.simulators._twilio import (
    tell as tell,
)
from infra.local.simulators.base import (
    DELIVERED,
    READ,
    SENT,
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

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
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_MOST_FILES = {"": 10, "rcs:": 10}


FAULTS = Faults(
    throttled=THROTTLED,
    broken=BROKEN,
    refusals=(
        Fault(status=400, code="21211", message="Invalid 'To' Phone Number"),
        Fault(status=400, code="21610", message="Attempt to send to unsubscribed recipient"),
        Fault(status=400, code="21614", message="'To' number is not a valid mobile number"),
        Fault(
            status=403,
            code="21408",
            message="Permission to send an SMS has not been enabled for the region",
        ),
        Fault(
            status=400,
            code="63016",
            message="Failed to send freeform message because you are outside the allowed window",
        ),
    ),
    failures={
        "30003": "Unreachable destination handset",
        "30004": "Message blocked",
        "30005": "Unknown destination handset",
        "30006": "Landline or unreachable carrier",
        "30007": "Message filtered",
        "30008": "Unknown error",
        "63016": "Failed to send freeform message because you are outside the allowed window",
    },
)


def callbacks(taken: Taken) -> list[Callback]:
    """To the StatusCallback of the request, and nowhere where it named none.

    https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
    """
    form, answered = dict(form_of(taken.request)), json.loads(taken.response.body)
    if not form.get("StatusCallback"):
        return []
    channel = _parts(form["To"])[0].rstrip(":")
    stages = [("queued", timedelta(0)), ("sent", SENT), ("delivered", DELIVERED)]
    if channel in {"whatsapp", "rcs"}:
        stages.append(("read", READ))
    if taken.failure is not None:
        stages[2:] = [("undelivered", DELIVERED)]
    told = []
    for status, after in stages:
        fields = {
            "AccountSid": answered["account_sid"],
            "ApiVersion": "2010-04-01",
            "From": form["From"],
            "To": form["To"],
            "MessageSid": answered["sid"],
            "MessageStatus": status,
            "SmsSid": answered["sid"],
            "SmsStatus": status,
        }
        if status in {"delivered", "undelivered"} and not channel:
            fields["RawDlrDoneDate"] = f"{taken.at + after:%y%m%d%H%M}"
        if channel:
            fields |= {"ChannelPrefix": channel, "EventType": status.upper()}
        if status == "undelivered" and taken.failure is not None:
            fields |= {"ErrorCode": taken.failure}
        body = urlencode(fields).encode()
        call = taken.post(body, _FORM, url=form["StatusCallback"])
        told.append(Callback(after=after, status=status, call=call))
    return told


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
