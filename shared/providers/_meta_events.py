"""What happens in a conversation on Messenger or Instagram, kind by kind.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

from pydantic import Field, JsonValue

from shared.domain.identity import Identifier, IdentifierType
from shared.domain.touchpoint import (
    Automation,
    Basket,
    Channel,
    Choice,
    ConsentStatement,
    Content,
    DeliveryStatus,
    DeliveryWatermark,
    Direction,
    Endpoint,
    Line,
    Message,
    MessageDeletion,
    MessageEdit,
    Reaction,
    SurveyAnswer,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._meta import (
    OFFERS,
    Part,
    Stamp,
    compact,
    content_key,
    instant,
    moment,
    only_currency,
)
from shared.providers._meta_message import LONG, Heard, Id, Label, Mid, Referred
from shared.providers.base import read_model

_WORD = re.compile(r"[a-z_-]{1,40}")
_ENVELOPE = {"sender", "recipient", "timestamp"}


class Party(Part):
    """A person, or we; without an id where the person has not written to us yet."""

    id: Id = ""


class Event(Part):
    sender: Party = Party()
    recipient: Party = Party()
    timestamp: Stamp = None


class Pressed(Part):
    """A button, an entry of the menu, an icebreaker. The payload is told to the app that sent it
    only.
    """

    mid: Mid | None = None
    title: str = Field(default="", max_length=1024)
    payload: str = Field(default="", max_length=LONG)
    referral: Referred | None = None


class Sign(Part):
    mid: Mid
    action: str = "react"
    reaction: str = Field(default="", max_length=64)
    emoji: str = Field(default="", max_length=64)


class Edited(Part):
    """Instagram tells of new messages as well, as edited no times and without their words."""

    mid: Mid
    text: str | None = Field(default=None, max_length=LONG)
    num_edit: Id = ""


class Receipt(Part):
    """Of single messages, or of all until a moment."""

    mid: Mid | None = None
    mids: list[Mid] = Field(default=[], max_length=1000)
    watermark: Stamp = None

    @property
    def of(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.mids, *([self.mid] if self.mid else [])]))


class OptIn(Part):
    type: str = Field(default="", max_length=100)
    ref: str = Field(default="", max_length=LONG)
    title: str = ""
    notification_messages_status: str = ""
    token_expiry_timestamp: Stamp = None


class AccountLinking(Part):
    """The authorization code in it is a key to the person's login: it is left in the raw."""

    status: str = Field(default="", max_length=60)


class Opinion(Part):
    """Of one answer of ours: good or bad.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/response_feedback
    """

    mid: Mid | None = None
    feedback: str = Field(default="", max_length=60)


class CallPermission(Part):
    """Whether we may call them.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/calling/biz2consumer/check-permissions
    """

    response: str = Field(default="", max_length=60)


class WantedProduct(Part):
    id: Label = ""
    retailer_id: Label = ""
    name: str = Field(default="", max_length=1024)
    quantity: float = Field(default=1, gt=0)
    unit_price: float | None = Field(default=None, ge=0, lt=1e15)
    currency: str = ""

    def line(self) -> Line:
        return Line(
            sku=(self.retailer_id or self.id)[:100],
            name=self.name or None,
            quantity=self.quantity,
            unit_price=None
            if self.unit_price is None
            else f"{self.unit_price:.6f}".rstrip("0").rstrip("."),
        )


class Cart(Part):
    """https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/send_cart"""

    products: list[WantedProduct] = Field(default=[], max_length=1000)
    note: str = Field(default="", max_length=LONG)


class FollowUp(Part):
    payload: str = Field(default="", max_length=LONG)


class Question(Part):
    type: str = ""
    payload: int | None = None
    follow_up: FollowUp = FollowUp()


class FeedbackScreen(Part):
    questions: dict[str, Question] = {}


class Feedback(Part):
    """A survey of Meta's, filled in.

    https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/templates/customer-feedback-template
    """

    feedback_screens: list[FeedbackScreen] = []


SCALES: Mapping[str, tuple[Literal["csat", "nps", "ces"], int, int]] = {
    "csat": ("csat", 1, 5),
    "nps": ("nps", 0, 10),
    "ces": ("ces", 1, 7),
}
"""What Meta calls a metric: what we call it, and its lowest and highest mark."""


class OurAccount(NamedTuple):
    """A page or an account of ours, and how the people are called who write to it."""

    provider: str
    channel: Channel
    identifier: IdentifierType
    id: str
    received_at: datetime

    def touchpoint(
        self,
        event_id: str,
        occurred_at: datetime,
        content: Content,
        direction: Direction,
        person: str,
        *,
        automation: Automation | None = None,
        answerable: bool = True,
        name: str = "",
    ) -> Touchpoint:
        """We ourselves are nobody's profile, and are not answered."""
        is_known = person not in {"", self.id}
        endpoint = Endpoint(
            channel=self.channel, provider=self.provider, account=self.id, address=person or "-"
        )
        identifier = Identifier(type=self.identifier, scope=self.id, value=person or "-")
        return Touchpoint(
            provider=self.provider,
            account=self.id,
            provider_event_id=event_id,
            channel=self.channel,
            direction=direction,
            occurred_at=occurred_at,
            received_at=self.received_at,
            content=content,
            identifiers=(identifier,) if is_known else (),
            endpoint=endpoint if is_known and answerable else None,
            name=name[:200] or None,
            automation=automation,
        )


class Happening(NamedTuple):
    """One event of one conversation. `key` stands in where it has no id of its own.

    `is_held` by us; where another app holds the conversation, it is recorded and we keep silent.
    """

    account: OurAccount
    event: Event
    original: Mapping[str, Any]
    at: datetime
    key: str
    is_held: bool

    @property
    def is_from_us(self) -> bool:
        return self.event.sender.id == self.account.id

    def touchpoint(
        self,
        event_id: str | None,
        content: Content,
        *,
        direction: Direction | None = None,
        by_us: bool = False,
        at: datetime | None = None,
    ) -> Touchpoint:
        return self.account.touchpoint(
            event_id or self.key,
            at or self.at,
            content,
            direction or self._direction(content, by_us),
            self.event.recipient.id if by_us or self.is_from_us else self.event.sender.id,
            automation=Automation.ECHO if by_us else None,
        )

    def _direction(self, content: Content, by_us: bool) -> Direction:
        """Of what says nothing, none."""
        if not isinstance(content, Message | Unsupported):
            return Direction.PASSIVE
        if by_us:
            return Direction.OUTBOUND
        return Direction.INBOUND if self.is_held else Direction.PASSIVE


def _message(happening: Happening, part: Any) -> list[Touchpoint]:
    heard = read_model(Heard, part)
    by_us = heard.is_echo or happening.is_from_us
    content = heard.content()
    key = heard.mid
    if isinstance(content, MessageDeletion):
        key = f"{content.message_id}:deleted"
    # Somebody of ours tries the account out with itself: both sides of it are ours.
    return [happening.touchpoint(key, content, by_us=by_us or heard.is_self)]


def _postback(happening: Happening, part: Any) -> list[Touchpoint]:
    pressed = read_model(Pressed, part)
    content = Message(
        text=pressed.title,
        choice=Choice(id=pressed.payload[:1024], title=pressed.title),
        referral=pressed.referral.referral() if pressed.referral else None,
    )
    return [happening.touchpoint(pressed.mid, content)]


def _reaction(happening: Happening, part: Any) -> list[Touchpoint]:
    """Where only the name of a sign is told, the name is what we have."""
    sign = read_model(Sign, part)
    emoji = "" if sign.action == "unreact" else sign.emoji or sign.reaction or "?"
    when = happening.event.timestamp
    key = None if when is None else f"{sign.mid}:{sign.action[:20]}:{when}"[:512]
    content = Reaction(message_id=sign.mid, emoji=emoji)
    return [happening.touchpoint(key, content, by_us=happening.is_from_us)]


def _edit(happening: Happening, part: Any) -> list[Touchpoint]:
    edited = read_model(Edited, part)
    version = edited.num_edit or happening.key
    content: Content = Unsupported(what="an edit without its words")
    if edited.text is not None:
        content = MessageEdit(message_id=edited.mid, text=edited.text)
    key = f"{edited.mid}:edit:{version[:64]}"
    passive = Direction.PASSIVE
    return [happening.touchpoint(key, content, direction=passive, by_us=happening.is_from_us)]


def _receipt(
    status: Literal["delivered", "read"], happening: Happening, part: Any
) -> list[Touchpoint]:
    """A watermark speaks of all messages until a moment. It counts where none is named: Messenger
    names none that was read, and for old clients none that arrived.
    """
    receipt = read_model(Receipt, part)
    at = happening.at
    if happening.event.timestamp is None and receipt.watermark is not None:
        at = moment(receipt.watermark, happening.account.received_at)
    if named := receipt.of:
        return [
            happening.touchpoint(
                f"{mid}:{status}", DeliveryStatus(status=status, message_id=mid), at=at
            )
            for mid in named
        ]
    content: Content = Unsupported(what=f"{status}, of no message and until no moment")
    if receipt.watermark is not None:
        until = moment(receipt.watermark, happening.account.received_at)
        content = DeliveryWatermark(status=status, until=until)
    return [happening.touchpoint(None, content, direction=Direction.PASSIVE, at=at)]


def _referral(happening: Happening, part: Any) -> list[Touchpoint]:
    """They came back by a link or an advertisement, and have said nothing yet."""
    referral = read_model(Referred, part).referral()
    told = referral.model_dump(mode="json", exclude_defaults=True)
    return [
        happening.touchpoint(
            None, TrackedEvent(name=f"{happening.account.provider}_referral", properties=told)
        )
    ]


def _optin(happening: Happening, part: Any) -> list[Touchpoint]:
    """Marketing messages are allowed or stopped; any other opt-in is a button they pressed."""
    optin = read_model(OptIn, part)
    content: Content
    if optin.type == "notification_messages":
        stops = optin.notification_messages_status.upper().startswith("STOP")
        ends = optin.token_expiry_timestamp
        content = ConsentStatement(
            purpose=OFFERS,
            channel=happening.account.channel,
            state="withdrawn" if stops else "granted",
            wording=optin.title[:500] or None,
            expires_at=None if stops or ends is None else instant(ends),
        )
    else:
        content = TrackedEvent(
            name=f"{happening.account.provider}_optin",
            properties={"type": optin.type, "ref": optin.ref[:2048]},
        )
    return [happening.touchpoint(None, content)]


def _account_linking(happening: Happening, part: Any) -> list[Touchpoint]:
    linking = read_model(AccountLinking, part)
    name = f"{happening.account.provider}_account_linking"
    return [
        happening.touchpoint(None, TrackedEvent(name=name, properties={"status": linking.status}))
    ]


def _opinion(happening: Happening, part: Any) -> list[Touchpoint]:
    opinion = read_model(Opinion, part)
    told: dict[str, JsonValue] = {"feedback": opinion.feedback, "message_id": opinion.mid}
    name = f"{happening.account.provider}_response_feedback"
    return [happening.touchpoint(None, TrackedEvent(name=name, properties=told))]


def _call_permission(happening: Happening, part: Any) -> list[Touchpoint]:
    permission = read_model(CallPermission, part)
    name = f"{happening.account.provider}_call_permission"
    told = TrackedEvent(name=name, properties={"response": permission.response})
    return [happening.touchpoint(None, told)]


def _order(happening: Happening, part: Any) -> list[Touchpoint]:
    cart = read_model(Cart, part)
    basket = Basket(
        lines=tuple(one.line() for one in cart.products),
        currency=only_currency(one.currency for one in cart.products),
    )
    return [happening.touchpoint(None, Message(text=cart.note, basket=basket))]


def _feedback(happening: Happening, part: Any) -> list[Touchpoint]:
    """An answer for each question that has a mark. One of another kind is kept unread."""
    feedback = read_model(Feedback, part)
    asked = [item for one in feedback.feedback_screens for item in one.questions.items()]
    found = []
    for question, answer in asked:
        if answer.payload is None or answer.type not in SCALES:
            continue
        metric, lowest, highest = SCALES[answer.type]
        if not lowest <= answer.payload <= highest:
            continue
        said = SurveyAnswer(
            survey=question[:200],
            metric=metric,
            score=answer.payload,
            text=answer.follow_up.payload,
        )
        key = f"{happening.key}:{content_key(question.encode())[:16]}"
        found.append(happening.touchpoint(key, said, direction=Direction.INBOUND))
    unread = Unsupported(what="event of messaging_feedback")
    return found or [happening.touchpoint(None, unread)]


READERS: Mapping[str, Callable[[Happening, Any], list[Touchpoint]]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "message_edit": _edit,
    "read": partial(_receipt, "read"),
    "delivery": partial(_receipt, "delivered"),
    "referral": _referral,
    "optin": _optin,
    "account_linking": _account_linking,
    "call_permission_reply": _call_permission,
    "response_feedback": _opinion,
    "order": _order,
    "messaging_feedback": _feedback,
}
"""By the name of the part that says what happened. Any other is kept as Unsupported: who holds the
conversation now, what Meta enforces.
"""


def read_event(
    account: OurAccount, original: dict[str, Any], sent_at: Stamp, is_held: bool
) -> list[Touchpoint]:
    event = read_model(Event, original)
    stated = sent_at if event.timestamp is None else event.timestamp
    happening = Happening(
        account=account,
        event=event,
        original=original,
        at=moment(stated, account.received_at),
        key=content_key(compact([account.id, original])),
        is_held=is_held,
    )
    for name, read in READERS.items():
        if original.get(name) is not None:
            return read(happening, original[name])
    names = sorted(one for one in original if one not in _ENVELOPE and _WORD.fullmatch(one))
    content = Unsupported(what=f"event of {', '.join(names[:3]) or 'an unknown kind'}")
    return [happening.touchpoint(None, content, direction=Direction.PASSIVE)]
