"""What runs between a person and the company: orders, contracts, appointments, returns, claims.

Each is told in versions that arrive in any order. A record is a fold over them: its state is the
newest version's, each detail the newest that was stated, so a short "shipped" keeps the total that
"placed" told, and an older version that comes late overwrites nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from typing import NamedTuple

from shared.domain.model import Instant, Model, TouchpointId, isoformat
from shared.domain.touchpoint import (
    Appointment,
    Contract,
    GoodsReturn,
    Order,
    Touchpoint,
    WarrantyClaim,
)

Told = Appointment | Contract | GoodsReturn | Order | WarrantyClaim

LONGEST_NUMBER = 200
LONGEST_DETAIL = 200
"""Characters. A longer number is no record; a longer detail is cut, the touchpoint has it all."""
LARGEST_AMOUNT = 10**12
"""No single price reaches it."""
MOST_OPEN = 500
MOST_CURRENCIES = 20
"""Of one profile, whose item ends at 400 KB. What is beyond stands in the records alone."""


class RecordKind(StrEnum):
    ORDER = "order"
    CONTRACT = "contract"
    APPOINTMENT = "appointment"
    RETURN = "return"
    WARRANTY_CLAIM = "warranty_claim"


LIFE: Mapping[RecordKind, tuple[str, ...]] = {
    RecordKind.ORDER: (
        "placed",
        "paid",
        "shipped",
        "delivered",
        "cancelled",
        "returned",
        "refunded",
    ),
    RecordKind.CONTRACT: ("proposed", "active", "suspended", "ended"),
    RecordKind.APPOINTMENT: ("booked", "moved", "kept", "missed", "cancelled"),
    RecordKind.RETURN: ("requested", "approved", "received", "refunded", "refused"),
    RecordKind.WARRANTY_CLAIM: (
        "opened",
        "accepted",
        "repaired",
        "replaced",
        "refused",
        "closed",
    ),
}
"""The states in the order of a life: of two versions of the same instant the later state is the
newer, since many systems stamp by the second.
"""

OPEN: Mapping[RecordKind, frozenset[str]] = {
    RecordKind.ORDER: frozenset({"placed", "paid", "shipped"}),
    RecordKind.CONTRACT: frozenset({"proposed"}),
    RecordKind.APPOINTMENT: frozenset({"booked", "moved"}),
    RecordKind.RETURN: frozenset({"requested", "approved", "received"}),
    RecordKind.WARRANTY_CLAIM: frozenset({"opened", "accepted"}),
}
"""The states in which somebody still has to do something. A contract that runs is no obligation."""

BOUGHT = frozenset({"placed", "paid", "shipped", "delivered"})
"""The states of an order that count as spent; the others take it back."""


_MOMENTS = ("starts_at", "ends_at")
"""Details that are moments, in ISO 8601."""


class Detail(Model):
    """One fact of a record, and of when the version is that stated it."""

    value: str
    at: Instant


class Record(Model):
    """An order, a contract, …: its newest state, and the newest of each detail."""

    kind: RecordKind
    number: str
    status: str
    version_at: Instant
    touchpoint_id: TouchpointId
    """Of the newest version; it holds what is not kept here, as an order's lines."""
    details: dict[str, Detail] = {}

    @property
    def key(self) -> str:
        """`order#4512`."""
        return f"{self.kind}#{self.number}"

    @property
    def last_at(self) -> Instant:
        """Of the newest version, of the appointment, or of the contract's end: the latest."""
        named = [self.details[name].value for name in _MOMENTS if name in self.details]
        return max([self.version_at, *(at for at in map(_moment, named) if at is not None)])


def _moment(text: str) -> datetime | None:
    """None for the year 1, by which many systems say that nothing was entered."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class Standing(NamedTuple):
    """What counts on a profile: of one record, or the difference between two of its versions."""

    records: int = 0
    spend: Mapping[str, int] = {}
    """By currency, in thousandths."""
    purchases: int = 0
    opened: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    """Keys of records that were open, and are no longer."""


def record_of(touchpoint: Touchpoint) -> Record | None:
    """The version that a touchpoint tells, or None where it tells of no record."""
    content = touchpoint.content
    if not isinstance(content, Told):
        return None
    if not 0 < len(content.number) <= LONGEST_NUMBER:
        return None
    at = content.version_at or touchpoint.occurred_at
    return Record(
        kind=RecordKind(content.kind),
        number=content.number,
        status=content.status,
        version_at=at,
        touchpoint_id=touchpoint.touchpoint_id,
        details={
            name: Detail(value=value[:LONGEST_DETAIL], at=at)
            for name, value in _details(content).items()
            if value
        },
    )


def _details(content: Told) -> Mapping[str, str | None]:
    match content:
        case Order():
            # An amount without its currency is no fact of its own.
            amount = f"{content.total} {content.currency or ''}".rstrip()
            return {"total": amount if content.total else None}
        case Contract():
            ends = isoformat(content.ends_at) if content.ends_at else None
            return {"product": content.product, "ends_at": ends}
        case Appointment():
            starts = isoformat(content.starts_at)
            return {"starts_at": starts, "place": content.place, "purpose": content.purpose}
        case GoodsReturn():
            return {"order_number": content.order_number, "reason": content.reason}
        case _:
            return {"product": content.product, "reason": content.reason}


def supersedes(new: Record, known: Record | None) -> bool:
    """Whether `new` is the newer version. Of any two exactly one is, whichever came first."""
    return known is None or _age(new) > _age(known)


def _age(record: Record) -> tuple[Instant, int, TouchpointId]:
    return record.version_at, LIFE[record.kind].index(record.status), record.touchpoint_id


def merged(new: Record, known: Record | None) -> Record:
    """Both versions as one record; the same whichever came first, and however often."""
    if known is None:
        return new
    details = dict(known.details)
    for name, detail in new.details.items():
        if name not in details or _later(detail, details[name]):
            details[name] = detail
    newest = new if supersedes(new, known) else known
    return newest.model_copy(update={"details": dict(sorted(details.items()))})


def _later(one: Detail, other: Detail) -> bool:
    return (one.at, one.value) > (other.at, other.value)


def is_open(record: Record) -> bool:
    """Whether somebody still has to do something."""
    return record.status in OPEN[record.kind]


def standing_of(record: Record) -> Standing:
    """What the record counts for on a profile."""
    opened = frozenset({record.key}) if is_open(record) else frozenset[str]()
    if record.kind is not RecordKind.ORDER or record.status not in BOUGHT:
        return Standing(records=1, opened=opened)
    total = record.details.get("total")
    amount, _, currency = total.value.partition(" ") if total else ("", "", "")
    return Standing(1, money(amount, currency), 1, opened)


def money(amount: str, currency: str) -> dict[str, int]:
    """Decimal text as thousandths of its currency; empty for none, and for what is no price."""
    if not amount or not currency or abs(Decimal(amount)) >= LARGEST_AMOUNT:
        return {}
    thousandths = int((Decimal(amount) * 1000).to_integral_value())
    return {currency: thousandths} if thousandths else {}


def difference(after: Record, before: Record | None) -> Standing:
    """What changes on the profile when a record becomes another."""
    return _sum([standing_of(after)], [standing_of(before)] if before else [])


def counted_twice(records: Iterable[Record]) -> Standing:
    """What to add to the sums of several profiles of one person, so that a record which is told on
    more than one of them counts once, as the newest of its versions does.
    """
    told: dict[str, list[Record]] = {}
    for record in records:
        told.setdefault(record.key, []).append(record)
    more = [versions for versions in told.values() if len(versions) > 1]
    return _sum(
        [standing_of(newest(versions)) for versions in more],
        [standing_of(record) for versions in more for record in versions],
    )


def newest(versions: Iterable[Record]) -> Record:
    """What several profiles know of one record, as one. Raises TypeError where there is none."""
    return reduce(merged, versions)


def _sum(plus: Iterable[Standing], minus: Iterable[Standing]) -> Standing:
    plus, minus = list(plus), list(minus)
    spend: dict[str, int] = {}
    for sign, standings in ((1, plus), (-1, minus)):
        for one in standings:
            for currency, amount in one.spend.items():
                spend[currency] = spend.get(currency, 0) + sign * amount
    opened = frozenset[str]().union(*(one.opened for one in plus))
    before = frozenset[str]().union(*(one.opened for one in minus))
    return Standing(
        records=len(plus) - len(minus),
        spend={currency: amount for currency, amount in spend.items() if amount},
        purchases=sum(one.purchases for one in plus) - sum(one.purchases for one in minus),
        opened=opened - before,
        closed=before - opened,
    )


def that_fits(change: Standing, spend: Mapping[str, int], open_records: frozenset[str]) -> Standing:
    """Without what a profile has no room for; `spend` and `open_records` are its own."""
    full = len(spend) >= MOST_CURRENCIES
    return change._replace(
        spend={k: v for k, v in change.spend.items() if k in spend or not full},
        opened=change.opened if len(open_records) < MOST_OPEN else frozenset(),
    )
