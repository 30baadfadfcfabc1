"""A person changes what a touchpoint was understood as. It wins until it is released."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NewType

from pydantic import Field, model_validator

from shared.domain.classification import Classification, Evidence, Sentiment, Urgency
from shared.domain.model import Instant, Model, TouchpointId, derived_id

OverrideId = NewType("OverrideId", str)

Aspect = Literal["intent", "sentiment", "urgency", "language"]
ASPECTS: tuple[Aspect, ...] = ("intent", "sentiment", "urgency", "language")

SCORES = {Sentiment.NEGATIVE: -1.0, Sentiment.NEUTRAL: 0.0, Sentiment.POSITIVE: 1.0}
"""A score is the probability of positive less that of negative, and a person is sure."""


BESIDE: Mapping[Aspect, Mapping[str, object]] = {
    "intent": {
        "intent_confidence": 1.0,
        "runner_up": None,
        "runner_up_confidence": None,
        "fell_back_because": None,
        "fell_back": None,
    },
    "urgency": {"urgency_reasons": ()},
    "language": {"language_confidence": 1.0},
}
"""What stands beside an aspect once a person has spoken of it."""


class Meant(Model):
    """What a person says a touchpoint is: at least one aspect, and why."""

    intent: str | None = Field(default=None, min_length=1, max_length=100)
    sentiment: Sentiment | None = None
    urgency: Urgency | None = None
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")
    """ISO 639-1 where it exists, else 639-3; `und` where nothing can be said."""
    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")
    """In plain words."""

    @model_validator(mode="after")
    def _says_something(self) -> "Meant":
        if not self.aspects:
            raise ValueError(f"name at least one of {', '.join(ASPECTS)}")
        return self

    @property
    def aspects(self) -> dict[Aspect, str]:
        """What it says of each aspect that it speaks of."""
        said = {aspect: getattr(self, aspect) for aspect in ASPECTS}
        return {aspect: str(value) for aspect, value in said.items() if value is not None}


class Released(Model):
    """The override counts no more."""

    by: str
    at: Instant


class Override(Meant):
    """Once written it is only ever released."""

    override_id: OverrideId
    by: str
    """`agent:<id>`."""
    at: Instant
    released: Released | None = None

    @property
    def changed_at(self) -> datetime:
        """When it was last spoken of."""
        return self.released.at if self.released else self.at


Standing = Mapping[Aspect, Override]


def standing(overrides: Sequence[Override], intents: Collection[str] | None = None) -> Standing:
    """Of each aspect the latest override that was not released.

    One whose intent is not among `intents` any more says nothing of the intent: the list is closed
    for people too. None: any intent counts.
    """
    latest: dict[Aspect, Override] = {}
    for one in sorted(overrides, key=lambda one: (one.at, one.override_id)):
        for aspect in one.aspects if one.released is None else ():
            if aspect != "intent" or intents is None or one.intent in intents:
                latest[aspect] = one
    return {aspect: latest[aspect] for aspect in ASPECTS if aspect in latest}


def overridden(
    classification: Classification,
    overrides: Sequence[Override],
    intents: Collection[str] | None = None,
) -> Classification:
    """The classification that counts: the machine's, with what people say instead.

    With no override standing it is the machine's own, unchanged.
    """
    wins = standing(overrides, intents)
    if not wins:
        return classification
    changes: dict[str, object] = {}
    for aspect, one in wins.items():
        changes |= {aspect: getattr(one, aspect), **_sure(aspect, one)}
    kept = tuple(one for one in classification.evidence if one.aspect not in wins)
    said = tuple(
        Evidence(aspect=aspect, words=(), reason=one.reason) for aspect, one in wins.items()
    )
    latest = max(wins.values(), key=lambda one: (one.at, one.override_id))
    return classification.model_copy(
        update={
            **changes,
            "evidence": (*kept, *said),
            "decided_by": "person",
            "version": latest.by,
        }
    )


def _sure(aspect: Aspect, override: Override) -> dict[str, object]:
    """What stands beside an aspect, now that nobody doubts it."""
    if aspect == "sentiment":
        assert override.sentiment is not None
        return {"sentiment_confidence": 1.0, "sentiment_score": SCORES[override.sentiment]}
    return dict(BESIDE[aspect])


def next_override(
    touchpoint_id: TouchpointId,
    meant: Meant,
    before: Sequence[Override],
    *,
    by: str,
    now: datetime,
) -> Override:
    """The override that this makes of all that were made before.

    The same again, by the same person and for the same reason, is the one that stands.
    """
    wins = standing(before)
    for one in before:
        same = one.by == by and one.reason == meant.reason and one.aspects == meant.aspects
        if same and all(wins.get(aspect) == one for aspect in one.aspects):
            return one
    causes = (
        touchpoint_id,
        str(len(before)),
        by,
        meant.reason,
        *map("=".join, meant.aspects.items()),
    )
    # The clocks of two machines may disagree; who spoke last was written last.
    later = max((one.changed_at for one in before), default=now) + timedelta(microseconds=1)
    return Override(
        override_id=OverrideId(derived_id("override", *causes)),
        by=by,
        at=max(now, later) if before else now,
        reason=meant.reason,
        intent=meant.intent,
        sentiment=meant.sentiment,
        urgency=meant.urgency,
        language=meant.language,
    )


def released(
    overrides: Sequence[Override], override_id: OverrideId, *, by: str, at: datetime
) -> tuple[Override, ...]:
    """All of them, this one released. Once released it stays as it was."""
    mark = Released(by=by, at=at)
    return tuple(
        one.model_copy(update={"released": mark})
        if one.override_id == override_id and one.released is None
        else one
        for one in overrides
    )
