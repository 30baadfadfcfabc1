"""Whether words may go to an endpoint now, how long still, and what else may."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.domain.model import Instant, Model, ProfileId
from shared.domain.reply_window import (
    ReplyWindow,
    WindowKind,
    WindowState,
    open_window,
    opened_at,
    windows_of,
)
from shared.domain.touchpoint import Channel, Endpoint, Touchpoint
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger

MOST_LOOKED_AT = 100
"""Touchpoints, newest first, among which the customer's latest word is looked for."""

Sendable = Literal["persons_words", "machines_words", "template"]


class WindowView(Model):
    """One reply window of an endpoint."""

    kind: WindowKind = Field(
        description="`free` is for whoever wrote the words, `human_agent` for a person's own "
        "answer alone; `always` never closes."
    )
    state: WindowState
    opened_at: Instant | None = Field(description="The customer's latest word there.")
    open_until: Instant | None
    seconds_left: int | None = Field(
        description="0 where it is not open, null where it never closes."
    )


class WayBackView(Model):
    """Where an answer goes, and what may leave for there now. When it leaves, this is asked again:
    the send gate and the provider have the last word.
    """

    endpoint: Endpoint
    windows: tuple[WindowView, ...] = Field(description="The shortest first.")
    may_leave: tuple[Sendable, ...]
    templates: tuple[str, ...] = Field(
        description="What may be sent in place of words, once the windows are closed."
    )


def way_back_view(
    endpoint: Endpoint,
    spoken_at: datetime | None,
    now: datetime,
    *,
    language: str | None,
    policies: Policies,
) -> WayBackView:
    """`language` is what they read, as far as it is known."""
    windows = windows_of(endpoint, spoken_at, policies.sending.reply_windows.get(endpoint.channel))
    templates = sendable_templates(endpoint.channel, language, policies)
    possible: dict[Sendable, bool] = {
        "persons_words": open_window(windows, now, by_person=True) is not None,
        "machines_words": open_window(windows, now, by_person=False) is not None,
        "template": bool(templates),
    }
    return WayBackView(
        endpoint=endpoint,
        windows=tuple(_window_view(one, now) for one in windows),
        may_leave=tuple(what for what, may in possible.items() if may),
        templates=templates,
    )


def _window_view(window: ReplyWindow, now: datetime) -> WindowView:
    left = window.remaining(now)
    return WindowView(
        kind=window.kind,
        state=window.state(now),
        opened_at=window.opened_at,
        open_until=window.open_until,
        seconds_left=int(left.total_seconds()) if left is not None else None,
    )


def sendable_templates(
    channel: Channel, language: str | None, policies: Policies
) -> tuple[str, ...]:
    """Those an agent may choose that the channel approved, in their language or the fallback."""
    return tuple(
        name
        for name in policies.sending.reply_templates
        if policies.templates.wording(name, language)[1].approved_on(channel) is not None
    )


def windows_now(
    answered: Touchpoint,
    endpoint: Endpoint,
    whose: Sequence[ProfileId],
    now: datetime,
    *,
    ledger: Ledger,
    policies: Policies,
) -> tuple[ReplyWindow, ...]:
    """The windows of an endpoint; beyond the touchpoint that is answered, the timeline is looked
    at only where that one holds none open for everybody.
    """
    lengths = policies.sending.reply_windows.get(endpoint.channel)
    windows = windows_of(endpoint, opened_at(endpoint, [answered]), lengths)
    if lengths is None or open_window(windows, now, by_person=False) is not None:
        return windows
    recent = ledger.timeline(whose, since=now - lengths.longest, limit=MOST_LOOKED_AT)
    seen = (answered, *(entry.touchpoint for entry in recent.items))
    return windows_of(endpoint, opened_at(endpoint, seen), lengths)
