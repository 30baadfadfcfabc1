"""What the tables, the bucket and the scheduler hold of a person, to copy it or to delete it.

Whatever is deleted from a table is counted on the erasure's request in the same transaction, so a
piece that is repeated after a failure counts nothing twice. Files and schedules go first: while the
item is there that led to them, they are found again.
"""

import json
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.contact_counts import profile_key
from shared.adapters.identity_graphs import graph_key, graph_writes
from shared.adapters.ledger_reading import LedgerReader
from shared.adapters.media_files import attachments_prefix, ticket_prefix
from shared.adapters.objects import delete_objects
from shared.adapters.privacy import COUNT, MARKS
from shared.adapters.tickets import follow_up_of
from shared.domain.errors import NotFound
from shared.domain.identity import Identifier
from shared.domain.identity_graph import IdentityGraph
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.privacy import Erasure, Search
from shared.domain.segment import schedule_name
from shared.domain.touchpoint import TouchpointState
from shared.ports.privacy import Cleared
from shared.ports.profiles import GraphChange, StoredGraph

Item = dict[str, Any]
Key = dict[str, str]

AT_ONCE = 10
"""Items of one transaction, which together may have 4 MB, and each of them 400 KB. The more, the
likelier that a journey is writing one of them.
"""
PAGE = 200
"""Items of the ledger that are searched between two looks at what was found."""
PAGES = 200
"""Searched in one call, which is a few seconds' work."""
_KINDS = {"ticket": "tickets", "log": "log_entries", "follow_up": "follow_ups"}
_OBJECTS = ("touchpoint_key", "raw_key", "request_key")
"""The attributes that point to what was too large for an item of the ledger."""
_IN_FLIGHT = {TouchpointState.RECEIVED, TouchpointState.FAILED}


class Tables(NamedTuple):
    touchpoints: str
    profiles: str
    tickets: str


class Found(NamedTuple):
    """An item to delete, and as what it counts; None for what is a part of something counted."""

    table: str
    key: Key
    kind: str | None


class AwsPersonalData:
    def __init__(
        self,
        client: Any,
        s3: Any,
        scheduler: Any,
        ledger: LedgerReader,
        *,
        tables: Tables,
        bucket: str,
        schedule_group: str,
    ) -> None:
        """`s3` and `scheduler` make their clients when they are first needed."""
        self._client = client
        self._s3 = s3
        self._scheduler = scheduler
        self._ledger = ledger
        self._tables = tables
        self._bucket = bucket
        self._group = schedule_group

    # Tickets

    def erase_tickets(self, erasure: Erasure) -> Cleared:
        for profile_id in erasure.profile_ids:
            pages = self._indexed(self._tables.tickets, "by_profile", profile_id)
            partition = next((item["pk"] for page in pages for item in page), None)
            if partition is not None:
                return self._erase_partition(erasure, partition)
            pointers = self._partition(self._tables.tickets, f"profile#{profile_id}")
            if pointers:
                found = [Found(self._tables.tickets, _pk_sk(one), None) for one in pointers]
                return Cleared(self._erase(erasure, found), more=True)
        return Cleared(0, more=False)

    def _erase_partition(self, erasure: Erasure, partition: str) -> Cleared:
        """In the order of sort keys, by which the ticket itself comes last: it is what is found."""
        items = self._partition(self._tables.tickets, partition)
        schedules = [
            name
            for item in items
            if item["sk"].startswith("follow_up#")
            for name in _schedule_names(item)
        ]
        gone = sum(map(self._delete_schedule, schedules))
        sent_along = ticket_prefix(partition.partition("#")[2])
        files = delete_objects(self._s3(), self._bucket, sent_along)
        found = [
            Found(self._tables.tickets, _pk_sk(item), _KINDS[item["sk"].partition("#")[0]])
            for item in items
        ]
        counted = {"schedules": gone, "files": files}
        return Cleared(self._erase(erasure, found, counted), more=True)

    def _delete_schedule(self, name: str) -> bool:
        try:
            self._scheduler().delete_schedule(Name=name, GroupName=self._group)
        except ClientError as error:
            if dynamo.error_code(error) != "ResourceNotFoundException":
                raise
            return False
        return True

    # Touchpoints

    def erase_touchpoints(self, erasure: Erasure) -> Cleared:
        table = self._tables.touchpoints
        for profile_id in erasure.profile_ids:
            for page in self._indexed(table, "by_profile", profile_id):
                items = self._touchpoints([one["touchpoint_id"] for one in page])
                # An index may still show what is gone; the next page may be fresher.
                if deleted := self._erase_entries(erasure, items):
                    return Cleared(deleted, more=True)
        return Cleared(0, more=False)

    def _erase_entries(self, erasure: Erasure, items: Sequence[Item]) -> int:
        """Entries of the ledger with their files and with the statuses that speak of them."""
        statuses = sorted({one for item in items for one in item.get("statuses", ())})
        known = {item["touchpoint_id"] for item in items}
        others = self._touchpoints([one for one in statuses if one not in known])
        everything = {item["touchpoint_id"]: item for item in (*items, *others)}
        files = sum(map(self._delete_files, everything.values()))
        deleted = 0
        for batch in _batches(sorted(everything), AT_ONCE):
            found = [
                Found(self._tables.touchpoints, {"touchpoint_id": id_}, _kind_of(everything[id_]))
                for id_ in batch
            ]
            deleted += self._erase(erasure, found, {"files": files})
            files = 0
        # One that was being fetched may have come in between. From now on there is no touchpoint,
        # and whoever fetches it takes it away again.
        for id_ in everything:
            delete_objects(self._s3(), self._bucket, attachments_prefix(id_))
        return deleted

    def _touchpoints(self, ids: Iterable[str]) -> list[Item]:
        keys = [{"touchpoint_id": one} for one in ids]
        return dynamo.batch_get(self._client, self._tables.touchpoints, keys, consistent=True)

    def _delete_files(self, item: Item) -> int:
        id_ = item["touchpoint_id"]
        keys = [item[name] for name in _OBJECTS if name in item]
        # A call that is large has a folder, in which lies what it was before its latest part.
        folders = [key.partition(f"{id_}/")[0] + f"{id_}/" for key in keys if f"{id_}/" in key]
        keys = [key for key in keys if f"{id_}/" not in key]
        # What we sent lies with its ticket, which may have ended before; mostly it went with that.
        folders += _sent_along(item)
        gone = sum(delete_objects(self._s3(), self._bucket, folder) for folder in folders)
        return gone + delete_objects(self._s3(), self._bucket, attachments_prefix(id_), *keys)

    # Profiles

    def leave_graph(
        self, erasure: Erasure, stored: StoredGraph, left: IdentityGraph | None
    ) -> None:
        table = self._tables.profiles
        if left is not None:
            writes = graph_writes(table, GraphChange((stored,), left, None, ()))
        else:
            writes = [
                {
                    "Delete": {
                        "TableName": table,
                        "Key": dynamo.attributes(graph_key(stored.graph_id)),
                        "ConditionExpression": "version = :version",
                        "ExpressionAttributeValues": dynamo.attributes(
                            {":version": stored.version}
                        ),
                    }
                }
            ]
        # With what points to it: nothing may point to a graph it is not in.
        removed = stored.graph.identifiers - (left.identifiers if left else frozenset())
        pointers = [profile_key(Identifier.from_key(key).profile_id) for key in sorted(removed)]
        writes += [
            {"Delete": {"TableName": table, "Key": dynamo.attributes(key)}} for key in pointers
        ]
        counted = self._counted(erasure, {"identifiers": len(removed)})
        dynamo.transact(self._client, [*writes, counted], refusals={len(writes): _gone()})

    def erase_profiles(self, erasure: Erasure) -> Cleared:
        table = self._tables.profiles
        for profile_id in erasure.profile_ids:
            items = [
                item
                for item in self._partition(table, f"profile#{profile_id}", AT_ONCE + len(MARKS))
                if item["sk"] not in MARKS
            ]
            if items:
                gone = sum(map(self._delete_schedule, _timers(profile_id, items)))
                found = [one for item in items for one in self._with_mirrors(item)]
                return Cleared(self._erase(erasure, found, {"schedules": gone}), more=True)
        return Cleared(0, more=False)

    def _with_mirrors(self, item: Item) -> Iterator[Found]:
        """An item of a profile, and what else was written with it elsewhere."""
        table = self._tables.profiles
        kind, _, name = item["sk"].partition("#")
        yield Found(table, _pk_sk(item), f"{kind}s" if name else "profile_items")
        for key in item.get("keys", ()) if kind == "match_keys" else ():
            yield Found(table, {"pk": f"block#{key}", "sk": item["pk"]}, None)
        if kind == "suggestion":
            mirror = {"pk": f"profile#{name}", "sk": item["pk"].replace("profile", "suggestion", 1)}
            yield Found(table, mirror, None)
        if kind == "export":
            delete_objects(self._s3(), self._bucket, f"exports/{name}/")
            yield Found(table, {"pk": f"export#{name}", "sk": "request"}, None)

    # By value

    def erase_unclaimed(self, erasure: Erasure, search: Search) -> tuple[Erasure, bool]:
        for _ in range(PAGES):
            start = dynamo.read_cursor(erasure.position, {"touchpoint_id": None})
            answer = self._client.scan(
                TableName=self._tables.touchpoints, Limit=PAGE, ConsistentRead=True, **start
            )
            items = [dynamo.plain(item) for item in answer["Items"]]
            if named := [item for item in items if self._names_them(item, search)]:
                self._erase_entries(erasure, named)
            erasure = erasure.model_copy(
                update={
                    "position": dynamo.write_cursor(answer.get("LastEvaluatedKey")),
                    "looked_at": erasure.looked_at + len(items),
                }
            )
            if erasure.position is None:
                return erasure, False
        return erasure, True

    def _names_them(self, item: Item, search: Search) -> bool:
        """Whether an entry belongs to nobody and names them.

        What is in flight may be somebody else's who wrote of them, so only its sender counts.
        """
        if "profile_id" in item:
            return False
        if item.get("state") in _IN_FLIGHT:
            entry = self._ledger.read(item["touchpoint_id"])
            return entry is not None and search.names(entry.touchpoint)
        return any(map(search.finds, self._contents(item)))

    def _contents(self, item: Item) -> Iterator[bytes]:
        if item.get("state") == TouchpointState.QUARANTINED:
            kept = self._ledger.quarantined_request(item["touchpoint_id"])
            if kept is None:
                return
            request = kept[1]
            yield request.body
            yield json.dumps([request.url, dict(request.headers), request.query]).encode()
            return
        for name, value in item.items():
            if isinstance(value, bytes):
                yield dynamo.decompressed(value)
            elif name.endswith("_key"):
                yield b"".join(self.file(value))
            elif isinstance(value, str):
                yield value.encode()

    # Copies

    def items(self, profile_id: ProfileId) -> list[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._tables.profiles,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=dynamo.attributes({":pk": f"profile#{profile_id}"}),
            ConsistentRead=True,
        )
        return [
            _as_json(dynamo.plain(item))
            for page in pages
            for item in page["Items"]
            if item["sk"]["S"] not in MARKS
        ]

    def raw(self, touchpoint_ids: Sequence[TouchpointId]) -> dict[TouchpointId, bytes]:
        found = {one: self._ledger.raw(one) for one in touchpoint_ids}
        return {one: raw for one, raw in found.items() if raw is not None}

    def file(self, object_key: str) -> Iterator[bytes]:
        try:
            answer = self._s3().get_object(Bucket=self._bucket, Key=object_key)
        except ClientError as error:
            if dynamo.error_code(error) != "NoSuchKey":
                raise
            return
        yield from answer["Body"].iter_chunks()

    # Access

    def _erase(
        self, erasure: Erasure, found: Sequence[Found], also: Mapping[str, int] | None = None
    ) -> int:
        """Delete and count in one transaction; how much was counted."""
        counts = Counter(one.kind for one in found if one.kind)
        counts.update(also or {})
        unique = {(one.table, json.dumps(one.key, sort_keys=True)): one for one in found}
        deletes = [
            {"Delete": {"TableName": one.table, "Key": dynamo.attributes(one.key)}}
            for one in unique.values()
        ]
        counted = self._counted(erasure, counts)
        dynamo.transact(self._client, [*deletes, counted], refusals={len(deletes): _gone()})
        return counts.total()

    def _counted(self, erasure: Erasure, counts: Mapping[str, int]) -> dict[str, Any]:
        add = {f"{COUNT}{kind}": number for kind, number in counts.items() if number}
        key = {"pk": f"erasure#{erasure.erasure_id}", "sk": "request"}
        return {
            "Update": dynamo.update(
                key,
                table=self._tables.profiles,
                add=add,
                remove=["event"],
                condition="attribute_exists(pk)",
            )
        }

    def _indexed(self, table: str, index: str, profile_id: ProfileId) -> Iterator[list[Item]]:
        """The keys of what an index holds of a profile, page by page."""
        pages = self._client.get_paginator("query").paginate(
            TableName=table,
            IndexName=index,
            KeyConditionExpression="profile_id = :profile_id",
            ExpressionAttributeValues=dynamo.attributes({":profile_id": profile_id}),
            PaginationConfig={"PageSize": AT_ONCE},
        )
        for page in pages:
            yield [dynamo.plain(item) for item in page["Items"]]

    def _partition(self, table: str, partition: str, limit: int = AT_ONCE) -> list[Item]:
        """The first items of a partition."""
        answer = self._client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=dynamo.attributes({":pk": partition}),
            ConsistentRead=True,
            Limit=limit,
        )
        return [dynamo.plain(item) for item in answer["Items"]]


def _gone() -> NotFound:
    return NotFound("this erasure has ended")


def _pk_sk(item: Mapping[str, Any]) -> Key:
    return {"pk": item["pk"], "sk": item["sk"]}


def _sent_along(entry: Item) -> list[str]:
    """The keys of its files that do not lie with the touchpoint itself."""
    media = json.loads(entry.get("media", "{}")).values()
    keys = [one["object_key"] for one in media if "object_key" in one]
    return [key for key in keys if not key.startswith(attachments_prefix(entry["touchpoint_id"]))]


def _kind_of(entry: Mapping[str, Any]) -> str:
    return "quarantined" if entry.get("state") == TouchpointState.QUARANTINED else "touchpoints"


def _timers(profile_id: ProfileId, items: Sequence[Item]) -> list[str]:
    """The person's own, for segments. An older one for later holds their id, and does nothing."""
    expected = [item["next_at"] for item in items if "next_at" in item]
    return [schedule_name(profile_id, datetime.fromisoformat(one)) for one in expected]


def _schedule_names(item: Item) -> list[str]:
    """Of every attempt: one that was put off may have left the schedule of the attempt before."""
    follow_up = follow_up_of(item)
    attempts = range(follow_up.attempt + 1)
    return [follow_up.model_copy(update={"attempt": n}).schedule_name for n in attempts]


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _as_json(item: Item) -> Item:
    """As JSON can hold it: what is kept as JSON or compressed in it is read."""
    return {name: _readable(value) for name, value in item.items() if name != "event"}


def _readable(value: Any) -> Any:
    match value:
        case bytes():
            return _decoded(value)
        case frozenset():
            return sorted(value)
        case dict():
            return _as_json(value)
        case str() if value.startswith(("{", "[")):
            return _parsed(value)
        case _:
            return value


def _decoded(content: bytes) -> Any:
    try:
        return _parsed(dynamo.decompressed(content).decode())
    except (ValueError, zlib.error):
        return {"base64": b64encode(content).decode()}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
