"""DynamoDB as the local cloud serves it: moto's tables and parsers, our own reads and writes.

Moto 5.2.5 rolls a refused transaction back by copying whole tables, shows an update that creates
an item as two changes, parses an update expression four times and sorts a whole table to answer a
query. Here a write makes a new item beside the old one, so that nothing is ever half written, and
a change is shown once, after it happened. A parameter that is not known here is an error.

Everything is called by one thread at a time (`wire.py` holds the lock).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.exceptions import DynamodbException, MockValidationException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing.key_condition_expression import parse_expression

from infra.local.items import Attributes, plain, read_units, size
from infra.local.template import ACCOUNT, REGION
from infra.local.updates import keys_of, plan_of

Parameters = Mapping[str, Any]

LARGEST_ITEM = 400 * 1024
LARGEST_PAGE = 1024 * 1024
MOST_ACTIONS = 100
_MOTO_ANSWERS = {"CreateTable", "DescribeTable", "ListTables", "DescribeContinuousBackups"}
_EXPRESSION = {"TableName", "ExpressionAttributeNames", "ExpressionAttributeValues"}
_CONDITION = {"ConditionExpression", "ReturnValuesOnConditionCheckFailure"}
_PAGE = {
    "IndexName",
    "Limit",
    "ExclusiveStartKey",
    "ConsistentRead",
    "FilterExpression",
    "ProjectionExpression",
}
_KNOWN = {
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "BatchGetItem": {"RequestItems"},
    "Query": {*_EXPRESSION, *_PAGE, "KeyConditionExpression", "ScanIndexForward"},
    "Scan": {*_EXPRESSION, *_PAGE},
    "PutItem": {*_EXPRESSION, *_CONDITION, "Item", "ReturnValues"},
    "UpdateItem": {*_EXPRESSION, *_CONDITION, "Key", "UpdateExpression", "ReturnValues"},
    "DeleteItem": {*_EXPRESSION, *_CONDITION, "Key", "ReturnValues"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
}


class Refused(Exception):
    """An error answer of AWS: its code, message and further members."""

    def __init__(self, code: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
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


Found = tuple[DynamoType, DynamoType | None]
"""The key of an item."""


class Tables:
    """`on_change` hears of each change after the whole request succeeded."""

    def __init__(self, on_change: Callable[[Change], None]) -> None:
        self._on_change = on_change
        self._indexed: dict[tuple[str, str], dict[DynamoType, dict[Found, Item]]] = {}
        """By table and index, then by the index's partition, the items in it."""

    def answer(self, operation: str, parameters: Parameters) -> tuple[dict[str, Any], Units] | None:
        """The response as botocore gives it, and its price; None for what moto answers by itself.

        Raises Refused, and NotImplementedError for what nobody taught this file.
        """
        if operation in _MOTO_ANSWERS:
            return None
        unknown = set(parameters) - _KNOWN.get(operation, set())
        if operation not in _KNOWN or unknown:
            what = f"{operation} with {', '.join(sorted(unknown))}" if unknown else operation
            raise NotImplementedError(f"the local cloud does not know {what}")
        try:
            match operation:
                case "GetItem":
                    return self._get(parameters)
                case "BatchGetItem":
                    return self._batch_get(parameters)
                case "Query":
                    return self._query(parameters)
                case "Scan":
                    return self._scan(parameters)
                case "TransactWriteItems":
                    return self._transact(parameters)
                case _:
                    return self._write_one(operation.removesuffix("Item"), parameters)
        except DynamodbException as error:
            raise Refused(error.error_type.rpartition("#")[2], error.message) from None

    # Reading

    def _get(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        item = self._find(self._table(parameters["TableName"]), parameters["Key"])[2]
        consistent = parameters.get("ConsistentRead", False)
        if item is None:
            return {}, Units(read=read_units(0, consistent=consistent))
        found = plain(item)
        return {"Item": found}, Units(read=read_units(size(found), consistent=consistent))

    def _batch_get(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        responses: dict[str, list[Attributes]] = {}
        units = 0.0
        for name, wanted in parameters["RequestItems"].items():
            if unknown := set(wanted) - {"Keys", "ConsistentRead"}:
                raise NotImplementedError(f"the local cloud does not know {unknown} of a batch")
            table = self._table(name)
            keys = [self._find(table, key) for key in wanted["Keys"]]
            if len({key[:2] for key in keys}) < len(keys):
                raise MockValidationException("Provided list of item keys contains duplicates")
            responses[name] = [plain(item) for _, _, item in keys if item is not None]
            consistent = wanted.get("ConsistentRead", False)
            sizes = [*map(size, responses[name]), *[0] * (len(keys) - len(responses[name]))]
            units += sum(read_units(one, consistent=consistent) for one in sizes)
        return {"Responses": responses, "UnprocessedKeys": {}}, Units(read=units)

    def _query(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        table = self._table(parameters["TableName"])
        names = parameters.get("ExpressionAttributeNames", {})
        values = parameters.get("ExpressionAttributeValues", {})
        index_name = parameters.get("IndexName")
        index = next((one for one in table.global_indexes if one.name == index_name), None)
        if index_name is not None and index is None:
            raise MockValidationException(
                f"The table does not have the specified index: {index_name}"
            )
        schema = index.schema if index is not None else table.schema
        hash_conditions, range_conditions, _ = parse_expression(
            parameters["KeyConditionExpression"], values, names, schema
        )
        partition = DynamoType(hash_conditions[0][1])
        items: list[Item]
        if index is not None:
            items = list(self._index(table, index.name).get(partition, {}).values())
        else:
            within = table.items.get(partition, {})
            items = list(within.values()) if table.range_key_attr else [within] if within else []
        for name, comparison, wanted in range_conditions:
            operands = [DynamoType(one) for one in wanted]
            items = [one for one in items if one.attrs[name].compare(comparison, operands)]
        order = [key["AttributeName"] for key in schema if key["KeyType"] == "RANGE"]
        keys = [table.hash_key_attr, table.range_key_attr] if index else []
        order += [name for name in keys if name]
        found = sorted(
            items,
            key=lambda one: [_sortable(one.attrs[name]) for name in order],
            reverse=not parameters.get("ScanIndexForward", True),
        )
        return self._page(table, index, found, parameters)

    def _scan(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        if "IndexName" in parameters:
            raise NotImplementedError("the local cloud does not scan an index")
        table = self._table(parameters["TableName"])
        items = table.items.values()
        if table.range_key_attr:
            items = [item for partition in items for item in partition.values()]
        return self._page(table, None, items, parameters)

    def _page(
        self, table: Any, index: Any, items: Iterable[Item], parameters: Parameters
    ) -> tuple[dict[str, Any], Units]:
        """From behind ExclusiveStartKey up to Limit or a megabyte, before the filter, as on AWS."""
        names = parameters.get("ExpressionAttributeNames", {})
        values = parameters.get("ExpressionAttributeValues", {})
        keep = create_condition_expression_parser(
            parameters.get("FilterExpression"), names, values
        ).parse()
        keys = {table.hash_key_attr, table.range_key_attr} - {None}
        if index is not None:
            keys |= {key["AttributeName"] for key in index.schema}
        start, started = parameters.get("ExclusiveStartKey"), False
        if start is not None and set(start) != keys:
            raise MockValidationException("The provided starting key is invalid")
        limit = parameters.get("Limit", 1_000_000)
        looked_at, bytes_read = 0, 0
        found: list[Attributes] = []
        last: Attributes | None = None
        for item in items:
            whole = plain(item)
            key = {name: whole[name] for name in keys}
            if start is not None and not started:
                started = key == start
                continue
            if looked_at == limit or bytes_read > LARGEST_PAGE:
                break
            looked_at += 1
            bytes_read += size(whole)
            last = key
            if keep.expr(item):
                found.append(_projected(whole, keys if index else None, parameters))
        else:
            last = last if looked_at == limit else None
        answer = {"Items": found, "Count": len(found), "ScannedCount": looked_at}
        if last is not None:
            answer["LastEvaluatedKey"] = last
        consistent = parameters.get("ConsistentRead", False)
        return answer, Units(read=read_units(bytes_read, consistent=consistent))

    # Writing

    def _write_one(self, kind: str, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        wanted = parameters.get("ReturnValues", "NONE")
        if wanted not in {"NONE", "ALL_OLD", "ALL_NEW"}:
            raise NotImplementedError(f"the local cloud does not know ReturnValues {wanted}")
        write, failed = self._prepare(kind, parameters)
        if failed is not None:
            message = "The conditional request failed"
            raise Refused("ConditionalCheckFailedException", message, **failed)
        self._do([write])
        item = {"ALL_OLD": write.before, "ALL_NEW": write.after}.get(wanted)
        answer = {"Attributes": plain(item)} if item is not None else {}
        return answer, Units(write=_write_units(write))

    def _transact(self, parameters: Parameters) -> tuple[dict[str, Any], Units]:
        actions = [next(iter(action.items())) for action in parameters["TransactItems"]]
        if len(actions) > MOST_ACTIONS:
            raise MockValidationException("Member must have length less than or equal to 100")
        prepared = [self._prepare(kind, action) for kind, action in actions]
        targets = {(id(write.table), write.hash_key, write.range_key) for write, _ in prepared}
        if len(targets) < len(prepared):
            raise MockValidationException(
                "Transaction request cannot include multiple operations on one item"
            )
        if any(failed is not None for _, failed in prepared):
            raise _cancelled([failed for _, failed in prepared])
        self._do(
            [
                write
                for (write, _), (kind, _) in zip(prepared, actions, strict=True)
                if kind != "ConditionCheck"
            ]
        )
        return {}, Units(write=2 * sum(_write_units(write) for write, _ in prepared))

    def _prepare(self, kind: str, action: Parameters) -> tuple[_Write, dict[str, Any] | None]:
        """The write, and what a failed condition reports; None where the condition holds."""
        table = self._table(action["TableName"])
        given = action["Item"] if kind == "Put" else action["Key"]
        hash_key, range_key, before = self._find(table, given, whole=kind == "Put")
        names = action.get("ExpressionAttributeNames", {})
        values = action.get("ExpressionAttributeValues", {})
        condition = create_condition_expression_parser(
            action.get("ConditionExpression"), names, values
        )
        failed = None
        if not condition.parse().expr(before):
            wants_item = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            failed = {"Item": plain(before)} if wants_item and before is not None else {}
        used_names = set(condition.expr_attr_names_found)
        used_values = set(condition.expr_attr_values_found)
        after = None
        if kind == "Put":
            after = Item(hash_key, range_key, action["Item"])
        elif kind == "Update":
            plan = plan_of(table, action.get("UpdateExpression", ""), names, values)
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
            items: Any = write.table.items
            key: DynamoType = write.hash_key
            if write.range_key is not None:
                items, key = items[write.hash_key], write.range_key
            if write.after is None:
                items.pop(key, None)
            else:
                items[key] = write.after
            self._move_in_indexes(write)
        for write in writes:
            before, after = (plain(item) if item else None for item in (write.before, write.after))
            # A write that leaves an item as it was is no change, as on AWS.
            if before != after:
                keys = keys_of(write.table, write.hash_key, write.range_key)
                named = {name: {key.type: key.value} for name, key in keys.items()}
                self._on_change(Change(write.table.name, named, before, after))

    def _move_in_indexes(self, write: _Write) -> None:
        key = (write.hash_key, write.range_key)
        for index in write.table.global_indexes:
            entries = self._index(write.table, index.name)
            if (old := _partition(index, write.before)) is not None:
                entries.get(old, {}).pop(key, None)
            if (new := _partition(index, write.after)) is not None:
                assert write.after is not None
                entries.setdefault(new, {})[key] = write.after

    def _index(self, table: Any, name: str) -> dict[DynamoType, dict[Found, Item]]:
        return self._indexed.setdefault((table.name, name), {})

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
            raise MockValidationException("The provided key element does not match the schema")
        hash_key = DynamoType(key[names[0]])
        if len(names) == 1:
            return hash_key, None, table.items.get(hash_key)
        range_key = DynamoType(key[names[1]])
        return hash_key, range_key, table.items.get(hash_key, {}).get(range_key)


def _cancelled(failures: list[dict[str, Any] | None]) -> Refused:
    message = "The conditional request failed"
    reasons = [
        {"Code": "None"}
        if failed is None
        else {"Code": "ConditionalCheckFailed", "Message": message, **failed}
        for failed in failures
    ]
    codes = ", ".join(reason["Code"] for reason in reasons)
    return Refused(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def _partition(index: Any, item: Item | None) -> DynamoType | None:
    """Where an index holds the item; None where it does not, for want of one of its keys."""
    keys = [key["AttributeName"] for key in index.schema]
    if item is None or not all(key in item.attrs for key in keys):
        return None
    partition: DynamoType = item.attrs[keys[0]]
    return partition


def _sortable(value: DynamoType) -> Any:
    """Strings are ordered by their UTF-8 bytes."""
    cast = value.cast_value
    return cast.encode() if isinstance(cast, str) else cast


def _projected(item: Attributes, keys: set[str] | None, parameters: Parameters) -> Attributes:
    """What the index holds, or what ProjectionExpression asks for by name."""
    wanted = parameters.get("ProjectionExpression")
    if wanted is not None:
        names = parameters.get("ExpressionAttributeNames", {})
        keys = {names.get(name.strip(), name.strip()) for name in wanted.split(",")}
    return item if keys is None else {name: item[name] for name in item if name in keys}


def _all_used(what: str, given: Mapping[str, Any], used: set[str]) -> None:
    for one in sorted(set(given) - used):
        raise MockValidationException(
            f"Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{one}}}"
        )


def _check(table: Any, item: Item) -> None:
    """What DynamoDB refuses of a whole item: a key of another type or empty, over 400 KB."""
    invalid = "One or more parameter values were invalid"
    for definition in table.attr:
        name, kind = definition["AttributeName"], definition["AttributeType"]
        if (value := item.attrs.get(name)) is None:
            continue
        if value.type != kind:
            raise MockValidationException(
                f"{invalid}: Type mismatch for key {name} expected: {kind} actual: {value.type}"
            )
        if value.value in {"", b""}:
            raise MockValidationException(
                f"{invalid}: A key attribute cannot contain an empty string value. Key: {name}"
            )
    if any(value.is_set() and not value.value for value in item.attrs.values()):
        raise MockValidationException(f"{invalid}: An string set  may not be empty")
    if size(plain(item)) > LARGEST_ITEM:
        raise MockValidationException("Item size has exceeded the maximum allowed size")


def _write_units(write: _Write) -> float:
    """One unit a kilobyte of the larger image, and one for each entry of an index that comes, goes
    or moves.
    """
    before = plain(write.before) if write.before else {}
    after = plain(write.after) if write.after else {}
    units = max(1, -(-max(size(before), size(after)) // 1024))
    for index in write.table.global_indexes:
        keys = [key["AttributeName"] for key in index.schema]
        old = [before.get(key) for key in keys]
        new = [after.get(key) for key in keys]
        if old != new:
            units += (None not in old) + (None not in new)
    return float(units)
