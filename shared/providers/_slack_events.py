"""What Slack's events mean. https://docs.slack.dev/apis/events-api and
https://docs.slack.dev/reference/events
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue

from shared.domain.errors import MalformedPayload
from shared.domain.touchpoint import (
    Automation,
    Direction,
    Message,
    MessageDeletion,
    MessageEdit,
    Reaction,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from shared.providers._slack_message import (
    TS,
    App,
    SlackId,
    SlackMessage,
    SlackPart,
    Ts,
    attachments_of,
    message_key,
    said,
)
from shared.providers.base import IfReadable, ProviderId, read_model

SPOKEN = frozenset(
    (
        *("", "file_share", "thread_broadcast", "reply_broadcast", "me_message"),
        *("bot_message", "slackbot_response"),
    )
)
"""The subtypes of a message that hold somebody's words; any other is Slack's, about the channel.

https://docs.slack.dev/reference/events/message#subtypes
"""


class MessageEvent(SlackMessage):
    """`message` and `app_mention`. Of the first there are several sorts, told by `subtype`."""

    channel: IfReadable[SlackId] = None
    """Samples of Slack's own leave it out."""
    channel_type: str = ""
    event_ts: IfReadable[Ts] = None
    message: IfReadable[SlackMessage] = None
    previous_message: IfReadable[SlackMessage] = None
    deleted_ts: IfReadable[Ts] = None


class Item(SlackPart):
    type: str = "message"
    channel: IfReadable[SlackId] = None
    ts: IfReadable[Ts] = None


class ReactionEvent(SlackPart):
    user: str | None = Field(default=None, max_length=60)
    reaction: str = Field(max_length=200)
    item: Item
    event_ts: IfReadable[Ts] = None


class Authorization(SlackPart):
    user_id: str | None = None
    is_bot: bool = False


class Wrapper(SlackPart):
    """Around every event."""

    team_id: SlackId | None = None
    context_team_id: SlackId | None = None
    enterprise_id: SlackId | None = None
    """What is said to a whole organisation names no team."""
    api_app_id: str = ""
    event: dict[str, Any]
    event_id: IfReadable[ProviderId] = None
    event_time: IfReadable[Annotated[int, Field(ge=0, lt=2**40)]] = None
    """In seconds: when it happened, where the event itself does not say it more exactly."""
    authorizations: IfReadable[list[Authorization]] = None
    authed_users: IfReadable[list[str]] = None
    """Before 2021, in place of `authorizations`: our app, or a person who installed it."""


# Reading


def read_event(
    body: dict[str, Any], bot_users: list[str], digest: str, received_at: datetime
) -> list[Touchpoint]:
    """`digest` stands in for an id where a request has none."""
    if body.get("type") != "event_callback":
        return [_other_request(body, digest, received_at)]
    wrapper = read_model(Wrapper, body)
    told = [one.user_id for one in wrapper.authorizations or [] if one.is_bot]
    users = frozenset(one for one in (*told, *bot_users) if one)
    team = wrapper.team_id or wrapper.context_team_id or wrapper.enterprise_id or ""
    app = App(team, wrapper.api_app_id, users, received_at, frozenset(wrapper.authed_users or ()))
    kind = wrapper.event.get("type")
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z0-9_.]{1,60}", kind):
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
    if event.channel is not None:
        if event.subtype == "message_changed" and event.message is not None:
            return _changed(app, event, event.channel, event.message, event_id)
        if event.subtype == "message_deleted" and event.deleted_ts is not None:
            key = message_key(event.channel, event.deleted_ts)
            return _deleted(app, event, key, event.previous_message)
    if event.subtype not in SPOKEN:
        return _happened(app, f"{kind}_{event.subtype}", original, event_id)
    is_direct = _is_direct(event)
    asks = (
        kind == "app_mention"
        or is_direct
        or app.is_mentioned(event.text)
        or (event.parent_user_id or "") in app.users | app.installed_by
    )
    is_ours = app.wrote(event)
    automation = Automation.ECHO if is_ours else _machine(event)
    direction = Direction.INBOUND if asks else Direction.PASSIVE
    if is_ours:
        direction = Direction.OUTBOUND
    thread = event.thread_ts if event.thread_ts != event.ts else None
    began = message_key(event.channel, thread) if event.channel and thread else None
    content = Message(
        text=said(event),
        attachments=attachments_of(app.team, event),
        forwarded=bool(event.shared),
        in_reply_to=began,
        thread=(began,) if began else (),
    )
    return app.touchpoint(
        content,
        None if is_ours else event.user,
        message_key(event.channel, event.ts) if event.channel and event.ts else event_id,
        direction=direction,
        at=event.ts or event.event_ts,
        address=event.channel if asks else None,
        team=event.user_team,
        name=event.username or (event.bot_profile.name if event.bot_profile else None),
        automation=automation,
    )


def _machine(message: SlackMessage) -> Automation | None:
    speaks = message.bot_id or message.subtype == "bot_message" or message.user == "USLACKBOT"
    return Automation.BOT if speaks else None


def _is_direct(event: MessageEvent) -> bool:
    return event.channel_type in {"im", "app_home"} or (event.channel or "").startswith("D")


def _changed(
    app: App, event: MessageEvent, channel: str, message: SlackMessage, event_id: str
) -> Touchpoint:
    """Slack itself changes a message too: it adds a preview of a link, or counts answers; and its
    own, when it names a chat with the app or a huddle ends. One with answers is not deleted, but
    becomes a tombstone.
    """
    before = event.previous_message
    ts = message.ts or (before.ts if before else None)
    if message.subtype == "tombstone" and ts is not None:
        return _deleted(app, event, message_key(channel, ts), before)
    if message.edited is None or ts is None or message.subtype not in SPOKEN:
        return _happened(
            app, "message_message_changed", {"channel": channel}, event_id, at=event.ts
        )
    key = message_key(channel, ts)
    at = message.edited.ts or event.ts
    return app.touchpoint(
        MessageEdit(
            message_id=key, text=said(message), attachments=attachments_of(app.team, message)
        ),
        None if app.wrote(message) else message.user,
        f"{key}:edit:{at}",
        at=at,
        address=channel if _is_direct(event) else None,
        team=message.user_team,
        automation=Automation.ECHO if app.wrote(message) else _machine(message),
    )


def _deleted(app: App, event: MessageEvent, key: str, message: SlackMessage | None) -> Touchpoint:
    """`message` as it was before; a tombstone, which says it is Slackbot's, tells nobody."""
    if message is not None and message.subtype == "tombstone":
        message = None
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
        f"{key}:reaction:{event.user or ''}:{event.event_ts or event_id}",
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
        at=stamp if isinstance(stamp, str) and re.fullmatch(TS, stamp) else None,
        address=channel if direct and isinstance(channel, str) else None,
    )


_EVENTS: Mapping[str, Callable[..., Touchpoint]] = {
    "message": _message,
    "app_mention": _message,
    "reaction_added": _reaction,
    "reaction_removed": _reaction,
}
