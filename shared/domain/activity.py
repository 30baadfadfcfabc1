"""What one touchpoint adds to the profile it belongs to.

Sums and latest moments only: any order of touchpoints ends in the same profile.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from shared.domain.model import Instant
from shared.domain.records import Record, Standing, difference, money
from shared.domain.touchpoint import Channel, Direction, Order, Purchase, Touchpoint

USE = frozenset({"page_view", "tracked_event", "purchase"})
"""The kinds of content that show a person using what the company offers, by their own doing."""

ORDERED = frozenset({"placed", "paid"})
"""The states of an order whose version was made when the person bought; later ones are made when
the company did something.
"""


class Contact(NamedTuple):
    """`spend` and `purchases` are of what was bought on the spot; an order's follow from its
    record, which knows its older versions.
    """

    direction: Direction
    channel: Channel
    at: Instant
    hour: int | None
    """Of the day in UTC, where the person spoke to the company."""
    used_at: Instant | None
    bought_at: Instant | None
    """Stays even if the order is cancelled later: they did buy."""
    spend: Mapping[str, int]
    """By currency, in thousandths."""
    purchases: int


def contact_of(touchpoint: Touchpoint) -> Contact:
    content, at = touchpoint.content, touchpoint.occurred_at
    spent: Mapping[str, int] = {}
    purchases, bought_at = 0, None
    match content:
        case Purchase():
            spent = money(content.total, content.currency)
            # A till tells of what is brought back as of a purchase with a negative total.
            if Decimal(content.total) >= 0:
                purchases, bought_at = 1, at
        case Order() if content.status in ORDERED:
            bought_at = min(content.version_at, touchpoint.received_at)
        case _:
            pass
    return Contact(
        direction=touchpoint.direction,
        channel=touchpoint.channel,
        at=at,
        hour=at.hour if touchpoint.direction is Direction.INBOUND else None,
        used_at=at if content.kind in USE else None,
        bought_at=bought_at,
        spend=spent,
        purchases=purchases,
    )


def counts_of(touchpoint: Touchpoint, record: Record | None, before: Record | None) -> Standing:
    """What a touchpoint adds to the sums of its profile.

    `record` is the one it told of, as it is with this version, and `before` as it was without.
    """
    if record is not None:
        return difference(record, before)
    contact = contact_of(touchpoint)
    return Standing(spend=contact.spend, purchases=contact.purchases)
