"""The reply window: how long words of our own may go to one endpoint.

Only the customer opens it, by speaking to us there: a message, a pressed button, a call. A
reaction, an edit, a click, a receipt that says "read" are no word of theirs.
https://developers.facebook.com/docs/messenger-platform/policy/policy-overview#standard_messaging
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field, model_validator

from shared.domain.model import Instant, Model
from shared.domain.touchpoint import Direction, Endpoint, Touchpoint


class WindowKind(StrEnum):
    ALWAYS = "always"
    """This way never closes."""
    FREE = "free"
    """Any words, whoever wrote them."""
    HUMAN_AGENT = "human_agent"
    """A person's own answer alone, longer than the free one (Messenger, Instagram)."""


class WindowState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    NEVER_OPENED = "never_opened"


class WindowLengths(Model):
    """Of one channel, from the customer's latest word on."""

    free: timedelta = Field(gt=timedelta(0))
    human_agent: timedelta | None = None
    """None where the channel has no longer one for people."""

    @model_validator(mode="after")
    def _people_have_longer(self) -> "WindowLengths":
        if self.human_agent is not None and self.human_agent <= self.free:
            raise ValueError("human_agent: it must be longer than free")
        return self

    @property
    def longest(self) -> timedelta:
        return self.human_agent or self.free


class ReplyWindow(Model):
    """One window of one endpoint. It is open up to and including `open_until`."""

    endpoint: Endpoint
    kind: WindowKind
    opened_at: Instant | None = None
    """The customer's latest word there; None where none is known."""
    open_until: Instant | None = None
    """None where it never closes, or was never opened."""

    def state(self, now: datetime) -> WindowState:
        if self.kind is WindowKind.ALWAYS:
            return WindowState.OPEN
        if self.open_until is None:
            return WindowState.NEVER_OPENED
        return WindowState.OPEN if now <= self.open_until else WindowState.CLOSED

    def remaining(self, now: datetime) -> timedelta | None:
        """Nothing where it is not open, None where it never closes."""
        if self.kind is WindowKind.ALWAYS:
            return None
        return max(timedelta(0), self.open_until - now) if self.open_until else timedelta(0)


def opened_at(endpoint: Endpoint, touchpoints: Iterable[Touchpoint]) -> datetime | None:
    """When the customer last spoke to us there, as far as these tell."""
    spoken = (
        one.occurred_at
        for one in touchpoints
        if one.direction is Direction.INBOUND and one.endpoint == endpoint
    )
    return max(spoken, default=None)


def windows_of(
    endpoint: Endpoint, spoken_at: datetime | None, lengths: WindowLengths | None
) -> tuple[ReplyWindow, ...]:
    """All windows of an endpoint, the shortest first. Without `lengths` its channel has none."""
    if lengths is None:
        return (ReplyWindow(endpoint=endpoint, kind=WindowKind.ALWAYS, opened_at=spoken_at),)
    kinds = {WindowKind.FREE: lengths.free, WindowKind.HUMAN_AGENT: lengths.human_agent}
    return tuple(
        ReplyWindow(
            endpoint=endpoint,
            kind=kind,
            opened_at=spoken_at,
            open_until=spoken_at + length if spoken_at is not None else None,
        )
        for kind, length in kinds.items()
        if length is not None
    )


def open_window(
    windows: Sequence[ReplyWindow], now: datetime, *, by_person: bool
) -> ReplyWindow | None:
    """The first one that lets words out now, or None.

    `by_person`: whether they are a person's own answer, and neither a machine's nor a rule's.
    """
    admitting = (one for one in windows if by_person or one.kind is not WindowKind.HUMAN_AGENT)
    return next((one for one in admitting if one.state(now) is WindowState.OPEN), None)
