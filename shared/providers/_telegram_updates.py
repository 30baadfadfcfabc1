"""What Telegram's updates mean: the half of `telegram` that reads.

https://core.telegram.org/bots/api#update, read against version 10.3 of 2026; what is newer is kept
as Unsupported.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, JsonValue, StringConstraints

from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Choice,
    ContactCard,
    Content,
    Direction,
    Endpoint,
    Message,
    MessageDeletion,
    MessageEdit,
    Place,
    Purchase,
    Reaction,
    Referral,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import Payload, ProviderId, believable, read_model

NAME = "telegram"

MESSAGES: Mapping[str, Literal["new", "edited"]] = {
    "message": "new",
    "channel_post": "new",
    "business_message": "new",
    "guest_message": "new",
    "edited_message": "edited",
    "edited_channel_post": "edited",
    "edited_business_message": "edited",
}
"""The updates that hold a message; `_OTHERS`, near the end, says how the others are read."""

ANSWERABLE = frozenset({"message", "business_message", "edited_message", "edited_business_message"})
"""A guest message is answered through its query, once and at once, and not here."""

SERVICE = (
    *("new_chat_members", "new_chat_member", "new_chat_participant"),
    *("left_chat_member", "left_chat_participant", "new_chat_title", "new_chat_photo"),
    *("delete_chat_photo", "group_chat_created", "supergroup_chat_created"),
    *("channel_chat_created", "migrate_to_chat_id", "migrate_from_chat_id", "pinned_message"),
    *("message_auto_delete_timer_changed", "connected_website", "write_access_allowed"),
    *("users_shared", "user_shared", "chat_shared", "proximity_alert_triggered", "boost_added"),
    *("chat_background_set", "forum_topic_created", "forum_topic_edited", "forum_topic_closed"),
    *("forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden"),
    *("video_chat_scheduled", "video_chat_started", "video_chat_ended"),
    *("video_chat_participants_invited", "voice_chat_started", "voice_chat_ended"),
    *("giveaway_created", "giveaway_completed", "refunded_payment", "passport_data"),
    *("paid_message_price_changed", "direct_message_price_changed", "checklist_tasks_done"),
    *("checklist_tasks_added", "gift", "unique_gift", "gift_upgrade_sent", "chat_owner_left"),
    *("chat_owner_changed", "suggested_post_approved", "suggested_post_approval_failed"),
    *("suggested_post_declined", "suggested_post_paid", "suggested_post_refunded"),
    *("poll_option_added", "poll_option_deleted", "managed_bot_created"),
    *("community_chat_added", "community_chat_removed", "community_chat_joined"),
)
"""Parts of a message that nobody wrote: Telegram tells what happened in the chat."""

WHOLE_UNITS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XTR"})
"""Currencies whose smallest unit is the unit itself; the others have cents.

https://core.telegram.org/bots/payments/currencies.json
"""

BLOCKED = Stop(kind="provider_block")

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_START = re.compile(r"/start(?:@\w+)?\s+(\S+)\s*")
_PHONE = re.compile(r"\+?[0-9]{5,19}")

PersonId = Annotated[int, Field(ge=1, lt=2**53)]
ChatId = Annotated[int, Field(gt=-(2**53), lt=2**53)]
MessageId = Annotated[int, Field(ge=0, lt=2**53)]
Seconds = Annotated[int, Field(ge=0, lt=2**40)]
FileId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,500}$")]


# What comes


class User(Payload):
    id: PersonId
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    language_code: str = ""


class Chat(Payload):
    id: ChatId
    type: str = ""
    """Missing in the oldest versions: a person's id is positive, a group's is not."""
    title: str = ""
    first_name: str = ""
    last_name: str = ""

    @property
    def is_private(self) -> bool:
        return self.id > 0 and self.type in {"private", ""}

    @property
    def other(self) -> "User":
        """Who a private chat is with: it has that person's id."""
        return User(id=self.id, first_name=self.first_name, last_name=self.last_name)


class FileOf(Payload):
    """What all files have; each kind has only some of it."""

    file_id: FileId
    file_size: int | None = Field(default=None, ge=0, lt=2**53)
    file_name: str = ""
    mime_type: str = ""
    width: int = 0
    height: int = 0
    is_animated: bool = False
    is_video: bool = False


class Location(Payload):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class Venue(Payload):
    location: Location
    title: str = ""
    address: str = ""


class Contact(Payload):
    phone_number: str = Field(max_length=64)
    first_name: str = ""
    last_name: str = ""
    user_id: PersonId | None = None


class Dice(Payload):
    emoji: str = "🎲"


class Poll(Payload):
    question: str = ""


class Task(Payload):
    text: str = ""


class Checklist(Payload):
    title: str = ""
    tasks: list[Task] = []


class PaidFile(Payload):
    photo: list[FileOf] = []
    video: FileOf | None = None


class PaidMedia(Payload):
    paid_media: list[PaidFile] = []


class Payment(Payload):
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    total_amount: int = Field(ge=0, lt=2**53)
    telegram_payment_charge_id: str = Field(min_length=1, max_length=256)

    @property
    def total(self) -> str:
        if self.currency in WHOLE_UNITS:
            return str(self.total_amount)
        return f"{self.total_amount // 100}.{self.total_amount % 100:02}"


class WebAppData(Payload):
    """What a Mini App sent when the person was done with it."""

    data: str = Field(max_length=65_536)
    button_text: str = ""


class Answered(Payload):
    """The message that another one answers; nothing but its place in the chat is read."""

    message_id: MessageId
    chat: Chat | None = None


class ExternalReply(Payload):
    message_id: MessageId | None = None
    chat: Chat | None = None


class Button(Payload):
    text: str = ""
    callback_data: str = ""


class Keyboard(Payload):
    inline_keyboard: list[list[Button]] = []


class TelegramMessage(Payload):
    """A message of any kind. https://core.telegram.org/bots/api#message"""

    message_id: MessageId
    date: Seconds
    chat: Chat
    sender: User | None = Field(default=None, alias="from")
    sender_chat: Chat | None = None
    sender_business_bot: User | None = None
    business_connection_id: ProviderId | None = Field(default=None, max_length=200)
    ephemeral_message_id: MessageId | None = None
    """Of a message in a group that only one member sees; its `message_id` is 0."""
    edit_date: Seconds | None = None
    text: str = Field(default="", max_length=65_536)
    caption: str = Field(default="", max_length=65_536)
    forward_origin: dict[str, Any] | None = None
    forward_date: int | None = None
    """Before version 7.0."""
    via_bot: User | None = None
    reply_to_message: Answered | None = None
    external_reply: ExternalReply | None = None
    reply_markup: Keyboard | None = None
    photo: list[FileOf] = []
    live_photo: FileOf | None = None
    animation: FileOf | None = None
    document: FileOf | None = None
    audio: FileOf | None = None
    voice: FileOf | None = None
    video: FileOf | None = None
    video_note: FileOf | None = None
    sticker: FileOf | None = None
    paid_media: PaidMedia | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None
    dice: Dice | None = None
    poll: Poll | None = None
    checklist: Checklist | None = None
    rich_message: dict[str, Any] | None = None
    web_app_data: WebAppData | None = None
    successful_payment: Payment | None = None

    @property
    def is_forwarded(self) -> bool:
        return self.forward_origin is not None or self.forward_date is not None

    @property
    def key(self) -> str:
        if self.ephemeral_message_id is not None:
            # These numbers are used again, but not in the same second.
            return f"{self.chat.id}:ephemeral:{self.ephemeral_message_id}:{self.date}"
        return message_key(self.chat.id, self.message_id, self.business_connection_id)


class CallbackQuery(Payload):
    id: ProviderId
    sender: User = Field(alias="from")
    message: dict[str, Any] | None = None
    data: str = Field(default="", max_length=1024)
    game_short_name: str = ""


class ReactionType(Payload):
    type: str
    emoji: str = ""
    custom_emoji_id: str = ""

    @property
    def sign(self) -> str:
        """A company's own emoji has none but its number."""
        return self.emoji or (f":{self.custom_emoji_id}:" if self.custom_emoji_id else "⭐")


class ReactionChange(Payload):
    chat: Chat
    message_id: MessageId
    date: Seconds
    user: User | None = None
    new_reaction: list[ReactionType] = Field(max_length=20)


class Deleted(Payload):
    business_connection_id: ProviderId = Field(max_length=200)
    chat: Chat
    message_ids: list[MessageId] = Field(min_length=1, max_length=1000)


class Member(Payload):
    status: str = Field(pattern=r"^[a-z_]{1,60}$")


class MemberChange(Payload):
    chat: Chat
    sender: User = Field(alias="from")
    date: Seconds
    old_chat_member: Member
    new_chat_member: Member


class Happened(Payload):
    """Of any other update: who and when, where it says so."""

    sender: User | None = Field(default=None, alias="from")
    user: User | None = None
    chat: Chat | None = None
    date: Seconds | None = None


class Person(NamedTuple):
    """Who a touchpoint is of. `user` is missing where somebody speaks for a chat."""

    user: User | None
    chat: Chat | None = None

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """A Telegram user has the same id for every bot, so it needs no scope."""
        if self.user is None:
            return ()
        return (Identifier(type=IdentifierType.TELEGRAM_USER, value=str(self.user.id)),)

    @property
    def name(self) -> str | None:
        if self.user is not None:
            return _name(self.user.first_name, self.user.last_name)
        if self.chat is None:
            return None
        return self.chat.title[:200] or _name(self.chat.first_name, self.chat.last_name)

    @property
    def language(self) -> str | None:
        code = self.user.language_code if self.user else ""
        return code.replace("_", "-") if len(code) <= 35 and _LANGUAGE.fullmatch(code) else None


NOBODY = Person(None)


class Line(NamedTuple):
    """Which bot of ours was told, and when."""

    account: str
    update_id: int
    received_at: datetime

    def touchpoint(
        self,
        content: Content,
        person: Person,
        direction: Direction = Direction.PASSIVE,
        *,
        event_id: str = "",
        at: int | None = None,
        address: str | None = None,
        **more: Any,
    ) -> Touchpoint:
        """An update that is no message is known by its own number."""
        endpoint = None
        if address is not None:
            endpoint = Endpoint(
                channel=Channel.TELEGRAM, provider=NAME, account=self.account, address=address
            )
        return Touchpoint(
            provider=NAME,
            account=self.account,
            provider_event_id=event_id or f"update:{self.update_id}",
            channel=Channel.TELEGRAM,
            direction=direction,
            occurred_at=_moment(at, self.received_at),
            received_at=self.received_at,
            content=content,
            endpoint=endpoint,
            **{
                "identifiers": person.identifiers,
                "name": person.name,
                "language": person.language,
                **more,
            },
        )


# Reading


def read_update(line: Line, update: dict[str, Any]) -> list[Touchpoint]:
    """An update holds one thing beside its number."""
    kinds = [name for name, value in update.items() if name != "update_id" and value is not None]
    kind = kinds[0] if len(kinds) == 1 else ""
    value = update.get(kind)
    if kind in MESSAGES:
        return [_message(line, kind, value)]
    if read := _OTHERS.get(kind):
        return read(line, kind, value)
    return [line.touchpoint(Unsupported(what=f"update of {kind or 'no one kind'}"[:200]), NOBODY)]


def _message(line: Line, kind: str, value: object) -> Touchpoint:
    message = read_model(TelegramMessage, value)
    assert isinstance(value, dict)
    is_own = _is_from_the_business(message)
    person = _author(message)
    private = message.chat.is_private and kind in ANSWERABLE
    content = _content(line, message, value)
    direction, automation = Direction.PASSIVE, None
    if is_own:
        direction, automation = Direction.OUTBOUND, Automation.ECHO
    elif private and isinstance(content, Message) and content.referral is None:
        direction = Direction.INBOUND
    if person.user is not None and person.user.is_bot:
        automation = Automation.BOT
    event_id, at = message.key, message.date
    if MESSAGES[kind] == "edited":
        at = message.edit_date or message.date
        event_id = f"{message.key}:edit:{at}"
        direction = Direction.PASSIVE
        if isinstance(content, Message):
            content = MessageEdit(
                message_id=message.key, text=content.text, attachments=content.attachments
            )
    phone = _own_phone(message)
    return line.touchpoint(
        content,
        person,
        direction,
        event_id=event_id,
        at=at,
        address=_address(message.chat, message.business_connection_id) if private else None,
        automation=automation,
        identifiers=(*person.identifiers, *phone),
        proof=Proof.CONFIRMED if phone else None,
    )


def _is_from_the_business(message: TelegramMessage) -> bool:
    """In a chat that a business account shares with its bot, the chat is the customer; what
    anybody else says there, the company says.
    """
    if message.business_connection_id is None or not message.chat.is_private:
        return False
    sender = message.sender
    return message.sender_business_bot is not None or (
        sender is not None and sender.id != message.chat.id
    )


def _author(message: TelegramMessage) -> Person:
    """In a private chat the other one, whoever wrote. `from` is made up where somebody speaks for
    a chat (an anonymous administrator, a channel): https://core.telegram.org/bots/api#message
    """
    if _is_from_the_business(message):
        return Person(message.chat.other)
    if message.sender_chat is not None:
        return Person(None, message.sender_chat)
    return Person(message.sender, message.chat)


def _content(line: Line, message: TelegramMessage, original: dict[str, Any]) -> Content:
    if message.successful_payment is not None:
        payment = message.successful_payment
        return Purchase(
            number=payment.telegram_payment_charge_id,
            total=payment.total,
            currency=payment.currency,
        )
    service = next((name for name in SERVICE if original.get(name) is not None), None)
    if service is not None:
        return TrackedEvent(name=f"telegram_{service}")
    text, choice = message.text or message.caption, None
    if message.rich_message is not None:
        text = text or _rich_text(message.rich_message)
    if message.web_app_data is not None:
        told = message.web_app_data
        text = told.button_text
        choice = Choice(id=told.data[:1024], title=told.button_text[:1024])
    elif message.dice is not None:
        text = message.dice.emoji
    elif message.poll is not None:
        text = message.poll.question
    elif message.checklist is not None:
        lines = (message.checklist.title, *(one.text for one in message.checklist.tasks))
        text = "\n".join(one for one in lines if one)
    read = Message(
        text=text,
        attachments=_attachments(line, message),
        place=_place(message),
        cards=_cards(message),
        choice=choice,
        referral=_referral(message),
        forwarded=message.is_forwarded,
        in_reply_to=_answered(message),
    )
    if not (read.text or read.attachments or read.place or read.cards or read.choice):
        known = {*TelegramMessage.model_fields, "from", "author_signature", "media_group_id"}
        rest = sorted(set(original) - known)
        return Unsupported(what=f"message with {', '.join(rest) or 'nothing'}"[:200])
    return read


def _referral(message: TelegramMessage) -> Referral | None:
    """What the company wrote into the link that opened the chat.

    https://core.telegram.org/bots/features#deep-linking
    """
    found = _START.fullmatch(message.text) if message.chat.is_private else None
    return Referral(source="link", ref=found[1][:2048]) if found else None


def _answered(message: TelegramMessage) -> str | None:
    if message.reply_to_message is not None:
        answered = message.reply_to_message.message_id
        return message_key(message.chat.id, answered, message.business_connection_id)
    other = message.external_reply
    if other is None or other.chat is None or other.message_id is None:
        return None
    return message_key(other.chat.id, other.message_id)


def _attachments(line: Line, message: TelegramMessage) -> tuple[Attachment, ...]:
    """An animation also stands there as a document, a live photo as a photo: each is read once."""
    paid = message.paid_media.paid_media if message.paid_media else []
    rich = [read_model(FileBlock, one) for one in _files_in(message.rich_message)]
    found: list[tuple[FileOf | None, str, str]] = [
        (message.audio, "audio", "audio/mpeg"),
        (message.voice, "voice", "audio/ogg"),
        (message.video, "video", "video/mp4"),
        (message.video_note, "video", "video/mp4"),
        (message.animation, "video", "video/mp4"),
        (message.live_photo, "video", "video/mp4"),
        (message.sticker, "sticker", _sticker_type(message.sticker)),
        (None if message.animation else message.document, "file", "application/octet-stream"),
        (None if message.live_photo else _largest(message.photo), "image", "image/jpeg"),
        *((_largest(one.photo), "image", "image/jpeg") for one in paid),
        *((one.video, "video", "video/mp4") for one in paid),
        *((_largest(one.photo), "image", "image/jpeg") for one in rich),
        *((one.video or one.animation, "video", "video/mp4") for one in rich),
        *((one.audio, "audio", "audio/mpeg") for one in rich),
        *((one.voice_note, "voice", "audio/ogg") for one in rich),
        *((one.document, "file", "application/octet-stream") for one in rich),
    ]
    return tuple(
        Attachment.model_validate(
            {
                "form": form,
                "name": file.file_name[:255],
                "content_type": (file.mime_type or usual)[:255],
                "size": file.file_size,
                # Only the bot that was shown a file may fetch it.
                "provider_reference": f"{line.account}:{file.file_id}",
            }
        )
        for file, form, usual in found
        if file is not None
    )


_BLOCKS = ("blocks", "items", "cells")
"""The parts of a rich message that hold others, each a paragraph of its own."""
_WORDS = ("label", "summary", "text", "alternative_text", "expression", "caption", "credit")


def _rich_text(part: object) -> str:
    """The words of a rich message, block by block.

    https://core.telegram.org/bots/api#richmessage
    """
    match part:
        case str():
            return part
        case list():
            return "".join(map(_rich_text, part))
        case dict():
            lists = [part[name] for name in _BLOCKS if isinstance(part.get(name), list)]
            words = [_rich_text(part.get(name)) for name in _WORDS]
            words += [_rich_text(one) for inner in lists for one in inner]
            # What numbers an item of a list stands in its line.
            return (" " if "label" in part else "\n").join(one for one in words if one)
    return ""


def _files_in(part: object) -> list[dict[str, Any]]:
    """The blocks of a rich message that hold a file."""
    if isinstance(part, list):
        return [file for one in part for file in _files_in(one)]
    if not isinstance(part, dict):
        return []
    nested = [file for name in _BLOCKS for file in _files_in(part.get(name))]
    return [part, *nested] if part.keys() & FileBlock.model_fields.keys() else nested


class FileBlock(Payload):
    photo: list[FileOf] = []
    video: FileOf | None = None
    animation: FileOf | None = None
    audio: FileOf | None = None
    voice_note: FileOf | None = None
    document: FileOf | None = None


def _largest(sizes: list[FileOf]) -> FileOf | None:
    """Of one picture in several sizes."""
    return max(sizes, key=lambda one: (one.width * one.height, one.file_size or 0), default=None)


def _sticker_type(sticker: FileOf | None) -> str:
    if sticker is not None and sticker.is_animated:
        return "application/x-tgsticker"
    return "video/webm" if sticker is not None and sticker.is_video else "image/webp"


def _place(message: TelegramMessage) -> Place | None:
    """A venue also stands there as a bare location."""
    venue, where = message.venue, message.location
    if venue is not None:
        where = venue.location
    if where is None:
        return None
    return Place(
        latitude=where.latitude,
        longitude=where.longitude,
        name=venue.title[:1024] if venue else "",
        address=venue.address[:1024] if venue else "",
    )


def _cards(message: TelegramMessage) -> tuple[ContactCard, ...]:
    card = message.contact
    if card is None:
        return ()
    name = _name(card.first_name, card.last_name) or ""
    return (ContactCard(name=name, phones=(card.phone_number,)),)


def _own_phone(message: TelegramMessage) -> tuple[Identifier, ...]:
    """The number with which the sender signed up at Telegram, which had it confirmed.

    Telegram fills in whose a shared number is. A card that is passed on may be years old.
    """
    card, sender = message.contact, message.sender
    if card is None or sender is None or card.user_id != sender.id or message.is_forwarded:
        return ()
    number = re.sub(r"[\s()-]", "", card.phone_number)
    if not _PHONE.fullmatch(number):
        return ()
    return (Identifier(type=IdentifierType.PHONE, value=f"+{number.removeprefix('+')}"),)


# The updates that are no messages


def _callback(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """A button under a message of ours was pressed. Where the message is not shown (it is old, or
    was sent through another chat), nobody knows what stood on the button.
    """
    query = read_model(CallbackQuery, value)
    about = query.message or {}
    shown = read_model(Answered, about) if about else None
    person = Person(query.sender)
    event_id = f"callback:{query.id}"
    if query.game_short_name:
        game: dict[str, JsonValue] = {"game_short_name": query.game_short_name}
        content: Content = TrackedEvent(name="telegram_game_opened", properties=game)
        return [line.touchpoint(content, person, event_id=event_id)]
    title = _title(about.get("reply_markup"), query.data)
    connection = about.get("business_connection_id")
    connection = connection if isinstance(connection, str) else None
    address = answered = None
    if shown is not None and shown.chat is not None:
        answered = message_key(shown.chat.id, shown.message_id, connection)
        address = _address(shown.chat, connection) if shown.chat.is_private else None
    content = Message(
        text=title or query.data,
        choice=Choice(id=query.data, title=title),
        in_reply_to=answered,
    )
    direction = Direction.INBOUND if address else Direction.PASSIVE
    return [
        line.touchpoint(
            content,
            person,
            direction,
            event_id=event_id,
            address=address,
            automation=Automation.BOT if query.sender.is_bot else None,
        )
    ]


def _title(markup: object, data: str) -> str:
    if markup is None:
        return ""
    rows = read_model(Keyboard, markup).inline_keyboard
    titles = (one.text for row in rows for one in row if one.callback_data == data)
    return next(titles, "")[:1024]


def _reaction(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """`new_reaction` is all that this person now has put to the message."""
    change = read_model(ReactionChange, value)
    message_id = message_key(change.chat.id, change.message_id)
    signs = "".join(one.sign for one in change.new_reaction)
    return [
        line.touchpoint(
            Reaction(message_id=message_id, emoji=signs[:64]),
            Person(change.user),
            event_id=f"{message_id}:reaction:{line.update_id}",
            at=change.date,
            address=_address(change.chat) if change.chat.is_private else None,
        )
    ]


def _deletions(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """Of a business account: who deleted, the customer or the company, is not told."""
    deleted = read_model(Deleted, value)
    connection = deleted.business_connection_id
    user = deleted.chat.other if deleted.chat.is_private else None
    chat = deleted.chat.id
    keys = dict.fromkeys(message_key(chat, one, connection) for one in deleted.message_ids)
    return [
        line.touchpoint(
            MessageDeletion(message_id=key),
            Person(user),
            event_id=f"{key}:deleted",
            address=_address(deleted.chat, connection) if user else None,
        )
        for key in keys
    ]


def _own_membership(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """In a private chat: the person has blocked the bot, or takes its messages again."""
    change = read_model(MemberChange, value)
    before, now = change.old_chat_member.status, change.new_chat_member.status
    if not change.chat.is_private:
        facts: dict[str, JsonValue] = {"before": before, "now": now, "chat": change.chat.type}
        content = TrackedEvent(name=f"telegram_{kind}", properties=facts)
        return [line.touchpoint(content, Person(change.sender), at=change.date)]
    if now == "kicked":
        content = TrackedEvent(name="telegram_bot_blocked", stop=BLOCKED)
    else:
        content = TrackedEvent(name="telegram_bot_started", lifts=BLOCKED)
    return [
        line.touchpoint(
            content, Person(change.sender), at=change.date, address=_address(change.chat)
        )
    ]


def _happened(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """What asks for no answer of ours and is no message: its scalars are kept as they are."""
    happened = read_model(Happened, value)
    assert isinstance(value, dict)
    facts: dict[str, JsonValue] = {
        name: one
        for name, one in value.items()
        if isinstance(one, str | int | float) and name not in {"date", "bio"}
    }
    person = Person(happened.sender or happened.user)
    is_bot = person.user is not None and person.user.is_bot
    return [
        line.touchpoint(
            TrackedEvent(name=f"telegram_{kind}", properties=facts),
            person,
            at=happened.date,
            automation=Automation.BOT if is_bot else None,
        )
    ]


_OTHERS = {
    "callback_query": _callback,
    "message_reaction": _reaction,
    "deleted_business_messages": _deletions,
    "my_chat_member": _own_membership,
    **dict.fromkeys(
        (
            *("business_connection", "message_reaction_count", "inline_query"),
            *("chosen_inline_result", "shipping_query", "pre_checkout_query"),
            *("purchased_paid_media", "poll", "poll_answer", "chat_member"),
            *("chat_join_request", "chat_boost", "removed_chat_boost", "managed_bot"),
            *("subscription", "stopped_message_generation"),
        ),
        _happened,
    ),
}


# Names of things


def message_key(chat: int, message: int, connection: str | None = None) -> str:
    """A message has its number within its chat. What a business account shares with its bot is
    numbered by that account, so the same two numbers are another message.
    """
    return f"{connection}:{chat}:{message}" if connection else f"{chat}:{message}"


def _address(chat: Chat, connection: str | None = None) -> str:
    return f"{connection}:{chat.id}" if connection else str(chat.id)


def number_in_chat(key: str | None, address: str) -> int | None:
    """The number of the message in this very chat; None for what is not one, such as a button."""
    chat, _, message = (key or "").rpartition(":")
    return int(message) if chat == address and message.isdecimal() else None


def _name(*parts: str) -> str | None:
    return " ".join(part for part in parts if part)[:200] or None


def _moment(seconds: int | None, received_at: datetime) -> datetime:
    if seconds is None:
        return received_at
    try:
        return believable(datetime.fromtimestamp(seconds, UTC), received_at)
    except (ValueError, OverflowError, OSError):
        return received_at
