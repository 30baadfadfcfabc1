"""Segments: sets of people that live, each defined by a rule (`policies/segments.yaml`)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated

from pydantic import ConfigDict, Field

from shared.domain.classification import Sentiment
from shared.domain.model import Instant, Model, ProfileId, TouchpointId
from shared.domain.segment_rule import (
    MOST_KEPT,
    NEGATIVE_TOUCHPOINT,
    UNDERSTOOD,
    Activity,
    Condition,
    EventTest,
    Facts,
    Test,
    Verdict,
    activity_name,
)
from shared.domain.touchpoint import Direction, Touchpoint

__all__ = [
    "MOST_KEPT",
    "NEGATIVE_TOUCHPOINT",
    "Activity",
    "EvaluationRequest",
    "Facts",
    "Membership",
    "Segment",
    "SegmentName",
    "SegmentPolicy",
    "SegmentState",
    "Verdict",
    "activity_name",
    "activity_of",
    "evaluate",
    "schedule_name",
]

SegmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


class Segment(Model):
    """Everybody for whom `when` holds, now."""

    description: str = Field(min_length=1, max_length=200)
    when: Condition


def evaluate(segment: Segment, facts: Facts, now: datetime) -> Verdict:
    """Whether a person belongs to a segment, why, and when time alone could change that."""
    return segment.when.verdict(facts, now)


class SegmentPolicy(Model):
    segments: dict[SegmentName, Segment] = {}

    def hears(self, name: str | None) -> bool:
        """Whether a rule names this event: only then is it remembered."""
        return name in self._names

    def names(self, touchpoint: Touchpoint, sentiment: Sentiment | None) -> tuple[str, ...]:
        """What is to be remembered of a touchpoint, understood as it was."""
        names = (
            activity_name(touchpoint),
            NEGATIVE_TOUCHPOINT if sentiment is Sentiment.NEGATIVE else None,
        )
        return tuple(one for one in names if one is not None and self.hears(one))

    def may_name(self, sentiment: Sentiment | None) -> bool:
        """Whether `names` may hold anything; what was understood is of few kinds."""
        if sentiment is None or UNDERSTOOD & self._names:
            return True
        return sentiment is Sentiment.NEGATIVE and self.hears(NEGATIVE_TOUCHPOINT)

    def concerns(self, touchpoint: Touchpoint, last_at: Mapping[Direction, Instant]) -> bool:
        """Whether a touchpoint may move somebody in or out as soon as it is their profile's.

        `last_at` are the last contacts of that profile before. What a message may move by how it
        is understood is left to TouchpointClassified (`moods`).
        """
        return any(
            one.moved_by(touchpoint, last_at)
            for one in self._tests
            if not (touchpoint.needs_understanding and one.moods == set(Sentiment))
        )

    @cached_property
    def moods(self) -> frozenset[Sentiment]:
        """Messages felt like this may move somebody; the others need not be looked at."""
        return frozenset().union(*(one.moods for one in self._tests))

    @cached_property
    def _names(self) -> frozenset[str]:
        events = (one for one in self._tests if isinstance(one, EventTest))
        return frozenset().union(*(one.names for one in events))

    @cached_property
    def _tests(self) -> tuple[Test, ...]:
        return tuple(test for one in self.segments.values() for test in one.when.tests())


class SegmentState(Model):
    """What is kept of one profile for segments."""

    seen: dict[str, dict[TouchpointId, Instant]] = {}
    """By the event's name, when each of its touchpoints happened."""
    segments: frozenset[str] = frozenset()
    """Those it belongs to now."""
    next_at: Instant | None = None
    """When its timer fires next."""


def activity_of(states: Iterable[SegmentState]) -> Activity:
    """What happened to a person, from all their profiles: of each event the newest."""
    moments: dict[str, list[Instant]] = {}
    for state in states:
        for name, seen in state.seen.items():
            moments.setdefault(name, []).extend(seen.values())
    return {name: tuple(sorted(all_, reverse=True)[:MOST_KEPT]) for name, all_ in moments.items()}


class Membership(Model):
    """A person is in a segment, under the profile they are known by."""

    profile_id: ProfileId
    segment: str
    since: Instant
    reasons: tuple[str, ...] = ()
    """Why they came in, in plain words."""


class EvaluationRequest(Model):
    """Somebody may have to be looked at again: an event of the bus says so, or a timer."""

    model_config = ConfigDict(extra="ignore")

    profile_id: ProfileId | None = None
    profile_ids: tuple[ProfileId, ...] = ()
    """Of a merge or a separation."""
    touchpoint_id: TouchpointId | None = None
    sentiment: Sentiment | None = None
    """Of a message that was understood."""
    due_at: Instant | None = None
    """Of a timer: when it was meant to fire."""

    @property
    def whom(self) -> Iterator[ProfileId]:
        """Whose profiles it speaks of, each once; a touchpoint may be nobody's."""
        return iter(dict.fromkeys(one for one in (self.profile_id, *self.profile_ids) if one))


def schedule_name(profile_id: ProfileId) -> str:
    """One schedule a person, so that setting it twice is harmless."""
    return f"segments-{profile_id}"
