from datetime import timedelta
from typing import Any

import pytest

from shared.domain.activity import contact_of, counts_of
from shared.domain.records import Standing, record_of
from shared.domain.touchpoint import Channel, Direction, Order, PageView, Purchase, TrackedEvent
from tests.builders import NOON, touchpoint, whatsapp_message

PASSIVE = Direction.PASSIVE


def test_a_message_counts_on_its_way_and_hour() -> None:
    contact = contact_of(whatsapp_message(at=NOON + timedelta(hours=7)))
    assert (contact.direction, contact.channel) == (Direction.INBOUND, Channel.WHATSAPP)
    assert (contact.at, contact.hour) == (NOON + timedelta(hours=7), 19)
    assert (contact.used_at, contact.bought_at) == (None, None)
    assert (contact.spend, contact.purchases) == ({}, 0)


@pytest.mark.parametrize("direction", [Direction.OUTBOUND, Direction.PASSIVE])
def test_only_what_they_say_tells_their_hour(direction: Direction) -> None:
    assert contact_of(touchpoint(direction=direction)).hour is None


@pytest.mark.parametrize(
    ("content", "used", "bought", "spend", "purchases"),
    [
        (PageView(), True, False, {}, 0),
        (TrackedEvent(name="Cart"), True, False, {}, 0),
        (Purchase(number="1", total="64.8", currency="EUR"), True, True, {"EUR": 64800}, 1),
        (Purchase(number="1", total="-20", currency="EUR"), True, False, {"EUR": -20000}, 0),
        (Order(number="1", status="placed", version_at=NOON), False, True, {}, 0),
        (Order(number="1", status="paid", version_at=NOON), False, True, {}, 0),
        (Order(number="1", status="shipped", version_at=NOON), False, False, {}, 0),
        (Order(number="1", status="cancelled", version_at=NOON), False, False, {}, 0),
    ],
)
def test_what_a_touchpoint_adds(
    content: Any, used: bool, bought: bool, spend: dict[str, int], purchases: int
) -> None:
    contact = contact_of(touchpoint(content, direction=PASSIVE))
    assert contact.used_at == (NOON if used else None)
    assert contact.bought_at == (NOON if bought else None)
    assert (contact.spend, contact.purchases) == (spend, purchases)


def test_nobody_bought_in_the_future() -> None:
    ahead = Order(number="1", status="placed", version_at=NOON + timedelta(days=400))
    seen = touchpoint(ahead, direction=PASSIVE)
    assert contact_of(seen).bought_at == seen.received_at


def test_a_record_counts_by_what_its_version_changes() -> None:
    placed = touchpoint(
        Order(number="1", status="placed", version_at=NOON, total="5", currency="EUR")
    )
    cancelled = touchpoint(Order(number="1", status="cancelled", version_at=NOON))
    first, second = record_of(placed), record_of(cancelled)
    assert counts_of(placed, first, None).spend == {"EUR": 5_000}
    assert counts_of(cancelled, second, first).spend == {"EUR": -5_000}


def test_a_purchase_counts_by_itself() -> None:
    bought = touchpoint(Purchase(number="1", total="5", currency="EUR"))
    assert counts_of(bought, None, None) == Standing(spend={"EUR": 5_000}, purchases=1)
