"""Each AI use of the register beside what it did, and whether it keeps what is promised of it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from shared.domain.ai_use import (
    MICRO,
    USE_OF_DECIDER,
    AiRegister,
    AiUse,
    AiUseName,
    AiUseState,
    Kpi,
    Measure,
    RiskClass,
    Unavailable,
)
from shared.domain.model import Instant, Model
from shared.domain.override import ASPECTS, Aspect
from shared.domain.touchpoint import Writer
from shared.operations.ai_report.statistics import (
    FEWEST,
    Mean,
    Share,
    mean_confidence,
    share,
)
from shared.operations.ai_report.tally import Counts

DECIDER_OF_USE = {use: decider for decider, use in USE_OF_DECIDER.items()}
BECAUSE: Mapping[Unavailable, str] = {
    Unavailable.SWITCHED_OFF: "switched off",
    Unavailable.OVER_BUDGET: "the budget of the day was spent",
    Unavailable.BREAKER_OPEN: "its breaker was open",
    Unavailable.SWITCH_UNREAD: "its switch could not be read",
    Unavailable.BUDGET_UNREAD: "its budget could not be read",
    Unavailable.SERVICE_REFUSED: "the service refused",
    Unavailable.NO_ANSWER: "the service did not answer",
    Unavailable.ANSWER_REFUSED: "its answer was refused",
}
"""In words."""

Verdict = Literal["ok", "missed", "too_few"]


class KpiVerdict(Model):
    """The number a use is held to, and whether it is kept."""

    measure: Measure
    at_most: float | None
    at_least: float | None
    share: Share
    verdict: Verdict
    is_close: bool = False
    """The bound lies within the interval: by chance alone it could be otherwise."""


class Spending(Model):
    """In dollars, of one day of UTC."""

    day: date
    spent: float
    daily_budget: float


class Standing(Model):
    """How a use stands at the moment of the report."""

    on: bool
    switched_at: Instant | None
    """When the switch was last turned. Who did it and why stands in the API alone."""
    spending: Spending | None
    """None for what is free."""


class Answers(Model):
    """Of a use that classifies."""

    decided: int
    decided_before: int
    confidence: Mean
    deciles: tuple[int, ...]
    below: Share
    fell_back: Share
    """Of the messages that were its to decide, those it could not be had for."""
    fell_back_because: dict[str, int]
    refused: Share
    """Of its answers, those that the closed lists do not hold."""
    overridden: Share
    overridden_by_aspect: dict[Aspect, Share]


class UseReport(Model):
    ai_use: AiUseName
    purpose: str
    owner: str
    risk_class: RiskClass
    risk_because: str
    reads: tuple[str, ...]
    falls_back_to: str
    reviewed: date
    standing: Standing | None
    """None where it could not be read."""
    answers: Answers | None
    """None for what does not classify."""
    kpi: KpiVerdict | None
    not_measured_because: str | None
    """Where there is no KPI."""


def use_reports(
    register: AiRegister,
    states: Mapping[AiUseName, AiUseState] | None,
    now: Counts,
    before: Counts,
    made_at: datetime,
) -> tuple[UseReport, ...]:
    return tuple(
        _report(name, use, states[name] if states is not None else None, now, before, made_at)
        for name, use in register.items()
    )


def _report(
    name: AiUseName,
    use: AiUse,
    state: AiUseState | None,
    now: Counts,
    before: Counts,
    made_at: datetime,
) -> UseReport:
    answers = _answers(name, now, before) if name in DECIDER_OF_USE else None
    return UseReport(
        ai_use=name,
        purpose=use.purpose,
        owner=use.owner,
        risk_class=use.risk_class,
        risk_because=use.risk_because,
        reads=use.reads,
        falls_back_to=use.falls_back_to,
        reviewed=use.reviewed,
        standing=_standing(use, state, made_at.date()) if state is not None else None,
        answers=answers,
        kpi=judged(use.kpi, _measured(use.kpi.measure, answers, now)) if use.kpi else None,
        not_measured_because=use.not_measured_because,
    )


def _answers(name: AiUseName, now: Counts, before: Counts) -> Answers:
    decider = DECIDER_OF_USE[name]
    tally = now.of([decider])
    because = {why: n for (wanted, why), n in sorted(now.fell_back.items()) if wanted is name}
    missing, refused = sum(because.values()), because.get(Unavailable.ANSWER_REFUSED, 0)
    return Answers(
        decided=tally.n,
        decided_before=before.of([decider]).n,
        confidence=mean_confidence(tally),
        deciles=tuple(tally.deciles),
        below=share(tally.below, tally.n),
        fell_back=share(missing, missing + tally.n),
        fell_back_because={BECAUSE[why]: n for why, n in because.items()},
        refused=share(refused, refused + tally.n),
        overridden=share(tally.changed, tally.n),
        overridden_by_aspect={
            aspect: share(now.changed[decider, aspect], tally.n) for aspect in ASPECTS
        },
    )


def _standing(use: AiUse, state: AiUseState, today: date) -> Standing:
    spending = None
    if use.paid is not None:
        spending = Spending(
            day=today,
            spent=state.spent_on(today) / MICRO,
            daily_budget=float(use.paid.daily_budget_dollars),
        )
    switched_at = state.switch.at if state.switch is not None else None
    return Standing(on=state.is_on, switched_at=switched_at, spending=spending)


def _measured(measure: Measure, answers: Answers | None, now: Counts) -> Share:
    """A policy that asks a use for what cannot be counted of it is refused (`check`)."""
    if measure is Measure.DISCLOSED_RATE:
        return share(now.disclosed, now.written[Writer.MACHINE])
    assert answers is not None
    return answers.overridden if measure is Measure.OVERRIDE_RATE else answers.refused


def judged(kpi: Kpi, measured: Share) -> KpiVerdict:
    """By the share itself; the interval only says whether that is sure."""
    verdict, is_close = "too_few", False
    if measured.of >= FEWEST:
        assert measured.value is not None
        assert measured.low is not None and measured.high is not None
        bound = kpi.at_most if kpi.at_most is not None else kpi.at_least
        assert bound is not None
        is_kept = measured.value <= bound if kpi.at_most is not None else measured.value >= bound
        verdict = "ok" if is_kept else "missed"
        # Whether all did, or none, is no matter of chance.
        is_close = 0 < bound < 1 and measured.low <= bound <= measured.high
    return KpiVerdict.model_validate(
        {
            "measure": kpi.measure,
            "at_most": kpi.at_most,
            "at_least": kpi.at_least,
            "share": measured,
            "verdict": verdict,
            "is_close": is_close,
        }
    )
