"""E-mail through Amazon SES: what people write comes through SNS, what we write leaves by its API.

In the SES receipt rule choose the SNS action with Base64 encoding; subscribe
`https://…/webhooks/email_ses` to its topic, and to the topic of the sending identity's bounces,
complaints and deliveries, without raw message delivery (which is not signed). Read against
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (2026-11).
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendRefused,
)
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    ConsentStatement,
    DeliveryStatus,
    Direction,
    Message,
    Stop,
    Touchpoint,
    Unsupported,
)
from shared.providers._mail import (
    Arrival,
    MailSecret,
    Text,
    addressees,
    as_object,
    bare,
    identifiers_of,
    mail_endpoint,
    mail_touchpoint,
    moment,
    own_mailbox,
    to_ascii,
)
from shared.providers._sns import REGION, SnsMessage, verify_sns
from shared.providers.base import (
    Fetch,
    MailRequest,
    Observed,
    Outgoing,
    Payload,
    Provider,
    ProviderId,
    WebhookRequest,
    as_list,
    believable,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage


class EmailSesSecret(MailSecret):
    """`addresses`: those that SES receives for. `topic_arns`: the SNS topics that may call us.

    `pinned_certificates`: PEM; where there are any, only these sign and nothing is ever fetched,
    not even to confirm a subscription. That is for a laptop: AWS changes its certificates.
    """

    topic_arns: list[str] = Field(min_length=1)
    pinned_certificates: list[str] = []


Texts = Annotated[list[Text], BeforeValidator(as_list)]


class Verdict(Payload):
    status: Text = ""


class Action(Payload):
    type: Text = ""
    encoding: Text = "UTF-8"
    bucket_name: Annotated[Text, Field(alias="bucketName")] = ""
    object_key: Annotated[Text, Field(alias="objectKey")] = ""


class Receipt(Payload):
    recipients: Texts = Field(default_factory=list)
    spam_verdict: Annotated[Verdict, BeforeValidator(as_object), Field(alias="spamVerdict")] = (
        Verdict()
    )
    virus_verdict: Annotated[Verdict, BeforeValidator(as_object), Field(alias="virusVerdict")] = (
        Verdict()
    )
    dmarc_verdict: Annotated[Verdict, BeforeValidator(as_object), Field(alias="dmarcVerdict")] = (
        Verdict()
    )
    action: Action


class Header(Payload):
    name: Text = ""
    value: Text = ""


class SesMail(Payload):
    message_id: Annotated[ProviderId, Field(alias="messageId")]
    timestamp: Text = ""
    source: Text = ""
    destination: Texts = Field(default_factory=list)
    headers: Annotated[list[Header], BeforeValidator(as_list)] = Field(default_factory=list)


class Received(Payload):
    mail: SesMail
    receipt: Receipt
    content: str | None = None


class SendingEvent(Payload):
    """What happened to a mail of ours. The object named like the event tells more."""

    mail: SesMail
    detail: dict[str, JsonValue] = Field(default_factory=dict)


REFUSALS: Mapping[str, RefusalReason] = {
    "AccountSuspendedException": "unauthorized",
    "AccessDeniedException": "unauthorized",
    "BadRequestException": "content",
    "InvalidParameterValue": "invalid_recipient",
    "MailFromDomainNotVerifiedException": "unauthorized",
    "MessageRejected": "content",
    "NotFoundException": "unauthorized",
    "UnrecognizedClientException": "unauthorized",
}
"""What SendEmail refuses for good; being paused and being throttled pass.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""


EVENT_BRIDGE = "aws.ses"
"""The `source` of an event that came to the topic by a rule of EventBridge, in an envelope.

https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
"""


class EmailSes(Provider[EmailSesSecret]):
    name = "email_ses"
    secret_type = EmailSesSecret
    lacks = frozenset({"choices"})
    largest_mail = 40_000_000
    """https://docs.aws.amazon.com/ses/latest/dg/quotas.html, of its API v2."""
    largest_body = 1_000_000
    """SNS carries 256 KB, of which SES leaves 150 KB to a mail."""
    refusals = REFUSALS

    def verify(self, request: WebhookRequest, secret: EmailSesSecret, fetch: Fetch) -> None:
        verify_sns(
            request, topics=secret.topic_arns, pinned=secret.pinned_certificates, fetch=fetch
        )

    def parse(
        self, request: WebhookRequest, secret: EmailSesSecret, received_at: datetime
    ) -> list[Observed]:
        message = read_model(SnsMessage, read_json(request.body))
        if message.type == "SubscriptionConfirmation":
            return []
        if message.type == "UnsubscribeConfirmation":
            # Somebody cut the line; only a touchpoint that stays visible tells the company.
            return [_unknown(message, "SNS: this endpoint was unsubscribed", received_at)]
        if not message.message.lstrip().startswith("{"):
            return [_unknown(message, "SNS: a notification that is no JSON", received_at)]
        notification = read_json(message.message.encode())
        if not isinstance(notification, dict):
            raise MalformedPayload("Message: an object is expected")
        detail = notification.get("detail")
        if notification.get("source") == EVENT_BRIDGE and isinstance(detail, dict):
            notification = {"eventType": notification.get("detail-type")} | detail
        kind = notification.get("notificationType") or notification.get("eventType")
        if kind == "Received":
            received = read_model(Received, notification)
            action = received.receipt.action.type
            if received.content is None and action not in {"SNS", "S3"}:
                # The mail itself comes by another action, or it never does.
                return [_unknown(message, f"SES: a mail went to {action}", received_at)]
            return [_received(received, message, secret, received_at)]
        kind = _SPELLINGS.get(str(kind), kind)
        if isinstance(kind, str) and kind in STATUSES:
            event = read_model(SendingEvent, notification | {"detail": _detail(notification, kind)})
            return _statuses(kind, event, message, secret, received_at)
        if kind == "Subscription":
            event = read_model(SendingEvent, notification | {"detail": _detail(notification, kind)})
            if (withdrawn := _withdrawal(event)) is not None:
                return _of_each_recipient(event, kind, withdrawn, message, secret, received_at)
        return [_unknown(message, f"SES: {kind}", received_at)]

    def prepare(self, message: "OutboundMessage", secret: EmailSesSecret) -> Outgoing:
        from shared.mail.writing import mime

        if message.endpoint.account.lower() not in secret.own:
            raise SendRefused(
                "we may not write from this address", code="account", reason="unauthorized"
            )
        return MailRequest(
            sender=message.endpoint.account,
            recipient=message.endpoint.address,
            mime=mime(message, sender_name=secret.sender_name),
        )

    # There is no `receipt`: Amazon SES's own client reads the answer, and gives its message id.


# Reading

DMARC: Mapping[str, Literal["pass", "fail"]] = {"PASS": "pass", "FAIL": "fail"}
"""GRAY says that the domain asks for no such check; PROCESSING_FAILED says nothing."""


def _unknown(message: SnsMessage, what: str, received_at: datetime) -> Observed:
    touchpoint = Touchpoint(
        provider=EmailSes.name,
        account=message.topic_arn,
        provider_event_id=message.message_id,
        channel=Channel.EMAIL,
        direction=Direction.PASSIVE,
        occurred_at=believable(moment(message.timestamp), received_at),
        received_at=received_at,
        content=Unsupported(what=what[:200]),
    )
    return Observed(touchpoint, message.message.encode())


def _received(
    received: Received, message: SnsMessage, secret: EmailSesSecret, received_at: datetime
) -> Observed:
    from shared.mail.reading import read_mail

    content = _mime(received)
    mail = read_mail(content)
    recipients = chain(received.receipt.recipients, addressees(mail))
    account = own_mailbox(recipients, secret.addresses)
    if account is None:
        raise MalformedPayload("receipt.recipients: none of them is one of the secret's addresses")
    arrival = Arrival(
        provider=EmailSes.name,
        account=account,
        carriers_id=lambda: received.mail.message_id,
        arrived=believable(
            moment(received.mail.timestamp) or moment(message.timestamp), received_at
        ),
        received_at=received_at,
        envelope_sender=received.mail.source,
        dmarc=DMARC.get(received.receipt.dmarc_verdict.status),
        is_dangerous=received.receipt.virus_verdict.status == "FAIL",
        is_spam=received.receipt.spam_verdict.status == "FAIL",
    )
    in_reply_to = _our_id(next(iter(mail.message_ids("in-reply-to")), None))
    observed = mail_touchpoint(
        mail,
        arrival,
        own=secret.own,
        raw=content,
        in_reply_to=in_reply_to,
        our_id=_sent_id,
    )
    return observed if received.content is not None else _stored(observed, received)


def _stored(observed: Observed, received: Received) -> Observed:
    """A mail that lies in a bucket: who wrote, of what, and where the words are.

    Its id is its own, so that it does not hide the mail itself, should that come by a second rule.
    """
    action, touchpoint = received.receipt.action, observed.touchpoint
    if not isinstance(touchpoint.content, Message):
        return observed
    where = Attachment(
        name="mail.eml",
        content_type="message/rfc822",
        provider_reference=f"s3://{action.bucket_name}/{action.object_key}"[:1024],
    )
    changed = {
        "provider_event_id": f"{received.mail.message_id}:stored",
        "content": touchpoint.content.model_copy(update={"attachments": (where,)}),
    }
    return Observed(touchpoint.model_copy(update=changed), observed.raw)


def _mime(received: Received) -> bytes:
    """The mail; of one that was put into a bucket its headers, which SES tells (10 KB of them)."""
    if received.content is None:
        if received.receipt.action.type != "S3" or not received.mail.headers:
            raise MalformedPayload("content: missing, and so are the headers of the mail")
        # What a header would continue on the next line stays on its own.
        lines = (f"{one.name}: {' '.join(one.value.split())}" for one in received.mail.headers)
        kept = (line for line in lines if not line.lower().startswith("content-"))
        return "\n".join([*kept, "", ""]).encode("utf-8", "replace")
    if received.receipt.action.encoding.upper() != "BASE64":
        return received.content.encode()
    try:
        return b64decode("".join(received.content.split()), validate=True)
    except ValueError:
        raise MalformedPayload("content: not base64") from None


_OUR_MESSAGE_ID = re.compile(rf"<([0-9a-zA-Z-]+)@(?:email|{REGION})\.amazonses\.com>")


def _our_id(message_id: str | None) -> str | None:
    """An id that SES gave to a mail of ours, as SES told it to us; any other as it is."""
    ours = _OUR_MESSAGE_ID.fullmatch(message_id or "")
    return ours[1] if ours else message_id


def _sent_id(message_id: str) -> str | None:
    ours = _OUR_MESSAGE_ID.fullmatch(message_id)
    return ours[1] if ours else None


# What became of what we sent

STATUSES: dict[str, Literal["accepted", "sent", "delivered", "read", "failed"]] = {
    "Send": "accepted",
    "DeliveryDelay": "sent",
    "Delivery": "delivered",
    "Open": "read",
    "Click": "read",
    "Bounce": "failed",
    "Complaint": "failed",
    "Reject": "failed",
    "Rendering Failure": "failed",
}
"""A complaint counts as failed: the person wants no such mail, whatever their server took."""


def _stop(kind: str, detail: dict[str, JsonValue]) -> Stop | None:
    """A bounce that will be one again, and a complaint that is one.

    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
    """
    if kind == "Bounce" and detail.get("bounceType") == "Permanent":
        return Stop(kind="bounce")
    if kind == "Complaint" and detail.get("complaintFeedbackType") != "not-spam":
        return Stop(kind="complaint")
    return None


_SPELLINGS = {"RenderingFailure": "Rendering Failure"}
_DETAILS = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
MOST_RECIPIENTS = 1_000
"""Of one mail. SES itself takes 50: what tells of more than this tells of no mail."""
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")
_REASONS = (
    "bounceType",
    "bounceSubType",
    "complaintSubType",
    "complaintFeedbackType",
    "delayType",
    "reason",
    "errorMessage",
)


def _detail(notification: dict[str, JsonValue], kind: str) -> JsonValue:
    detail = notification.get(_DETAILS.get(kind, kind.lower()))
    return detail if isinstance(detail, dict) else {}


def _statuses(
    kind: str,
    event: SendingEvent,
    message: SnsMessage,
    secret: EmailSesSecret,
    received_at: datetime,
) -> list[Observed]:
    content = DeliveryStatus(
        status=STATUSES[kind],
        message_id=event.mail.message_id,
        reason=_reason(kind, event.detail),
        stop=_stop(kind, event.detail),
    )
    return _of_each_recipient(event, kind, content, message, secret, received_at)


def _withdrawal(event: SendingEvent) -> ConsentStatement | None:
    """Whoever unsubscribes from all lists of SES wants no offers; single lists are not ours.

    https://docs.aws.amazon.com/ses/latest/dg/sending-email-list-management.html
    """
    chosen = event.detail.get("newTopicPreferences")
    if not isinstance(chosen, dict) or chosen.get("unsubscribeAll") is not True:
        return None
    return ConsentStatement(
        purpose="marketing",
        channel=Channel.EMAIL,
        state="withdrawn",
        wording="unsubscribed from all lists at Amazon SES",
    )


def _of_each_recipient(
    event: SendingEvent,
    kind: str,
    content: DeliveryStatus | ConsentStatement,
    message: SnsMessage,
    secret: EmailSesSecret,
    received_at: datetime,
) -> list[Observed]:
    """One for each recipient: a bounce of one says nothing of another."""
    told = event.detail.get("timestamp")
    happened = moment(told) if isinstance(told, str) else None
    source = bare(event.mail.source)
    own = {address.lower(): address for address in secret.addresses}
    account = own.get(source.lower(), source)[:320]
    return [
        Observed(
            Touchpoint(
                provider=EmailSes.name,
                account=account,
                provider_event_id=f"{event.mail.message_id}:{kind}/{recipient}"[:512],
                channel=Channel.EMAIL,
                direction=Direction.PASSIVE,
                occurred_at=believable(happened or moment(message.timestamp), received_at),
                received_at=received_at,
                content=content,
                identifiers=identifiers_of(recipient),
                endpoint=mail_endpoint(EmailSes.name, account, recipient),
                automation=Automation.BOUNCE if kind == "Bounce" else None,
            ),
            message.message.encode(),
        )
        for recipient in _recipients(event)
    ]


def _recipients(event: SendingEvent) -> list[str]:
    """Without doubles; one empty one where none is named."""
    listed = next((event.detail[name] for name in _RECIPIENTS if name in event.detail), None)
    named: list[JsonValue] = listed if isinstance(listed, list) else [*event.mail.destination]
    if len(named) > MOST_RECIPIENTS:
        raise MalformedPayload(f"Message: {MOST_RECIPIENTS} recipients at most")
    addresses = [one.get("emailAddress") if isinstance(one, dict) else one for one in named]
    readable = (to_ascii(bare(one)) for one in addresses if isinstance(one, str))
    return list(dict.fromkeys(one for one in readable if one)) or [""]


def _reason(kind: str, detail: dict[str, JsonValue]) -> str | None:
    """`bounce:permanent:general`, `complaint:abuse`: the event and SES's own words for why."""
    words = [value for name in _REASONS if isinstance(value := detail.get(name), str)]
    if STATUSES[kind] != "failed" and not words:
        return None
    return ":".join(" ".join(word.split()) for word in (kind, *words)).lower()[:200]


PROVIDER = EmailSes()
