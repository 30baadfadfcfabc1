"""SMS, MMS, RCS, WhatsApp and Messenger through Twilio.

Messages in: https://www.twilio.com/docs/messaging/guides/webhook-request
Statuses: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
Opt-out: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
Conversations: https://www.twilio.com/docs/conversations/conversations-webhooks
Event Streams: https://www.twilio.com/docs/events
Sending: https://www.twilio.com/docs/messaging/api/message-resource
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from shared.domain.errors import MalformedPayload, RefusalReason, SendRefused
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.media import file_form_of
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Choice,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    Message,
    Place,
    Reaction,
    Referral,
    Stop,
    Touchpoint,
    Unsupported,
)
from shared.providers._twilio import (
    PHONE,
    XML_TYPE,
    Address,
    Sid,
    TwilioAccount,
    TwilioProduct,
    api_request,
    digest_of,
    events_of,
    form_of,
    kept,
)
from shared.providers.base import (
    HttpRequest,
    IfReadable,
    Observed,
    Outcome,
    Payload,
    WebhookRequest,
    WebhookResponse,
    as_bytes,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "twilio"
LONGEST_BODY = 1600
"""Characters, for SMS in segments and for WhatsApp alike (error 21617)."""
MOST_FILES = {Channel.SMS: 10, Channel.WHATSAPP: 1, Channel.MESSENGER: 1}
"""https://www.twilio.com/docs/messaging/api/message-resource (MediaUrl)."""

RCS = "rcs:"
CHANNELS: Mapping[str, Channel] = {
    "": Channel.SMS,
    "whatsapp:": Channel.WHATSAPP,
    "messenger:": Channel.MESSENGER,
    # What SMS becomes where the phones can do more. Our line keeps the prefix, so that the reply
    # goes the same way.
    RCS: Channel.SMS,
}
"""What stands before both addresses (https://www.twilio.com/docs/messaging/channels)."""
_PREFIX = re.compile(r"([a-z_]{2,30}:)?(.*)", re.DOTALL)

_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9.]{1,140}")
"""WhatsApp's business-scoped user id, of a person who shows no number."""
_CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
_PAGE_USER = re.compile(r"[0-9]{1,40}")

STATUSES: Mapping[str, Literal["accepted", "sent", "delivered", "read", "failed"]] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "partially_delivered": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
STOPS: Mapping[str, Stop] = {
    # The person wrote STOP, and Twilio has told them that it was understood.
    "21610": Stop(kind="opt_out"),
    "30004": Stop(kind="provider_block"),  # blocked by the operator or the person
    "30006": Stop(kind="provider_block"),  # a landline, or one this line cannot reach
    "21211": Stop(kind="bounce"),  # no such number
    "21614": Stop(kind="bounce"),  # no mobile
    "21635": Stop(kind="bounce"),  # a landline
    "63024": Stop(kind="bounce"),  # not on WhatsApp
}
"""https://www.twilio.com/docs/api/errors (2026-11). A handset that is off (30003, 30005) may be on
tomorrow.
"""
REFUSALS: Mapping[str, RefusalReason] = {
    "20003": "unauthorized",  # no or a wrong login
    "20404": "unauthorized",  # not this account's
    "21211": "invalid_recipient",
    "21212": "unauthorized",  # no sender of ours
    "21214": "unreachable",
    "21266": "invalid_recipient",  # our own number
    "21408": "unauthorized",  # the country is not allowed for our account
    "21603": "unauthorized",
    "21604": "invalid_recipient",
    "21606": "unauthorized",  # the sender is not ours, or cannot send this
    "21608": "unauthorized",  # a trial account, and an unverified number
    "21610": "opted_out",
    "21611": "limit",  # the sender's queue is full
    "21612": "unreachable",  # not from this sender
    "21614": "invalid_recipient",  # no mobile
    "21617": "content",
    "21619": "content",
    "21620": "content",  # the address of a file
    "21623": "content",  # too many files
    "21635": "unreachable",  # a landline
    "21655": "template",
    "21656": "template",
    "21910": "not_supported",  # two channels in one message
    "63001": "unauthorized",
    "63003": "invalid_recipient",
    "63005": "content",
    "63007": "unauthorized",  # no such sender on this channel
    "63013": "content",  # against the channel's policy
    "63016": "window_closed",
    "63018": "limit",
    "63021": "content",
    "63024": "invalid_recipient",
    "63027": "template",
    "63028": "template",
    "63032": "blocked",  # WhatsApp's limits to this person
    "63040": "template",
    "63041": "template",
    "63042": "template",
    "63049": "blocked",  # Meta chose not to deliver an advertisement
    "content_sid": "template",
}
"""https://www.twilio.com/docs/api/errors (2026-11); the last is ours."""

ARRIVING = frozenset({"", "receiving", "received"})
"""A status that says the message came in."""

WORDS: Mapping[str, Literal["opt_out", "opt_in", "help"]] = {
    "STOP": "opt_out",
    "START": "opt_in",
    "HELP": "help",
}
"""OptOutType: Advanced Opt-Out, which Twilio has acted upon and answered."""
FORMS: Mapping[str, Literal["voice", "sticker"]] = {"voice": "voice", "sticker": "sticker"}
"""MessageType, where it says more than the content type."""
SOURCES: Mapping[str, Literal["ad", "post"]] = {"ad": "ad", "post": "post"}


class TwilioSecret(TwilioAccount):
    """Console, Account info; Messaging's webhooks lead here."""


class Addresses(Payload):
    """What a message in and a status of a message out have in common."""

    sid: Sid = Field(alias="MessageSid")
    account_sid: str = Field(default="", alias="AccountSid", max_length=64)
    sender: Address = Field(alias="From")
    to: Address = Field(alias="To")


class Incoming(Addresses):
    body: str = Field(default="", alias="Body", max_length=65_536)
    media: str = Field(default="0", alias="NumMedia", pattern=r"^[0-9]{1,2}$")
    type: str = Field(default="", alias="MessageType", max_length=60)
    profile_name: str = Field(default="", alias="ProfileName")
    user_id: str = Field(default="", alias="ExternalUserId", max_length=200)
    answered: str = Field(default="", alias="OriginalRepliedMessageSid", max_length=64)
    forwarded: str = Field(default="", alias="Forwarded")
    often_forwarded: str = Field(default="", alias="FrequentlyForwarded")
    opt_out_type: str = Field(default="", alias="OptOutType")


class Status(Addresses):
    """`sender` is empty while a messaging service has not chosen one; of whom it is told may be in
    the company's own address of the callback, and in no field.
    """

    sender: Address = Field(default="", alias="From", validate_default=False)
    to: Address = Field(default="", alias="To", validate_default=False)
    service: str = Field(default="", alias="MessagingServiceSid", max_length=64)
    status: str = Field(alias="MessageStatus", pattern=r"^[a-z_]{1,60}$")
    error_code: str = Field(default="", alias="ErrorCode", max_length=40)
    error: str = Field(default="", alias="ErrorMessage", max_length=1024)
    channel_error: str = Field(default="", alias="ChannelStatusMessage", max_length=1024)


class Medium(Payload):
    url: IfReadable[Annotated[str, Field(max_length=2048, pattern=r"^https?://")]] = None
    type: str = Field(default="application/octet-stream", max_length=255)


class Line(NamedTuple):
    """One of the two addresses of a message, without what names its channel."""

    channel: Channel
    prefix: str
    address: str


class Twilio(TwilioProduct[TwilioSecret]):
    name = NAME
    secret_type = TwilioSecret
    stops = STOPS
    refusals = REFUSALS
    longest_text = LONGEST_BODY

    def parse(
        self, request: WebhookRequest, secret: TwilioSecret, received_at: datetime
    ) -> list[Observed]:
        if (fields := form_of(request)) is None:
            return list(events_of(request, NAME, Channel.SMS, received_at))
        raw = request.body or as_bytes(request.url.partition("?")[2])
        sid = next((fields[one] for one in SIDS if fields.get(one)), None)
        if sid is None or "ConversationSid" in fields or "CallSid" in fields:
            return [Observed(_unknown(fields, received_at), raw)]
        message = {**fields, "MessageSid": sid, "MessageStatus": _status_of(fields)}
        arriving = message["MessageStatus"] in ARRIVING
        return [Observed((_incoming if arriving else _status)(message, received_at), raw)]

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """TwiML that sends nothing back. Never an error: Twilio would not send the SMS again."""
        return WebhookResponse(body="<Response/>", content_type=XML_TYPE)

    def prepare(self, message: "OutboundMessage", secret: TwilioSecret) -> HttpRequest:
        endpoint = message.endpoint
        prefix = RCS if endpoint.account.startswith(RCS) else _prefix_of(endpoint.channel)
        form = [
            ("To", prefix + endpoint.address),
            ("From", prefix + endpoint.account.removeprefix(RCS)),
            *_content(message),
        ]
        if secret.status_callback:
            form.append(("StatusCallback", secret.status_callback))
        return api_request(secret, "Messages", form)


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    """An empty field says nothing."""
    return {name: value for name, value in fields.items() if value}


SIDS = ("MessageSid", "SmsSid", "SmsMessageSid")
"""The last two are older names of the first."""


def _status_of(fields: Mapping[str, str]) -> str:
    """`SmsStatus` is the older name; a channel's own callback names the event instead."""
    given = fields.get("MessageStatus") or fields.get("SmsStatus")
    return given or fields.get("EventType", "").lower()


def _incoming(fields: Mapping[str, str], received_at: datetime) -> Touchpoint:
    given = {"ExternalUserId": fields.get("ExternalUserIdentifier", ""), **fields}
    message = read_model(Incoming, _filled(given))
    content = _said(message, fields)
    return _touchpoint(
        message,
        message.sid,
        Direction.INBOUND if isinstance(content, Message) else Direction.PASSIVE,
        content,
        received_at,
        person=message.sender,
        line=message.to,
        user_id=message.user_id,
        name=message.profile_name[:200] or None,
    )


def _said(message: Incoming, fields: Mapping[str, str]) -> Content:
    """What MessageType leaves open is told by the fields that are there."""
    if message.type == "reaction" and message.answered:
        return Reaction(message_id=message.answered, emoji=message.body[:64])
    # A form's answers come as JSON text, as they do without Twilio.
    # The body beside them is WhatsApp's own word, "Sent".
    said = (fields.get("FlowData"), message.body, fields.get("ButtonText"), fields.get("ListTitle"))
    text = next((one for one in said if one), "")
    attachments = tuple(_medium(fields, number, message) for number in range(int(message.media)))
    place, choice = _place(fields), _choice(fields, text)
    if message.type not in SPOKEN and not (text or attachments or place or choice):
        # An order, whatever WhatsApp invents next: nothing here can be read.
        return Unsupported(what=f"a message of type {message.type}")
    return Message(
        text=text,
        attachments=attachments,
        place=place,
        choice=choice,
        referral=_referral(fields),
        forwarded="true" in {message.forwarded, message.often_forwarded},
        in_reply_to=message.answered or None,
        answered_word=WORDS.get(message.opt_out_type),
    )


SPOKEN = frozenset({"", "text"})
"""The types of which an empty body says that nothing was said."""


def _place(fields: Mapping[str, str]) -> Place | None:
    if not fields.get("Latitude") or not fields.get("Longitude"):
        return None
    try:
        latitude, longitude = float(fields["Latitude"]), float(fields["Longitude"])
    except ValueError:
        raise MalformedPayload("Latitude or Longitude is no number") from None
    return read_model(
        Place,
        {
            "latitude": latitude,
            "longitude": longitude,
            "name": fields.get("Label", ""),
            "address": fields.get("Address", ""),
        },
    )


def _choice(fields: Mapping[str, str], text: str) -> Choice | None:
    for id_, title in (("ButtonPayload", "ButtonText"), ("ListId", "ListTitle")):
        if fields.get(id_) or fields.get(title):
            given = {"id": fields.get(id_, ""), "title": fields.get(title) or text}
            return read_model(Choice, given)
    return None


def _referral(fields: Mapping[str, str]) -> Referral | None:
    """`ref` is Meta's id of the click, by which the advertisement's success is counted."""
    told = {
        "id": fields.get("ReferralSourceId", ""),
        "url": fields.get("ReferralSourceUrl", ""),
        "headline": fields.get("ReferralHeadline", ""),
        "ref": fields.get("ReferralCtwaClid", ""),
    }
    if not any(told.values()):
        return None
    source = SOURCES.get(fields.get("ReferralSourceType", ""), "other")
    return read_model(Referral, {"source": source, **told})


def _status(fields: Mapping[str, str], received_at: datetime) -> Touchpoint:
    """RawDlrDoneDate is the operator's clock in a zone nobody tells, so it is not the time."""
    status = read_model(Status, _filled(fields))
    content: Content
    if known := STATUSES.get(status.status):
        reason = f"{status.error_code} {status.error or status.channel_error}".strip()
        content = DeliveryStatus(
            status=known,
            message_id=status.sid,
            reason=reason or None,
            stop=STOPS.get(status.error_code) if known == "failed" else None,
        )
    else:
        content = Unsupported(what=f"status {status.status}")
    return _touchpoint(
        status,
        f"{status.sid}:{status.status}",
        Direction.PASSIVE,
        content,
        received_at,
        person=status.to,
        line=status.sender or status.service,
    )


def _touchpoint(
    addresses: Addresses,
    event_id: str,
    direction: Direction,
    content: Content,
    received_at: datetime,
    *,
    person: str,
    line: str,
    user_id: str = "",
    name: str | None = None,
) -> Touchpoint:
    """Twilio tells no time, so it is the time of arrival.

    A sender that is a word or a short number is a machine: nobody is there to be answered.
    """
    theirs, ours = _read_line(person), _read_line(line)
    if theirs is None or ours is None:
        # A channel Twilio has and we do not: kept, and nobody is identified by it.
        content = Unsupported(what="a message over a channel that is not read yet")
        theirs = ours = Line(Channel.SMS, "", "")
        user_id = ""
        direction = Direction.PASSIVE
    account = f"{RCS if ours.prefix == RCS else ''}{ours.address}"
    identifiers = _identifiers(theirs, ours, user_id, scope=addresses.account_sid)
    endpoint, automation = None, None
    if identifiers:
        endpoint = Endpoint(
            channel=theirs.channel, provider=NAME, account=account, address=theirs.address
        )
    elif direction is Direction.INBOUND:
        automation = Automation.BOT
    return Touchpoint(
        provider=NAME,
        account=account,
        provider_event_id=event_id,
        channel=theirs.channel,
        direction=direction,
        occurred_at=received_at,
        received_at=received_at,
        content=content,
        identifiers=identifiers,
        endpoint=endpoint,
        name=name,
        automation=automation,
    )


def _read_line(address: str) -> Line | None:
    """None for a channel that is none of ours."""
    found = _PREFIX.fullmatch(address)
    assert found is not None
    prefix, rest = found[1] or "", found[2]
    channel = CHANNELS.get(prefix)
    return None if channel is None else Line(channel, prefix, rest)


def _prefix_of(channel: Channel) -> str:
    return next((prefix for prefix, one in CHANNELS.items() if one is channel), "")


def _identifiers(theirs: Line, ours: Line, user_id: str, *, scope: str) -> tuple[Identifier, ...]:
    if theirs.channel is Channel.MESSENGER:
        if not _PAGE_USER.fullmatch(theirs.address):
            return ()
        kind = IdentifierType.MESSENGER_USER
        return (Identifier(type=kind, scope=ours.address, value=theirs.address),)
    found = []
    if PHONE.fullmatch(theirs.address):
        found.append(Identifier(type=IdentifierType.PHONE, value=theirs.address))
    for one in dict.fromkeys((theirs.address, user_id.removeprefix("whatsapp:"))):
        if _USER_ID.fullmatch(one):
            found.append(Identifier(type=IdentifierType.WHATSAPP_USER, scope=scope, value=one))
    return tuple(found)


def _medium(fields: Mapping[str, str], number: int, message: Incoming) -> Attachment:
    """The URL is Twilio's own; of one that is announced and not told, it is known that it came. A
    card comes as a file of its own (text/vcard).
    """
    given = {
        "url": fields.get(f"MediaUrl{number}"),
        "type": fields.get(f"MediaContentType{number}"),
    }
    medium = read_model(Medium, {key: value for key, value in given.items() if value})
    return Attachment(
        form=FORMS.get(message.type) or file_form_of(medium.type),
        content_type=medium.type,
        provider_reference=medium.url,
    )


def _unknown(fields: Mapping[str, str], received_at: datetime) -> Touchpoint:
    """A call that was led to the wrong webhook, a conversation's event, a debugger's alarm."""
    what = "a form without a message"
    if "CallSid" in fields:
        what = "a call"
    elif "ConversationSid" in fields:
        what = f"conversation event {fields.get('EventType', '')}".strip()[:200]
    channel = Channel.VOICE if what == "a call" else Channel.SMS
    return kept(NAME, channel, digest_of(fields), what, received_at)


def _content(message: "OutboundMessage") -> Iterator[tuple[str, str]]:
    """On WhatsApp a template is a Content SID; SMS knows none, so the same words go as text.

    Buttons only exist in such templates, so the answers to pick from are lines with a number, on
    every channel: whoever reads them can write the number or the words.
    """
    channel = message.endpoint.channel
    if message.template is not None and channel is Channel.WHATSAPP:
        if not _CONTENT_SID.fullmatch(message.template.name):
            raise SendRefused(
                "a WhatsApp template is named by its Content SID at Twilio",
                code="content_sid",
                reason=REFUSALS["content_sid"],
            )
        variables = {str(n): value for n, value in enumerate(message.template.parameters, start=1)}
        yield "ContentSid", message.template.name
        yield "ContentVariables", json.dumps(variables)
        return
    lines = [f"{number}. {one.title}" for number, one in enumerate(message.choices, start=1)]
    text = "\n".join([message.text, *lines]) if lines else message.text
    if len(text) > LONGEST_BODY or not (text or message.files):
        raise _refused(f"a text has 1 to {LONGEST_BODY} characters at Twilio", "21617")
    if len(message.files) > MOST_FILES.get(channel, 0):
        raise _refused(f"{MOST_FILES.get(channel, 0)} files at most over {channel.value}", "21623")
    if text:
        yield "Body", text
    for file in message.files:
        yield "MediaUrl", file.url


def _refused(detail: str, code: str) -> SendRefused:
    return SendRefused(detail, code=code, reason=REFUSALS[code])


PROVIDER = Twilio()
