"""Each kind of touchpoint has its class, and each class its time."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from shared.domain.retention import CLASS_OF_KIND, RetentionPolicy, end_of, epoch, expires_at
from shared.domain.touchpoint import Content, DeliveryStatus, PageView
from tests.builders import NOON, policies, touchpoint, whatsapp_message

POLICY = policies().retention


def test_no_kind_of_content_is_without_its_class() -> None:
    union, _ = get_args(Content)
    kinds = {one.model_fields["kind"].default for one in get_args(union)}
    assert set(CLASS_OF_KIND) == kinds
    assert set(CLASS_OF_KIND.values()) <= set(RetentionPolicy.model_fields)


def test_what_was_said_is_kept_longer_than_what_was_seen() -> None:
    seen = touchpoint(PageView(name="cart"))
    told = touchpoint(DeliveryStatus(status="read", message_id="m"))
    assert expires_at(whatsapp_message(), POLICY) == epoch(NOON + timedelta(days=3 * 365))
    assert expires_at(seen, POLICY) == epoch(NOON + timedelta(days=365 + 25))
    assert expires_at(told, POLICY) == epoch(NOON + timedelta(days=90))


def test_a_providers_clock_that_runs_ahead_gains_nothing() -> None:
    ahead = whatsapp_message(at=NOON + timedelta(days=900), received_at=NOON)
    assert expires_at(ahead, POLICY) == epoch(NOON + POLICY.message)


def test_what_ends_with_the_calendar_is_kept_beyond_it() -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert end_of(last, POLICY.record) == epoch(last) + 5 * 365 * 24 * 3600


def test_the_policy_survives_the_way_through_an_environment() -> None:
    assert RetentionPolicy.model_validate_json(POLICY.model_dump_json()) == POLICY


def test_nothing_is_kept_for_less_than_a_day() -> None:
    with pytest.raises(ValidationError):
        RetentionPolicy.model_validate({**POLICY.model_dump(), "message": "PT1H"})
