"""Budget, breaker and switch: what holds whatever order things come in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.ai_use import (
    MICRO,
    USE_OF_DECIDER,
    AiUse,
    AiUseName,
    AiUseState,
    Kpi,
    Measure,
    PaidModel,
    Refusal,
    Reservation,
    Switch,
    Tokens,
    reserved,
    settled,
    switched,
)
from shared.domain.classification import Classification
from tests.builders import NOON

BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
FRESH = AiUseState(ai_use=BEDROCK)
MINUTE = timedelta(minutes=1)
TODAY = NOON.date()
KPI = {"measure": "override_rate", "at_most": 0.1}
OFF = Switch(on=False, by="agent:7", at=NOON, because="it errs")


def paid(*, budget: int = 100, failures: int = 3) -> PaidModel:
    """With a budget in micro-dollars and a breaker that opens for a minute."""
    price = {"model": "m", "input_dollars": "0.035", "output_dollars": "0.14", "as_of": TODAY}
    return PaidModel.model_validate(
        {
            "daily_budget_dollars": Decimal(budget) / MICRO,
            "price": price,
            "breaker": {"failures": failures, "open_for": MINUTE},
        }
    )


def reserve(state: AiUseState, cost: int = 10, now: datetime = NOON) -> AiUseState:
    """Where it is let through."""
    decided = reserved(state, cost, paid(), now)
    assert not isinstance(decided, Refusal)
    return decided[0]


def test_every_decider_but_rules_and_people_is_a_use_of_ai() -> None:
    deciders = set(get_args(Classification.model_fields["decided_by"].annotation))
    assert deciders - {"rules", "person"} == set(USE_OF_DECIDER)


@pytest.mark.parametrize("bounds", [{}, {"at_most": 0.1, "at_least": 0.1}])
def test_a_kpi_has_one_bound(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="at_most or at_least"):
        Kpi(measure=Measure.OVERRIDE_RATE, **bounds)


@pytest.mark.parametrize("why", [{}, {"kpi": KPI, "not_measured_because": "nobody counts"}])
def test_a_use_is_measured_or_says_why_not(why: dict[str, Any]) -> None:
    entry = {
        "purpose": "p",
        "owner": "o",
        "risk_class": "minimal",
        "risk_because": "r",
        "reads": ["text"],
        "falls_back_to": "rules",
        "reviewed": TODAY,
    }
    assert AiUse.model_validate(entry | {"kpi": KPI}).not_measured_because is None
    with pytest.raises(ValidationError, match="not_measured_because"):
        AiUse.model_validate(entry | why)


def test_money_is_rounded_up_to_whole_micro_dollars() -> None:
    price = paid().price
    assert price.cost(Tokens(600, 60)) == 30  # 21 + 8.4
    assert price.cost(Tokens(1, 0)) == 1
    assert price.cost(Tokens(0, 0)) == 0
    assert paid(budget=2 * MICRO).daily_budget == 2 * MICRO


def test_what_nobody_turned_is_on() -> None:
    assert FRESH.is_on
    assert not FRESH.model_copy(update={"switch": OFF}).is_on


def test_turning_a_switch_twice_keeps_who_turned_it_first() -> None:
    off = switched(FRESH, OFF)
    assert off.switch == OFF
    again = OFF.model_copy(update={"by": "agent:8"})
    assert switched(off, again) is off
    on = Switch(on=True, by="agent:8", at=NOON, because="mended")
    assert switched(FRESH, on) is FRESH
    assert switched(off, on).switch == on


def test_what_is_off_spends_nothing() -> None:
    assert reserved(switched(FRESH, OFF), 1, paid(), NOON) is Refusal.SWITCHED_OFF


def test_a_budget_lasts_a_day_of_utc() -> None:
    spent = reserve(FRESH, 100)
    assert spent.spent_on(TODAY) == 100
    assert spent.spent_on(TODAY - timedelta(days=1)) == 0
    assert reserved(spent, 1, paid(), NOON) is Refusal.OVER_BUDGET
    midnight = datetime.combine(TODAY + timedelta(days=1), datetime.min.time(), UTC)
    assert reserved(spent, 1, paid(), midnight - timedelta(seconds=1)) is Refusal.OVER_BUDGET
    assert reserve(spent, 1, midnight).spent == 1


def test_a_clock_that_is_behind_brings_no_day_back() -> None:
    tomorrow = reserve(FRESH, 60, NOON + timedelta(days=1))
    late = reserve(tomorrow, 30, NOON)
    assert (late.day, late.spent) == (TODAY + timedelta(days=1), 90)


def test_a_call_costs_what_it_cost() -> None:
    reservation = reservation_at(NOON, 10)
    after = settled(reserve(FRESH), reservation, 4, paid(), NOON, failed=False)
    assert after.spent == 4
    next_day = reserve(reserve(FRESH), 7, NOON + timedelta(days=1))
    assert settled(next_day, reservation, 4, paid(), NOON, failed=False).spent == 7


def reservation_at(at: datetime, cost: int = 0) -> Reservation:
    return Reservation(BEDROCK, TODAY, cost, at, FRESH)


def fail(state: AiUseState, now: datetime = NOON, *, begun: datetime | None = None) -> AiUseState:
    return settled(state, reservation_at(begun or now), 0, paid(), now, failed=True)


def succeed(
    state: AiUseState, now: datetime = NOON, *, begun: datetime | None = None
) -> AiUseState:
    return settled(state, reservation_at(begun or now), 0, paid(), now, failed=False)


def test_failures_in_a_row_open_the_breaker() -> None:
    twice = fail(fail(FRESH))
    assert twice.open_until is None
    assert fail(succeed(twice)).failures == 1
    opened = fail(twice)
    assert opened.open_until == NOON + MINUTE
    assert reserved(opened, 1, paid(), NOON + MINUTE / 2) is Refusal.BREAKER_OPEN


def test_one_tries_for_all_when_the_time_is_over() -> None:
    opened = fail(fail(fail(FRESH)))
    trying = reserve(opened, 1, NOON + MINUTE)
    assert reserved(trying, 1, paid(), NOON + MINUTE) is Refusal.BREAKER_OPEN
    closed = succeed(trying, NOON + MINUTE)
    assert (closed.failures, closed.open_until, closed.opened_at) == (0, None, None)
    again = fail(trying, NOON + MINUTE)
    assert (again.open_until, again.opened_at) == (NOON + 2 * MINUTE, NOON)


def test_what_began_before_the_breaker_opened_does_not_close_it() -> None:
    opened = fail(fail(fail(FRESH)))
    assert (opened.failures, opened.opened_at) == (3, NOON)
    before, late = NOON - MINUTE / 60, NOON + MINUTE / 2
    assert succeed(opened, late, begun=before) == opened
    assert fail(opened, late, begun=before) == opened, "nor does it keep it open any longer"
    trying = reserve(opened, 1, NOON + MINUTE)
    assert succeed(trying, NOON + MINUTE, begun=before) == trying
    # Its own success does, and that of an earlier try that took long.
    another = reserve(trying, 1, NOON + 2 * MINUTE)
    assert succeed(another, NOON + 3 * MINUTE, begun=NOON + MINUTE).open_until is None


def test_a_success_of_before_a_new_opening_does_not_close_it() -> None:
    opened = fail(fail(fail(FRESH)))
    first = reserve(opened, 1, NOON + MINUTE)
    second = reserve(first, 1, NOON + 2 * MINUTE)
    closed = succeed(second, NOON + 2 * MINUTE)
    later = NOON + 3 * MINUTE
    reopened = fail(fail(fail(closed, later), later), later)
    assert succeed(reopened, later, begun=NOON + MINUTE) == reopened


def test_a_try_that_never_came_back_is_followed_by_another() -> None:
    trying = reserve(fail(fail(fail(FRESH))), 1, NOON + MINUTE)
    assert reserve(trying, 1, NOON + 2 * MINUTE).open_until == NOON + 3 * MINUTE


class House:
    """Many calls at once, each of which reserves, and settles later or never."""

    def __init__(self) -> None:
        self.state, self.now = FRESH, NOON
        self.under_way: list[Reservation] = []
        self.real: dict[date, int] = {}
        """What was really spent, by the day it was reserved on."""

    def do(self, step: tuple[str, int, int]) -> None:
        what, number, other = step
        match what:
            case "reserve":
                self._reserve(number)
            case "settle" | "fail" if self.under_way:
                self._settle(self.under_way.pop(other % len(self.under_way)), number, what)
            case "lose" if self.under_way:
                lost = self.under_way.pop()
                self.real[lost.day] += lost.cost
            case "wait":
                self.now += timedelta(hours=number / 4)
            case "switch":
                switch = Switch(on=bool(number % 2), by="a", at=self.now, because="b")
                self.state = switched(self.state, switch)

    def _reserve(self, cost: int) -> None:
        was_open = self.state.open_until
        decided = reserved(self.state, cost, paid(), self.now)
        if isinstance(decided, Refusal):
            return
        assert self.state.is_on
        assert was_open is None or was_open <= self.now
        self.state, reservation = decided
        self.under_way.append(reservation)
        self.real.setdefault(reservation.day, 0)

    def _settle(self, reservation: Reservation, number: int, what: str) -> None:
        cost = min(number, reservation.cost)
        self.real[reservation.day] += cost
        opened_at, was_open = self.state.opened_at, self.state.open_until is not None
        self.state = settled(self.state, reservation, cost, paid(), self.now, failed=what == "fail")
        if was_open and self.state.open_until is None:
            assert opened_at is not None and opened_at < reservation.at
        assert (self.state.open_until is None) == (self.state.opened_at is None)

    def check(self) -> None:
        """Nothing was ever spent beyond the budget, not even if all under way cost the most."""
        for day, real in self.real.items():
            most = real + sum(one.cost for one in self.under_way if one.day == day)
            assert most <= paid().daily_budget
            if day == self.state.day:
                assert self.state.spent == most


STEPS = st.tuples(
    st.sampled_from(["reserve", "reserve", "settle", "fail", "lose", "wait", "switch"]),
    st.integers(0, 40),
    st.integers(0, 5),
)


@given(st.lists(STEPS, max_size=60))
def test_no_order_of_things_spends_more_than_the_budget(steps: list[tuple[str, int, int]]) -> None:
    house = House()
    for step in steps:
        house.do(step)
        house.check()


@given(st.integers(1, 20), st.integers(0, 300))
def test_an_open_breaker_lets_exactly_one_through(callers: int, seconds: int) -> None:
    state = fail(fail(fail(FRESH)))
    now = NOON + timedelta(seconds=seconds)
    through = 0
    for _ in range(callers):
        decided = reserved(state, 1, paid(), now)
        if not isinstance(decided, Refusal):
            state, through = decided[0], through + 1
    assert through == (1 if now >= NOON + MINUTE else 0)
