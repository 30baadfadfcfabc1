"""What AI the house uses, what is promised of each use, and what people and money allow it now.

Two parts: the register, which the company writes (`policies/ai_register.yaml`), and a use's state,
which agents and calls change (`AiUses`). The rules between them are pure: a store only writes what
`switched`, `reserved` and `settled` make of what it read, while that still holds.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field, model_validator

from shared.domain.breaker import Breaker, BreakerState, told, tried
from shared.domain.model import Instant, Model

MICRO = 1_000_000
"""Micro-dollars of a dollar. Money is counted in whole ones: sums of floats drift."""


class AiUseName(StrEnum):
    """Every AI use there is in the code. Each has its entry in the register."""

    EMBEDDED_CLASSIFICATION = "embedded_classification"
    BEDROCK_CLASSIFICATION = "bedrock_classification"
    DUPLICATE_SUGGESTION = "duplicate_suggestion"
    MACHINE_WRITTEN_MESSAGES = "machine_written_messages"


USE_OF_DECIDER: Mapping[str, AiUseName] = {
    "embedded": AiUseName.EMBEDDED_CLASSIFICATION,
    "bedrock": AiUseName.BEDROCK_CLASSIFICATION,
}
"""By `Classification.decided_by`. Rules and people are no AI."""


class RiskClass(StrEnum):
    """Of Regulation (EU) 2024/1689: high as in its Annex III, limited where article 50 asks that
    people be told, minimal otherwise. What it forbids (article 5) has no place in a register.
    """

    MINIMAL = "minimal"
    LIMITED = "limited"
    HIGH = "high"


class Measure(StrEnum):
    """What tells whether a use does well, as a share between 0 and 1."""

    OVERRIDE_RATE = "override_rate"
    """Of its decisions, those that a person changed."""
    REFUSED_RATE = "refused_rate"
    """Of its answers, those that the closed lists do not hold."""
    DISCLOSED_RATE = "disclosed_rate"
    """Of the messages a machine wrote, those that said so."""


MEASURES: Mapping[AiUseName, frozenset[Measure]] = {
    AiUseName.EMBEDDED_CLASSIFICATION: frozenset({Measure.OVERRIDE_RATE, Measure.REFUSED_RATE}),
    AiUseName.BEDROCK_CLASSIFICATION: frozenset({Measure.OVERRIDE_RATE, Measure.REFUSED_RATE}),
    AiUseName.DUPLICATE_SUGGESTION: frozenset(),
    AiUseName.MACHINE_WRITTEN_MESSAGES: frozenset({Measure.DISCLOSED_RATE}),
}
"""What can be counted of each use: a number that nobody ever sees holds nobody to anything."""


class Kpi(Model):
    """The one number a use is held to."""

    measure: Measure
    at_most: float | None = Field(default=None, ge=0, le=1)
    at_least: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _has_one_bound(self) -> "Kpi":
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a KPI needs at_most or at_least")
        return self


class Price(Model):
    """Of one model, in dollars per million tokens, which is micro-dollars per token."""

    model: str
    """As Bedrock calls it, without the geography of an inference profile."""
    input_dollars: Decimal = Field(gt=0)
    output_dollars: Decimal = Field(gt=0)
    as_of: date

    def cost(self, tokens: "Tokens") -> int:
        """In micro-dollars, rounded up."""
        exact = tokens.read * self.input_dollars + tokens.written * self.output_dollars
        return int(exact.to_integral_value(ROUND_CEILING))


class Tokens(NamedTuple):
    """What a model read and wrote, as it is billed."""

    read: int
    written: int


class PaidModel(Model):
    """What bounds a use that is paid by the call."""

    daily_budget_dollars: Decimal = Field(ge=0)
    """A day is UTC's. 0: nothing is asked."""
    price: Price
    breaker: Breaker
    timeout_seconds: float = Field(default=4, gt=0, le=20)
    """How long an answer is waited for, once. Shorter than the function's own timeout."""
    mask_personal_data: bool = True
    """Whether the model reads `[phone]` instead of a phone number, and so on."""

    @property
    def daily_budget(self) -> int:
        """In micro-dollars."""
        return int(self.daily_budget_dollars * MICRO)


class AiUse(Model):
    """One entry of the register."""

    purpose: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    risk_class: RiskClass
    risk_because: str = Field(min_length=1)
    reads: tuple[str, ...] = Field(min_length=1)
    """The data it sees."""
    kpi: Kpi | None = None
    not_measured_because: str | None = Field(default=None, min_length=1)
    """Instead of a KPI: why there is none, and where to look."""
    falls_back_to: str = Field(min_length=1)
    """What happens while it is switched off."""
    reviewed: date
    paid: PaidModel | None = None

    @model_validator(mode="after")
    def _is_measured_or_says_why_not(self) -> "AiUse":
        if (self.kpi is None) == (self.not_measured_because is None):
            raise ValueError("a use has a kpi, or says in not_measured_because why it has none")
        return self


AiRegister = dict[AiUseName, AiUse]


class Switch(Model):
    """The kill switch as somebody last turned it."""

    on: bool
    by: str
    """`agent:<id>`; whatever was written where it was turned by hand."""
    at: Instant
    because: str


class AiUseState(BreakerState):
    """What a use may do now."""

    ai_use: AiUseName
    switch: Switch | None = None
    """None where nobody ever turned it: it is on."""
    day: date | None = None
    """The latest day something was spent on; never an earlier one again."""
    spent: int = 0
    """On that day, in micro-dollars: what calls cost, and what those under way may cost."""

    @property
    def is_on(self) -> bool:
        return self.switch is None or self.switch.on

    def spent_on(self, day: date) -> int:
        return self.spent if self.day == day else 0


class Refusal(StrEnum):
    """Why a paid model is not asked."""

    SWITCHED_OFF = "switched off"
    OVER_BUDGET = "what a call may cost no longer fits the day's budget"
    BREAKER_OPEN = "its breaker is open"


class Unavailable(StrEnum):
    """Why a use that was wanted could not be had, as it is counted. The first three are what
    `Refusal` says.
    """

    SWITCHED_OFF = "switched_off"
    OVER_BUDGET = "over_budget"
    BREAKER_OPEN = "breaker_open"
    SWITCH_UNREAD = "switch_unread"
    BUDGET_UNREAD = "budget_unread"
    SERVICE_REFUSED = "service_refused"
    NO_ANSWER = "no_answer"
    ANSWER_REFUSED = "answer_refused"
    """It answered, with something that the closed lists do not hold."""


class Reservation(NamedTuple):
    """Money set aside for one call. If its end is never told, it stays spent: the safe side."""

    ai_use: AiUseName
    day: date
    cost: int
    """In micro-dollars, the most the call can cost."""
    at: datetime
    """When the call began."""
    left: AiUseState
    """What was left of the use once the money was set aside."""


def switched(state: AiUseState, switch: Switch) -> AiUseState:
    """As it is after that; the same state where it already stands so."""
    return state if state.is_on == switch.on else state.model_copy(update={"switch": switch})


def reserved(
    state: AiUseState, cost: int, paid: PaidModel, now: datetime
) -> tuple[AiUseState, Reservation] | Refusal:
    """The state with the money for one call set aside, or why there is to be none."""
    if not state.is_on:
        return Refusal.SWITCHED_OFF
    if state.is_open(now):
        return Refusal.BREAKER_OPEN
    today = now.astimezone(UTC).date()
    # Two clocks need not agree at midnight; a day that began does not end again.
    day = max(today, state.day or today)
    spent = state.spent_on(day) + cost
    if spent > paid.daily_budget:
        return Refusal.OVER_BUDGET
    after = tried(state, paid.breaker, now).model_copy(update={"day": day, "spent": spent})
    return after, Reservation(state.ai_use, day, cost, now, after)


def settled(
    state: AiUseState,
    reservation: Reservation,
    cost: int,
    paid: PaidModel,
    now: datetime,
    *,
    failed: bool,
) -> AiUseState:
    """The state once it is known what a call cost, and whether the service failed it.

    Of a call that began before the breaker opened only the cost counts.
    """
    correction = cost - reservation.cost if state.day == reservation.day else 0
    after = told(state, paid.breaker, reservation.at, now, failed=failed)
    return after.model_copy(update={"spent": state.spent + correction})
