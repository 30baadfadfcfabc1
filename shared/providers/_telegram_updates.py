"""What Telegram's updates mean: the half of `telegram` that reads. What a message holds is read by
`_telegram_message`.

https://core.telegram.org/bots/api#update, read against version 10.3 of 2026; what is newer is kept
as Unsupported.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, JsonValue

from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Automation,
    Channel,
    Choice,
    Content,
    Direction,
    Endpoint,
    Message,
    MessageDeletion,
    MessageEdit,
    Reaction,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._telegram_message import (
    Answered,
    Chat,
    Keyboard,
    MessageId,
    Seconds,
    TelegramMessage,
    User,
    content_of,
    full_name,
    message_key,
)
from shared.providers.base import IfReadable, Payload, ProviderId, as_text, believable, read_model

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

BLOCKED = Stop(kind="provider_block")

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_PHONE = re.compile(r"\+?[0-9]{5,19}")


# What comes


class Shown(Answered):
    """The message under which a button was pressed."""

    business_connection_id: IfReadable[ProviderId] = None
    reply_markup: IfReadable[Keyboard] = None

    def title(self, data: str) -> str:
        """What stands on the button."""
        rows = self.reply_markup.inline_keyboard if self.reply_markup else []
        titles = (one.text for row in rows for one in row if one.callback_data == data)
        return next(titles, "")[:1024]


class CallbackQuery(Payload):
    id: Annotated[ProviderId, BeforeValidator(as_text)]
    sender: User = Field(alias="from")
    message: IfReadable[Shown] = None
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
    actor_chat: IfReadable[Chat] = None
    """Of whom it is, where somebody reacts for a chat."""
    new_reaction: list[ReactionType] = Field(default=[], max_length=20)


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


class BoostSource(Payload):
    user: User | None = None


class Boost(Payload):
    add_date: Seconds | None = None
    source: BoostSource = BoostSource()


class Happened(Payload):
    """Of any other update: who and when, where it says so."""

    sender: User | None = Field(default=None, alias="from")
    user: User | None = None
    chat: Chat | None = None
    voter_chat: IfReadable[Chat] = None
    date: Seconds | None = None
    boost: IfReadable[Boost] = None
    source: IfReadable[BoostSource] = None
    """Of a boost that was taken away."""
    remove_date: IfReadable[Seconds] = None

    @property
    def who(self) -> "Person":
        source = self.boost.source if self.boost else self.source
        return Person(
            self.sender or self.user or (source.user if source else None), self.voter_chat
        )

    @property
    def when(self) -> int | None:
        return self.date or (self.boost.add_date if self.boost else self.remove_date)


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
            return full_name(self.user.first_name, self.user.last_name)
        if self.chat is None:
            return None
        return self.chat.title[:200] or full_name(self.chat.first_name, self.chat.last_name)

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
    content = content_of(line.account, message, value)
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
    # A colleague's own card names them, and not the customer they gave it to.
    phone = () if is_own else _own_phone(message)
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
    shown = query.message
    person = Person(query.sender)
    event_id = f"callback:{query.id}"
    if query.game_short_name:
        game: dict[str, JsonValue] = {"game_short_name": query.game_short_name}
        content: Content = TrackedEvent(name="telegram_game_opened", properties=game)
        return [line.touchpoint(content, person, event_id=event_id)]
    title = shown.title(query.data) if shown else ""
    address = answered = None
    if shown is not None and shown.chat is not None:
        connection = shown.business_connection_id
        answered = message_key(shown.chat.id, shown.message_id, connection)
        # In a customer's chat with a business, the business may press it too.
        is_theirs = shown.chat.is_private and shown.chat.id == query.sender.id
        address = _address(shown.chat, connection) if is_theirs else None
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


def _reaction(line: Line, kind: str, value: object) -> list[Touchpoint]:
    """`new_reaction` is all that this person now has put to the message."""
    change = read_model(ReactionChange, value)
    message_id = message_key(change.chat.id, change.message_id)
    signs = "".join(one.sign for one in change.new_reaction)
    return [
        line.touchpoint(
            Reaction(message_id=message_id, emoji=signs[:64]),
            Person(change.user, change.actor_chat),
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
    person = happened.who
    is_bot = person.user is not None and person.user.is_bot
    return [
        line.touchpoint(
            TrackedEvent(name=f"telegram_{kind}", properties=facts),
            person,
            at=happened.when,
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


def _address(chat: Chat, connection: str | None = None) -> str:
    return f"{connection}:{chat.id}" if connection else str(chat.id)


def number_in_chat(key: str | None, address: str) -> int | None:
    """The number of the message in this very chat; None for what is not one, such as a button."""
    chat, _, message = (key or "").rpartition(":")
    return int(message) if chat == address and message.isdecimal() else None


def _moment(seconds: int | None, received_at: datetime) -> datetime:
    if seconds is None:
        return received_at
    try:
        return believable(datetime.fromtimestamp(seconds, UTC), received_at)
    except (ValueError, OverflowError, OSError):
        return received_at
