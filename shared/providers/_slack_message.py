"""What Slack's events and interactions have in common: our app, a message, its words and files."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints, model_validator

from shared.domain.identity import Identifier, IdentifierType
from shared.domain.media import file_form_of
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Content,
    Direction,
    Endpoint,
    Touchpoint,
)
from shared.providers.base import IfReadable, Payload, believable

NAME = "slack"

TS = r"[0-9]{1,16}(\.[0-9]{1,9})?"
Ts = Annotated[str, StringConstraints(pattern=rf"^{TS}$")]
"""Seconds, and what makes it unique within its channel: the number of a message there."""
_MICROSECONDS = 1e12
"""A stamp from here on has lost its dot, as it stands in samples of Slack's own."""
SlackId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
_USER = re.compile(r"[A-Za-z0-9_-]{1,60}")
AnyText = Annotated[str, StringConstraints(max_length=200_000)]


class SlackPart(Payload):
    """An empty text says nothing either, whatever should stand there."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "" not in given.values():
            return given
        return {name: value for name, value in given.items() if value != ""}


class File(SlackPart):
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    subtype: str | None = None
    size: IfReadable[Annotated[int, Field(ge=0, lt=2**53)]] = None
    url_private: str | None = Field(default=None, max_length=2000)
    url_private_download: str | None = Field(default=None, max_length=2000)


class BotProfile(SlackPart):
    app_id: str = ""
    name: str = ""


class Edited(SlackPart):
    ts: IfReadable[Ts] = None


class Row(SlackPart):
    value: str = ""
    text: str = ""


class Offered(Row):
    """A button or a menu of before there were blocks."""

    name: str = ""
    options: list[IfReadable[Row]] = []

    def title(self, picked: set[str]) -> str:
        """What stands on it, or on the rows of it, that were picked by their values."""
        rows = [one for one in (self, *self.options) if one is not None]
        return ", ".join(one.text for one in rows if one.value in picked)


class Fact(SlackPart):
    title: str = ""
    value: AnyText = ""


class Quoted(SlackPart):
    """An "attachment" of a message: a message that was passed on, or a card a program made."""

    is_share: bool = False
    text: AnyText = ""
    fallback: AnyText = ""
    pretext: AnyText = ""
    title: AnyText = ""
    fields: IfReadable[list[Fact]] = None
    blocks: IfReadable[list[dict[str, Any]]] = None
    message_blocks: IfReadable[list[dict[str, Any]]] = None
    """Those of the message that was passed on, each within its message."""
    files: list[IfReadable[File]] = []
    actions: list[IfReadable[Offered]] = []

    @property
    def words(self) -> str:
        """`fallback` sums up what else a program put on its card, if the program wrote one."""
        blocks = (*(self.blocks or ()), *(self.message_blocks or ()))
        own = _shown_text(self.text) or _lines(blocks) or _shown_text(self.fallback)
        facts = (f"{one.title}: {one.value}".strip(": ") for one in self.fields or ())
        return own or "\n".join(plain(one) for one in (self.pretext, self.title, *facts) if one)


class SlackMessage(SlackPart):
    """A message: an event of its own, or within one that says what became of it."""

    ts: IfReadable[Ts] = None
    subtype: str = ""
    user: str | None = None
    username: str | None = None
    user_team: str | None = None
    text: AnyText = ""
    thread_ts: IfReadable[Ts] = None
    parent_user_id: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_profile: IfReadable[BotProfile] = None
    blocks: IfReadable[list[dict[str, Any]]] = None
    attachments: list[IfReadable[Quoted]] = []
    files: list[IfReadable[File]] = []
    file: IfReadable[File] = None
    """Before 2018, in place of `files`."""
    edited: IfReadable[Edited] = None

    @property
    def shared(self) -> list[Quoted]:
        """The messages that this one passes on."""
        return [one for one in self.attachments if one is not None and one.is_share]


class App(NamedTuple):
    """Our app in one workspace, as far as a request tells."""

    team: str
    id: str
    users: frozenset[str]
    """Who it is there: the users by whose name it is mentioned, and writes."""
    received_at: datetime
    installed_by: frozenset[str] = frozenset()
    """Users of whom it is not told whether they are the app or a person."""

    def is_mentioned(self, text: str) -> bool:
        known = self.users | self.installed_by
        return any(f"<@{one}>" in text or f"<@{one}|" in text for one in known)

    def wrote(self, message: SlackMessage) -> bool:
        profile = message.bot_profile or BotProfile()
        if self.id in {message.app_id, profile.app_id} - {None, ""}:
            return True
        # A person has no bot's id.
        known = self.users | self.installed_by if message.bot_id else self.users
        return (message.user or "") in known

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
        if user and _USER.fullmatch(user):
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


# Words and files


UNSHOWN = frozenset(("This content can't be displayed.", "[no preview available]", "[No text]"))
"""Slack's own words, where there are none to show."""
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


def said(message: SlackMessage) -> str:
    """The words of a message, and below them those it passes on. Who wrote nothing beside what
    they show says what stands there: in blocks, in the cards of a program.
    """
    passed_on = [one.words for one in message.shared]
    own = _shown_text(message.text) or _lines(message.blocks or ())
    if not own and not passed_on:
        passed_on = [one.words for one in message.attachments if one is not None]
    return "\n".join(filter(None, (own, *passed_on)))


def _shown_text(text: str) -> str:
    return "" if text in UNSHOWN else plain(text)


def _lines(parts: Iterable[Any]) -> str:
    return "\n".join(filter(None, map(words_of, parts)))


def words_of(part: Any) -> str:
    """Of formatted text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block"""
    match part:
        case {"fields": list(fields)}:
            return _lines((part.get("text"), *fields))
        case {"rows": list(rows)}:
            return "\n".join("\t".join(map(words_of, row)) for row in rows if isinstance(row, list))
        case {"message": dict(message)}:
            return words_of(message)
        case {"blocks": list(blocks)}:
            return _lines(blocks)
        case {"type": "mrkdwn", "text": str(text)}:
            return plain(text)
        case {"text": str(text)}:
            return text
        case {"text": dict(inner)}:
            return words_of(inner)
        case {"elements": list(elements)}:
            apart = "" if part.get("type") == "rich_text_section" else "\n"
            return apart.join(filter(None, map(words_of, elements)))
        case {"type": "emoji", "name": str(name)}:
            return f":{name}:"
        case {"type": "link", "url": str(url)}:
            return url
        case (
            {"type": "user", "user_id": str(who)}
            | {"type": "usergroup", "usergroup_id": str(who)}
            | {"type": "broadcast", "range": str(who)}
        ):
            return f"@{who}"
        case {"type": "channel", "channel_id": str(channel)}:
            return f"#{channel}"
        case {"type": "date", "fallback": str(date)}:
            return date
    return ""


def attachments_of(team: str, message: SlackMessage) -> tuple[Attachment, ...]:
    """A file of another workspace is shown without its address, a deleted one without anything."""
    return tuple(attachment_of(team, one) for one in _files(message))[:100]


def _files(message: SlackMessage) -> Iterator[File]:
    passed_on = (file for one in message.shared for file in one.files)
    yield from (one for one in (*message.files, message.file, *passed_on) if one is not None)


def attachment_of(team: str, file: File) -> Attachment:
    url = file.url_private_download or file.url_private
    return Attachment(
        form="voice" if file.subtype == "slack_audio" else file_form_of(file.mimetype or ""),
        name=(file.name or file.title or "")[:255],
        content_type=(file.mimetype or "application/octet-stream")[:255],
        size=file.size,
        # Whose token may fetch it.
        provider_reference=f"{team}:{url}" if url else None,
    )


def message_key(channel: str, ts: str) -> str:
    """A message has its number within its channel."""
    return f"{channel}:{ts}"


def _moment(stamp: str | None, received_at: datetime) -> datetime:
    if stamp is None:
        return received_at
    seconds = float(stamp)
    if seconds >= _MICROSECONDS:
        seconds /= 1_000_000
    try:
        return believable(datetime.fromtimestamp(seconds, UTC), received_at)
    except (ValueError, OverflowError, OSError):
        return received_at
