"""Amazon SNS as it takes notifications for devices. What it says reaches botocore, not HTTP.

Every device below an application of the secret is there, but for `DISABLED`.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, uuid5

from infra.local.simulators.base import Fault, Faults, SimulatedRequest, SimulatedResponse

HOST = "sns.us-east-1.amazonaws.com"
DISABLED = "00000000-0000-0000-0000-00000000dead"
"""The last part of the ARN of a device whose app was removed."""
LARGEST_PAYLOAD = 4096

GONE = Fault(status=400, code="EndpointDisabled", message="Endpoint is disabled")
FAULTS = Faults(
    throttled=Fault(status=429, code="Throttled", message="Rate exceeded"),
    broken=Fault(status=500, code="InternalError", message="Internal service error"),
    refusals=(
        GONE,
        Fault(
            status=400, code="PlatformApplicationDisabled", message="Platform application disabled"
        ),
        Fault(
            status=403,
            code="AuthorizationError",
            message="User is not authorized to perform: SNS:Publish",
        ),
    ),
)


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    """`request` is the form of SNS's query API."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    target = form.get("TargetArn", "")
    above, _, device = target.rpartition("/")
    if above.replace(":endpoint/", ":app/") not in secret["applications"] or not device:
        return _invalid("TargetArn Reason: No endpoint found for the target arn specified")
    if device == DISABLED:
        return tell(GONE, None)
    if (wrong := _wrong(form, platform=above.split("/")[1])) is not None:
        return _invalid(wrong)
    message_id = str(uuid5(NAMESPACE_URL, f"{target} {form['Message']}"))
    body = json.dumps({"MessageId": message_id}).encode()
    return SimulatedResponse(status=200, headers={"content-type": "application/json"}, body=body)


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    """SNS asks nobody to come back at a certain time."""
    return SimulatedResponse(
        status=fault.status,
        headers={"content-type": "application/json"},
        body=json.dumps({"Code": fault.code, "Message": fault.message}).encode(),
    )


def _wrong(form: Mapping[str, str], *, platform: str) -> str | None:
    """What SNS dislikes of a message that is JSON for several platforms; None where nothing."""
    told = _read(form.get("Message", ""))
    if form.get("MessageStructure") != "json" or not isinstance(told, dict):
        return "Message Structure - JSON message body failed to parse"
    if not isinstance(told.get("default"), str):
        return "Message Structure - No default entry in JSON message body"
    payload = told.get(platform, "{}")
    if not isinstance(payload, str) or not isinstance(_read(payload), dict):
        return "Message Reason: Invalid notification for protocol"
    if len(payload.encode("utf-8", "replace")) > LARGEST_PAYLOAD:
        return "Message Reason: Notification is too long"
    return None


def _read(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _invalid(what: str) -> SimulatedResponse:
    message = f"Invalid parameter: {what}"
    return tell(Fault(status=400, code="InvalidParameter", message=message), None)
