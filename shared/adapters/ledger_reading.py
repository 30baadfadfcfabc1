"""What is read of the ledger, by whoever writes it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from shared.adapters import dynamo
from shared.adapters.ledger_items import (
    Contents,
    holds_touchpoint,
    request_from_json,
)
from shared.domain.model import ProfileId, TouchpointId, isoformat
from shared.domain.touchpoint import (
    Endpoint,
    TouchpointState,
)
from shared.ports.ledger import Balance, LedgerEntry, Quarantined
from shared.ports.paging import Page

# Whoever reads a touchpoint needs no provider.
if TYPE_CHECKING:
    from shared.providers.base import WebhookRequest

_MAILBOX_SHOWS = 100
_IN_TROUBLE = {TouchpointState.FAILED, TouchpointState.QUARANTINED}


class LedgerReader:
    def __init__(self, client: Any, s3: Callable[[], Any], table: str, bucket: str) -> None:
        self._client = client
        self._table = table
        self._contents = Contents(s3, bucket)

    def read(self, touchpoint_id: TouchpointId) -> LedgerEntry | None:
        item = self._item(touchpoint_id)
        return self._contents.entry(item) if holds_touchpoint(item) else None

    def _item(self, touchpoint_id: TouchpointId) -> dict[str, Any]:
        """Strongly consistent; empty where there is none."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes({"touchpoint_id": touchpoint_id}),
            ConsistentRead=True,
        )
        return dynamo.plain(answer.get("Item", {}))

    def read_quarantined(self, touchpoint_id: TouchpointId) -> Quarantined | None:
        item = self._items([touchpoint_id]).get(touchpoint_id, {})
        found = self._either(item) if item.get("state") == TouchpointState.QUARANTINED else None
        return found if isinstance(found, Quarantined) else None

    def read_many(self, touchpoint_ids: Sequence[TouchpointId]) -> list[LedgerEntry]:
        items = self._items(touchpoint_ids)
        return [
            self._contents.entry(items[key])
            for key in touchpoint_ids
            if holds_touchpoint(items.get(key, {}))
        ]

    def _items(self, touchpoint_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        keys = [{"touchpoint_id": key} for key in touchpoint_ids]
        found = dynamo.batch_get(self._client, self._table, keys, consistent=False)
        return {item["touchpoint_id"]: item for item in found}

    def timeline(
        self,
        profile_ids: Sequence[ProfileId],
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        keys, next_cursor = self._query(
            "by_profile",
            profile_id=profile_ids,
            timeline=since,
            forward=False,
            limit=limit,
            cursor=cursor,
        )
        return Page(self.read_many(keys), next_cursor)

    def mailbox(self, endpoint: Endpoint, *, after: datetime | None = None) -> list[LedgerEntry]:
        newest_first, _ = self._query(
            "by_mailbox",
            mailbox=[endpoint.key],
            timeline=after,
            forward=False,
            limit=_MAILBOX_SHOWS,
        )
        entries = self.read_many(newest_first[::-1])
        return [one for one in entries if after is None or one.touchpoint.occurred_at > after]

    def in_state(
        self,
        state: TouchpointState,
        *,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LedgerEntry | Quarantined]:
        if state in _IN_TROUBLE:
            keys, next_cursor = self._query(
                "by_trouble",
                trouble=[state],
                received_at=since,
                forward=True,
                limit=limit,
                cursor=cursor,
            )
            items = self._items(keys)
            found = [items[key] for key in keys if items.get(key, {}).get("state") == state]
        else:
            found, next_cursor = self._scan_for(state, since, limit, cursor)
        return Page([self._either(item) for item in found], next_cursor)

    def _scan_for(
        self, state: TouchpointState, since: datetime | None, limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """In no order. Reads on until it has found something or the table ends, so that no page is
        empty in vain.
        """
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "Limit": limit,
            "FilterExpression": "#state = :state AND received_at >= :since",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": dynamo.attributes(
                {":state": state, ":since": isoformat(since) if since else "0"}
            ),
        }
        while True:
            start = dynamo.read_cursor(cursor, {"touchpoint_id": None})
            with dynamo.continuing(cursor):
                answer = self._client.scan(**parameters, **start)
            cursor = dynamo.write_cursor(answer.get("LastEvaluatedKey"))
            if answer["Items"] or cursor is None:
                return [dynamo.plain(item) for item in answer["Items"]], cursor

    def all(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[LedgerEntry]:
        start = dynamo.read_cursor(cursor, {"touchpoint_id": None})
        with dynamo.continuing(cursor):
            answer = self._client.scan(
                TableName=self._table,
                Limit=limit,
                # What is quarantined holds no touchpoint, what only has statuses no moment.
                FilterExpression="#state <> :quarantined AND #at >= :since AND #at < :until",
                ExpressionAttributeNames={"#state": "state", "#at": "received_at"},
                ExpressionAttributeValues=dynamo.attributes(
                    {
                        ":quarantined": TouchpointState.QUARANTINED,
                        ":since": isoformat(since) if since else "0",
                        ":until": isoformat(until) if until else "9",
                    }
                ),
                **start,
            )
        items = map(dynamo.plain, answer["Items"])
        found = [self._contents.entry(item) for item in items if holds_touchpoint(item)]
        return Page(found, dynamo.write_cursor(answer.get("LastEvaluatedKey")))

    def _query(
        self,
        index: str,
        *,
        forward: bool,
        limit: int,
        cursor: str | None = None,
        **keys: Sequence[str] | datetime | None,
    ) -> tuple[list[TouchpointId], str | None]:
        """The ids in some partitions of an index, from a moment on.

        The first of `keys` is the partition's, the second sorts.
        """
        (partition, values), (sort, since) = keys.items()
        items, next_cursor = dynamo.query_index(
            self._client,
            table=self._table,
            index=index,
            partition=partition,
            values=[str(value) for value in cast(Sequence[str], values)],
            sort=sort,
            keys=("touchpoint_id",),
            since=isoformat(since) if isinstance(since, datetime) else None,
            newest_first=not forward,
            limit=limit,
            cursor=cursor,
        )
        return [TouchpointId(item["touchpoint_id"]) for item in items], next_cursor

    def raw(self, touchpoint_id: TouchpointId) -> bytes | None:
        """The part of the request this touchpoint came from, as the provider sent it."""
        item = self._items([touchpoint_id]).get(touchpoint_id, {})
        if not holds_touchpoint(item):
            return None
        if "raw" in item or "raw_key" in item:
            return self._contents.loaded(item, "raw")
        return self._contents.loaded(item, "touchpoint").partition(b"\n")[2]

    def quarantined_request(self, touchpoint_id: TouchpointId) -> tuple[str, WebhookRequest] | None:
        item = self._items([touchpoint_id]).get(touchpoint_id)
        if item is None or item.get("state") != TouchpointState.QUARANTINED:
            return None
        return item["provider"], request_from_json(self._contents.loaded(item, "request"))

    def balance(self) -> Balance:
        tally = dict.fromkeys(TouchpointState, 0)
        received = duplicate = 0
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="#state, deliveries, #parts",
            FilterExpression="attribute_exists(#state) AND attribute_exists(deliveries)",
            ExpressionAttributeNames={"#state": "state", "#parts": "parts"},
        )
        for page in pages:
            for item in page["Items"]:
                deliveries = int(item["deliveries"]["N"])
                # Of a call each part was delivered for itself, and all go the way of the call.
                parts = int(item["parts"]["N"]) if "parts" in item else 1
                received += deliveries
                duplicate += deliveries - parts
                tally[TouchpointState(item["state"]["S"])] += parts
        return Balance(
            received=received,
            processed=tally[TouchpointState.PROCESSED],
            duplicate=duplicate,
            quarantined=tally[TouchpointState.QUARANTINED],
            in_flight=tally[TouchpointState.RECEIVED] + tally[TouchpointState.FAILED],
            failed=tally[TouchpointState.FAILED],
        )

    def _either(self, item: dict[str, Any]) -> LedgerEntry | Quarantined:
        if holds_touchpoint(item):
            return self._contents.entry(item)
        return Quarantined(
            touchpoint_id=item["touchpoint_id"],
            provider=item["provider"],
            reason=item["reason"],
            received_at=item["received_at"],
            deliveries=item["deliveries"],
        )
