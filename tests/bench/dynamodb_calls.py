"""The price of one DynamoDB call as botocore makes it, by the rules of `dynamodb_units`.

Whoever makes the call lends `look`, which reads an item without being counted: what a write costs
depends on the item before and after.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.bench.dynamodb_units import (
    Change,
    Item,
    Table,
    Units,
    read_items,
    read_range,
    refused,
    written,
)

Parameters = Mapping[str, Any]
Look = Callable[[str, Mapping[str, Any]], Item | None]
"""Table name and key to the item, or None."""

WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
FREE = {"CreateTable", "DescribeTable", "ListTables", "UpdateContinuousBackups"}


class Target(NamedTuple):
    """An item that a call is about to write."""

    table: str
    key: Mapping[str, Any]
    before: Item | None
    given: Item | None
    """The whole new item, where the call tells it."""


def targets(
    operation: str, parameters: Parameters, tables: Mapping[str, Table], look: Look
) -> list[Target]:
    """Before the call: the items it will write, as they are now. Empty for a call that reads."""
    if operation == "TransactWriteItems":
        actions = [next(iter(one.items())) for one in parameters["TransactItems"]]
    elif operation in WRITES:
        actions = [(WRITES[operation], parameters)]
    else:
        return []
    return [_target(kind, action, tables, look) for kind, action in actions]


def _target(kind: str, action: Parameters, tables: Mapping[str, Table], look: Look) -> Target:
    name = action["TableName"]
    given = action["Item"] if kind == "Put" else None
    key = {part: (given or action["Key"])[part] for part in tables[name].key}
    return Target(name, key, look(name, key), given)


def write_price(
    operation: str, aims: Sequence[Target], tables: Mapping[str, Table], look: Look
) -> Units:
    """After a write that succeeded."""
    changes = [Change(tables[one.table], one.before, look(one.table, one.key)) for one in aims]
    return written(changes, in_transaction=operation == "TransactWriteItems")


def refusal_price(operation: str, aims: Sequence[Target], tables: Mapping[str, Table]) -> Units:
    """After a write whose condition failed."""
    changes = [Change(tables[one.table], one.before, one.given) for one in aims]
    return refused(changes, in_transaction=operation == "TransactWriteItems")


def read_price(operation: str, parameters: Parameters, answer: Mapping[str, Any]) -> Units:
    """After a read. Raises ValueError for a call whose answer does not show what it read."""
    if {"ProjectionExpression", "FilterExpression"} & set(parameters):
        raise ValueError(f"the answer of this {operation} hides what it read")
    consistent = parameters.get("ConsistentRead", False)
    match operation:
        case "GetItem":
            return read_items([answer.get("Item")], consistent=consistent)
        case "BatchGetItem":
            return _batch_price(parameters, answer)
        case "Query" | "Scan":
            return read_range(answer["Items"], consistent=consistent)
        case _ if operation in FREE:
            return Units()
        case _:
            raise ValueError(f"nobody knows what {operation} costs")


def _batch_price(parameters: Parameters, answer: Mapping[str, Any]) -> Units:
    total = Units()
    for name, wanted in parameters["RequestItems"].items():
        found = answer["Responses"].get(name, [])
        left = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        absent = len(wanted["Keys"]) - len(found) - len(left)
        consistent = wanted.get("ConsistentRead", False)
        total = total.plus(read_items([*found, *([None] * absent)], consistent=consistent))
    return total
