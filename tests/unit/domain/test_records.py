from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import groupby, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.domain.records import (
    LIFE,
    LONGEST_DETAIL,
    LONGEST_NUMBER,
    MOST_CURRENCIES,
    MOST_OPEN,
    OPEN,
    Detail,
    Record,
    RecordKind,
    Standing,
    counted_twice,
    difference,
    is_open,
    merged,
    money,
    newest,
    record_of,
    standing_of,
    supersedes,
    that_fits,
)
from shared.domain.touchpoint import (
    Appointment,
    Contract,
    Direction,
    GoodsReturn,
    Order,
    Purchase,
    Touchpoint,
    WarrantyClaim,
)
from tests.builders import NOON, touchpoint

LATER = NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("content", "last_at"),
    [
        (Order(number="1", status="placed", version_at=NOON), NOON),
        (Contract(number="1", status="active", version_at=NOON), NOON),
        (Contract(number="1", status="active", version_at=NOON, ends_at=LATER), LATER),
        (Contract(number="1", status="ended", version_at=LATER, ends_at=NOON), LATER),
        (Appointment(number="1", status="booked", version_at=NOON, starts_at=LATER), LATER),
        (
            Appointment(
                number="1",
                status="booked",
                version_at=NOON,
                starts_at=datetime(1, 1, 1, tzinfo=UTC),
            ),
            NOON,
        ),
    ],
)
def test_a_record_lasts_as_long_as_what_it_speaks_of(
    content: Order | Contract | Appointment, last_at: datetime
) -> None:
    record = record_of(touchpoint(content))
    assert record is not None
    assert record.last_at == last_at


def order(
    status: str = "placed",
    *,
    number: str = "4512",
    hours: int = 0,
    total: str | None = "64.80",
    key: str | None = None,
) -> Touchpoint:
    at = NOON + timedelta(hours=hours)
    content = Order.model_validate(
        {
            "number": number,
            "status": status,
            "version_at": at,
            "total": total,
            "currency": "EUR" if total else None,
        }
    )
    return touchpoint(
        content, direction=Direction.PASSIVE, key=key or f"{number} {status} {at} {total}", at=at
    )


def version(status: str = "placed", **more: Any) -> Record:
    record = record_of(order(status, **more))
    assert record is not None
    return record


def folded(versions: list[Record]) -> tuple[dict[str, Record], dict[str, int], int, frozenset[str]]:
    """As profile_update does it: one version after the other, adding differences."""
    records: dict[str, Record] = {}
    spend: dict[str, int] = {}
    number, purchases, open_records = 0, 0, frozenset[str]()
    for one in versions:
        known = records.get(one.key)
        records[one.key] = merged(one, known)
        change = difference(records[one.key], known)
        for currency, amount in change.spend.items():
            spend[currency] = spend.get(currency, 0) + amount
        purchases += change.purchases
        open_records = (open_records - change.closed) | change.opened
        number += change.records
    assert number == len(records)
    return records, {k: v for k, v in spend.items() if v}, purchases, open_records


versions = st.lists(
    st.builds(
        version,
        st.sampled_from(LIFE[RecordKind.ORDER]),
        number=st.sampled_from(["1", "2", "3"]),
        hours=st.integers(0, 3),
        total=st.sampled_from([None, "10", "64.80", "0.005"]),
        key=st.sampled_from(["a", "b", "c", "d", "e", "f"]),
    ),
    # Ids are derived: the same one always tells the same.
    unique_by=lambda one: one.touchpoint_id,
    max_size=6,
)


@given(versions, st.randoms())
def test_versions_of_many_orders_end_in_the_same_in_any_order(
    told: list[Record], random: Any
) -> None:
    shuffled = told + told[:2]
    random.shuffle(shuffled)
    assert folded(shuffled) == folded(told)


@given(versions)
def test_the_sums_are_those_of_the_records(told: list[Record]) -> None:
    records, spend, purchases, open_records = folded(told)
    standings = [standing_of(one) for one in records.values()]
    assert sum(spend.values()) == sum(sum(one.spend.values()) for one in standings)
    assert purchases == sum(one.purchases for one in standings)
    assert open_records == {one.key for one in records.values() if is_open(one)}


@given(versions, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_a_record_under_several_profiles_of_a_person_counts_once(
    told: list[Record], homes: list[int]
) -> None:
    """Whichever profile each version came to, and whenever these became one person's."""
    by_home = [
        folded([one for one, home in zip(told, homes, strict=False) if home == here])
        for here in range(3)
    ]
    at_once = folded(told)
    correction = counted_twice([one for records, *_ in by_home for one in records.values()])
    spend = sum(sum(spend.values()) for _, spend, _, _ in by_home) + sum(correction.spend.values())
    purchases = sum(number for _, _, number, _ in by_home) + correction.purchases
    open_records = frozenset[str]().union(*(opened for *_, opened in by_home)) - correction.closed
    number = sum(len(records) for records, *_ in by_home) + correction.records
    assert number == len(at_once[0])
    assert (spend, purchases, open_records) == (sum(at_once[1].values()), *at_once[2:])
    everywhere = sorted(
        (one for records, *_ in by_home for one in records.values()), key=lambda one: one.key
    )
    assert {key: newest(of) for key, of in groupby(everywhere, lambda one: one.key)} == at_once[0]


def test_an_older_version_changes_nothing() -> None:
    paid = version("paid", hours=2)
    assert not supersedes(version("placed", hours=1), paid)
    assert merged(version("placed", hours=1), paid) == paid
    assert difference(paid, paid) == Standing()


def test_what_a_newer_version_leaves_out_stays_as_it_was_told() -> None:
    shipped = merged(version("shipped", hours=5, total=None), version("placed"))
    assert (shipped.status, shipped.version_at) == ("shipped", NOON + timedelta(hours=5))
    assert shipped.details == {"total": Detail(value="64.80 EUR", at=NOON)}
    assert standing_of(shipped).spend == {"EUR": 64800}
    corrected = merged(version("placed", hours=6, total="50"), shipped)
    assert corrected.details["total"].value == "50 EUR"


def test_of_two_versions_of_one_instant_the_later_state_is_the_newer() -> None:
    for one, other in permutations([version("placed"), version("paid"), version("shipped")], 2):
        assert supersedes(one, other) is not supersedes(other, one)
    for some in permutations([version("placed"), version("cancelled"), version("shipped")]):
        assert reduce(merged, some).status == "cancelled"
    same = [version("paid", key="a", total="1"), version("paid", key="b", total="2")]
    assert merged(*same) == merged(*reversed(same))


@pytest.mark.parametrize(
    ("status", "spend", "purchases", "is_waited_for"),
    [
        ("placed", {"EUR": 64800}, 1, True),
        ("paid", {"EUR": 64800}, 1, True),
        ("shipped", {"EUR": 64800}, 1, True),
        ("delivered", {"EUR": 64800}, 1, False),
        ("cancelled", {}, 0, False),
        ("returned", {}, 0, False),
        ("refunded", {}, 0, False),
    ],
)
def test_what_an_order_counts_for(
    status: str, spend: dict[str, int], purchases: int, is_waited_for: bool
) -> None:
    opened = frozenset({"order#4512"}) if is_waited_for else frozenset[str]()
    assert standing_of(version(status)) == Standing(1, spend, purchases, opened)


def test_a_cancellation_takes_back_what_the_order_added() -> None:
    placed, cancelled = version(), version("cancelled", hours=1)
    assert difference(placed, None) == Standing(1, {"EUR": 64800}, 1, frozenset({"order#4512"}))
    assert difference(merged(cancelled, placed), placed) == Standing(
        0, {"EUR": -64800}, -1, closed=frozenset({"order#4512"})
    )


@pytest.mark.parametrize(
    ("content", "key", "details"),
    [
        (
            Contract(number="C-1", status="active", version_at=LATER, ends_at=LATER),
            "contract#C-1",
            {"ends_at": "2026-11-23T13:00:00.000000Z"},
        ),
        (
            Contract(number="C-1", status="proposed", version_at=LATER, product="Fibre"),
            "contract#C-1",
            {"product": "Fibre"},
        ),
        (
            Appointment(
                number="7", status="booked", starts_at=LATER, version_at=LATER, place="Lyon"
            ),
            "appointment#7",
            {"starts_at": "2026-11-23T13:00:00.000000Z", "place": "Lyon"},
        ),
        (
            GoodsReturn(number="R-1", status="requested", version_at=LATER, order_number="4512"),
            "return#R-1",
            {"order_number": "4512"},
        ),
        (
            WarrantyClaim(number="W#1", status="opened", version_at=LATER, reason="é" * 300),
            "warranty_claim#W#1",
            {"reason": "é" * LONGEST_DETAIL},
        ),
    ],
)
def test_a_record_holds_its_small_facts(content: Any, key: str, details: dict[str, str]) -> None:
    record = record_of(touchpoint(content))
    assert record is not None
    assert (record.key, record.version_at, record.status) == (key, LATER, content.status)
    assert {name: one.value for name, one in record.details.items()} == details
    assert {one.at for one in record.details.values()} == {LATER}
    assert standing_of(record).spend == {}
    assert standing_of(record).purchases == 0


def test_an_appointment_without_a_version_is_as_new_as_its_touchpoint() -> None:
    record = record_of(touchpoint(Appointment(number="7", status="kept", starts_at=NOON), at=LATER))
    assert record is not None
    assert record.version_at == LATER


@pytest.mark.parametrize(
    "seen",
    [
        touchpoint(),
        touchpoint(Purchase(number="1", total="1", currency="EUR")),
        order(number=""),
        order(number="4" * (LONGEST_NUMBER + 1)),
    ],
    ids=["message", "purchase", "no number", "endless number"],
)
def test_what_tells_of_no_record(seen: Touchpoint) -> None:
    assert record_of(seen) is None


def test_every_state_of_every_kind_has_its_place() -> None:
    contents: dict[RecordKind, type[BaseModel]] = {
        RecordKind.ORDER: Order,
        RecordKind.CONTRACT: Contract,
        RecordKind.APPOINTMENT: Appointment,
        RecordKind.RETURN: GoodsReturn,
        RecordKind.WARRANTY_CLAIM: WarrantyClaim,
    }
    assert set(contents) == set(RecordKind) == set(LIFE) == set(OPEN)
    for kind, content in contents.items():
        states = content.model_json_schema()["properties"]["status"]["enum"]
        assert sorted(LIFE[kind]) == sorted(states)
        assert OPEN[kind] < set(states)


@pytest.mark.parametrize(
    ("amount", "currency", "thousandths"),
    [
        ("64.80", "EUR", {"EUR": 64800}),
        ("-5", "XOF", {"XOF": -5000}),
        ("0.0004", "EUR", {}),
        ("0", "EUR", {}),
        ("", "EUR", {}),
        ("64.80", "", {}),
        ("9" * 400, "EUR", {}),
    ],
)
def test_money_is_kept_in_thousandths(
    amount: str, currency: str, thousandths: dict[str, int]
) -> None:
    assert money(amount, currency) == thousandths


def test_a_total_without_its_currency_is_no_spend() -> None:
    content = Order(number="1", status="paid", version_at=NOON, total="5")
    record = record_of(touchpoint(content))
    assert record is not None
    assert record.details["total"].value == "5"
    assert standing_of(record) == Standing(1, {}, 1, frozenset({"order#1"}))


def test_a_full_profile_leaves_the_rest_to_the_records() -> None:
    change = difference(version(), None)
    currencies = {f"X{n:02}": 1 for n in range(MOST_CURRENCIES)}
    many = frozenset(f"order#{n}" for n in range(MOST_OPEN))
    assert that_fits(change, {}, frozenset()) == change
    assert that_fits(change, currencies, many) == Standing(1, purchases=1)
    assert that_fits(change, currencies | {"EUR": 0}, frozenset()) == change
