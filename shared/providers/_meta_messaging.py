"""What Messenger and Instagram share: conversations with people who are known by an id that is only
valid with one page or one account of ours.

Messenger: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
Instagram: https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints

from shared.domain.errors import MalformedPayload, MissingSecret
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.touchpoint import (
    Attachment,
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
    Place,
    Reaction,
    Referral,
    SurveyAnswer,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._meta import (
    MetaProvider,
    MetaSecret,
    Part,
    Piece,
    Stamp,
    compact,
    content_key,
    instant,
    lies_at,
    moment,
    url_that_fits,
)
from shared.providers._meta_sending import MessagingLimits, outgoing
from shared.providers.base import JSON_TYPE, HttpRequest, read_model

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

LONG = 65_536
OFFERS = "marketing"
"""The purpose of Meta's marketing messages, as consents name it."""

Form = Literal["file", "image", "audio", "video", "sticker"]
FORMS: Mapping[str, Form] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "reel": "video",
    "ig_reel": "video",
    "sticker": "sticker",
}
"""What an attachment is; all else is a `file`: what was shared or mentioned, of any form."""
PLAIN = frozenset({"image", "audio", "video", "file", "sticker"})
"""Of these the form says all; of any other the type is part of what came."""

SOURCES: Mapping[str, Literal["ad", "link"]] = {
    "ADS": "ad",
    "SHORTLINK": "link",
    "SHORTLINKS": "link",
    "SHORT-URL": "link",
    "MESSENGER_CODE": "link",
    "IGME-SOURCE-LINK": "link",
}
"""What a referral comes from; anything else is `other`.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messaging_referrals
"""

_ID = re.compile(r"[\x21-\x7e]{1,200}")
_WORD = re.compile(r"[a-z_-]{1,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_ENVELOPE = {"sender", "recipient", "timestamp"}


def _id(value: object) -> str:
    """Older versions write ids as numbers."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _ID.fullmatch(str(value)):
        raise ValueError("not an id")
    return str(value)


def _id_or_none(value: object) -> str:
    return "" if value == "" else _id(value)


def _fields_or_none(value: object) -> object:
    """Of a kind it does not know, Messenger passes on what another app put there: any text."""
    return value if isinstance(value, dict) else {}


KnownId = Annotated[str, BeforeValidator(_id)]
Id = Annotated[str, BeforeValidator(_id_or_none)]
Mid = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,400}$")]
"""Of a message."""


class MessagingSecret(MetaSecret):
    """`access_tokens`: by the id of each page or account, the token that may send for it."""

    access_tokens: dict[str, str] = Field(min_length=1)


MessagingSecretT = TypeVar("MessagingSecretT", bound=MessagingSecret)


class Party(Part):
    """A person, or we; without an id where the person has not written to us yet."""

    id: Id = ""


class Event(Part):
    sender: Party = Party()
    recipient: Party = Party()
    timestamp: Stamp = None


class Change(Part):
    field: str = Field(max_length=200)
    value: dict[str, Any]


class Entry(Part):
    """`field` and `value` stand here where Instagram leaves `changes` out."""

    id: KnownId
    time: Stamp = None
    messaging: list[dict[str, Any]] = []
    standby: list[dict[str, Any]] = []
    changes: list[Change] = []
    field: str = Field(default="", max_length=200)
    value: dict[str, Any] = {}


class Body(Part):
    object: str
    entry: list[Entry]


class AdContext(Part):
    ad_title: str = ""
    post_id: Id = ""


class AdProduct(Part):
    id: Id = ""


class Referred(Part):
    ref: str = Field(default="", max_length=LONG)
    source: str = ""
    ad_id: Id = ""
    referer_uri: str = ""
    ads_context_data: AdContext = AdContext()
    product: AdProduct = AdProduct()

    def referral(self) -> Referral:
        return Referral(
            source="ad" if self.ad_id else SOURCES.get(self.source.upper(), "other"),
            id=self.ad_id or self.product.id or self.ads_context_data.post_id,
            url=url_that_fits(self.referer_uri),
            headline=self.ads_context_data.ad_title[:1024],
            ref=self.ref[:2048],
        )


class Story(Part):
    id: Id = ""
    url: str = Field(default="", max_length=8192)


class RepliedTo(Part):
    mid: Mid | None = None
    story: Story | None = None


class QuickReply(Part):
    payload: str = Field(default="", max_length=LONG)


class Coordinates(Part):
    lat: float = Field(ge=-90, le=90)
    long: float = Field(ge=-180, le=180)


class ShownProduct(Part):
    id: Id = ""
    retailer_id: Id = ""
    title: str = ""


class ShownProducts(Part):
    elements: list[ShownProduct] = []


class Enclosure(Part):
    url: str = Field(default="", max_length=8192)
    title: str = ""
    text: str = Field(default="", max_length=LONG)
    sticker_id: Id = ""
    coordinates: Coordinates | None = None
    product: ShownProducts = ShownProducts()


class Enclosed(Part):
    type: str = ""
    title: str = ""
    url: str = Field(default="", max_length=8192)
    payload: Annotated[Enclosure, BeforeValidator(_fields_or_none)] = Enclosure()

    @property
    def lies_at(self) -> str:
        return self.payload.url or self.url

    @property
    def key(self) -> str:
        """While Meta changes a type, it sends the same thing as the old and as the new one."""
        return self.payload.sticker_id or self.lies_at

    def attachment(self) -> Attachment:
        form = "sticker" if self.payload.sticker_id else FORMS.get(self.type, "file")
        says_little = self.type not in PLAIN or not self.lies_at
        title = self.payload.title or self.title or (self.type if says_little else "")
        return Attachment(
            form=form,
            name=title[:255],
            provider_reference=self.lies_at or None,
        )


class Heard(Part):
    """The message itself."""

    mid: Mid | None = None
    text: str = Field(default="", max_length=LONG)
    is_echo: bool = False
    is_deleted: bool = False
    is_unsupported: bool = False
    is_self: bool = False
    quick_reply: QuickReply | None = None
    reply_to: RepliedTo = RepliedTo()
    attachments: list[Enclosed] = Field(default=[], max_length=200)
    referral: Referred | None = None

    def content(self) -> Message | MessageDeletion | Unsupported:
        if self.is_deleted and self.mid is not None:
            return MessageDeletion(message_id=self.mid)
        if self.is_unsupported and not self.text:
            return Unsupported(what="a message that the API does not carry")
        text = self.text or next((one.payload.text for one in self.attachments), "")
        choice = None
        if self.quick_reply is not None:
            choice = Choice(id=self.quick_reply.payload[:1024], title=self.text[:1024])
        return Message(
            text=text,
            attachments=self._attachments(),
            place=self._place(),
            choice=choice,
            in_reply_to=self.reply_to.mid,
            referral=self._referral(),
        )

    def _attachments(self) -> tuple[Attachment, ...]:
        files = [
            one
            for one in self.attachments
            if one.payload.coordinates is None
            and not one.payload.product.elements
            and not one.payload.text
        ]
        once: dict[str, Enclosed] = {}
        for number, one in enumerate(files):
            once.setdefault(one.key or str(number), one)
        return tuple(one.attachment() for one in once.values())

    def _place(self) -> Place | None:
        for one in self.attachments:
            if (at := one.payload.coordinates) is not None:
                title = one.payload.title or one.title
                return Place(latitude=at.lat, longitude=at.long, name=title[:1024])
        return None

    def _referral(self) -> Referral | None:
        """What led here; else the story that is answered, or the product that is asked about."""
        if self.referral is not None:
            return self.referral.referral()
        if (story := self.reply_to.story) is not None:
            return Referral(source="post", id=story.id, url=url_that_fits(story.url))
        products = (one for file in self.attachments for one in file.payload.product.elements)
        if (product := next(products, None)) is not None:
            known = product.retailer_id or product.id
            return Referral(source="other", id=known, headline=product.title[:1024])
        return None


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
    mid: Mid
    text: str = Field(default="", max_length=LONG)
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


class WantedProduct(Part):
    id: Id = ""
    retailer_id: Id = ""
    name: str = Field(default="", max_length=1024)
    quantity: float = Field(default=1, gt=0, allow_inf_nan=False)
    unit_price: float | None = Field(default=None, ge=0, lt=1e15, allow_inf_nan=False)
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

    def touchpoint(
        self,
        event_id: str | None,
        content: Content,
        *,
        by_us: bool = False,
        at: datetime | None = None,
    ) -> Touchpoint:
        says = isinstance(content, Message | Unsupported)
        direction = Direction.PASSIVE
        if says and by_us:
            direction = Direction.OUTBOUND
        elif says and self.is_held:
            direction = Direction.INBOUND
        return self.account.touchpoint(
            event_id or self.key,
            at or self.at,
            content,
            direction,
            self.event.recipient.id if by_us else self.event.sender.id,
            automation=Automation.ECHO if by_us else None,
        )


def _message(happening: Happening, part: Any) -> list[Touchpoint]:
    heard = read_model(Heard, part)
    by_us = heard.is_echo or happening.event.sender.id == happening.account.id
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
    by_us = happening.event.sender.id == happening.account.id
    return [happening.touchpoint(key, Reaction(message_id=sign.mid, emoji=emoji), by_us=by_us)]


def _edit(happening: Happening, part: Any) -> list[Touchpoint]:
    edited = read_model(Edited, part)
    version = edited.num_edit or happening.key
    content = MessageEdit(message_id=edited.mid, text=edited.text)
    by_us = happening.event.sender.id == happening.account.id
    return [happening.touchpoint(f"{edited.mid}:edit:{version[:64]}", content, by_us=by_us)]


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
    touchpoint = happening.touchpoint(None, content, at=at)
    return [touchpoint.model_copy(update={"direction": Direction.PASSIVE})]


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


def _order(happening: Happening, part: Any) -> list[Touchpoint]:
    cart = read_model(Cart, part)
    currencies = {one.currency for one in cart.products}
    currency = currencies.pop() if len(currencies) == 1 else ""
    basket = Basket(
        lines=tuple(one.line() for one in cart.products),
        currency=currency if _CURRENCY.fullmatch(currency) else None,
    )
    return [happening.touchpoint(None, Message(text=cart.note, basket=basket))]


def _feedback(happening: Happening, part: Any) -> list[Touchpoint]:
    """An answer for each question that has a mark. One of another kind is kept unread."""
    feedback = read_model(Feedback, part)
    asked = [item for one in feedback.feedback_screens for item in one.questions.items()]
    found = []
    for question, answer in asked:
        metric, lowest, highest = SCALES.get(answer.type, ("csat", 1, 0))
        if answer.payload is None or not lowest <= answer.payload <= highest:
            continue
        said = SurveyAnswer(
            survey=question[:200],
            metric=metric,
            score=answer.payload,
            text=answer.follow_up.payload,
        )
        key = f"{happening.key}:{content_key(question.encode())[:16]}"
        touchpoint = happening.touchpoint(key, said)
        found.append(touchpoint.model_copy(update={"direction": Direction.INBOUND}))
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
    "order": _order,
    "messaging_feedback": _feedback,
}
"""By the name of the part that says what happened. Any other is kept as Unsupported: who holds the
conversation now, what Meta enforces.
"""


class MessagingProvider(MetaProvider[MessagingSecretT]):
    object: ClassVar[str]
    channel: ClassVar[Channel]
    identifier: ClassVar[IdentifierType]
    limits: ClassVar[MessagingLimits]

    def pieces(
        self, body: JsonValue, secret: MessagingSecretT, received_at: datetime
    ) -> Iterator[Piece]:
        # Meta's own examples stand in a list.
        for one in body if isinstance(body, list) else [body]:
            known = read_model(Body, one)
            if known.object != self.object:
                raise MalformedPayload(f"object: not {self.object}")
            for entry in known.entry:
                yield from self._of_entry(entry, received_at)

    def _of_entry(self, entry: Entry, received_at: datetime) -> Iterator[Piece]:
        account = OurAccount(self.name, self.channel, self.identifier, entry.id, received_at)
        for name, events in (("messaging", entry.messaging), ("standby", entry.standby)):
            for event in events:
                yield self._piece(account, entry, {name: [event]}, event, name == "standby")
        changes = entry.changes
        if entry.field:
            changes = [*changes, Change(field=entry.field, value=entry.value)]
        for change in changes:
            part = {"changes": [{"field": change.field, "value": change.value}]}
            if isinstance(change.value.get("recipient") or change.value.get("sender"), dict):
                yield self._piece(account, entry, part, change.value, change.field == "standby")
                continue
            raw = _raw(entry, part)
            key = content_key(compact([account.id, part]))
            at = entry.time
            yield Piece(raw, partial(self.change, account, change, at, key))

    def _piece(
        self,
        account: OurAccount,
        entry: Entry,
        part: Mapping[str, Any],
        event: dict[str, Any],
        is_standby: bool,
    ) -> Piece:
        read = partial(_read_event, account, event, entry.time, not is_standby)
        return Piece(_raw(entry, part), read)

    def change(self, account: OurAccount, change: Change, at: Stamp, key: str) -> list[Touchpoint]:
        """What a change of a field says that is no conversation. Raises MalformedPayload."""
        return [unknown_change(account, change, at, key)]

    def url(self, account: str, secret: MessagingSecretT) -> str:
        """Where a message of this account is sent."""
        raise NotImplementedError

    def prepare(self, message: "OutboundMessage", secret: MessagingSecretT) -> HttpRequest:
        account = message.endpoint.account
        token = secret.access_tokens.get(account)
        if token is None:
            raise MissingSecret(f"the secret for {self.name} has no access token for {account}")
        return HttpRequest(
            method="POST",
            url=self.url(account, secret),
            headers={"authorization": f"Bearer {token}", "content-type": JSON_TYPE},
            body=compact(outgoing(message, self.limits)),
        )

    def message_id(self, answer: JsonValue) -> str:
        return read_model(Answer, answer).message_id

    def media(self, attachment: Attachment, secret: MessagingSecretT) -> HttpRequest | None:
        """Meta's addresses hold what they need, so no token is shown. Elsewhere lies what the
        person links to, which is not fetched.
        """
        url = attachment.provider_reference or ""
        if not lies_at(url, self.media_hosts):
            return None
        return HttpRequest(method="GET", url=url, headers={}, body=b"")


class Answer(Part):
    """What the API answers when it takes a message."""

    message_id: Mid


def unknown_change(account: OurAccount, change: Change, at: Stamp, key: str) -> Touchpoint:
    return account.touchpoint(
        key,
        moment(at, account.received_at),
        Unsupported(what=f"change of {change.field}"[:200]),
        Direction.PASSIVE,
        "",
    )


def _read_event(
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
    touchpoint = happening.touchpoint(None, content)
    return [touchpoint.model_copy(update={"direction": Direction.PASSIVE})]


def _raw(entry: Entry, part: Mapping[str, Any]) -> bytes:
    """The request as if it had held this part only."""
    return compact({"id": entry.id, "time": entry.time, **part})
