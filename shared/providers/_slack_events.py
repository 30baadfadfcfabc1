"""What Slack's requests mean: the half of `slack` that reads.

Events: https://docs.slack.dev/apis/events-api and https://docs.slack.dev/reference/events
Commands: https://docs.slack.dev/interactivity/implementing-slash-commands
Buttons and forms: https://docs.slack.dev/reference/interaction-payloads
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, JsonValue, StringConstraints

from shared.domain.errors import MalformedPayload
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.touchpoint import (
    Attachment,
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
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers.base import Payload, ProviderId, believable, read_json, read_model

NAME = "slack"

SPOKEN = frozenset(
    {"", "file_share", "thread_broadcast", "me_message", "bot_message", "reply_broadcast"}
)
"""The subtypes of a message that hold somebody's words; any other is Slack's, about the channel.

https://docs.slack.dev/reference/events/message#subtypes
"""

_TS = r"[0-9]{1,12}\.[0-9]{1,9}"
Ts = Annotated[str, StringConstraints(pattern=rf"^{_TS}$")]
"""Seconds, and what makes it unique within its channel: the number of a message there."""
SlackId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,40}$")]
AnyText = Annotated[str, StringConstraints(max_length=200_000)]


class File(Payload):
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    subtype: str | None = None
    size: int | None = Field(default=None, ge=0, lt=2**53)
    url_private: str | None = Field(default=None, max_length=2000)
    url_private_download: str | None = Field(default=None, max_length=2000)


class BotProfile(Payload):
    app_id: str = ""
    name: str = ""


class Edited(Payload):
    ts: Ts


class SlackMessage(Payload):
    """A message: an event of its own, or within one that says what became of it."""

    ts: Ts
    subtype: str = ""
    user: str | None = None
    username: str | None = None
    user_team: str | None = None
    text: AnyText | None = None
    thread_ts: Ts | None = None
    parent_user_id: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_profile: BotProfile = BotProfile()
    files: list[File] = []
    edited: Edited | None = None


class MessageEvent(SlackMessage):
    """`message` and `app_mention`. Of the first there are several sorts, told by `subtype`."""

    channel: SlackId
    channel_type: str = ""
    event_ts: Ts | None = None
    message: dict[str, Any] | None = None
    previous_message: dict[str, Any] | None = None
    deleted_ts: Ts | None = None


class Item(Payload):
    type: str = "message"
    channel: SlackId | None = None
    ts: Ts | None = None


class ReactionEvent(Payload):
    user: str | None = Field(default=None, max_length=60)
    reaction: str = Field(max_length=200)
    item: Item
    event_ts: Ts


class Authorization(Payload):
    user_id: str | None = None
    is_bot: bool = False


class Wrapper(Payload):
    """Around every event."""

    team_id: SlackId | None = None
    context_team_id: SlackId | None = None
    enterprise_id: SlackId | None = None
    """What is said to a whole organisation names no team."""
    api_app_id: str = ""
    event: dict[str, Any]
    event_id: ProviderId | None = None
    event_time: int | None = Field(default=None, ge=0, lt=2**40)
    """In seconds: when it happened, where the event itself does not say it more exactly."""
    authorizations: list[Authorization] | None = None
    authed_users: list[str] | None = None
    """Before 2020, in place of `authorizations`."""


class Command(Payload):
    team_id: SlackId
    channel_id: SlackId
    user_id: SlackId
    user_name: str = ""
    command: str = Field(pattern=r"^/\S{1,80}$")
    text: AnyText = ""
    trigger_id: ProviderId | None = None


class Named(Payload):
    id: SlackId
    team_id: SlackId | None = None
    name: str | None = None
    username: str | None = None


class Words(Payload):
    text: AnyText = ""


class Option(Payload):
    text: Words = Words()
    value: str = Field(default="", max_length=2000)


class Action(Payload):
    """What was done with one element: pressed, picked from, or filled in."""

    type: str = ""
    action_id: str = ""
    name: str = ""
    value: str | None = Field(default=None, max_length=200_000)
    text: Words | None = None
    selected_option: Option | None = None
    selected_options: list[Option] | None = None
    selected_date: str | None = None
    selected_time: str | None = None
    selected_user: str | None = None
    selected_channel: str | None = None
    selected_conversation: str | None = None
    selected_users: list[str] = []
    selected_channels: list[str] = []
    selected_conversations: list[str] = []
    selected_date_time: int | None = Field(default=None, ge=0, lt=2**40)
    rich_text_value: dict[str, Any] | None = None

    @property
    def options(self) -> list[Option]:
        return [self.selected_option] if self.selected_option else self.selected_options or []

    @property
    def choice(self) -> Choice:
        options = self.options
        title = ", ".join(one.text.text for one in options) or (self.text.text if self.text else "")
        known = ", ".join(one.value for one in options) or self.value or self.action_id or self.name
        return Choice(id=known[:1024], title=(title or self.said)[:1024])

    @property
    def said(self) -> str:
        """The answer in words, where one was given."""
        picked = ", ".join(one.text.text or one.value for one in self.options)
        several = (self.selected_users, self.selected_channels, self.selected_conversations)
        others = (
            *(self.selected_date, self.selected_time, self.selected_user),
            *(self.selected_channel, self.selected_conversation, self.value),
            *(", ".join(one) for one in several),
            _date(self.selected_date_time),
            _words_of(self.rich_text_value),
        )
        return picked or next((one for one in others if one), "")


def _date(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _words_of(part: Any) -> str:
    """Of formatted text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block"""
    match part:
        case {"text": str(text)}:
            return text
        case {"elements": list(elements)}:
            apart = "" if part.get("type") == "rich_text_section" else "\n"
            return apart.join(map(_words_of, elements))
    return ""


class Container(Payload):
    type: str = ""
    channel_id: SlackId | None = None
    message_ts: Ts | None = None
    thread_ts: Ts | None = None


class Interaction(Payload):
    """A button, a form, a shortcut."""

    type: str = Field(pattern=r"^[a-z_]{1,60}$")
    team: Named | None = None
    user: Named
    channel: Named | None = None
    container: Container = Container()
    message_ts: Ts | None = None
    callback_id: str = ""
    trigger_id: ProviderId | None = None
    action_ts: Ts | None = None
    actions: list[Action] = []
    message: dict[str, Any] | None = None
    view: dict[str, Any] | None = None
    submission: dict[str, Any] | None = None


class Block(Payload):
    block_id: str = ""
    label: Words | None = None


class State(Payload):
    values: dict[str, dict[str, Action]] = {}


class View(Payload):
    callback_id: str = ""
    blocks: list[Block] = []
    state: State = State()


class App(NamedTuple):
    """Our app in one workspace, as far as a request tells."""

    team: str
    id: str
    users: frozenset[str]
    """Who it is there: the users by whose name it is mentioned, and writes."""
    received_at: datetime

    def is_mentioned(self, text: str) -> bool:
        return any(f"<@{one}>" in text or f"<@{one}|" in text for one in self.users)

    def wrote(self, message: SlackMessage) -> bool:
        apps = {message.app_id, message.bot_profile.app_id} - {None, ""}
        return self.id in apps or (message.user or "") in self.users

    def touchpoint(
        self,
        content: Content,
        user: str | None,
        event_id: str,
        *,
        direction: Direction = Direction.PASSIVE,
        at: str | None = None,
        address: str | None = None,
        team: str | None = None,
        name: str | None = None,
        automation: Automation | None = None,
    ) -> Touchpoint:
        identifiers: tuple[Identifier, ...] = ()
        if user and re.fullmatch(r"[A-Z0-9]{1,40}", user):
            scope = (team or self.team)[:200]
            identifiers = (Identifier(type=IdentifierType.SLACK_USER, scope=scope, value=user),)
        endpoint = None
        if address is not None:
            endpoint = Endpoint(
                channel=Channel.SLACK, provider=NAME, account=self.team, address=address
            )
        return Touchpoint(
            provider=NAME,
            account=self.team,
            provider_event_id=event_id,
            channel=Channel.SLACK,
            direction=direction,
            occurred_at=_moment(at, self.received_at),
            received_at=self.received_at,
            content=content,
            identifiers=identifiers,
            endpoint=endpoint,
            name=(name or "")[:200] or None,
            automation=automation,
        )


# Events


def read_event(
    body: dict[str, Any], bot_users: list[str], digest: str, received_at: datetime
) -> list[Touchpoint]:
    """`digest` stands in for an id where a request has none."""
    if body.get("type") != "event_callback":
        return [_other_request(body, digest, received_at)]
    wrapper = read_model(Wrapper, body)
    told = [one.user_id for one in wrapper.authorizations or [] if one.is_bot]
    users = frozenset(one for one in (*told, *(wrapper.authed_users or []), *bot_users) if one)
    team = wrapper.team_id or wrapper.context_team_id or wrapper.enterprise_id or ""
    app = App(team, wrapper.api_app_id, users, received_at)
    kind = wrapper.event.get("type")
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z_.]{1,60}", kind):
        raise MalformedPayload("event.type: missing or no name of an event")
    event_id = f"event:{wrapper.event_id or digest}"
    event = wrapper.event
    if wrapper.event_time is not None and not (event.get("event_ts") or event.get("ts")):
        event = {**event, "event_ts": f"{wrapper.event_time}.000000"}
    read: Callable[..., Touchpoint] = _EVENTS.get(kind, _happened)
    return [read(app, kind, event, event_id)]


def _other_request(body: dict[str, Any], digest: str, received_at: datetime) -> Touchpoint:
    """Such as that Slack holds events back, for we take them too slowly."""
    kind, team = str(body.get("type", ""))[:60], body.get("team_id")
    team = team if isinstance(team, str) and re.fullmatch(r"[A-Z0-9]{1,40}", team) else ""
    app = App(team, "", frozenset(), received_at)
    return app.touchpoint(Unsupported(what=f"request of type {kind}"), None, f"request:{digest}")


def _message(app: App, kind: str, original: dict[str, Any], event_id: str) -> Touchpoint:
    event = read_model(MessageEvent, original)
    if event.subtype == "message_changed" and event.message is not None:
        ts = event.previous_message.get("ts") if event.previous_message else None
        changed = read_model(SlackMessage, {"ts": ts, **event.message})
        return _changed(app, event, changed, event_id)
    if event.subtype == "message_deleted" and event.deleted_ts is not None:
        before = event.previous_message
        gone = read_model(SlackMessage, before) if before else None
        return _deleted(app, event, event.deleted_ts, gone)
    if event.subtype not in SPOKEN:
        return _happened(app, f"{kind}_{event.subtype}", original, event_id)
    key = message_key(event.channel, event.ts)
    is_direct = _is_direct(event)
    text = event.text or ""
    asks = (
        kind == "app_mention"
        or is_direct
        or app.is_mentioned(text)
        or (event.parent_user_id or "") in app.users
    )
    is_ours = app.wrote(event)
    automation = Automation.ECHO if is_ours else _machine(event)
    direction = Direction.INBOUND if asks else Direction.PASSIVE
    if is_ours:
        direction = Direction.OUTBOUND
    thread = event.thread_ts if event.thread_ts != event.ts else None
    began = message_key(event.channel, thread) if thread else None
    content = Message(
        text=plain(text),
        attachments=_attachments(app, event),
        in_reply_to=began,
        thread=(began,) if began else (),
    )
    return app.touchpoint(
        content,
        None if is_ours else event.user,
        key,
        direction=direction,
        at=event.ts,
        address=event.channel if asks else None,
        team=event.user_team,
        name=event.username or event.bot_profile.name,
        automation=automation,
    )


def _machine(message: SlackMessage) -> Automation | None:
    speaks = message.bot_id or message.subtype == "bot_message" or message.user == "USLACKBOT"
    return Automation.BOT if speaks else None


def _is_direct(event: MessageEvent) -> bool:
    return event.channel_type in {"im", "app_home"} or event.channel.startswith("D")


def _changed(app: App, event: MessageEvent, message: SlackMessage, event_id: str) -> Touchpoint:
    """Slack itself changes a message too: it adds a preview of a link, or counts answers. One with
    answers is not deleted, but becomes a tombstone.
    """
    if message.subtype == "tombstone":
        return _deleted(app, event, message.ts, message)
    if message.edited is None:
        return _happened(
            app, "message_message_changed", {"channel": event.channel}, event_id, at=event.ts
        )
    key = message_key(event.channel, message.ts)
    return app.touchpoint(
        MessageEdit(
            message_id=key,
            text=plain(message.text or ""),
            attachments=_attachments(app, message),
        ),
        None if app.wrote(message) else message.user,
        f"{key}:edit:{message.edited.ts}",
        at=message.edited.ts,
        address=event.channel if _is_direct(event) else None,
        team=message.user_team,
        automation=Automation.ECHO if app.wrote(message) else _machine(message),
    )


def _deleted(app: App, event: MessageEvent, ts: str, message: SlackMessage | None) -> Touchpoint:
    key = message_key(event.channel, ts)
    is_ours = message is not None and app.wrote(message)
    automation = _machine(message) if message is not None else None
    return app.touchpoint(
        MessageDeletion(message_id=key),
        message.user if message is not None and not is_ours else None,
        f"{key}:deleted",
        at=event.event_ts or event.ts,
        address=event.channel if _is_direct(event) else None,
        team=message.user_team if message is not None else None,
        automation=Automation.ECHO if is_ours else automation,
    )


def _reaction(app: App, kind: str, original: dict[str, Any], event_id: str) -> Touchpoint:
    event = read_model(ReactionEvent, original)
    channel, ts = event.item.channel, event.item.ts
    if event.item.type != "message" or channel is None or ts is None:
        return _happened(app, kind, original, event_id)
    key = message_key(channel, ts)
    added = kind == "reaction_added"
    return app.touchpoint(
        Reaction(message_id=key, emoji=f":{event.reaction[:62]}:" if added else ""),
        event.user,
        f"{key}:reaction:{event.user or ''}:{event.event_ts}",
        at=event.event_ts,
        address=channel if channel.startswith("D") else None,
        automation=Automation.ECHO if (event.user or "") in app.users else None,
    )


def _happened(
    app: App, kind: str, original: dict[str, Any], event_id: str, *, at: str | None = None
) -> Touchpoint:
    """Whatever else happens in a workspace: its scalars are kept as they are."""
    user = original.get("user") or original.get("user_id") or original.get("assistant_thread")
    if isinstance(user, dict):
        user = user.get("id") or user.get("user_id")
    facts: dict[str, JsonValue] = {
        name: one
        for name, one in original.items()
        if isinstance(one, str | int | float)
        and name not in {"type", "user", "user_id", "ts", "event_ts", "text"}
        # The token of a step of a workflow.
        and "token" not in name
    }
    stamp = at or original.get("event_ts") or original.get("ts")
    channel = original.get("channel")
    direct = isinstance(channel, str) and re.fullmatch(r"D[A-Z0-9]{1,40}", channel)
    return app.touchpoint(
        TrackedEvent(name=f"slack_{kind}"[:100], properties=facts),
        user if isinstance(user, str) else None,
        event_id,
        at=stamp if isinstance(stamp, str) and re.fullmatch(_TS, stamp) else None,
        address=channel if direct and isinstance(channel, str) else None,
    )


_EVENTS: Mapping[str, Callable[..., Touchpoint]] = {
    "message": _message,
    "app_mention": _message,
    "reaction_added": _reaction,
    "reaction_removed": _reaction,
}


# Commands, buttons and forms


def read_command(fields: Mapping[str, str], digest: str, received_at: datetime) -> Touchpoint:
    """It leaves no message in the channel, and the app may not be a member there: so the person is
    answered in the app's own chat with them, which their user id opens.
    """
    command = read_model(Command, dict(fields))
    app = App(command.team_id, "", frozenset(), received_at)
    return app.touchpoint(
        Message(text=f"{command.command} {plain(command.text)}".strip()),
        command.user_id,
        f"trigger:{command.trigger_id or digest}",
        direction=Direction.INBOUND,
        address=command.user_id,
        name=command.user_name,
    )


def read_interaction(payload: str, digest: str, received_at: datetime) -> Touchpoint:
    document = read_json(payload.encode())
    told = read_model(Interaction, document)
    # Of an app that a whole organisation uses, only the person says their team.
    team = told.team.id if told.team else told.user.team_id or ""
    app = App(team, "", frozenset(), received_at)
    read = _INTERACTIONS.get(told.type)
    content, address = read(told) if read else (None, None)
    at = told.action_ts or next(
        (one for one in _action_times(document) if re.fullmatch(_TS, one)), None
    )
    return app.touchpoint(
        content or TrackedEvent(name=f"slack_{told.type}", properties=_named(told)),
        told.user.id,
        f"trigger:{told.trigger_id or digest}",
        direction=Direction.INBOUND if content else Direction.PASSIVE,
        at=at,
        address=address,
        name=told.user.name or told.user.username,
    )


Read = tuple[Message | None, str | None]
"""What was said, if anything was, and where it is answered."""


def _pressed(told: Interaction) -> Read:
    channel = told.container.channel_id or (told.channel.id if told.channel else None)
    ts = told.container.message_ts or told.message_ts
    choices = [one.choice for one in told.actions]
    if not choices:
        return None, None
    text = plain("\n".join(one.title or one.id for one in choices))
    if channel is None or ts is None:
        return Message(text=text, choice=choices[0]), told.user.id
    began = told.container.thread_ts or (None if channel.startswith("D") else ts)
    return (
        Message(
            text=text,
            choice=choices[0],
            in_reply_to=message_key(channel, ts),
            thread=(message_key(channel, began),) if began else (),
        ),
        channel,
    )


def _submitted(told: Interaction) -> Read:
    """A line for each answer, after what was asked."""
    view = read_model(View, told.view or {})
    asked = {one.block_id: one.label.text for one in view.blocks if one.label is not None}
    answers = [
        (asked.get(block, ""), one.said)
        for block, elements in view.state.values.items()
        for one in elements.values()
    ]
    return _form(answers), told.user.id


def _dialog(told: Interaction) -> Read:
    """The forms of before 2019."""
    answers = [(name, one) for name, one in (told.submission or {}).items() if isinstance(one, str)]
    return _form(answers), told.user.id


def _form(answers: list[tuple[str, str]]) -> Message | None:
    lines = [f"{label}: {said}" if label else said for label, said in answers if said]
    return Message(text=plain("\n".join(lines))) if lines else None


def _passed_on(told: Interaction) -> Read:
    """Somebody picked our shortcut from the menu of a message, of theirs or of anybody's."""
    if told.message is None or told.channel is None:
        return None, None
    about = read_model(SlackMessage, told.message)
    return (
        Message(
            text=plain(about.text or ""),
            forwarded=True,
            in_reply_to=message_key(told.channel.id, about.ts),
        ),
        told.user.id,
    )


_INTERACTIONS: Mapping[str, Callable[[Interaction], Read]] = {
    "block_actions": _pressed,
    "interactive_message": _pressed,
    "view_submission": _submitted,
    "dialog_submission": _dialog,
    "message_action": _passed_on,
}


def _named(told: Interaction) -> dict[str, JsonValue]:
    return {"callback_id": told.callback_id} if told.callback_id else {}


def _action_times(document: JsonValue) -> list[str]:
    actions = document.get("actions") if isinstance(document, dict) else None
    known = actions if isinstance(actions, list) else []
    found = [one.get("action_ts") for one in known if isinstance(one, dict)]
    return [one for one in found if isinstance(one, str)]


# Words and files


_MARKUP = re.compile(r"<([^<>]*)>")


def plain(text: str) -> str:
    """The words as a person reads them in Slack.

    https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
    """
    return unescape_slack(_MARKUP.sub(lambda found: _shown(found[1]), text))


def unescape_slack(text: str) -> str:
    """Exactly three characters are escaped."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _shown(inner: str) -> str:
    """What stands for a mention, a channel, a group, a date or a link."""
    target, _, label = inner.partition("|")
    match target[:1]:
        case "@" | "#":
            return f"{target[0]}{label.lstrip('@#') or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in target or label == bare:
        return label or bare
    return f"{label} ({bare})"


_FORMS: Mapping[str, Literal["image", "audio", "video"]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
}


def _attachments(app: App, message: SlackMessage) -> tuple[Attachment, ...]:
    """A file of another workspace is shown without its address, a deleted one without anything."""
    return tuple(_attachment(app, one) for one in message.files[:100])


def _attachment(app: App, file: File) -> Attachment:
    kind = (file.mimetype or "").partition("/")[0]
    url = file.url_private_download or file.url_private
    return Attachment(
        form="voice" if file.subtype == "slack_audio" else _FORMS.get(kind, "file"),
        name=(file.name or file.title or "")[:255],
        content_type=(file.mimetype or "application/octet-stream")[:255],
        size=file.size,
        # Whose token may fetch it.
        provider_reference=f"{app.team}:{url}" if url else None,
    )


def message_key(channel: str, ts: str) -> str:
    """A message has its number within its channel."""
    return f"{channel}:{ts}"


def _moment(stamp: str | None, received_at: datetime) -> datetime:
    if stamp is None:
        return received_at
    try:
        return believable(datetime.fromtimestamp(float(stamp), UTC), received_at)
    except (ValueError, OverflowError, OSError):
        return received_at
