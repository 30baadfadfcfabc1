"""Items of tables: their attributes as botocore writes them, their size, and what they cost."""

from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

Attributes = dict[str, Any]


def plain(item: Item) -> Attributes:
    return {name: _value(value) for name, value in item.attrs.items()}


def _value(value: DynamoType) -> dict[str, Any]:
    match value.value:
        case dict():
            return {value.type: {name: _value(one) for name, one in value.value.items()}}
        case list() if value.is_list():
            return {value.type: [_value(one) for one in value.value]}
        case _:
            return {value.type: value.value}


def size(item: Attributes) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(attribute: dict[str, Any]) -> int:
    tag: str
    value: Any
    ((tag, value),) = attribute.items()
    match tag:
        case "S":
            return len(value.encode())
        case "N":
            return (len(value.strip("-").replace(".", "")) + 1) // 2 + 1 + int(value[0] == "-")
        case "B":
            return len(value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in value.items())
        case "L":
            return 3 + sum(1 + _value_size(one) for one in value)
        case "SS" | "NS" | "BS":
            return sum(_value_size({tag[0]: one}) for one in value)
        case _:
            return 1


def read_units(bytes_read: int, *, consistent: bool) -> float:
    """One unit for 4 KB, half of one where the answer may be a moment old."""
    return max(1, -(-bytes_read // 4096)) * (1.0 if consistent else 0.5)
