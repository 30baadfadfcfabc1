"""Meta's Send API, as far as a message is sent through it, to Messenger and to Instagram.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from infra.local.simulators._graph import Refused, as_json, read, refusal, text, trace_of
from infra.local.simulators.base import (
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

_PERSON = re.compile(r"[0-9]{5,20}")
_PLACES = {"image", "audio", "video", "file"}


FAULTS = Faults(
    throttled=Fault(
        status=400, code="613", message="Calls to this API have exceeded the rate limit."
    ),
    broken=Fault(
        status=500,
        code="1200",
        message="Temporary send message failure. Please try again later.",
    ),
    refusals=(
        Fault(
            status=400,
            code="10/2018278",
            message="This message is sent outside of allowed window.",
        ),
        Fault(status=400, code="551", message="This person isn't available right now."),
        Fault(status=400, code="100/2018001", message="No matching user found"),
        Fault(status=400, code="200/2018028", message="Cannot message users who are not admins"),
        Fault(status=401, code="190", message="Invalid OAuth access token."),
    ),
)
"""Neither Messenger nor Instagram tells afterwards that a message did not arrive."""


def told(
    taken: Taken, object_: str, account: str, after: timedelta, part: str, content: dict[str, Any]
) -> Callback:
    """One webhook with one event of one conversation. `part` names it: delivery, read."""
    person = json.loads(taken.response.body)["recipient_id"]
    at = milliseconds(taken.at + after)
    event = {"sender": {"id": person}, "recipient": {"id": account}, "timestamp": at, part: content}
    entry = {"id": account, "time": at, "messaging": [event]}
    body = json.dumps({"object": object_, "entry": [entry]}).encode()
    return Callback(after=after, status=part, call=taken.post(body, "application/json"))


def message_of(taken: Taken) -> str:
    """Its id."""
    found: str = json.loads(taken.response.body)["message_id"]
    return found


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def answer(
    request: SimulatedRequest, token: str | None, *, longest: int, in_bytes: bool
) -> SimulatedResponse:
    trace = trace_of(request)
    try:
        body = read(request, token)
        recipient = _recipient(body)
        _check_kind(body)
        _check_message(body.get("message"), longest, in_bytes=in_bytes)
        if "reply_to" in body and not text(body["reply_to"], "mid", 400):
            raise Refused(100, "Param reply_to[mid] must be a message id")
    except Refused as refused:
        return refusal(refused, trace)
    return as_json(200, {"recipient_id": recipient, "message_id": f"m_{trace}"})


def _recipient(body: dict[str, Any]) -> str:
    recipient = body.get("recipient")
    person = recipient.get("id") if isinstance(recipient, dict) else None
    if not isinstance(person, str):
        raise Refused(100, "The parameter recipient is required")
    if not _PERSON.fullmatch(person):
        raise Refused(100, "No matching user found", subcode=2018001)
    return person


def _check_kind(body: dict[str, Any]) -> None:
    match body.get("messaging_type"), body.get("tag"):
        case ("RESPONSE" | "UPDATE", None) | ("MESSAGE_TAG", "HUMAN_AGENT"):
            return
    raise Refused(100, "Param messaging_type or tag is not valid")


def _check_message(message: object, longest: int, *, in_bytes: bool) -> None:
    if not isinstance(message, dict) or ("text" in message) == ("attachment" in message):
        raise Refused(100, "Must send either text or an attachment", subcode=2018015)
    if "attachment" in message:
        _check_attachment(message["attachment"])
    else:
        said = message["text"]
        length = len(said.encode() if in_bytes else said) if isinstance(said, str) else 0
        if not 0 < length <= longest:
            raise Refused(100, f"Length of param message[text] must be {longest} or less")
    replies = message.get("quick_replies", [])
    if len(replies) > 13:
        raise Refused(100, "Param message[quick_replies] has too many elements")
    for reply in replies:
        if reply.get("content_type") != "text" or not text(reply, "title", 20):
            raise Refused(100, "Param message[quick_replies][title] must be 1 to 20 characters")
        if not text(reply, "payload", 1000):
            raise Refused(100, "Param message[quick_replies][payload] must be 1 to 1000 characters")


def _check_attachment(attachment: object) -> None:
    payload = attachment.get("payload") if isinstance(attachment, dict) else None
    if not isinstance(attachment, dict) or attachment.get("type") not in _PLACES:
        raise Refused(100, "The parameter message[attachment][type] is required")
    url = payload.get("url") if isinstance(payload, dict) else None
    if not isinstance(url, str) or not url.startswith("https://"):
        raise Refused(100, "message[attachment][payload][url] should represent a valid URL")
