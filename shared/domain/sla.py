"""Working time: when an answer is due, as a pure function of a moment, a duration and a calendar.

Durations are absolute: an hour of work on the day the clocks change is still sixty minutes.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from shared.domain.model import Instant, Model

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_LONGEST_LOOK_AHEAD = timedelta(days=3 * 366)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone") from error
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_zone)]


class Opening(Model):
    """One stretch of opening within a day, in local time; 24:00 is written 00:00 as `until`."""

    opens: time
    until: time

    @model_validator(mode="after")
    def _forwards(self) -> "Opening":
        if self.until != time(0) and self.until <= self.opens:
            raise ValueError("until must come after opens")
        return self


class Calendar(Model):
    """When people work: several openings a day, holidays, one time zone."""

    time_zone: TimeZoneName
    openings: dict[Weekday, tuple[Opening, ...]]
    holidays: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _ever_open(self) -> "Calendar":
        for day, openings in self.openings.items():
            for earlier, later in pairwise(openings):
                if earlier.until == time(0) or later.opens < earlier.until:
                    raise ValueError(f"the openings of {day} overlap or are out of order")
        if not any(self.openings.values()):
            raise ValueError("a calendar must be open at some time")
        return self

    def stretches(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The working stretches from `start` on, as UTC pairs (from, until), the first cut at
        `start`.
        """
        zone = ZoneInfo(self.time_zone)
        day = start.astimezone(zone).date() - timedelta(days=1)
        last = (start + _LONGEST_LOOK_AHEAD).date()
        while day <= last:
            if day not in self.holidays:
                for opening in self.openings.get(_WEEKDAYS[day.weekday()], ()):
                    next_day = timedelta(days=1) if opening.until == time(0) else timedelta(0)
                    opens = _utc(datetime.combine(day, opening.opens, zone))
                    until = _utc(datetime.combine(day + next_day, opening.until, zone))
                    if until > start and until > opens:
                        yield max(opens, _utc(start)), until
            day += timedelta(days=1)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def add_working_time(start: datetime, duration: timedelta, calendar: Calendar) -> datetime:
    """The moment at which `duration` of working time has passed since `start`."""
    left = duration
    for opens, until in calendar.stretches(start):
        if left <= until - opens:
            return opens + left
        left -= until - opens
    raise ValueError("the calendar holds too little working time for this duration")


def working_time_between(start: datetime, end: datetime, calendar: Calendar) -> timedelta:
    """How much working time lies between two moments; nothing when they are the wrong way round."""
    total = timedelta(0)
    for opens, until in calendar.stretches(start):
        if opens >= end:
            break
        total += min(until, end) - opens
    return total


class SlaTarget(Model):
    """Promised durations for one priority, in working time."""

    first_response: timedelta = Field(gt=timedelta(0))
    resolution: timedelta = Field(gt=timedelta(0))


class ClockState(StrEnum):
    ACTIVE = "active"
    DUE_SOON = "due_soon"
    MET = "met"
    MISSED = "missed"
    PAUSED = "paused"


class SlaClock(Model):
    """The running instance of one target."""

    due_at: Instant
    met_at: Instant | None = None
    paused_at: Instant | None = None
    stood_still: timedelta = timedelta(0)
    """Working time of the pauses that are over; `due_at` holds it already."""

    def state(self, now: datetime, soon: timedelta = timedelta(hours=1)) -> ClockState:
        if self.met_at is not None:
            return ClockState.MET if self.met_at <= self.due_at else ClockState.MISSED
        if self.paused_at is not None:
            return ClockState.PAUSED
        if now > self.due_at:
            return ClockState.MISSED
        return ClockState.DUE_SOON if self.due_at - now <= soon else ClockState.ACTIVE
