"""What a message on Telegram holds: words, files, places, cards, whatever else people send.

https://core.telegram.org/bots/api#message, read against version 10.3 of 2026; what is newer is kept
as Unsupported.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from shared.domain.errors import MalformedPayload
from shared.domain.touchpoint import (
    Attachment,
    Choice,
    ContactCard,
    Content,
    Message,
    Place,
    Purchase,
    Referral,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import IfReadable, Payload, ProviderId, as_text, read_model

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

NOTHING: tuple[object, ...] = (None, False, "", [])
"""What stands where something did not happen; an empty object says that it did."""
AROUND = frozenset(
    {"from", "author_signature", "media_group_id", "via_bot", "reply_markup", "entities"}
)
"""What stands beside the content of a message."""

_START = re.compile(r"/start(?:@\w+)?\s+(\S+)\s*")

# A number may come as text, and a truth as a number: Telegram's own server does not write them so,
# but what stands between may.
PersonId = Annotated[int, Field(strict=False, ge=1, lt=2**53)]
ChatId = Annotated[int, Field(strict=False, gt=-(2**53), lt=2**53)]
MessageId = Annotated[int, Field(strict=False, ge=0, lt=2**53)]
Seconds = Annotated[int, Field(strict=False, ge=0, lt=2**40)]
Flag = Annotated[bool, Field(strict=False)]
Size = IfReadable[Annotated[int, Field(strict=False, ge=0, lt=2**53)]]
FileId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,500}$")]


# What comes


class User(Payload):
    id: PersonId
    is_bot: Flag = False
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
    file_size: Size = None
    file_name: str = ""
    mime_type: str = ""
    width: Size = None
    height: Size = None
    is_animated: Flag = False
    is_video: Flag = False


class Location(Payload):
    latitude: float = Field(strict=False, ge=-90, le=90)
    longitude: float = Field(strict=False, ge=-180, le=180)


class Venue(Payload):
    location: Location
    title: str = ""
    address: str = ""


class Contact(Payload):
    phone_number: Annotated[str, BeforeValidator(as_text)] = Field(max_length=64)
    first_name: str = ""
    last_name: str = ""
    user_id: IfReadable[PersonId] = None


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
    live_photo: FileOf | None = None


class PaidMedia(Payload):
    paid_media: list[PaidFile] = []


class Payment(Payload):
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    total_amount: int = Field(strict=False, ge=0, lt=2**53)
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
    forward_origin: IfReadable[dict[str, Any]] = None
    forward_date: IfReadable[Seconds] = None
    """Before version 7.0."""
    reply_to_message: IfReadable[Answered] = None
    external_reply: IfReadable[ExternalReply] = None
    photo: IfReadable[list[FileOf]] = None
    live_photo: IfReadable[FileOf] = None
    animation: IfReadable[FileOf] = None
    document: IfReadable[FileOf] = None
    audio: IfReadable[FileOf] = None
    voice: IfReadable[FileOf] = None
    video: IfReadable[FileOf] = None
    video_note: IfReadable[FileOf] = None
    sticker: IfReadable[FileOf] = None
    paid_media: IfReadable[PaidMedia] = None
    location: IfReadable[Location] = None
    venue: IfReadable[Venue] = None
    contact: IfReadable[Contact] = None
    dice: IfReadable[Dice] = None
    poll: IfReadable[Poll] = None
    checklist: IfReadable[Checklist] = None
    rich_message: IfReadable[dict[str, Any]] = None
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


# What it says


def content_of(account: str, message: TelegramMessage, original: dict[str, Any]) -> Content:
    """Files are named together with `account`, the bot: only who was shown a file may fetch it."""
    if message.successful_payment is not None:
        payment = message.successful_payment
        return Purchase(
            number=payment.telegram_payment_charge_id,
            total=payment.total,
            currency=payment.currency,
        )
    service = next((name for name in SERVICE if original.get(name) not in NOTHING), None)
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
        attachments=_attachments(account, message),
        place=_place(message),
        cards=_cards(message),
        choice=choice,
        referral=_referral(message),
        forwarded=message.is_forwarded,
        in_reply_to=_answered(message),
    )
    if not (read.text or read.attachments or read.place or read.cards or read.choice):
        for name in TelegramMessage.model_fields:
            if original.get(name) is not None and getattr(message, name) is None:
                # It is all that the message holds.
                raise MalformedPayload(f"{name}: unreadable")
        known = AROUND.union(TelegramMessage.model_fields)
        rest = sorted(one for one in original.keys() - known if original[one] not in NOTHING)
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


def _attachments(account: str, message: TelegramMessage) -> tuple[Attachment, ...]:
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
        (None if message.live_photo else _largest(message.photo or []), "image", "image/jpeg"),
        *((_largest(one.photo), "image", "image/jpeg") for one in paid),
        *((one.video or one.live_photo, "video", "video/mp4") for one in paid),
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
                "provider_reference": f"{account}:{file.file_id}",
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
            words = [_rich_text(part[name]) for name in _WORDS if name in part]
            words += [_rich_block(one) for inner in lists for one in inner]
            # What numbers an item of a list stands in its line.
            return (" " if "label" in part else "\n").join(one for one in words if one)
    return ""


def _rich_block(part: object) -> str:
    """Of a table a row, which is a list of cells."""
    if not isinstance(part, list):
        return _rich_text(part)
    return "\t".join(filter(None, map(_rich_text, part)))


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
    return max(
        sizes,
        key=lambda one: ((one.width or 0) * (one.height or 0), one.file_size or 0),
        default=None,
    )


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
    name = full_name(card.first_name, card.last_name) or ""
    return (ContactCard(name=name, phones=(card.phone_number,)),)


# Names of things


def message_key(chat: int, message: int, connection: str | None = None) -> str:
    """A message has its number within its chat. What a business account shares with its bot is
    numbered by that account, so the same two numbers are another message.
    """
    return f"{connection}:{chat}:{message}" if connection else f"{chat}:{message}"


def full_name(*parts: str) -> str | None:
    return " ".join(part for part in parts if part)[:200] or None
