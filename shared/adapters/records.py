"""Orders, contracts and the like on DynamoDB: one item a record, under the profile it was told of.

A person's profiles may tell of the same record: of an order, say, that came with a phone first and
with the customer's number later. Each profile keeps what it was told, so nothing moves when
profiles become one person's or are separated again; what is told twice is settled when it is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.adapters import dynamo
from shared.domain.errors import InvalidInput
from shared.domain.model import ProfileId
from shared.domain.records import Record, RecordKind, Standing, counted_twice, newest
from shared.domain.retention import RetentionPolicy, end_of
from shared.ports.paging import Page
from shared.ports.profiles import RecordChange, StoredRecord

Write = dict[str, Any]

_RECORD = "record#"
_HIGHEST = "\U0010ffff"
"""Sorts behind every letter a number may have."""


def record_key(profile_id: ProfileId, key: str) -> dict[str, str]:
    """`key` is the record's, `order#4512`."""
    return {"pk": f"profile#{profile_id}", "sk": f"{_RECORD}{key}"}


def record_writes(
    table: str, profile_id: ProfileId, change: RecordChange, retention: RetentionPolicy | None
) -> list[Write]:
    """Nothing where the version told nothing new; else it replaces the very one that was read.

    Without `retention` it never expires.
    """
    before = change.before
    if before is not None and before.record == change.after:
        return []
    item: dict[str, object] = {
        **record_key(profile_id, change.after.key),
        "record": change.after.model_dump_json(exclude_defaults=True),
        "version": before.version + 1 if before else 1,
    }
    if retention is not None:
        item["expires_at"] = end_of(change.after.last_at, retention.record)
    if before is None:
        return [{"Put": dynamo.put(item, table=table, condition="attribute_not_exists(pk)")}]
    values = {"read": before.version}
    return [{"Put": dynamo.put(item, table=table, condition="#version = :read", values=values)}]


def read_record(client: Any, table: str, profile_id: ProfileId, key: str) -> StoredRecord | None:
    """Strongly consistent."""
    found = dynamo.batch_get(client, table, [record_key(profile_id, key)], consistent=True)
    return StoredRecord(_record(found[0]), found[0]["version"]) if found else None


def read_records(
    client: Any,
    table: str,
    profile_ids: Sequence[ProfileId],
    kind: RecordKind | None,
    *,
    limit: int,
    cursor: str | None,
) -> Page[Record]:
    """Of each record what all these profiles know of it together, by kind and number."""
    begins_with = f"{_RECORD}{kind}#" if kind else _RECORD
    start = _place_after(cursor, begins_with)
    told: dict[str, list[Record]] = {}
    for profile_id in profile_ids:
        # A record that is not among the first of its own profile is not among the first of all.
        values = {":pk": f"profile#{profile_id}", ":start": start, ":end": begins_with + _HIGHEST}
        with dynamo.continuing(cursor):
            answer = client.query(
                TableName=table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
                ExpressionAttributeValues=dynamo.attributes(values),
                Limit=limit + 1,
                ConsistentRead=True,
            )
        for item in map(dynamo.plain, answer["Items"]):
            told.setdefault(item["sk"], []).append(_record(item))
    places = sorted(told, key=str.encode)
    more = len(places) > limit
    return Page(
        [newest(told[sk]) for sk in places[:limit]],
        dynamo.write_cursor({"sk": {"S": places[limit - 1]}}) if more else None,
    )


def _place_after(cursor: str | None, begins_with: str) -> str:
    """The sort key from which the page begins. Raises InvalidInput for another list's cursor."""
    if cursor is None:
        return begins_with
    last: str = dynamo.read_cursor(cursor, {"sk": None})["ExclusiveStartKey"]["sk"]["S"]
    if not begins_with <= last < begins_with + _HIGHEST:
        raise InvalidInput("this is no cursor of this list", field="cursor")
    return last + "\0"


def told_twice(client: Any, table: str, numbers: Mapping[ProfileId, int]) -> Standing:
    """What to add to the sums of a person's profiles, so that each record counts once.

    `numbers` says how many records each profile was told of. Where only one of them was told of
    any, nothing is read; else as many as those have that have fewer, and at most as many again.
    """
    telling = sorted((one for one in numbers if numbers[one]), key=lambda one: (numbers[one], one))
    if len(telling) < 2:
        return Standing()
    *fewer, most = telling
    records = [record for one in fewer for record in _all_of(client, table, one)]
    keys = [record_key(most, key) for key in sorted({one.key for one in records})]
    there = dynamo.batch_get(client, table, keys, consistent=True)
    return counted_twice([*records, *map(_record, there)])


def _all_of(client: Any, table: str, profile_id: ProfileId) -> Iterator[Record]:
    key = record_key(profile_id, "")
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues=dynamo.attributes({":pk": key["pk"], ":sk": key["sk"]}),
        ConsistentRead=True,
    )
    return (_record(dynamo.plain(item)) for page in pages for item in page["Items"])


def _record(item: Mapping[str, Any]) -> Record:
    return Record.model_validate_json(item["record"])
