"""DynamoDB's published rules of price, one by one."""

from typing import Any

import pytest

from tests.bench.dynamodb_units import (
    Change,
    Index,
    Item,
    Table,
    Units,
    item_size,
    read_items,
    read_range,
    refused,
    written,
)

KEYS_ONLY = Index(("profile_id", "timeline"), frozenset())
PLAIN = Table(("pk",), ())
INDEXED = Table(("pk",), (KEYS_ONLY,))


def item(size: int, **more: str) -> Item:
    """An item of exactly `size` bytes, with these strings in it."""
    strings = {"pk": "1", **more}
    named = {name: {"S": value} for name, value in strings.items()}
    rest = size - item_size(named) - len("filler")
    return {**named, "filler": {"S": "x" * rest}}


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "é"}, 2),
        ({"N": "7"}, 2),
        ({"N": "100"}, 2),
        ({"N": "1234"}, 3),
        ({"N": "-5"}, 3),
        ({"N": "0"}, 1),
        ({"N": "12.5"}, 3),
        ({"B": b"xyz"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "cd"]}, 4),
        ({"M": {}}, 3),
        ({"M": {"a": {"S": "b"}}}, 6),
        ({"L": [{"S": "b"}, {"N": "1"}]}, 3 + 2 + 3),
    ],
)
def test_a_value_has_its_size(attribute: dict[str, object], size: int) -> None:
    assert item_size({"name": attribute}) == len("name") + size


def test_an_unheard_of_type_is_no_size() -> None:
    with pytest.raises(ValueError, match="no attribute type X"):
        item_size({"name": {"X": "1"}})


@pytest.mark.parametrize(("size", "units"), [(100, 1), (1024, 1), (1025, 2), (3000, 3)])
def test_a_write_costs_a_unit_a_kilobyte(size: int, units: float) -> None:
    assert written([Change(PLAIN, None, item(size))]) == Units(write=units)


def test_a_shrinking_item_costs_what_it_was() -> None:
    assert written([Change(PLAIN, item(3000), item(100))]).write == 3


def test_a_deleted_item_costs_what_it_was() -> None:
    assert written([Change(PLAIN, item(3000), None)]).write == 3


def test_deleting_nothing_costs_a_unit() -> None:
    assert written([Change(PLAIN, None, None)]).write == 1


IN = {"profile_id": "p1", "timeline": "t1"}
MOVED = IN | {"timeline": "t2"}


@pytest.mark.parametrize(
    ("before", "after", "index_units"),
    [
        (None, item(100), 0),
        (None, item(100, **IN), 1),
        (item(100), item(100, **IN), 1),
        (item(100, **IN), item(200, **IN), 0),
        (item(100, **IN), item(100, **MOVED), 2),
        (item(100, **IN), item(100), 1),
        (item(100, **IN), None, 1),
        (item(100, profile_id="p1"), item(100, profile_id="p2"), 0),
    ],
    ids=[
        "not in it",
        "new in it",
        "enters",
        "keys stay",
        "moves",
        "leaves",
        "deleted",
        "half a key is no entry",
    ],
)
def test_an_index_costs_what_changes_in_it(
    before: Item | None, after: Item | None, index_units: int
) -> None:
    assert written([Change(INDEXED, before, after)]).write == 1 + index_units


def test_a_projected_attribute_changes_its_entry_in_place() -> None:
    table = Table(("pk",), (Index(("profile_id",), frozenset({"timeline"})),))
    assert written([Change(table, item(100, **IN), item(100, **MOVED))]).write == 2


def test_an_index_of_everything_is_sized_on_the_larger_entry() -> None:
    table = Table(("pk",), (Index(("profile_id",), None),))
    large, small = item(3000, profile_id="p"), item(100, profile_id="p")
    assert written([Change(table, large, small)]).write == 3 + 3


def test_a_transaction_doubles_the_table_and_not_its_indexes() -> None:
    enters = Change(INDEXED, item(100), item(100, **IN))
    assert written([enters], in_transaction=True).write == 2 + 1


def test_a_condition_check_costs_like_a_write_of_what_it_checked() -> None:
    checked = item(3000, **IN)
    assert written([Change(INDEXED, checked, checked)], in_transaction=True).write == 6


def test_a_refused_write_costs_the_table_and_moves_no_index() -> None:
    enters = Change(INDEXED, item(1500), item(100, **IN))
    assert refused([enters]).write == 2
    assert refused([enters, enters], in_transaction=True).write == 8


@pytest.mark.parametrize(("size", "units"), [(100, 1), (4096, 1), (4097, 2)])
def test_a_read_costs_a_unit_four_kilobytes(size: int, units: float) -> None:
    assert read_items([item(size)], consistent=True) == Units(read=units)
    assert read_items([item(size)], consistent=False) == Units(read=units / 2)


def test_what_is_not_there_costs_the_least() -> None:
    assert read_items([None], consistent=True).read == 1
    assert read_items([None], consistent=False).read == 0.5
    assert read_range([], consistent=False).read == 0.5


def test_a_batch_rounds_each_item_and_a_query_their_sum() -> None:
    items = [item(1500), item(1500)]
    assert read_items(items, consistent=True).read == 2
    assert read_range(items, consistent=True).read == 1


def test_a_table_is_read_from_its_definition() -> None:
    projections: dict[str, dict[str, Any]] = {
        "KEYS_ONLY": {},
        "ALL": {},
        "INCLUDE": {"NonKeyAttributes": ["due"]},
    }
    definition: dict[str, Any] = {
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "KeySchema": [{"AttributeName": "worklist", "KeyType": "HASH"}],
                "Projection": {**more, "ProjectionType": kind},
            }
            for kind, more in projections.items()
        ],
    }
    table = Table.read(definition)
    assert table.key == ("pk", "sk")
    assert [index.keys for index in table.indexes] == [("worklist",)] * 3
    assert [index.stores for index in table.indexes] == [
        frozenset(),
        None,
        frozenset({"due"}),
    ]
