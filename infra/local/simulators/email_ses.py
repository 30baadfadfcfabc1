"""Amazon SES, as far as it tells what became of a mail. That it takes one is moto's to play.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from infra.local.simulators.base import (
    DELIVERED,
    SENT,
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "email.us-east-1.amazonaws.com"

FAULTS = Faults(
    throttled=Fault(
        status=429, code="TooManyRequestsException", message="Maximum sending rate exceeded."
    ),
    broken=Fault(status=500, code="InternalFailure", message="The request processing has failed."),
    refusals=(
        Fault(
            status=400,
            code="MessageRejected",
            message="Email address is not verified. The following identities failed the check.",
        ),
        Fault(
            status=400,
            code="MailFromDomainNotVerifiedException",
            message="The MAIL FROM domain is not verified.",
        ),
        Fault(
            status=403,
            code="AccessDeniedException",
            message="User is not authorized to perform: ses:SendEmail",
        ),
    ),
    failures={"General": "smtp; 550 5.1.1 user unknown", "Suppressed": "Amazon SES suppressed it"},
)
"""Failures are the kinds of a permanent bounce."""


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    """Nothing of it is here: the functions' calls go to moto, which never reaches this."""
    return tell(Fault(status=404, code="UnknownOperationException", message=""), None)


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    """SES asks nobody to come back at a certain time."""
    return SimulatedResponse(
        status=fault.status,
        headers={"content-type": "application/json", "x-amzn-errortype": fault.code},
        body=json.dumps({"message": fault.message}).encode(),
    )


def callbacks(taken: Taken) -> list[Callback]:
    """The events of a configuration set, through the last of our topics."""
    recipients = taken.request.headers["x-ses-to"].split(", ")
    at = f"{taken.at + DELIVERED:%Y-%m-%dT%H:%M:%S}.000Z"
    mail = {
        "timestamp": f"{taken.at:%Y-%m-%dT%H:%M:%S}.000Z",
        "source": taken.request.headers["x-ses-from"],
        "messageId": json.loads(taken.response.body)["MessageId"],
        "destination": recipients,
        "tags": {},
    }
    stages: list[tuple[str, Any, dict[str, Any]]] = [
        ("Send", SENT, {"send": {}}),
        ("Delivery", DELIVERED, {"delivery": {"timestamp": at, "recipients": recipients}}),
    ]
    if taken.failure is not None:
        diagnosis = {"status": "5.1.1", "diagnosticCode": FAULTS.failures[taken.failure]}
        bounce = {
            "bounceType": "Permanent",
            "bounceSubType": taken.failure,
            "bouncedRecipients": [{"emailAddress": one, **diagnosis} for one in recipients],
            "timestamp": at,
            "feedbackId": "0102",
        }
        stages[1] = ("Bounce", DELIVERED, {"bounce": bounce})
    topic = taken.secret["topic_arns"][-1]
    told = []
    for event, after, more in stages:
        message_id = str(uuid5(NAMESPACE_URL, f"{mail['messageId']}{event}"))
        body = {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": topic,
            "Subject": "Amazon SES Email Event Notification",
            "Message": json.dumps({"eventType": event, "mail": mail, **more}),
        }
        call = taken.post(json.dumps(body).encode(), "text/plain; charset=UTF-8")
        call.headers.update(
            {
                "user-agent": "Amazon Simple Notification Service Agent",
                "x-amz-sns-message-type": "Notification",
                "x-amz-sns-message-id": message_id,
                "x-amz-sns-topic-arn": topic,
            }
        )
        told.append(Callback(after=after, status=event, call=call))
    return told
