"""Orders, contracts and the like on DynamoDB: one item a record, under the profile it was told of.

A person's profiles may tell of the same record: of an order, say, that came with a phone first and
with the customer's number later. Each profile keeps what it was told, so nothing moves when
profiles become one person's or are separated again; what is told twice is settled when it is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.adapters import dynamo
from shared.domain.model import ProfileId
from shared.domain.records import Record, RecordKind, Standing, counted_twice, newest
from shared.ports import RecordChange, StoredRecord

Write = dict[str, Any]


def record_key(profile_id: ProfileId, key: str) -> dict[str, str]:
    """`key` is the record's, `order#4512`."""
    return {"pk": f"profile#{profile_id}", "sk": f"record#{key}"}


def record_writes(table: str, profile_id: ProfileId, change: RecordChange) -> list[Write]:
    """Nothing where the version told nothing new; else it replaces the very one that was read."""
    before = change.before
    if before is not None and before.record == change.after:
        return []
    item = {
        **record_key(profile_id, change.after.key),
        "record": change.after.model_dump_json(exclude_defaults=True),
        "version": before.version + 1 if before else 1,
    }
    if before is None:
        return [{"Put": dynamo.put(item, table=table, condition="attribute_not_exists(pk)")}]
    values = {"read": before.version}
    return [{"Put": dynamo.put(item, table=table, condition="#version = :read", values=values)}]


def read_record(client: Any, table: str, profile_id: ProfileId, key: str) -> StoredRecord | None:
    """Strongly consistent."""
    found = dynamo.batch_get(client, table, [record_key(profile_id, key)], consistent=True)
    return StoredRecord(_record(found[0]), found[0]["version"]) if found else None


def read_records(
    client: Any, table: str, profile_ids: Sequence[ProfileId], kind: RecordKind | None
) -> list[Record]:
    """Of each record what all these profiles know of it together, the newest first."""
    told: dict[str, list[Record]] = {}
    for profile_id in profile_ids:
        for record in _records_of(client, table, profile_id, f"{kind}#" if kind else ""):
            told.setdefault(record.key, []).append(record)
    one_each = map(newest, told.values())
    return sorted(one_each, key=lambda one: (one.version_at, one.key), reverse=True)


def told_twice(client: Any, table: str, numbers: Mapping[ProfileId, int]) -> Standing:
    """What to add to the sums of a person's profiles, so that each record counts once.

    `numbers` says how many records each profile was told of. Where only one of them was told of
    any, nothing is read; else as many as those have that have fewer, and at most as many again.
    """
    telling = sorted((one for one in numbers if numbers[one]), key=lambda one: (numbers[one], one))
    if len(telling) < 2:
        return Standing()
    *fewer, most = telling
    records = [record for one in fewer for record in _records_of(client, table, one)]
    keys = [record_key(most, key) for key in sorted({one.key for one in records})]
    there = dynamo.batch_get(client, table, keys, consistent=True)
    return counted_twice([*records, *map(_record, there)])


def _records_of(
    client: Any, table: str, profile_id: ProfileId, begins_with: str = ""
) -> Iterator[Record]:
    key = record_key(profile_id, begins_with)
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues=dynamo.attributes({":pk": key["pk"], ":sk": key["sk"]}),
        ConsistentRead=True,
    )
    return (_record(dynamo.plain(item)) for page in pages for item in page["Items"])


def _record(item: Mapping[str, Any]) -> Record:
    return Record.model_validate_json(item["record"])
