"""What DynamoDB charges for a call, from what the call moved. Nothing here reaches a table.

The rules are published at
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html. How indexes are charged
was measured on the service itself: https://github.com/nubo-db/dynoxide/issues/176 and
https://github.com/nubo-db/dynoxide/pull/188 (a transaction doubles the table's part and not the
indexes').
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

Attribute = Mapping[str, Any]
Item = Mapping[str, Attribute]

WRITE_UNIT = 1024
"""Bytes that one unit writes."""
READ_UNIT = 4096
"""Bytes that one unit reads, strongly consistent; half a unit where that is not asked."""
TRANSACTION = 2


class Units(NamedTuple):
    write: float = 0.0
    read: float = 0.0

    def plus(self, other: "Units") -> "Units":
        return Units(self.write + other.write, self.read + other.read)


class Index(NamedTuple):
    """`stores` are the attributes an entry holds beside its keys; None means all of them."""

    keys: tuple[str, ...]
    stores: frozenset[str] | None


class Table(NamedTuple):
    key: tuple[str, ...]
    indexes: tuple[Index, ...]

    @classmethod
    def read(cls, definition: Mapping[str, Any]) -> "Table":
        """From CreateTable's parameters, or CloudFormation's properties, which are spelt alike."""
        key = _names(definition["KeySchema"])
        indexes = definition.get("GlobalSecondaryIndexes", [])
        return cls(key, tuple(_index(one, key) for one in indexes))


class Change(NamedTuple):
    """One item that a call wrote, or tried to: None where there was or is none."""

    table: Table
    before: Item | None
    after: Item | None


def item_size(item: Item) -> int:
    """Bytes, with the names of the attributes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def written(changes: Iterable[Change], *, in_transaction: bool = False) -> Units:
    """A write that succeeded. A transaction's condition check changes an item to itself."""
    factor = TRANSACTION if in_transaction else 1
    return Units(
        write=float(sum(factor * _table_units(one) + sum(_index_units(one)) for one in changes))
    )


def refused(changes: Iterable[Change], *, in_transaction: bool = False) -> Units:
    """A write whose condition failed: charged as if it had been done, less the indexes.

    `after` is what it would have been, as far as the call tells.
    """
    factor = TRANSACTION if in_transaction else 1
    return Units(write=float(sum(factor * _table_units(one) for one in changes)))


def read_items(items: Sequence[Item | None], *, consistent: bool) -> Units:
    """GetItem and BatchGetItem: each item by itself. One that is not there costs the least."""
    return Units(read=sum(_read_units(item_size(one) if one else 0, consistent) for one in items))


def read_range(items: Sequence[Item], *, consistent: bool) -> Units:
    """One page of a Query or Scan without a filter: the sum of what it found, then rounded."""
    return Units(read=_read_units(sum(map(item_size, items)), consistent))


def _table_units(change: Change) -> int:
    """By the larger of the two images, so a shrinking item costs what it was."""
    size = max(item_size(change.before or {}), item_size(change.after or {}))
    return max(1, ceil(size / WRITE_UNIT))


def _index_units(change: Change) -> Iterable[int]:
    """By the change to what each index stores: none where it stores the same."""
    for index in change.table.indexes:
        old = _entry(change.table, index, change.before)
        new = _entry(change.table, index, change.after)
        if old == new:
            continue
        keys = (*index.keys, *change.table.key)
        if old and new and all(old[name] == new[name] for name in keys):
            yield ceil(max(item_size(old), item_size(new)) / WRITE_UNIT)
        else:
            # A moved entry is a delete and an insert.
            yield sum(ceil(item_size(one) / WRITE_UNIT) for one in (old, new) if one)


def _entry(table: Table, index: Index, item: Item | None) -> Item | None:
    """What the index holds of an item; None where the item is not in it."""
    if item is None or not set(index.keys) <= set(item):
        return None
    if index.stores is None:
        return item
    names = {*table.key, *index.keys, *index.stores}
    return {name: value for name, value in item.items() if name in names}


def _read_units(size: int, consistent: bool) -> float:
    return max(1, ceil(size / READ_UNIT)) * (1.0 if consistent else 0.5)


def _value_size(attribute: Attribute) -> int:
    ((tag, value),) = attribute.items()
    match tag:
        case "S":
            return len(value.encode())
        case "N":
            return _number_size(value)
        case "B":
            return len(value)
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in value.items())
        case "L":
            return 3 + sum(1 + _value_size(one) for one in value)
        case "SS" | "NS" | "BS":
            return sum(_value_size({tag[0]: one}) for one in value)
        case _:
            raise ValueError(f"there is no attribute type {tag}")


def _number_size(text: str) -> int:
    """A byte for two significant digits, one for the exponent, one for a minus."""
    digits = text.lower().partition("e")[0].strip("+-").replace(".", "").strip("0")
    return ceil(len(digits) / 2) + 1 + text.startswith("-")


def _index(definition: Mapping[str, Any], table_key: tuple[str, ...]) -> Index:
    projection = definition["Projection"]
    stores = {
        "ALL": None,
        "KEYS_ONLY": frozenset[str](),
        "INCLUDE": frozenset(projection.get("NonKeyAttributes", [])),
    }[projection["ProjectionType"]]
    return Index(_names(definition["KeySchema"]), stores)


def _names(schema: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(one["AttributeName"] for one in schema)
