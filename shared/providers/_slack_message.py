"""What Slack's events and interactions have in common: our app, a message, its words and files."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints

from shared.domain.identity import Identifier, IdentifierType
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Content,
    Direction,
    Endpoint,
    Touchpoint,
)
from shared.providers.base import Payload, believable

NAME = "slack"

TS = r"[0-9]{1,12}\.[0-9]{1,9}"
Ts = Annotated[str, StringConstraints(pattern=rf"^{TS}$")]
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


def attachments_of(app: App, message: SlackMessage) -> tuple[Attachment, ...]:
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
