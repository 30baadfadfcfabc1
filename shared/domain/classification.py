"""What a message means, as far as a rule or a model could tell, and why it thinks so."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.domain.model import Model

UNKNOWN_LANGUAGE = "und"
"""BCP 47 for undetermined."""


class Sentiment(StrEnum):
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Urgency(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Evidence(Model):
    """The words that moved one aspect, strongest first.

    `weight` is how much probability they carried, in [-1, 1].
    """

    aspect: Literal["language", "intent", "sentiment", "urgency"]
    words: tuple[str, ...]
    weight: float | None = None
    reason: str | None = None
    """The name of the rule, or of the urgency reason, where one spoke."""


class Classification(Model):
    """Language, intent, sentiment and urgency, each with its confidence, and who decided."""

    language: str = UNKNOWN_LANGUAGE
    """ISO 639-1 where it exists, else 639-3; `und` where nothing can be said."""
    language_confidence: float = Field(default=0, ge=0, le=1)
    intent: str
    intent_confidence: float = Field(ge=0, le=1)
    runner_up: str | None = None
    runner_up_confidence: float | None = None
    sentiment: Sentiment
    sentiment_score: float = Field(ge=-1, le=1)
    sentiment_confidence: float = Field(ge=0, le=1)
    urgency: Urgency
    urgency_reasons: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    decided_by: Literal["rules", "embedded", "bedrock"]
    version: str
    """Of the rule set or model:

    `rules-3`, `embedded-2026-11-22-ab12cd34`, `bedrock:<model id>/<prompt version>`.
    """
    threshold: float | None = None
    """The confidence below which the next classifier would have been asked."""
    fell_back_because: str | None = None
    """Set when a better classifier was wanted and could not be had."""


class IntentMeaning(Model):
    """What a company says about one intent of its closed list (`policies/intents.yaml`)."""

    description: str
    owes: bool
    """Whether somebody owes the customer something when they say this."""


Intents = Mapping[str, IntentMeaning]
