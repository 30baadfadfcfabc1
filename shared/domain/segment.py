"""Segments: sets of people that live, each defined by a rule (`policies/segments.yaml`)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Annotated

from pydantic import ConfigDict, Field

from shared.domain.classification import Sentiment
from shared.domain.model import Instant, Model, ProfileId, TouchpointId
from shared.domain.profile import Profile
from shared.domain.segment_rule import (
    MOST_KEPT,
    NEGATIVE_TOUCHPOINT,
    UNDERSTOOD,
    Activity,
    Before,
    Condition,
    EventTest,
    Facts,
    Test,
    Verdict,
    activity_name,
    negative_touchpoints,
)
from shared.domain.touchpoint import Touchpoint

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
    "evaluate",
    "facts_of",
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

    def hears(self, name: str) -> bool:
        """Whether a rule names this event: only then is it remembered."""
        return name in self._names

    @cached_property
    def hears_words(self) -> bool:
        """Whether something that is said is an event by itself."""
        return bool(UNDERSTOOD & self._names)

    def concerns(self, touchpoint: Touchpoint, before: Profile | None, *, is_alone: bool) -> bool:
        """Whether a touchpoint may move somebody in or out as soon as it is their profile's.

        `before` is that profile by itself, as it was; a new one is told of anyway. What a message
        may move by how it is understood is left to TouchpointClassified (`moods`).
        """
        return before is not None and any(
            one.moved_by(touchpoint, Before(before, is_alone))
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


def facts_of(person: Profile, states: Iterable[SegmentState]) -> Facts:
    """From all their profiles: of each event the newest."""
    moments: dict[str, list[Instant]] = {}
    for state in states:
        for name, seen in state.seen.items():
            moments.setdefault(name, []).extend(seen.values())
    activity = {
        name: tuple(sorted(all_, reverse=True)[:MOST_KEPT]) for name, all_ in moments.items()
    }
    return Facts(person, {**activity, NEGATIVE_TOUCHPOINT: negative_touchpoints(person)})


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
    change: str | None = None
    """Of a profile."""
    sentiment: Sentiment | None = None
    """Of a message that was understood."""
    due_at: Instant | None = None
    """Of a timer: when it was meant to fire."""

    @property
    def is_of_words(self) -> bool:
        """Whether it is about how something that was said was understood."""
        return self.sentiment is not None or self.change in {"language", "corrected"}

    @property
    def whom(self) -> Iterator[ProfileId]:
        """Whose profiles it speaks of, each once; a touchpoint may be nobody's."""
        return iter(dict.fromkeys(one for one in (self.profile_id, *self.profile_ids) if one))


def schedule_name(profile_id: ProfileId, at: Instant) -> str:
    """Of one person and moment, so that setting it twice is harmless, and one that has just fired
    and is being deleted stands in no other's way.
    """
    return f"segments-{profile_id}-{int(at.timestamp())}"
