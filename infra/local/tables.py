"""DynamoDB as the local cloud serves it: moto's tables and its expression parser, our own writes.

Moto 5.2.5 rolls a refused transaction back by copying whole tables, shows an update that creates an item as
two changes, and parses an update expression four times. Here a write makes a new item beside the old one,
so that nothing is ever half written, and a change is shown once, after it happened.

Everything here is called by one thread at a time (`wire.py` holds the lock).
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from re import compile as pattern
from typing import Any

from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.exceptions import DynamodbException, MockValidationException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing.ast_nodes import ExpressionAttributeName, ExpressionAttributeValue
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import UpdateExpressionValidator
from moto.dynamodb.responses import DynamoHandler

from infra.local.template import ACCOUNT, REGION

Attributes = dict[str, Any]
Parameters = Mapping[str, Any]

LARGEST_ITEM = 400 * 1024
MOST_ACTIONS = 100
_CLAUSE = pattern(r"\b(SET|REMOVE|ADD|DELETE)\b")
_SET = pattern(r"^(#?\w+)\s*=\s*(:\w+)$")
_SET_ONCE = pattern(r"^(#?\w+)\s*=\s*if_not_exists\(\s*(#?\w+)\s*,\s*(:\w+)\s*\)$")
_ADD = pattern(r"^(#?\w+)\s+(:\w+)$")
_REMOVE = pattern(r"^(#?\w+)$")
_SPLIT = pattern(r",\s*(?![^()]*\))")
_READ_BY_MOTO = {"Query": "query", "Scan": "scan", "DescribeTable": "describe_table"}
_WRITE_PARAMETERS = {
    "TableName",
    "Key",
    "Item",
    "UpdateExpression",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnConsumedCapacity",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnItemCollectionMetrics",
}


class Refused(Exception):
    """DynamoDB's error answer: its code, message and further members."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.members = members


@dataclass(frozen=True)
class Change:
    """One write of one item: attributes before and after, None where there was or is no item."""

    table: str
    keys: Attributes
    before: Attributes | None
    after: Attributes | None


@dataclass(frozen=True)
class Units:
    """What a call costs on AWS, in write and read request units."""

    write: float = 0
    read: float = 0


@dataclass
class _Write:
    """A write that was checked and not yet done."""

    table: Any
    hash_key: DynamoType
    range_key: DynamoType | None
    before: Item | None
    after: Item | None


class Tables:
    """`on_change` hears of each change after the whole request succeeded."""

    def __init__(self, on_change: Callable[[Change], None]) -> None:
        self._on_change = on_change

    def answer(self, operation: str, parameters: Parameters) -> tuple[dict[str, Any], Units] | None:
        """The response as botocore gives it, and its price; None for what moto is to answer by itself.

        Raises Refused.
        """
        try:
            match operation:
                case "GetItem":
                    return self._get(parameters)
                case "BatchGetItem":
                    return self._batch_get(parameters)
                case "PutItem" | "UpdateItem" | "DeleteItem":
                    return self._write_one(operation.removesuffix("Item"), parameters)
                case "TransactWriteItems":
                    return self._transact(parameters)
                case _ if operation in _READ_BY_MOTO:
                    return self._read(_READ_BY_MOTO[operation], parameters)
        except DynamodbException as error:
            raise Refused(error.error_type.rpartition("#")[2], error.message) from None
        return None

    # Reading

    def _get(self, parameters: Parameters) -> tuple[dict[str, Any], Units] | None:
        if "ProjectionExpression" in parameters or "AttributesToGet" in parameters:
            return None
        item = self._find(self._table(parameters["TableName"]), parameters["Key"])[2]
        size = _size(_plain(item)) if item else 0
        units = _read_units(size, consistent=parameters.get("ConsistentRead", False))
        return ({"Item": _plain(item)} if item else {}), Units(read=units)

    def _batch_get(self, parameters: Parameters) -> tuple[dict[str, Any], Units] | None:
        responses: dict[str, list[Attributes]] = {}
        units = 0.0
        for name, wanted in parameters["RequestItems"].items():
            if "ProjectionExpression" in wanted or "AttributesToGet" in wanted:
                return None
            table = self._table(name)
            keys = [tuple(sorted(map(str, key.items()))) for key in wanted["Keys"]]
            if len(set(keys)) < len(keys):
                raise Refused(
                    "ValidationException", "Provided list of item keys contains duplicates"
                )
            found = [item for key in wanted["Keys"] if (item := self._find(table, key)[2])]
            responses[name] = [_plain(item) for item in found]
            consistent = wanted.get("ConsistentRead", False)
            units += sum(_read_units(_size(one), consistent=consistent) for one in responses[name])
            units += (len(keys) - len(found)) * _read_units(0, consistent=consistent)
        return {"Responses": responses, "UnprocessedKeys": {}}, Units(read=units)

    def _read(self, method: str, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        """Through moto's own handler, without the HTTP around it."""
        handler = DynamoHandler()
        handler.body = dict(parameters)
        handler.params = handler.body
        handler.region, handler.current_account = REGION, ACCOUNT
        answer = getattr(handler, method)().result
        items = answer.get("Items", [])
        size = sum(_size(item) for item in items)
        consistent = parameters.get("ConsistentRead", False)
        return answer, Units(read=_read_units(size, consistent=consistent))

    # Writing

    def _write_one(self, kind: str, parameters: Parameters) -> tuple[dict[str, Any], Units] | None:
        if set(parameters) - _WRITE_PARAMETERS:
            return None
        wanted = parameters.get("ReturnValues", "NONE")
        if wanted not in {"NONE", "ALL_OLD", "ALL_NEW"}:
            return None
        write, failed = self._prepare(kind, parameters)
        if failed is not None:
            raise Refused(
                "ConditionalCheckFailedException", "The conditional request failed", **failed
            )
        self._do([write])
        item = {"ALL_OLD": write.before, "ALL_NEW": write.after}.get(wanted)
        answer = {"Attributes": _plain(item)} if item is not None else {}
        return answer, Units(write=_write_units(write))

    def _transact(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        actions = [next(iter(action.items())) for action in parameters["TransactItems"]]
        if len(actions) > MOST_ACTIONS:
            raise Refused(
                "ValidationException", "Member must have length less than or equal to 100"
            )
        prepared = [self._prepare(kind, action) for kind, action in actions]
        targets = {(id(write.table), write.hash_key, write.range_key) for write, _ in prepared}
        if len(targets) < len(prepared):
            raise Refused(
                "ValidationException",
                "Transaction request cannot include multiple operations on one item",
            )
        if any(failed is not None for _, failed in prepared):
            reasons = [
                {"Code": "None"}
                if failed is None
                else {
                    "Code": "ConditionalCheckFailed",
                    "Message": "The conditional request failed",
                    **failed,
                }
                for _, failed in prepared
            ]
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = (
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{codes}]"
            )
            raise Refused("TransactionCanceledException", message, CancellationReasons=reasons)
        writes = [write for write, _ in prepared]
        self._do(
            [
                write
                for write, (kind, _) in zip(writes, actions, strict=True)
                if kind != "ConditionCheck"
            ]
        )
        return {}, Units(write=2 * sum(map(_write_units, writes)))

    def _prepare(self, kind: str, action: Parameters) -> tuple[_Write, dict[str, Any] | None]:
        """The write, and what a failed condition reports; None where the condition holds."""
        table = self._table(action["TableName"])
        given = action["Item"] if kind == "Put" else action["Key"]
        hash_key, range_key, before = self._find(table, given, whole=kind == "Put")
        failed = None
        names = action.get("ExpressionAttributeNames", {})
        values = action.get("ExpressionAttributeValues", {})
        condition = create_condition_expression_parser(
            action.get("ConditionExpression"), names, values
        )
        if not condition.parse().expr(before):
            wants_item = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            failed = {"Item": _plain(before)} if wants_item and before is not None else {}
        used_names = set(condition.expr_attr_names_found)
        used_values = set(condition.expr_attr_values_found)
        after = None
        if kind == "Put":
            after = Item(hash_key, range_key, action["Item"])
        elif kind == "Update":
            plan = _plan(table, action.get("UpdateExpression", ""), names, values)
            used_names |= plan.names
            used_values |= plan.values
            after = plan.apply(table, hash_key, range_key, before, names, values)
        elif kind == "ConditionCheck":
            after = before
        _all_used("Names", names, used_names)
        _all_used("Values", values, used_values)
        if after is not None:
            _check(table, after)
        return _Write(table, hash_key, range_key, before, after), failed

    def _do(self, writes: list[_Write]) -> None:
        for write in writes:
            items = write.table.items
            if write.range_key is not None:
                items, key = items[write.hash_key], write.range_key
            else:
                key = write.hash_key
            if write.after is None:
                items.pop(key, None)
            else:
                items[key] = write.after
        for write in writes:
            before, after = (_plain(item) if item else None for item in (write.before, write.after))
            # A write that leaves an item as it was is no change, as on AWS.
            if before != after:
                keys = _keys(write.table, write.hash_key, write.range_key)
                self._on_change(Change(write.table.name, keys, before, after))

    def _table(self, name: str) -> Any:
        tables = dynamodb_backends[ACCOUNT][REGION].tables
        if name not in tables:
            raise Refused("ResourceNotFoundException", "Requested resource not found")
        return tables[name]

    def _find(
        self, table: Any, key: Attributes, *, whole: bool = False
    ) -> tuple[DynamoType, DynamoType | None, Item | None]:
        names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
        if not set(names) <= set(key) or (not whole and len(key) != len(names)):
            raise Refused(
                "ValidationException", "The provided key element does not match the schema"
            )
        hash_key = DynamoType(key[names[0]])
        if len(names) == 1:
            return hash_key, None, table.items.get(hash_key)
        range_key = DynamoType(key[names[1]])
        return hash_key, range_key, table.items.get(hash_key, {}).get(range_key)


@dataclass(frozen=True)
class _Plan:
    """An update expression, read once: what it sets, sets once, adds and removes, by token.

    `tree` is moto's, for an expression that says more than that.
    """

    sets: tuple[tuple[str, str], ...]
    sets_once: tuple[tuple[str, str, str], ...]
    adds: tuple[tuple[str, str], ...]
    removes: tuple[str, ...]
    names: frozenset[str]
    values: frozenset[str]
    tree: Any

    def apply(
        self,
        table: Any,
        hash_key: DynamoType,
        range_key: DynamoType | None,
        before: Item | None,
        names: Mapping[str, str],
        values: Attributes,
    ) -> Item:
        after = Item(hash_key, range_key, {})
        # Values are replaced, never changed in place, so old and new item may share them.
        old = before.attrs if before is not None else {}
        dict.update(after.attrs, old or _keys_typed(table, hash_key, range_key))
        if self.tree is not None:
            after = deepcopy(after)
            validator = UpdateExpressionValidator(
                deepcopy(self.tree),
                expression_attribute_names=dict(names),
                expression_attribute_values=dict(values),
                item=after,
                table=table,
            )
            tree = validator.validate()
            tree.normalize()
            UpdateExpressionExecutor(tree, after, dict(names)).execute()
            return after
        new: dict[str, DynamoType] = {}
        for token, value in self.sets:
            new[names.get(token, token)] = DynamoType(values[value])
        for token, looked_at, value in self.sets_once:
            present = old.get(names.get(looked_at, looked_at))
            new[names.get(token, token)] = present or DynamoType(values[value])
        for token, value in self.adds:
            name = names.get(token, token)
            new[name] = _sum(old.get(name), DynamoType(values[value]))
        dict.update(after.attrs, new)
        for token in self.removes:
            dict.pop(after.attrs, names.get(token, token), None)
        return after


def _sum(old: DynamoType | None, given: DynamoType) -> DynamoType:
    if given.is_set() and (old is None or old.type == given.type):
        return DynamoType({given.type: sorted({*(old.value if old else ()), *given.value})})
    if given.is_number() and (old is None or old.is_number()):
        return old + given if old is not None else given
    raise MockValidationException("An operand in the update expression has an incorrect data type")


def _plan(table: Any, expression: str, names: Mapping[str, str], values: Attributes) -> _Plan:
    return _read_plan(
        expression,
        tuple(sorted(names.items())),
        frozenset(values),
        (table.hash_key_attr, table.range_key_attr),
    )


@lru_cache(maxsize=1000)
def _read_plan(
    expression: str,
    names: tuple[tuple[str, str], ...],
    values: frozenset[str],
    keys: tuple[str, str | None],
) -> _Plan:
    """Moto's parser checks the syntax, and that raw names are not reserved; the same expression is read once."""
    tree = UpdateExpressionParser.make(expression)
    named = frozenset(
        one.get_attribute_name_placeholder() for one in tree.find_clauses([ExpressionAttributeName])
    )
    valued = frozenset(
        one.get_value_name() for one in tree.find_clauses([ExpressionAttributeValue])
    )
    given = dict(names)
    for missing in sorted((named - set(given)) | (valued - values)):
        raise MockValidationException(
            f"Invalid UpdateExpression: An expression attribute used in expression is not defined: {missing}"
        )
    sets, sets_once, adds, removes = [], [], [], []
    simple = True
    targets: list[str] = []
    parts = _CLAUSE.split(expression)
    for verb, actions in zip(parts[1::2], parts[2::2], strict=True):
        for action in _SPLIT.split(actions.strip()):
            if verb == "SET" and (found := _SET.match(action)):
                sets.append((found[1], found[2]))
            elif verb == "SET" and (found := _SET_ONCE.match(action)):
                sets_once.append((found[1], found[2], found[3]))
            elif verb == "ADD" and (found := _ADD.match(action)):
                adds.append((found[1], found[2]))
            elif verb == "REMOVE" and (found := _REMOVE.match(action)):
                removes.append(found[1])
            else:
                simple = False
                continue
            targets.append(given.get(found[1], found[1]))
    for target in targets:
        if target in keys:
            raise MockValidationException(
                f"Cannot update attribute {target}. This attribute is part of the key"
            )
        if targets.count(target) > 1:
            raise MockValidationException(
                "Invalid UpdateExpression: Two document paths overlap with each other; "
                f"must remove or rewrite one of these paths; path one: [{target}]"
            )
    return _Plan(
        tuple(sets),
        tuple(sets_once),
        tuple(adds),
        tuple(removes),
        named,
        valued,
        None if simple else tree,
    )


def _all_used(what: str, given: Mapping[str, Any], used: set[str]) -> None:
    for one in sorted(set(given) - used):
        raise MockValidationException(
            f"Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{one}}}"
        )


def _check(table: Any, item: Item) -> None:
    """What DynamoDB refuses of a whole item: a key of another type or empty, more than 400 KB."""
    for definition in table.attr:
        name = definition["AttributeName"]
        if (value := item.attrs.get(name)) is None:
            continue
        if value.type != definition["AttributeType"]:
            raise MockValidationException(
                "One or more parameter values were invalid: Type mismatch for key "
                f"{name} expected: {definition['AttributeType']} actual: {value.type}"
            )
        if value.value in {"", b""}:
            raise MockValidationException(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty string value. Key: {name}"
            )
    for name, value in item.attrs.items():
        if value.is_set() and not value.value:
            raise MockValidationException(
                "One or more parameter values were invalid: An string set  may not be empty"
            )
    if _size(_plain(item)) > LARGEST_ITEM:
        raise MockValidationException("Item size has exceeded the maximum allowed size")


def _keys_typed(table: Any, hash_key: DynamoType, range_key: DynamoType | None) -> dict[str, Any]:
    keys = {table.hash_key_attr: hash_key}
    if range_key is not None:
        keys[table.range_key_attr] = range_key
    return keys


def _keys(table: Any, hash_key: DynamoType, range_key: DynamoType | None) -> Attributes:
    return {
        name: {key.type: key.value} for name, key in _keys_typed(table, hash_key, range_key).items()
    }


def _plain(item: Item) -> Attributes:
    return {name: _plain_value(value) for name, value in item.attrs.items()}


def _plain_value(value: DynamoType) -> dict[str, Any]:
    match value.value:
        case dict():
            return {value.type: {name: _plain_value(one) for name, one in value.value.items()}}
        case list() if value.is_list():
            return {value.type: [_plain_value(one) for one in value.value]}
        case _:
            return {value.type: value.value}


def _size(item: Attributes) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(attribute: dict[str, Any]) -> int:
    ((tag, value),) = attribute.items()
    match tag:
        case "S":
            return len(value.encode())
        case "N":
            return (len(value.strip("-").replace(".", "")) + 1) // 2 + 1 + value.startswith("-")
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


def _read_units(size: int, *, consistent: bool) -> float:
    return max(1, -(-size // 4096)) * (1.0 if consistent else 0.5)


def _write_units(write: _Write) -> float:
    """One unit a kilobyte of the larger image, and one for each entry of an index that comes, goes or moves."""
    before = _plain(write.before) if write.before else {}
    after = _plain(write.after) if write.after else {}
    units = max(1, -(-max(_size(before), _size(after)) // 1024))
    for index in write.table.global_indexes:
        keys = [key["AttributeName"] for key in index.schema]
        old = [before.get(key) for key in keys]
        new = [after.get(key) for key in keys]
        if old != new:
            units += (None not in old) + (None not in new)
    return float(units)
