from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.errors import InvalidInput, SendRefused
from shared.domain.model import derived_id, isoformat
from shared.domain.sla import SlaClock
from tests.builders import NOON
from tests.unit.domain.strategies import moments


@given(one=st.lists(st.text(alphabet="ab|")), other=st.lists(st.text(alphabet="ab|")))
def test_an_id_follows_from_its_causes(one: list[str], other: list[str]) -> None:
    assert (derived_id("ticket", *one) == derived_id("ticket", *other)) is (one == other)


def test_the_same_causes_of_another_kind_have_another_id() -> None:
    assert derived_id("ticket", "a") != derived_id("profile", "a")


def test_ids_outlive_a_release() -> None:
    """What is stored was found under this id; deriving it in another way would lose it."""
    assert derived_id("ticket", "a") == "6a665863-5af3-5dfb-8d84-212be003a03d"


@given(one=moments, other=moments)
def test_moments_sort_as_text(one: datetime, other: datetime) -> None:
    assert (isoformat(one) < isoformat(other)) is (one < other)


def test_moments_are_held_in_utc() -> None:
    paris = timezone(timedelta(hours=1))
    clock = SlaClock(due_at=datetime(2026, 11, 23, 13, tzinfo=paris))
    assert clock.due_at == NOON
    assert clock.due_at.tzinfo is UTC
    with pytest.raises(ValidationError):
        SlaClock(due_at=datetime(2026, 11, 23, 13))
    with pytest.raises(ValidationError, match="outside the calendar"):
        SlaClock(due_at=datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))))


def test_errors_say_what_a_caller_needs() -> None:
    assert InvalidInput("too long", field="text").field == "text"
    assert SendRefused("not on WhatsApp", code="131026").code == "131026"
