"""The index of blocking keys on DynamoDB, beside the profiles.

`block#<key>` / `profile#<id>` says that a profile has a key; `profile#<id>` / `match_keys` lists
all keys of a profile, so that an erasure finds the former from the latter. Both change in one
transaction, or not at all.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

from shared.adapters import dynamo
from shared.domain.model import ProfileId
from shared.ports.paging import Page

_PROFILE = "profile#"
MOST_KEYS = 40
"""Of one profile: the old and the new ones fit into one transaction of 100 items."""


class DynamoMatchIndex:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def put(self, profile_id: ProfileId, keys: Collection[str]) -> None:
        wanted = frozenset(sorted(keys)[:MOST_KEYS])
        version, kept = self._read(profile_id)
        if wanted == kept:
            return
        self._change(profile_id, version, wanted, kept)

    def find(self, keys: Collection[str], *, most: int) -> list[ProfileId]:
        shared: Counter[ProfileId] = Counter()
        for key in sorted(keys):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=dynamo.attributes({":pk": f"block#{key}"}),
                # Two that come at the same moment: the later of them sees the other.
                ConsistentRead=True,
                Limit=most + 1,
            )
            if len(answer["Items"]) <= most:
                shared.update(_profile_id(item["sk"]["S"]) for item in answer["Items"])
        return sorted(shared, key=lambda one: (-shared[one], one))

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        with dynamo.continuing(cursor):
            answer = self._client.scan(
                TableName=self._table,
                FilterExpression="sk = :sk AND attribute_exists(created_at)",
                ExpressionAttributeValues=dynamo.attributes({":sk": "profile"}),
                ProjectionExpression="pk",
                Limit=limit,
                **dynamo.read_cursor(cursor, {"pk": None, "sk": None}),
            )
        found = [_profile_id(item["pk"]["S"]) for item in answer["Items"]]
        return Page(found, dynamo.write_cursor(answer.get("LastEvaluatedKey")))

    def _read(self, profile_id: ProfileId) -> tuple[int, frozenset[str]]:
        """How often the keys were written, 0 for never, and the keys."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes(_keys_key(profile_id)),
            ConsistentRead=True,
        )
        item = dynamo.plain(answer.get("Item", {}))
        return item.get("version", 0), item.get("keys", frozenset())

    def _change(
        self, profile_id: ProfileId, version: int, wanted: frozenset[str], kept: frozenset[str]
    ) -> None:
        item: dict[str, object] = {**_keys_key(profile_id), "version": version + 1}
        if wanted:
            item["keys"] = wanted
        writes: list[dict[str, Any]] = [
            {
                "Put": dynamo.put(
                    item,
                    table=self._table,
                    condition="#version = :version" if version else "attribute_not_exists(pk)",
                    values={"version": version} if version else None,
                )
            },
            self._unmarked(profile_id),
            *(
                {"Put": dynamo.put(_block_key(key, profile_id), table=self._table)}
                for key in sorted(wanted - kept)
            ),
            *(self._delete(_block_key(key, profile_id)) for key in sorted(kept - wanted)),
        ]
        dynamo.transact(self._client, writes, refusals={})

    def _unmarked(self, profile_id: ProfileId) -> dict[str, Any]:
        """Of a profile that is being erased nothing may be written. Once it is erased, whoever
        comes back begins anew.
        """
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": dynamo.attributes({"pk": f"{_PROFILE}{profile_id}", "sk": "erasing"}),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _delete(self, key: dict[str, str]) -> dict[str, Any]:
        return {"Delete": {"TableName": self._table, "Key": dynamo.attributes(key)}}


def _keys_key(profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"{_PROFILE}{profile_id}", "sk": "match_keys"}


def _block_key(key: str, profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"block#{key}", "sk": f"{_PROFILE}{profile_id}"}


def _profile_id(key: str) -> ProfileId:
    return ProfileId(key.removeprefix(_PROFILE))
