"""What follows from a profile and the present moment: nothing here is stored.

The profile holds sums and latest moments, kept up by each event; this reads them as a person would.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue

from shared.domain.model import Instant, Model
from shared.domain.profile import Mood, Profile
from shared.domain.touchpoint import Channel, Direction

RECENT_MOODS = 5
SAME_MOOD = 0.2
"""Means closer than this are the same mood; a score goes from -1 to 1."""
MOST_HOURS = 3


class Origin(StrEnum):
    STATED = "stated"
    """They, or a system of the company, said so."""
    LEARNED = "learned"
    """It follows from what they did."""


class Preference(Model):
    value: str
    origin: Origin


class ContactHours(Model):
    """When to reach them, in hours of the day of `time_zone`, the best first."""

    hours: tuple[int, ...]
    time_zone: str
    origin: Origin


class Trend(StrEnum):
    IMPROVING = "improving"
    STEADY = "steady"
    WORSENING = "worsening"
    UNKNOWN = "unknown"
    """There is nothing to compare with yet."""


class SentimentTrend(Model):
    """The mean of the latest five moods against that of those before, -1 to 1."""

    recent: float | None
    before: float | None
    trend: Trend


class Computed(Model):
    """The computed attributes of a profile."""

    first_contact_at: Instant | None = Field(description="When their first touchpoint happened.")
    last_contact_at: Instant | None = Field(
        description="When they last came to us; what was sent to them does not count."
    )
    last_reached_at: Instant | None = Field(description="When we last wrote to them.")
    days_since_last_contact: int | None = Field(description="Whole days gone by.")
    days_since_last_use: int | None = Field(
        description="Since they last did something by themselves on a site, in an app or a store."
    )
    days_since_last_purchase: int | None = Field(
        description="Recency; `purchases` is frequency and `spend` value."
    )
    purchases: int
    spend: dict[str, str] = Field(description="Decimal text by currency.")
    open_obligations: dict[str, tuple[str, ...]] = Field(
        description="The numbers of what somebody still has to do, by kind of record."
    )
    sentiment: SentimentTrend
    preferred_channel: Preference | None = Field(description="Where to reach them.")
    language: Preference | None = Field(description="The language to write in.")
    time_zone: Preference | None
    contact_hours: ContactHours | None


def computed(profile: Profile, now: datetime) -> Computed:
    theirs = [at for way, at in profile.last_at.items() if way is not Direction.OUTBOUND]
    last_contact_at = max(theirs, default=None)
    return Computed(
        first_contact_at=profile.first_at,
        last_contact_at=last_contact_at,
        last_reached_at=profile.last_at.get(Direction.OUTBOUND),
        days_since_last_contact=_days_since(last_contact_at, now),
        days_since_last_use=_days_since(profile.last_use_at, now),
        days_since_last_purchase=_days_since(profile.last_purchase_at, now),
        purchases=profile.purchases,
        spend={currency: _decimal(amount) for currency, amount in sorted(profile.spend.items())},
        open_obligations=open_obligations(profile),
        sentiment=sentiment_trend(profile.moods),
        preferred_channel=preferred_channel(profile),
        language=language(profile),
        time_zone=time_zone(profile),
        contact_hours=contact_hours(profile, now),
    )


def _decimal(thousandths: int) -> str:
    """At least two decimals: `64.80`, `0.005`."""
    whole = f"{Decimal(thousandths).scaleb(-3):.3f}"
    return whole.removesuffix("0")


def _days_since(moment: datetime | None, now: datetime) -> int | None:
    """A clock of somebody else may be ahead of ours: that is today."""
    return None if moment is None else max(0, (now - moment).days)


def open_obligations(profile: Profile) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key in sorted(profile.open_records):
        kind, _, number = key.partition("#")
        found.setdefault(kind, []).append(number)
    return {kind: tuple(numbers) for kind, numbers in found.items()}


def sentiment_trend(moods: Iterable[Mood]) -> SentimentTrend:
    newest_first = sorted(moods, key=lambda mood: (mood.at, mood.score), reverse=True)
    recent = _mean(newest_first[:RECENT_MOODS])
    before = _mean(newest_first[RECENT_MOODS:])
    if recent is None or before is None:
        return SentimentTrend(recent=recent, before=before, trend=Trend.UNKNOWN)
    if abs(recent - before) < SAME_MOOD:
        return SentimentTrend(recent=recent, before=before, trend=Trend.STEADY)
    trend = Trend.IMPROVING if recent > before else Trend.WORSENING
    return SentimentTrend(recent=recent, before=before, trend=trend)


def _mean(moods: list[Mood]) -> float | None:
    return round(sum(mood.score for mood in moods) / len(moods), 3) if moods else None


# Preferences: what was stated wins over what was learned; what makes no sense was not stated.


def preferred_channel(profile: Profile) -> Preference | None:
    stated = _stated(profile, "preferred_channel")
    return _preference(stated if stated in set(Channel) else None, profile.preferred_channel)


def language(profile: Profile) -> Preference | None:
    stated = _stated(profile, "language") or _stated(profile, "locale")
    return _preference(profile.language if stated else None, profile.language)


def time_zone(profile: Profile) -> Preference | None:
    stated, learned = _stated(profile, "timezone"), profile.learned_time_zone
    return _preference(
        stated if stated and _zone(stated) else None,
        learned if learned and _zone(learned) else None,
    )


def _preference(stated: str | None, learned: str | None) -> Preference | None:
    if stated:
        return Preference(value=stated, origin=Origin.STATED)
    return Preference(value=learned, origin=Origin.LEARNED) if learned else None


def _stated(profile: Profile, name: str) -> str | None:
    value = _trait(profile, name)
    return value if isinstance(value, str) else None


def _trait(profile: Profile, name: str) -> JsonValue:
    trait = profile.traits.get(name)
    return trait.value if trait is not None else None


def _zone(name: str) -> ZoneInfo | None:
    """None for what is no name of a time zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def contact_hours(profile: Profile, now: datetime) -> ContactHours | None:
    """Stated as the trait `contact_hours` ("9-12, 18"), or the hours they write to us most.

    Hours are counted in UTC and shown at the offset their zone has now.
    """
    zone = time_zone(profile)
    name = zone.value if zone else "UTC"
    stated = stated_hours(_trait(profile, "contact_hours"))
    if stated:
        return ContactHours(hours=stated, time_zone=name, origin=Origin.STATED)
    learned = _best_hours(profile.hours, now.astimezone(ZoneInfo(name)).utcoffset())
    if not learned:
        return None
    return ContactHours(hours=learned, time_zone=name, origin=Origin.LEARNED)


def _best_hours(hours: Mapping[int, int], offset: timedelta | None) -> tuple[int, ...]:
    """An hour of UTC is the local hour that its middle lies in: some zones are half an hour off."""
    shift = int((offset or timedelta()).total_seconds()) // 60 + 30
    local: dict[int, int] = {}
    for hour, number in hours.items():
        there = (hour * 60 + shift) // 60 % 24
        local[there] = local.get(there, 0) + number
    best = sorted(local, key=lambda hour: (-local[hour], hour))
    return tuple(best[:MOST_HOURS])


_SPAN = re.compile(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?")


def stated_hours(value: JsonValue) -> tuple[int, ...]:
    """`9-12, 18` as 9, 10, 11, 18: a span ends before its second hour and may pass midnight.

    Empty for what says no hours.
    """
    found: list[int] = []
    for part in value.split(",") if isinstance(value, str) else ():
        span = _SPAN.fullmatch(part.strip())
        if span is None:
            return ()
        begin, end = int(span[1]), int(span[2] or int(span[1]) + 1)
        if begin > 23 or end > 24:
            return ()
        found += [(begin + more) % 24 for more in range((end - begin) % 24 or 24)]
    return tuple(dict.fromkeys(found))
