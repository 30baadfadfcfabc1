from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.computed import (
    Origin,
    Preference,
    SentimentTrend,
    Trend,
    computed,
    contact_hours,
    language,
    preferred_channel,
    sentiment_trend,
    stated_hours,
    time_zone,
)
from shared.domain.model import TouchpointId
from shared.domain.profile import LearnedLanguage, Mood, Profile, Trait
from shared.domain.touchpoint import Channel, Direction
from tests import builders
from tests.builders import NOON

IN, OUT, PASSIVE = Direction.INBOUND, Direction.OUTBOUND, Direction.PASSIVE
DAY = timedelta(days=1)


def profile(*, stated: dict[str, Any] | None = None, **fields: Any) -> Profile:
    traits = {name: Trait(value=value, at=NOON) for name, value in (stated or {}).items()}
    whose = builders.profile_id()
    return Profile.model_validate(
        {"profile_id": whose, "created_at": NOON, "traits": traits} | fields
    )


def moods(*scores: float) -> tuple[Mood, ...]:
    """The oldest first."""
    return tuple(
        Mood(
            touchpoint_id=TouchpointId(str(n)),
            at=NOON + timedelta(hours=n),
            score=score,
            sentiment="neutral",
        )
        for n, score in enumerate(scores)
    )


def test_of_somebody_who_only_exists_nothing_is_known() -> None:
    known = computed(profile(), NOON)
    told = known.model_dump(exclude={"purchases", "spend", "open_obligations", "sentiment"})
    assert set(told.values()) == {None}
    assert (known.purchases, known.spend, known.open_obligations) == (0, {}, {})
    assert known.sentiment == SentimentTrend(recent=None, before=None, trend=Trend.UNKNOWN)


def test_what_follows_from_sums_and_latest_moments() -> None:
    known = computed(
        profile(
            first_at=NOON - 90 * DAY,
            last_at={IN: NOON - 10 * DAY, PASSIVE: NOON - 3 * DAY - timedelta(hours=1), OUT: NOON},
            last_use_at=NOON - 8 * DAY,
            last_purchase_at=NOON - 40 * DAY,
            purchases=3,
            spend={"XOF": 5_000_000, "EUR": 64_800, "TND": -1_005},
            open_records=frozenset({"order#4512", "order#12", "return#R#1"}),
        ),
        NOON,
    )
    assert known.first_contact_at == NOON - 90 * DAY
    assert known.last_contact_at == NOON - 3 * DAY - timedelta(hours=1)
    assert known.last_reached_at == NOON
    assert known.days_since_last_contact == 3
    assert known.days_since_last_use == 8
    assert known.days_since_last_purchase == 40
    assert (known.purchases, known.spend) == (
        3,
        {"EUR": "64.80", "TND": "-1.005", "XOF": "5000.00"},
    )
    assert known.open_obligations == {"order": ("12", "4512"), "return": ("R#1",)}


def test_a_clock_ahead_of_ours_is_today() -> None:
    assert computed(profile(last_use_at=NOON + 2 * DAY), NOON).days_since_last_use == 0


@pytest.mark.parametrize(
    ("scores", "recent", "before", "trend"),
    [
        ((), None, None, Trend.UNKNOWN),
        ((0.5, -0.5, 0.3), 0.1, None, Trend.UNKNOWN),
        ((0.5, 0.5, -0.5, -0.5, -0.5, -0.5, -0.5), -0.5, 0.5, Trend.WORSENING),
        ((-0.8, 0, 0, 0, 0, 0.5), 0.1, -0.8, Trend.IMPROVING),
        ((0.1, 0, 0, 0, 0, 0.5), 0.1, 0.1, Trend.STEADY),
    ],
)
def test_the_latest_five_moods_against_those_before(
    scores: tuple[float, ...], recent: float | None, before: float | None, trend: Trend
) -> None:
    expected = SentimentTrend(recent=recent, before=before, trend=trend)
    assert sentiment_trend(moods(*scores)) == expected
    assert sentiment_trend(reversed(moods(*scores))) == expected


@pytest.mark.parametrize(
    ("stated", "contacts", "value", "origin"),
    [
        ({}, {(IN, Channel.SMS): 2}, "sms", Origin.LEARNED),
        ({"preferred_channel": "email"}, {(IN, Channel.SMS): 2}, "email", Origin.STATED),
        ({"preferred_channel": "pigeon"}, {(IN, Channel.SMS): 2}, "sms", Origin.LEARNED),
        ({"preferred_channel": 7}, {(IN, Channel.SMS): 2}, "sms", Origin.LEARNED),
    ],
)
def test_the_channel_stated_goes_before_the_one_learned(
    stated: dict[str, Any], contacts: Any, value: str, origin: Origin
) -> None:
    known = profile(stated=stated, contacts=contacts)
    assert preferred_channel(known) == Preference(value=value, origin=origin)


@pytest.mark.parametrize(
    ("stated", "learned", "value", "origin"),
    [
        ({}, "it", "it", Origin.LEARNED),
        ({"language": "pt_BR"}, "it", "pt", Origin.STATED),
        ({"locale": "en-GB"}, None, "en", Origin.STATED),
        ({"language": 7}, "it", "it", Origin.LEARNED),
    ],
)
def test_the_language_stated_goes_before_the_one_learned(
    stated: dict[str, Any], learned: str | None, value: str, origin: Origin
) -> None:
    taught = LearnedLanguage(language=learned, at=NOON) if learned else None
    known = profile(stated=stated, learned_language=taught)
    assert language(known) == Preference(value=value, origin=origin)


@pytest.mark.parametrize(
    ("stated", "learned", "expected"),
    [
        ("Asia/Tokyo", "Europe/Paris", ("Asia/Tokyo", Origin.STATED)),
        ("Middle Earth", "Europe/Paris", ("Europe/Paris", Origin.LEARNED)),
        ("../../etc/passwd", None, None),
        ("Europe", None, None),
        (None, "nowhere", None),
    ],
)
def test_a_time_zone_is_one_that_exists(
    stated: str | None, learned: str | None, expected: tuple[str, Origin] | None
) -> None:
    traits = {"timezone": stated} if stated else {}
    found = time_zone(profile(stated=traits, learned_time_zone=learned))
    assert (found and (found.value, found.origin)) == expected


@pytest.mark.parametrize(
    ("zone", "at", "hours", "best"),
    [
        (None, NOON, {7: 1, 18: 3}, (18, 7)),
        ("Europe/Paris", NOON, {7: 1, 18: 3}, (19, 8)),
        ("Europe/Paris", datetime.fromisoformat("2026-07-01T12:00Z"), {18: 3}, (20,)),
        ("Asia/Kolkata", NOON, {23: 3, 4: 3}, (5, 10)),
        ("America/New_York", NOON, {1: 4, 2: 3, 3: 2, 4: 1}, (20, 21, 22)),
    ],
)
def test_they_are_reached_when_they_write_in_the_hours_of_their_zone(
    zone: str | None, at: datetime, hours: dict[int, int], best: tuple[int, ...]
) -> None:
    found = contact_hours(profile(hours=hours, learned_time_zone=zone), at)
    assert found is not None
    assert (found.hours, found.time_zone, found.origin) == (best, zone or "UTC", Origin.LEARNED)


def test_hours_stated_go_before_those_learned() -> None:
    stated = {"contact_hours": "18-20", "timezone": "Europe/Paris"}
    found = contact_hours(profile(stated=stated, hours={7: 1}), NOON)
    assert found is not None
    assert (found.hours, found.time_zone, found.origin) == ((18, 19), "Europe/Paris", Origin.STATED)


@pytest.mark.parametrize(
    ("value", "hours"),
    [
        ("9-12, 18", (9, 10, 11, 18)),
        ("22-1", (22, 23, 0)),
        ("0-24", tuple(range(24))),
        ("9 - 11,10", (9, 10)),
        ("25", ()),
        ("9-25", ()),
        ("evenings", ()),
        ("", ()),
        (9, ()),
        (None, ()),
    ],
)
def test_hours_are_stated_as_spans(value: Any, hours: tuple[int, ...]) -> None:
    assert stated_hours(value) == hours
