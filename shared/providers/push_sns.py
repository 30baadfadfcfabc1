"""Push notifications through Amazon SNS: it keeps the company's keys for FCM and APNs, and speaks
with both.

Make a platform application in SNS for each platform. The app's own server registers each device
there (CreatePlatformEndpoint) and tells us the ARN of its endpoint by Standard Webhooks
(`push.registered`, and then `reply_by: push`), from where a reply knows its way. Set one topic for
the application's events of delivery failures and of deleted and updated endpoints, and subscribe
`https://…/webhooks/push_sns` to it, without raw message delivery. Read against
https://docs.aws.amazon.com/sns/latest/dg/mobile-push-send-devicetoken.html and
https://docs.aws.amazon.com/sns/latest/dg/application-event-notifications.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-fcm-v1-payloads.html (2026-11).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from shared.domain.errors import MalformedPayload, RefusalReason, SendRefused
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.touchpoint import (
    Channel,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._mail import Text, moment
from shared.providers._sns import SnsMessage, verify_sns
from shared.providers.base import (
    Fetch,
    Observed,
    Payload,
    Provider,
    ProviderId,
    PushRequest,
    Secret,
    WebhookRequest,
    believable,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "push_sns"
LARGEST_PAYLOAD = 4096
"""Bytes, of FCM and of APNs.

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
"""
LONGEST_TEXT = 800
"""Characters: as emoji they still fit, and a lock screen shows fewer."""
LONGEST_TITLE = 60

REFUSALS: Mapping[str, RefusalReason] = {
    "EndpointDisabled": "unreachable",
    "NotFound": "invalid_recipient",
    "InvalidParameter": "invalid_recipient",  # what SNS says of an endpoint that was deleted
    "EndpointNotFound": "invalid_recipient",
    "InvalidPlatformToken": "unreachable",
    "InvalidNotification": "content",
    "ParameterValueInvalid": "content",
    "ValidationException": "content",
    "too_large": "content",
    "template": "not_supported",
    "account": "unauthorized",
    **dict.fromkeys(
        (
            "AuthorizationError",
            "InvalidSecurity",
            "KMSAccessDenied",
            "KMSDisabled",
            "KMSInvalidState",
            "KMSNotFound",
            "KMSOptInRequired",
            "PlatformApplicationDisabled",
        ),
        "unauthorized",
    ),
}
"""What Publish refuses, and the types of a delivery that failed later.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
"""

GONE = Stop(kind="bounce")
STOPS: Mapping[str, Stop] = dict.fromkeys(
    ("EndpointDisabled", "EndpointNotFound", "InvalidPlatformToken", "NotFound"), GONE
)
"""The app was removed, or its token replaced. Once the app's server has registered the new one, it
says `push.registered`. Not InvalidParameter, which may be anything.
"""

EVENTS = {
    "EndpointCreated": "push_endpoint_created",
    "EndpointUpdated": "push_endpoint_updated",
    "EndpointDeleted": "push_endpoint_deleted",
}

APPLICATION = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:app/(?:GCM|APNS|APNS_SANDBOX)/[\w.-]{1,100}"
Application = Annotated[str, StringConstraints(pattern=rf"^{APPLICATION}$")]


class PushSnsSecret(Secret):
    """`applications`: the ARNs of our platform applications. `topic_arns`: where their events go.

    `title` stands above a message that has no subject. `pinned_certificates`: as in `email_ses`.
    """

    applications: list[Application] = Field(min_length=1)
    topic_arns: list[str] = Field(min_length=1)
    title: str = Field(default="", max_length=LONGEST_TITLE)
    pinned_certificates: list[str] = []


class ApplicationEvent(Payload):
    """Where the documentation shows none, only what all captured ones have is read."""

    type: Annotated[str, Field(alias="EventType", max_length=100)]
    application: Annotated[str, Field(alias="Resource", max_length=320)]
    device: Annotated[str, Field(alias="EndpointArn", max_length=320, pattern=r"^[!-~]+$")]
    time: Annotated[Text, Field(alias="Time")] = ""
    message_id: Annotated[ProviderId | None, Field(alias="MessageId")] = None
    failure: Annotated[Text, Field(alias="FailureType")] = ""
    failure_message: Annotated[Text, Field(alias="FailureMessage")] = ""


class PushSns(Provider[PushSnsSecret]):
    name = NAME
    secret_type = PushSnsSecret
    lacks = frozenset({"choices", "files"})
    largest_body = 300_000
    """SNS carries 256 KB."""
    longest_text = LONGEST_TEXT
    refusals = REFUSALS
    stops = STOPS

    def verify(self, request: WebhookRequest, secret: PushSnsSecret, fetch: Fetch) -> None:
        verify_sns(
            request, topics=secret.topic_arns, pinned=secret.pinned_certificates, fetch=fetch
        )

    def parse(
        self, request: WebhookRequest, secret: PushSnsSecret, received_at: datetime
    ) -> list[Observed]:
        message = read_model(SnsMessage, read_json(request.body))
        if message.type == "SubscriptionConfirmation":
            return []
        if message.type == "UnsubscribeConfirmation":
            # Somebody cut the line; only a touchpoint that stays visible tells the company.
            return [_unknown(message, "SNS: this endpoint was unsubscribed", received_at)]
        if not message.message.lstrip().startswith("{"):
            return [_unknown(message, "SNS: a notification that is no JSON", received_at)]
        told = read_json(message.message.encode())
        if not isinstance(told, dict):
            raise MalformedPayload("Message: an object is expected")
        kind = str(told.get("EventType"))
        if kind != "DeliveryFailure" and kind not in EVENTS:
            return [_unknown(message, f"SNS: event {kind}", received_at)]
        event = read_model(ApplicationEvent, told)
        if event.application not in secret.applications:
            raise MalformedPayload("Resource: none of the secret's applications")
        return [_observed(event, message, received_at)]

    def prepare(self, message: "OutboundMessage", secret: PushSnsSecret) -> PushRequest:
        application, device = message.endpoint.account, message.endpoint.address
        below = application.replace(":app/", ":endpoint/", 1) + "/"
        if application not in secret.applications or not device.startswith(below):
            raise _refused("the device is of no application of ours", "account")
        if message.template is not None:
            raise _refused("push knows no approved templates", "template")
        platform = application.split("/")[1]
        title = (message.subject or secret.title)[:LONGEST_TITLE]
        payload = PAYLOADS[platform](title, message.text, message.send_key)
        if len(payload.encode()) > LARGEST_PAYLOAD:
            raise _refused(f"a notification has {LARGEST_PAYLOAD} bytes at most", "too_large")
        # SNS wants a `default`, for whatever platform is not named.
        told = {"default": message.text, platform: payload}
        return PushRequest(
            endpoint_arn=device,
            message=json.dumps(told, ensure_ascii=False),
            attributes=ATTRIBUTES[platform] | _collapse(platform, message.send_key),
        )

    # There is no `receipt`: Amazon SNS's own client reads the answer, and gives its message id.


def _refused(detail: str, code: str) -> SendRefused:
    return SendRefused(detail, code=code, reason=REFUSALS[code])


# What leaves


def _fcm(title: str, text: str, send_key: str) -> str:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-fcm-v1-payloads.html

    Shown twice, the second takes the place of the first (`tag`); while the device is away, only the
    latest of one key waits for it.
    """
    message = {
        "notification": {"title": title, "body": text} if title else {"body": text},
        "data": {"send_key": send_key},
        "android": {
            "priority": "high",
            "collapse_key": send_key,
            "notification": {"tag": send_key},
        },
    }
    return _compact({"fcmV1Message": {"validate_only": False, "message": message}})


def _apns(title: str, text: str, send_key: str) -> str:
    """https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification"""
    alert = {"title": title, "body": text} if title else {"body": text}
    return _compact({"aps": {"alert": alert, "sound": "default"}, "send_key": send_key})


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


PAYLOADS = {"GCM": _fcm, "APNS": _apns, "APNS_SANDBOX": _apns}
_APNS_ATTRIBUTES = {"AWS.SNS.MOBILE.APNS.PUSH_TYPE": "alert"}
ATTRIBUTES: Mapping[str, dict[str, str]] = {
    "GCM": {},
    "APNS": _APNS_ATTRIBUTES,
    "APNS_SANDBOX": _APNS_ATTRIBUTES,
}


def _collapse(platform: str, send_key: str) -> dict[str, str]:
    """APNs takes 64 bytes, which a send key has at most."""
    return {} if platform == "GCM" else {"AWS.SNS.MOBILE.APNS.COLLAPSE_ID": send_key}


# What SNS tells


def _observed(event: ApplicationEvent, message: SnsMessage, received_at: datetime) -> Observed:
    content, event_id = _content(event, message)
    touchpoint = Touchpoint(
        provider=NAME,
        account=event.application,
        provider_event_id=event_id,
        channel=Channel.PUSH,
        direction=Direction.PASSIVE,
        occurred_at=believable(moment(event.time) or moment(message.timestamp), received_at),
        received_at=received_at,
        content=content,
        identifiers=(Identifier(type=IdentifierType.PUSH_DEVICE, value=event.device),)
        if isinstance(content, DeliveryStatus)
        else (),
        endpoint=Endpoint(
            channel=Channel.PUSH, provider=NAME, account=event.application, address=event.device
        ),
    )
    return Observed(touchpoint, message.message.encode())


def _content(event: ApplicationEvent, message: SnsMessage) -> tuple[Content, str]:
    """What becomes of a device is nobody's doing: it makes no profile of a device that nobody ever
    told us whose it is.
    """
    if event.type != "DeliveryFailure":
        gone = event.type == "EndpointDeleted"
        content = TrackedEvent(name=EVENTS[event.type], stop=GONE if gone else None)
        return content, message.message_id
    if event.message_id is None:
        raise MalformedPayload("MessageId: missing")
    reason = f"{event.failure} {event.failure_message}".strip()[:1000]
    status = DeliveryStatus(
        status="failed",
        message_id=event.message_id,
        reason=reason or None,
        stop=STOPS.get(event.failure),
    )
    return status, f"{event.message_id}:failed"


def _unknown(message: SnsMessage, what: str, received_at: datetime) -> Observed:
    touchpoint = Touchpoint(
        provider=NAME,
        account=message.topic_arn,
        provider_event_id=message.message_id,
        channel=Channel.PUSH,
        direction=Direction.PASSIVE,
        occurred_at=believable(moment(message.timestamp), received_at),
        received_at=received_at,
        content=Unsupported(what=what[:200]),
    )
    return Observed(touchpoint, message.message.encode())


PROVIDER = PushSns()
