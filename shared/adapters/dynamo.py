"""DynamoDB as the adapters use it: values and attributes, errors and pages.

`boto3.dynamodb.types` would do the first part, but importing it costs a fifth of a cold start.
"""

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from shared.domain.errors import Contention, InvalidInput, PasserelleError

Attribute = dict[str, Any]
Item = dict[str, Attribute]

BATCH_GET_LIMIT = 100
_NAMES = re.compile(r"#[a-z_]+\b")
_CONFLICTS = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}


def attribute(value: object) -> Attribute:
    """A Python value as a DynamoDB attribute. Raises TypeError for what the tables never hold."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case frozenset() | set():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [attribute(one) for one in value]}
        case Mapping():
            return {"M": attributes(value)}
        case _:
            raise TypeError(f"no attribute for a {type(value).__name__}")


def attributes(values: Mapping[str, object]) -> Item:
    """Each value as an attribute; None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def plain(item: Mapping[str, Attribute]) -> dict[str, Any]:
    """Attributes as Python values."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(one: Attribute) -> Any:
    ((tag, value),) = one.items()
    match tag:
        case "N":
            return int(value)
        case "SS":
            return frozenset(value)
        case "L":
            return [_plain(one) for one in value]
        case "M":
            return plain(value)
        case "B":
            return bytes(value)
        case _:
            return value


def compressed(content: bytes | str) -> bytes:
    """Writes are paid by the KB, and what a model says as JSON halves."""
    return zlib.compress(content.encode() if isinstance(content, str) else content, 9)


def decompressed(content: bytes) -> bytes:
    return zlib.decompress(content)


def update(
    key: Mapping[str, str],
    *,
    table: str,
    set_: Mapping[str, object] | None = None,
    set_once: Mapping[str, object] | None = None,
    add: Mapping[str, object] | None = None,
    delete: Mapping[str, object] | None = None,
    remove: Sequence[str] = (),
    condition: str = "",
    values: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The parameters of one UpdateItem. None in `set_` is left out; every name is escaped.

    `condition` may use `:a` of `values`, and the tokens `#name` and `:name` of whatever is set or
    removed; any other `#name` in it stands for the attribute of that name.
    """
    used_names: dict[str, str] = {name: name[1:] for name in _NAMES.findall(condition)}
    used_values = attributes({f":{name}": value for name, value in (values or {}).items()})

    def place(name: str) -> str:
        used_names[token(name)] = name
        return token(name)

    def hold(name: str, value: object) -> str:
        used_values[f":{token(name)[1:]}"] = attribute(value)
        return f":{token(name)[1:]}"

    sets = [f"{place(name)} = {hold(name, v)}" for name, v in (set_ or {}).items() if v is not None]
    for name, value in (set_once or {}).items():
        sets.append(f"{place(name)} = if_not_exists({place(name)}, {hold(name, value)})")
    adds = [f"{place(name)} {hold(name, value)}" for name, value in (add or {}).items()]
    deletes = [f"{place(name)} {hold(name, value)}" for name, value in (delete or {}).items()]
    clauses = {
        "SET": sets,
        "ADD": adds,
        "DELETE": deletes,
        "REMOVE": [place(name) for name in remove],
    }
    parameters: dict[str, Any] = {
        "TableName": table,
        "Key": attributes(key),
        "UpdateExpression": " ".join(
            f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts
        ),
        "ExpressionAttributeNames": used_names,
    }
    if used_values:
        parameters["ExpressionAttributeValues"] = used_values
    if condition:
        parameters["ConditionExpression"] = condition
    return parameters


def put(
    item: Mapping[str, object],
    *,
    table: str,
    condition: str = "",
    values: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The parameters of one PutItem.

    `condition` names attributes as `#name` and `values` as `:name`.
    """
    parameters: dict[str, Any] = {"TableName": table, "Item": attributes(item)}
    if condition:
        parameters["ConditionExpression"] = condition
        if named := {name: name[1:] for name in _NAMES.findall(condition)}:
            parameters["ExpressionAttributeNames"] = named
        if values:
            parameters["ExpressionAttributeValues"] = attributes(
                {f":{k}": v for k, v in values.items()}
            )
    return parameters


def token(name: str) -> str:
    """What stands for an attribute's name in an expression; names that differ have tokens that
    differ.

    A name that others chose becomes a digest: a token has 255 letters at most, an expression 4 KB.
    """
    if name.isascii() and name.isidentifier():
        return f"#{name}"
    return f"#x{sha256(name.encode()).hexdigest()[:12]}"


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def condition_failed(error: ClientError) -> bool:
    return error_code(error) == "ConditionalCheckFailedException"


@contextmanager
def contention() -> Iterator[None]:
    """What another writer caused is Contention: a failed condition, a conflicting transaction."""
    try:
        yield
    except ClientError as error:
        if condition_failed(error) or error_code(error) in _CONFLICTS:
            raise Contention("somebody else changed the item first") from None
        raise


def transact(
    client: Any, writes: Sequence[dict[str, Any]], *, refusals: Mapping[int, PasserelleError]
) -> None:
    """Write all or nothing.

    A failed condition of write `n` raises `refusals[n]`, of any other Contention.
    """
    try:
        client.transact_write_items(TransactItems=list(writes))
    except ClientError as error:
        if error_code(error) in _CONFLICTS:
            raise Contention("a transaction on the same items was under way") from None
        if error_code(error) != "TransactionCanceledException":
            raise
        codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
        for position, refusal in refusals.items():
            if position < len(codes) and codes[position] == "ConditionalCheckFailed":
                raise refusal from None
        if {"ConditionalCheckFailed", "TransactionConflict"} & set(codes):
            raise Contention("somebody else changed one of the items first") from None
        raise


def batch_get(
    client: Any, table: str, keys: Sequence[Mapping[str, str]], *, consistent: bool
) -> list[dict[str, Any]]:
    """All items there are for these keys, in no order.

    Asks again for what DynamoDB left unprocessed.
    """
    found: list[dict[str, Any]] = []
    unique = list({json.dumps(key, sort_keys=True): attributes(key) for key in keys}.values())
    for start in range(0, len(unique), BATCH_GET_LIMIT):
        wanted = {
            table: {"Keys": unique[start : start + BATCH_GET_LIMIT], "ConsistentRead": consistent}
        }
        while wanted:
            answer = client.batch_get_item(RequestItems=wanted)
            found += [plain(item) for item in answer["Responses"].get(table, [])]
            wanted = answer.get("UnprocessedKeys", {})
    return found


def write_cursor(key: Item | None) -> str | None:
    if not key:
        return None
    return urlsafe_b64encode(json.dumps(key, sort_keys=True).encode()).decode()


def read_cursor(cursor: str | None, keys: Mapping[str, str | None]) -> dict[str, Any]:
    """The `ExclusiveStartKey` parameter.

    `keys` are the attributes the cursor of this list holds, with the value where it is known.
    Raises InvalidInput for every other cursor.
    """
    if cursor is None:
        return {}
    try:
        key = json.loads(urlsafe_b64decode(cursor.encode("ascii")))
        sound = set(key) == set(keys) and all(
            key[name]["S"].encode() and value in {None, key[name]["S"]}
            for name, value in keys.items()
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise _no_cursor()
    return {"ExclusiveStartKey": {name: {"S": key[name]["S"]} for name in keys}}


def _no_cursor() -> InvalidInput:
    return InvalidInput("this is no cursor of this list", field="cursor")


@contextmanager
def continuing(cursor: str | None) -> Iterator[None]:
    """A key that DynamoDB cannot go on from was made up by the caller: InvalidInput."""
    try:
        yield
    except ClientError as error:
        if cursor is not None and error_code(error) == "ValidationException":
            raise _no_cursor() from None
        raise


def query_index(
    client: Any,
    *,
    table: str,
    index: str,
    partition: str,
    values: Sequence[str],
    sort: str,
    keys: Sequence[str],
    newest_first: bool,
    limit: int,
    cursor: str | None = None,
    since: str | None = None,
    begins_with: str = "",
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of several partitions of an index, as if they were one, and the cursor after it.

    `keys` are the table's own key attributes, `since` the smallest and `begins_with` the beginning
    of the sort key. A cursor holds the last item's place and the first partition's name. Raises
    InvalidInput for one that is of another list.
    """
    start = read_cursor(cursor, {partition: values[0], sort: None, **dict.fromkeys(keys)})
    found: list[dict[str, Any]] = []
    more = False
    for value in values:
        condition = "#partition = :value"
        held = {":value": value}
        if begins_with:
            condition, held[":sort"] = f"{condition} AND begins_with(#sort, :sort)", begins_with
        elif since is not None:
            condition, held[":sort"] = f"{condition} AND #sort >= :sort", since
        if start:
            start["ExclusiveStartKey"][partition] = attribute(value)
        with continuing(cursor):
            answer = client.query(
                TableName=table,
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#partition": partition}
                | ({"#sort": sort} if ":sort" in held else {}),
                ExpressionAttributeValues=attributes(held),
                ScanIndexForward=not newest_first,
                Limit=limit,
                **start,
            )
        found += [plain(item) for item in answer["Items"]]
        more = more or "LastEvaluatedKey" in answer
    found.sort(key=lambda item: (item[sort], *(item[key] for key in keys)), reverse=newest_first)
    page = found[:limit]
    if not page or not (more or len(found) > limit):
        return page, None
    place = {name: page[-1][name] for name in (sort, *keys)}
    return page, write_cursor(attributes({partition: values[0], **place}))
