"""What a message means, as far as a rule or a model could tell, and why it thinks so."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.domain.ai_use import AiUseName, Unavailable
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

    aspect: Literal["language", "intent", "sentiment", "urgency", "weak_signal"]
    words: tuple[str, ...]
    weight: float | None = None
    reason: str | None = None
    """The name of the rule, or of the urgency reason, where one spoke."""


class EntityKind(StrEnum):
    ORDER_NUMBER = "order_number"
    AMOUNT = "amount"
    DATE = "date"
    PLACE = "place"
    PRODUCT = "product"


class Entity(Model):
    """Something the message names."""

    kind: EntityKind
    text: str = Field(max_length=80)
    """As it was written."""
    value: str | None = Field(default=None, max_length=80)
    """In one form, where there is one: `45.00 EUR`, `2026-11-28`, `4512`."""


class PersonalDataKind(StrEnum):
    """What identifies or touches a person beyond what they ask for."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"
    POSTAL_ADDRESS = "postal_address"
    DATE_OF_BIRTH = "date_of_birth"
    PAYMENT_CARD = "payment_card"
    BANK_ACCOUNT = "bank_account"
    NATIONAL_ID = "national_id"
    IP_ADDRESS = "ip_address"


class FellBack(Model):
    """A use of AI that was wanted and could not be had."""

    ai_use: AiUseName
    why: Unavailable


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
    weak_signals: tuple[str, ...] = ()
    """Names of the signs of dissatisfaction that were said politely (`understanding.yaml`)."""
    summary: str = Field(default="", max_length=160)
    """One line, without personal data."""
    entities: tuple[Entity, ...] = ()
    personal_data: tuple[PersonalDataKind, ...] = ()
    """What kinds the message holds; never the data themselves."""
    evidence: tuple[Evidence, ...] = ()
    decided_by: Literal["rules", "embedded", "bedrock", "person"]
    version: str
    """Of the rule set or model:

    `rules-3`, `embedded-2026-11-22-ab12cd34`, `bedrock:<model id>/<prompt version>`.
    """
    threshold: float | None = None
    """The confidence below which the next classifier would have been asked."""
    fell_back_because: str | None = None
    """Set when a better classifier was wanted and could not be had; for readers."""
    fell_back: FellBack | None = None
    """The same for counting: which one, whoever decided instead, and why."""


class IntentMeaning(Model):
    """What a company says about one intent of its closed list (`policies/intents.yaml`)."""

    description: str
    owes: bool
    """Whether somebody owes the customer something when they say this."""
    learned_as: frozenset[str] | None = None
    """What the embedded model calls it, where the company calls it otherwise or takes several as
    one; nothing where the model never learned it. None: as the company does.
    """


Intents = Mapping[str, IntentMeaning]
