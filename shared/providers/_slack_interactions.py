"""What people do in Slack beside writing: commands, buttons, forms, shortcuts.

Commands: https://docs.slack.dev/interactivity/implementing-slash-commands
Buttons and forms: https://docs.slack.dev/reference/interaction-payloads
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field, JsonValue

from shared.domain.touchpoint import (
    Attachment,
    Choice,
    Direction,
    Message,
    Touchpoint,
    TrackedEvent,
)
from shared.providers._slack_message import (
    TS,
    AnyText,
    App,
    File,
    SlackId,
    SlackMessage,
    SlackPart,
    Ts,
    attachment_of,
    attachments_of,
    message_key,
    plain,
    said,
    words_of,
)
from shared.providers.base import IfReadable, ProviderId, read_json, read_model


class Command(SlackPart):
    team_id: SlackId
    user_id: SlackId
    user_name: str = ""
    command: str = Field(pattern=r"^/\S{1,80}$")
    text: AnyText = ""
    trigger_id: ProviderId | None = None


class Named(SlackPart):
    id: SlackId
    team_id: SlackId | None = None
    name: str | None = None
    username: str | None = None


class Words(SlackPart):
    text: AnyText = ""


class Option(SlackPart):
    text: Words = Words()
    value: str = Field(default="", max_length=2000)


class Action(SlackPart):
    """What was done with one element: pressed, picked from, or filled in."""

    type: str = ""
    action_id: str = ""
    name: str = ""
    value: str | None = Field(default=None, max_length=200_000)
    text: IfReadable[Words] = None
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
    files: list[IfReadable[File]] = []

    @property
    def options(self) -> list[Option]:
        return [self.selected_option] if self.selected_option else self.selected_options or []

    @property
    def is_cleared(self) -> bool:
        """Only a button says something without an answer in it."""
        return self.type not in {"", "button"} and not (self.said or self.text)

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
            words_of(self.rich_text_value),
        )
        return picked or next((one for one in others if one), "")


def _date(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


class Container(SlackPart):
    type: str = ""
    channel_id: SlackId | None = None
    message_ts: IfReadable[Ts] = None
    thread_ts: IfReadable[Ts] = None


class Interaction(SlackPart):
    """A button, a form, a shortcut."""

    type: str = Field(default="interactive_message", pattern=r"^[a-z_]{1,60}$")
    """Before 2018, buttons were all there was, and nothing said so."""
    team: Named | None = None
    user: Named
    channel: Named | None = None
    container: Container = Container()
    message_ts: IfReadable[Ts] = None
    callback_id: str = ""
    trigger_id: IfReadable[ProviderId] = None
    action_ts: IfReadable[Ts] = None
    actions: list[Action] = []
    message: IfReadable[SlackMessage] = None
    original_message: IfReadable[SlackMessage] = None
    """The same, of a message with buttons of before 2019."""
    view: dict[str, Any] | None = None
    submission: dict[str, Any] | None = None

    @property
    def team_id(self) -> str:
        """Of an app that a whole organisation uses, only the person says their team."""
        return self.team.id if self.team else self.user.team_id or ""

    @property
    def about(self) -> str | None:
        """The number of the message it is about."""
        shown = self.message or self.original_message
        stated = self.container.message_ts or self.message_ts
        return stated or (shown.ts if shown else None)

    def choice(self, action: Action) -> Choice:
        """Before there were blocks, only the message told what stands on a button."""
        shown = self.original_message.attachments if self.original_message else []
        offered = (one for quoted in shown if quoted is not None for one in quoted.actions)
        values = {one.value for one in action.options} or {action.value or ""}
        titles = (
            one.title(values) for one in offered if one is not None and one.name == action.name
        )
        picked = action.choice
        title = next(filter(None, titles), picked.title)
        return picked.model_copy(update={"title": title[:1024]})


class Block(SlackPart):
    block_id: str = ""
    label: Words | None = None


class State(SlackPart):
    values: dict[str, dict[str, IfReadable[Action]]] = {}


class View(SlackPart):
    callback_id: str = ""
    blocks: list[Block] = []
    state: State = State()


# Reading


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
    app = App(told.team_id, "", frozenset(), received_at)
    read = _INTERACTIONS.get(told.type)
    content, address = read(told) if read else (None, None)
    at = told.action_ts or next(
        (one for one in _action_times(document) if re.fullmatch(TS, one)), None
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
    ts = told.about
    choices = [told.choice(one) for one in told.actions if not one.is_cleared]
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
    filled = [
        (asked.get(block, ""), one)
        for block, elements in view.state.values.items()
        for one in elements.values()
        if one is not None
    ]
    files = [file for _, one in filled for file in one.files if file is not None]
    return _form(
        [(label, one.said) for label, one in filled],
        tuple(attachment_of(told.team_id, file) for file in files),
    ), told.user.id


def _dialog(told: Interaction) -> Read:
    """The forms of before 2019."""
    answers = [(name, one) for name, one in (told.submission or {}).items() if isinstance(one, str)]
    return _form(answers), told.user.id


def _form(answers: list[tuple[str, str]], files: tuple[Attachment, ...] = ()) -> Message | None:
    lines = [f"{label}: {answer}" if label else answer for label, answer in answers if answer]
    if not lines and not files:
        return None
    return Message(text=plain("\n".join(lines)), attachments=files)


def _passed_on(told: Interaction) -> Read:
    """Somebody picked our shortcut from the menu of a message, of theirs or of anybody's."""
    if told.message is None or told.channel is None:
        return None, None
    ts = told.about
    return (
        Message(
            text=said(told.message),
            attachments=attachments_of(told.team_id, told.message),
            forwarded=True,
            in_reply_to=message_key(told.channel.id, ts) if ts else None,
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
