"""SMS through Africa's Talking: messages, reports, opt-outs and premium subscriptions.

Callbacks: https://developers.africastalking.com/docs/sms/notifications
Sending: https://developers.africastalking.com/docs/sms/sending/bulk
Premium: https://developers.africastalking.com/docs/sms/sending/premium (read in 2026-11)

Each line calls `/webhooks/africas_talking_sms/<account>/<secret>`, the account being its short code
or sender id; all four callbacks of the dashboard get the same address. A report does not say from
which line its message left, so it is the path that tells: an application of Africa's Talking has
one address for reports, and so it should have one line.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
)
from shared.domain.touchpoint import (
    Automation,
    Channel,
    ConsentStatement,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    Message,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._africas_talking import (
    PathSecret,
    check_path_secret,
    identifiers,
    moment,
    phone,
    read_fields,
    without_path_secret,
)
from shared.providers._form import FORM_TYPE
from shared.providers.base import (
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Payload,
    Provider,
    ProviderId,
    Secret,
    WebhookRequest,
    believable,
    read_json,
    read_model,
    retry_after,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "africas_talking_sms"
API = "https://api.africastalking.com/version1/messaging"
PREMIUM_API = "https://content.africastalking.com/version1/messaging"
SANDBOX = "sandbox"
SANDBOX_API = "https://api.sandbox.africastalking.com/version1/messaging"
LONGEST_TEXT = 1530
"""Ten parts of one SMS; Africa's Talking names no limit."""

STATUSES: Mapping[str, Literal["sent", "delivered", "failed"]] = {
    "Sent": "sent",
    "Submitted": "sent",
    "Buffered": "sent",
    "Success": "delivered",
    "Delivered": "delivered",
    "Rejected": "failed",
    "Failed": "failed",
    "AbsentSubscriber": "failed",
    "Expired": "failed",
}
TAKEN = frozenset({100, 101, 102})
"""Processed, sent, queued."""
REFUSALS: Mapping[str, RefusalReason] = {
    "401": "blocked",  # held back as a risk
    "402": "unauthorized",  # no such sender id of ours
    "403": "invalid_recipient",
    "404": "invalid_recipient",  # a kind of number that takes no SMS
    "405": "limit",  # the account is empty
    "406": "opted_out",
    "407": "unreachable",  # no route
    "409": "blocked",  # Nigeria's do-not-disturb
    "502": "blocked",  # by the operator
    "http_400": "content",
    "http_401": "unauthorized",
}
NAMES: Mapping[str, str] = {
    "RiskHold": "401",
    "InvalidSenderId": "402",
    "InvalidPhoneNumber": "403",
    "UnsupportedNumberType": "404",
    "InsufficientBalance": "405",
    "UserInBlacklist": "406",
    "CouldNotRoute": "407",
    "DoNotDisturbRejection": "409",
    "RejectedByGateway": "502",
}
"""How an answer without recipients says the same."""
STOPS: Mapping[str, Stop] = {
    "403": Stop(kind="bounce"),
    "404": Stop(kind="bounce"),
    "406": Stop(kind="opt_out"),
    # Reasons in a delivery report.
    "UserInBlackList": Stop(kind="opt_out"),
    "UserInBlacklist": Stop(kind="opt_out"),
    "UserDoesNotExist": Stop(kind="bounce"),
    "UserIsInactive": Stop(kind="bounce"),
}
"""A phone that is off, without credit or suspended may be reached tomorrow."""
OPTIONAL_ID = r"^[\x21-\x7e]{0,256}$"


class Line(BaseModel):
    """`account`: the short code or sender id, as it stands in the path and in `from`. `username` is
    the application's ("sandbox" for the sandbox). On a premium line the person pays, and a reply
    names what it answers. `keyword`: of the premium product, if it has one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=r"^[A-Za-z0-9+][A-Za-z0-9_.+-]{0,24}$")
    path_secrets: list[PathSecret] = Field(min_length=1)
    username: str = Field(min_length=1, max_length=100)
    api_key: str = Field(min_length=1, max_length=256)
    premium: bool = False
    keyword: str = Field(default="", max_length=40)


class AfricasTalkingSmsSecret(Secret):
    """`lines`: each with its own `path_secrets`, of which two are valid while they are rotated.

    `opt_out_purpose`: what an opt-out from a sender id withdraws, by its name in consent.yaml.
    """

    lines: list[Line] = Field(min_length=1)
    opt_out_purpose: str = Field(default="marketing", pattern=r"^[a-z][a-z0-9_]{0,49}$")


class Incoming(Payload):
    sender: str = Field(alias="from", min_length=1, max_length=100)
    to: str = Field(default="", max_length=100)
    text: str = Field(default="", max_length=65_536)
    id: str = Field(default="", pattern=OPTIONAL_ID)
    link_id: str = Field(default="", alias="linkId", pattern=OPTIONAL_ID)
    date: str = Field(default="", max_length=60)


class Report(Payload):
    id: ProviderId
    status: str = Field(pattern=r"^[A-Za-z][A-Za-z _-]{0,59}$")
    phone_number: str = Field(default="", alias="phoneNumber", max_length=100)
    failure: str = Field(default="", alias="failureReason", max_length=200)


class OptOut(Payload):
    sender_id: str = Field(alias="senderId", min_length=1, max_length=100)
    phone_number: str = Field(alias="phoneNumber", min_length=1, max_length=100)


class Subscription(Payload):
    phone_number: str = Field(alias="phoneNumber", min_length=1, max_length=100)
    short_code: str = Field(default="", alias="shortCode", max_length=100)
    keyword: str = Field(default="", max_length=200)
    update: str = Field(alias="updateType", pattern=r"^[A-Za-z]{1,30}$")
    date: str = Field(default="", alias="updateTime", max_length=60)


class Recipient(Payload):
    code: int = Field(alias="statusCode")
    status: str = ""
    message_id: str = Field(default="", alias="messageId")


class MessageData(Payload):
    message: str = Field(default="", alias="Message")
    recipients: list[Recipient] = Field(default=[], alias="Recipients")


class Answer(Payload):
    data: MessageData = Field(alias="SMSMessageData")


class AfricasTalkingSms(Provider[AfricasTalkingSmsSecret]):
    name = NAME
    secret_type = AfricasTalkingSmsSecret
    largest_body = 200_000
    longest_text = LONGEST_TEXT
    lacks = frozenset({"choices", "files"})
    refusals = REFUSALS
    stops = STOPS

    def verify(
        self, request: WebhookRequest, secret: AfricasTalkingSmsSecret, fetch: Fetch
    ) -> None:
        account = _account(request)
        lines = [line for line in secret.lines if line.account == account]
        check_path_secret(request, [one for line in lines for one in line.path_secrets])

    def without_proof(
        self, request: WebhookRequest, secret: AfricasTalkingSmsSecret
    ) -> WebhookRequest:
        return without_path_secret(request)

    def parse(
        self, request: WebhookRequest, secret: AfricasTalkingSmsSecret, received_at: datetime
    ) -> list[Observed]:
        fields = read_fields(request.body, request.content_type)
        arrived = Arrived(request, secret, received_at)
        for present, read in KINDS:
            if present <= fields.keys():
                return [Observed(read(fields, arrived), request.body)]
        return [Observed(_unknown(arrived), request.body)]

    def prepare(self, message: "OutboundMessage", secret: AfricasTalkingSmsSecret) -> HttpRequest:
        """There is no key by which the API knows a repeated request."""
        account = message.endpoint.account
        line = next((one for one in secret.lines if one.account == account), None)
        if line is None:
            raise SendRefused(
                "the line is not among those of the secret", code="402", reason="unauthorized"
            )
        if not 0 < len(message.text) <= LONGEST_TEXT:
            reason = f"a text has 1 to {LONGEST_TEXT} characters"
            raise SendRefused(reason, code="text_length", reason="content")
        form = {
            "username": line.username,
            "to": message.endpoint.address,
            "message": message.text,
            "bulkSMSMode": "0" if line.premium else "1",
            "from": line.account,
        }
        if line.premium:
            form |= {"keyword": line.keyword} if line.keyword else {}
            # Of what it answers: the incoming message brought it along.
            form |= {"linkId": message.thread[0]} if len(message.thread) > 1 else {}
        return HttpRequest(
            method="POST",
            url=_url(line),
            headers={
                "accept": "application/json",
                "apiKey": line.api_key,
                "content-type": FORM_TYPE,
            },
            body=urlencode(form).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        if response.status in {429, 503}:
            raise SendDelayed(
                f"Africa's Talking took nothing: HTTP {response.status}",
                retry_after=retry_after(response),
            )
        # A refusal by number can come with any status, also with one that the HTTP calls a success.
        answer = _answer(response.body)
        if answer is not None and answer.recipients:
            return _taken(answer.recipients[0])
        if answer is not None and (code := NAMES.get(answer.message.strip())):
            raise _refused(code)
        if 400 <= response.status < 500:
            raise _refused(f"http_{response.status}")
        raise SendUnconfirmed(f"Africa's Talking answered HTTP {response.status} without a receipt")


class Arrived:
    """What the four kinds of callback are read with."""

    def __init__(
        self, request: WebhookRequest, secret: AfricasTalkingSmsSecret, received_at: datetime
    ) -> None:
        self.request = request
        self.received_at = received_at
        self.account = _account(request)
        self.opt_out_purpose = secret.opt_out_purpose
        self.accounts = {line.account for line in secret.lines}

    @property
    def digest(self) -> str:
        """For what has no id of its own."""
        return sha256(self.request.body).hexdigest()

    @property
    def minute(self) -> str:
        """For what has neither an id nor a time: said again later, it is something new, or who opts
        out a second time would not be heard.
        """
        return f"{self.digest}:{self.request.arrived_at:%Y-%m-%dT%H:%M}"

    def touchpoint(
        self,
        event_id: str,
        content: Content,
        *,
        address: str,
        account: str = "",
        direction: Direction = Direction.PASSIVE,
        occurred_at: datetime | None = None,
    ) -> Touchpoint:
        """A sender that is a word or a short number is a machine: nobody is there to be answered.

        `account` counts where it is a line of ours that can answer.
        """
        line = account if account in self.accounts else self.account
        number = phone(address)
        is_machine = number is None and direction is Direction.INBOUND
        return Touchpoint(
            provider=NAME,
            account=line,
            provider_event_id=event_id,
            channel=Channel.SMS,
            direction=direction,
            occurred_at=believable(occurred_at, self.received_at),
            received_at=self.received_at,
            content=content,
            identifiers=identifiers(number),
            endpoint=Endpoint(channel=Channel.SMS, provider=NAME, account=line, address=number)
            if number
            else None,
            automation=Automation.BOT if is_machine else None,
        )


def _incoming(fields: Mapping[str, str], arrived: Arrived) -> Touchpoint:
    message = read_model(Incoming, fields)
    return arrived.touchpoint(
        message.id or message.link_id or arrived.digest,
        Message(
            text=message.text,
            # The reply on a premium line must name it.
            thread=(message.link_id,) if message.link_id else (),
        ),
        address=message.sender,
        account=message.to,
        direction=Direction.INBOUND,
        occurred_at=moment(message.date),
    )


def _report(fields: Mapping[str, str], arrived: Arrived) -> Touchpoint:
    report = read_model(Report, fields)
    known = STATUSES.get(report.status)
    content: Content = Unsupported(what=f"status {report.status}")
    if known is not None:
        failed = report.failure if known == "failed" else ""
        content = DeliveryStatus(
            status=known,
            message_id=report.id,
            reason=(failed or report.status) if known == "failed" else None,
            stop=STOPS.get(failed),
        )
    event_id = f"{report.id}:{report.status}"
    return arrived.touchpoint(event_id, content, address=report.phone_number)


def _opt_out(fields: Mapping[str, str], arrived: Arrived) -> Touchpoint:
    """They want no more of what a sender id advertises. Whatever else is sent there, Africa's
    Talking refuses by itself (406).
    """
    told = read_model(OptOut, fields)
    statement = ConsentStatement(
        purpose=arrived.opt_out_purpose,
        channel=Channel.SMS,
        state="withdrawn",
        wording=f"opted out of {told.sender_id} at Africa's Talking",
    )
    return arrived.touchpoint(
        arrived.minute, statement, address=told.phone_number, account=told.sender_id
    )


def _subscription(fields: Mapping[str, str], arrived: Arrived) -> Touchpoint:
    told = read_model(Subscription, fields)
    event = TrackedEvent(
        name=f"premium_sms_{told.update.lower()}",
        properties={"short_code": told.short_code, "keyword": told.keyword},
    )
    return arrived.touchpoint(
        arrived.digest if told.date else arrived.minute,
        event,
        address=told.phone_number,
        account=told.short_code,
        occurred_at=moment(told.date),
    )


KINDS: tuple[tuple[frozenset[str], Callable[[Mapping[str, str], Arrived], Touchpoint]], ...] = (
    (frozenset({"phoneNumber", "updateType"}), _subscription),
    (frozenset({"id", "status"}), _report),
    (frozenset({"phoneNumber", "senderId"}), _opt_out),
    (frozenset({"from", "text"}), _incoming),
    (frozenset({"from", "to", "id"}), _incoming),
)
"""Which callback it is, by the fields it has. Of an empty message the text may be missing."""


def _unknown(arrived: Arrived) -> Touchpoint:
    return arrived.touchpoint(
        arrived.digest, Unsupported(what="a callback that is none of the four"), address=""
    )


def _account(request: WebhookRequest) -> str:
    return request.path.rpartition("/")[0]


def _url(line: Line) -> str:
    if line.username == SANDBOX:
        return SANDBOX_API
    return PREMIUM_API if line.premium else API


def _answer(body: bytes) -> MessageData | None:
    try:
        return read_model(Answer, read_json(body)).data
    except MalformedPayload:
        return None


def _taken(recipient: Recipient) -> str:
    """The id of what was taken. After a 500 or 501 nobody knows: the gateway was asked."""
    if recipient.code in TAKEN:
        try:
            return read_model(Taken, {"id": recipient.message_id}).id
        except MalformedPayload:
            raise SendUnconfirmed("Africa's Talking took the message and gave no id") from None
    if recipient.code in {500, 501}:
        raise SendUnconfirmed(f"Africa's Talking answered with {recipient.code}")
    raise _refused(str(recipient.code))


class Taken(Payload):
    id: ProviderId


def _refused(code: str) -> SendRefused:
    return SendRefused(
        f"Africa's Talking refused: {code}", code=code, reason=REFUSALS.get(code, "unknown")
    )


PROVIDER = AfricasTalkingSms()
