from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from pydantic import ValidationError

from shared.domain.sla import (
    Calendar,
    ClockState,
    Opening,
    SlaClock,
    Weekday,
    add_working_time,
    working_time_between,
)
from tests.builders import NOON
from tests.unit.domain.strategies import PARIS, durations, moments

HOUR = timedelta(hours=1)


def paris(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        # Monday 23 November 2026: 08:30 to 12:30 and 13:30 to 18:30; Tuesday 08:30 to 12:30.
        (paris(2026, 11, 23, 9, 0), 1, paris(2026, 11, 23, 10, 0)),
        (paris(2026, 11, 23, 12, 0), 1, paris(2026, 11, 23, 14, 0)),
        (paris(2026, 11, 23, 13, 0), 1, paris(2026, 11, 23, 14, 30)),
        (paris(2026, 11, 23, 11, 30), 1, paris(2026, 11, 23, 12, 30)),
        (paris(2026, 11, 23, 18, 0), 1, paris(2026, 11, 24, 9, 0)),
        (paris(2026, 11, 23, 8, 30), 13, paris(2026, 11, 24, 12, 30)),
        # Wednesday 22:00 to midnight, then Thursday around the clock: no seam.
        (paris(2026, 11, 24, 18, 0), 5, paris(2026, 11, 26, 3, 0)),
        # Thursday 24 December is a holiday, Friday and Saturday are free.
        (paris(2026, 12, 23, 23, 0), 2, paris(2026, 12, 27, 2, 0)),
    ],
)
def test_when_something_is_due(start: datetime, hours: int, due: datetime) -> None:
    assert add_working_time(start, hours * HOUR, PARIS) == due


@pytest.mark.parametrize(
    ("sunday", "hours"),
    [(paris(2026, 10, 25), 4), (paris(2027, 3, 28), 2), (paris(2026, 11, 29), 3)],
)
def test_an_hour_is_sixty_minutes_when_the_clocks_change(sunday: datetime, hours: int) -> None:
    """Open from 01:00 to 04:00: four hours in October, two in March, three on any Sunday."""
    assert working_time_between(sunday, sunday + timedelta(hours=23), PARIS) == hours * HOUR
    assert add_working_time(sunday, hours * HOUR, PARIS).astimezone(ZoneInfo("Europe/Paris")) == (
        sunday.replace(hour=4)
    )


def test_due_times_are_in_utc() -> None:
    assert add_working_time(NOON, HOUR, PARIS).tzinfo is UTC


@given(start=moments, duration=durations)
def test_what_was_added_lies_between(start: datetime, duration: timedelta) -> None:
    due = add_working_time(start, duration, PARIS)
    assert due >= start + duration
    assert working_time_between(start, due, PARIS) == duration


@given(start=moments, one=durations, other=durations)
def test_adding_in_two_steps_is_adding_at_once(
    start: datetime, one: timedelta, other: timedelta
) -> None:
    at_once = add_working_time(start, one + other, PARIS)
    assert add_working_time(add_working_time(start, one, PARIS), other, PARIS) == at_once


@given(one=moments, other=moments, duration=durations)
def test_who_begins_earlier_is_due_no_later(
    one: datetime, other: datetime, duration: timedelta
) -> None:
    earlier, later = sorted((one, other))
    assert add_working_time(earlier, duration, PARIS) <= add_working_time(later, duration, PARIS)


@given(one=moments, other=moments, third=moments)
def test_working_time_adds_up(one: datetime, other: datetime, third: datetime) -> None:
    a, b, c = sorted((one, other, third))
    whole = working_time_between(a, c, PARIS)
    assert whole == working_time_between(a, b, PARIS) + working_time_between(b, c, PARIS)
    assert working_time_between(c, a, PARIS) == timedelta(0)


def test_a_calendar_that_hardly_ever_opens_ends_the_search() -> None:
    rare = Calendar(time_zone="UTC", openings={"monday": (Opening(opens=time(9), until=time(10)),)})
    with pytest.raises(ValueError, match="too little working time"):
        add_working_time(NOON, timedelta(hours=300), rare)
    assert working_time_between(NOON, NOON + timedelta(days=3000), rare) < timedelta(hours=200)


def test_an_opening_that_a_change_of_clocks_swallows() -> None:
    """02:15 to 02:45 does not exist on 28 March 2027."""
    night = Calendar(
        time_zone="Europe/Paris",
        openings={"sunday": (Opening(opens=time(2, 15), until=time(2, 45)),)},
    )
    assert add_working_time(paris(2027, 3, 27), timedelta(0), night) >= paris(2027, 3, 28, 3, 0)


@pytest.mark.parametrize(
    ("openings", "reason"),
    [
        ({}, "open at some time"),
        ({"monday": ()}, "open at some time"),
        ({"monday": [("09:00", "12:00"), ("11:00", "13:00")]}, "overlap"),
        ({"monday": [("09:00", "00:00"), ("22:00", "23:00")]}, "overlap"),
        ({"monday": [("12:00", "09:00")]}, "until must come after opens"),
        ({"monday": [("12:00", "12:00")]}, "until must come after opens"),
    ],
)
def test_a_calendar_that_makes_no_sense(
    openings: dict[Weekday, list[tuple[str, str]]], reason: str
) -> None:
    days = {
        day: [{"opens": opens, "until": until} for opens, until in stretches]
        for day, stretches in openings.items()
    }
    with pytest.raises(ValidationError, match=reason):
        Calendar.model_validate({"time_zone": "Europe/Paris", "openings": days})


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "/etc/passwd", "Europe", "a\x00b"])
def test_a_time_zone_there_is_not(zone: str) -> None:
    day = {"monday": [{"opens": "09:00", "until": "10:00"}]}
    with pytest.raises(ValidationError, match="IANA"):
        Calendar.model_validate({"time_zone": zone, "openings": day})


def test_holidays_are_dates_of_the_place() -> None:
    calendar = PARIS.model_copy(update={"holidays": frozenset({date(2026, 11, 23)})})
    due = add_working_time(paris(2026, 11, 23, 9, 0), HOUR, calendar)
    assert due == paris(2026, 11, 24, 9, 30)


@pytest.mark.parametrize(
    ("clock", "minutes", "state"),
    [
        (SlaClock(due_at=NOON), -61, ClockState.ACTIVE),
        (SlaClock(due_at=NOON), -60, ClockState.DUE_SOON),
        (SlaClock(due_at=NOON), 0, ClockState.DUE_SOON),
        (SlaClock(due_at=NOON), 1, ClockState.MISSED),
        (SlaClock(due_at=NOON, paused_at=NOON - HOUR), 60, ClockState.PAUSED),
        (SlaClock(due_at=NOON, met_at=NOON), 60, ClockState.MET),
        (SlaClock(due_at=NOON, met_at=NOON + HOUR), 60, ClockState.MISSED),
        (SlaClock(due_at=NOON, met_at=NOON - HOUR, paused_at=NOON), 60, ClockState.MET),
    ],
)
def test_the_state_of_a_clock(clock: SlaClock, minutes: int, state: ClockState) -> None:
    assert clock.state(NOON + timedelta(minutes=minutes)) is state
