"""Tickets on DynamoDB: the ticket, its log and its follow-ups share a partition; a pointer per
profile and queue says which ticket is open there.

`worklist`, `due`, `made` and `assignee` are the keys of the indexes by work, by profile and by
assignee.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar

from shared.adapters import dynamo
from shared.adapters.contact_counts import count_update
from shared.adapters.ledger_items import outbound_values
from shared.domain.errors import Conflict, Contention
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.model import FollowUpId, Model, ProfileId, TicketId, isoformat
from shared.domain.retention import RetentionPolicy, epoch
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Touchpoint, TouchpointState
from shared.events.envelope import Event
from shared.ports.paging import Page
from shared.ports.tickets import LogEntry

Write = dict[str, Any]
T = TypeVar("T", bound=Model)

_IN_PLACES = {
    "ticket_id": ("pk", "ticket#"),
    "follow_up_id": ("sk", "follow_up#"),
    "profile_id": ("profile_id", ""),
}
"""The ids of a follow-up, where its item holds them already, and after which words. They compress
least: with them, one that was sent would take a second KB.
"""
_INDEX_KEYS = {
    "by_worklist": ("worklist", "due"),
    "by_profile": ("profile_id", "made"),
    "by_assignee": ("assignee", "due"),
}


class DynamoTicketStore:
    """`touchpoints_table` and `profiles_table` are needed by `open` and `end` only, `retention`
    by those who write: without it nothing expires.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        touchpoints_table: str,
        profiles_table: str,
        retention: RetentionPolicy | None = None,
    ) -> None:
        self._client = client
        self._retention = retention
        self._table = table
        self._touchpoints_table = touchpoints_table
        self._profiles_table = profiles_table

    # Tickets

    def read(self, ticket_id: TicketId) -> Ticket | None:
        item = self._get(_ticket_key(ticket_id))
        return ticket_of(item) if item else None

    def of_profiles(self, profile_ids: Sequence[ProfileId]) -> tuple[dict[str, int], list[Ticket]]:
        pointers = [pointer for one in profile_ids for pointer in self._pointers_of(one)]
        mine = _pointers(profile_ids[0])
        sequences = {
            pointer["sk"].removeprefix("queue#"): pointer["sequence"]
            for pointer in pointers
            if pointer["pk"] == mine
        }
        open_ids = [pointer["ticket_id"] for pointer in pointers if pointer["open"]]
        return sequences, [
            ticket_of(item) for item in self._items(map(_ticket_key, open_ids), consistent=True)
        ]

    def _pointers_of(self, profile_id: ProfileId) -> list[dict[str, Any]]:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=dynamo.attributes({":pk": _pointers(profile_id)}),
            ConsistentRead=True,
        )
        return [dynamo.plain(item) for item in answer["Items"]]

    def open(
        self, ticket: Ticket, event: Event, log: LogEntry, *, attempt: int | None = None
    ) -> None:
        # A first round has no number in the table.
        this_round = " AND (attribute_not_exists(#attempt) OR #attempt = :attempt)"
        is_known = attempt is not None
        still_in_flight = {
            "ConditionCheck": {
                "TableName": self._touchpoints_table,
                "Key": dynamo.attributes({"touchpoint_id": ticket.first.touchpoint_id}),
                "ConditionExpression": "#state = :received" + (this_round if is_known else ""),
                "ExpressionAttributeNames": {"#state": "state"}
                | ({"#attempt": "attempt"} if is_known else {}),
                "ExpressionAttributeValues": dynamo.attributes(
                    {":received": TouchpointState.RECEIVED, ":attempt": attempt}
                ),
            }
        }
        writes = [
            still_in_flight,
            self._put(
                self._ticket_item(ticket) | {"event": event.carried()}, "attribute_not_exists(pk)"
            ),
            self._take_pointer(ticket, free_if="#open = :closed AND #sequence < :sequence"),
            self._put(self._log_item(ticket.ticket_id, log)),
        ]
        ended = Conflict("the journey of this touchpoint has ended already")
        dynamo.transact(self._client, writes, refusals={0: ended})

    def save(
        self, ticket: Ticket, before: Ticket, event: Event | None, log: LogEntry | None = None
    ) -> Ticket:
        saved, writes = self._save_writes(ticket, before, event, log)
        self._write(writes)
        return saved

    def _save_writes(
        self, ticket: Ticket, before: Ticket, event: Event | None, log: LogEntry | None
    ) -> tuple[Ticket, list[Write]]:
        pointers: list[Write] = []
        if ticket.queue != before.queue:
            sequences, _ = self.of_profiles([ticket.profile_id])
            ticket = ticket.model_copy(update={"sequence": sequences.get(ticket.queue, 0) + 1})
        moved = (ticket.queue, ticket.sequence) != (before.queue, before.sequence)
        if not before.is_ended and (ticket.is_ended or moved):
            pointers.append(self._free_pointer(before))
        if not ticket.is_ended and (before.is_ended or moved):
            pointers.append(
                self._take_pointer(ticket, free_if="#open = :closed AND #sequence <= :sequence")
            )
        saved = ticket.model_copy(update={"version": before.version + 1})
        item = self._ticket_item(saved) | ({"event": event.carried()} if event else {})
        writes = [self._put(item, "#version = :before", before=before.version), *pointers]
        if log is not None:
            writes.append(self._put(self._log_item(ticket.ticket_id, log)))
        return saved, writes

    def _take_pointer(self, ticket: Ticket, *, free_if: str) -> Write:
        return {
            "Update": dynamo.update(
                _pointer_key(ticket),
                table=self._table,
                set_={"ticket_id": ticket.ticket_id, "sequence": ticket.sequence, "open": True},
                condition=f"attribute_not_exists(#ticket_id) OR ({free_if})",
                values={"closed": False},
            )
        }

    def _free_pointer(self, ticket: Ticket) -> Write:
        return {
            "Update": dynamo.update(
                _pointer_key(ticket),
                table=self._table,
                set_={"open": False},
                condition="ticket_id = :ticket_id",
                values={"ticket_id": ticket.ticket_id},
            )
        }

    def by_queue(
        self, queue: str, *, ended: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        worklist = _worklist(queue, ended)
        return self._page("by_worklist", [worklist], ticket_of, limit=limit, cursor=cursor)

    def by_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        return self._page(
            "by_profile",
            profile_ids,
            ticket_of,
            begins_with="ticket#",
            limit=limit,
            cursor=cursor,
            newest_first=True,
        )

    def by_assignee(
        self, assignee: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Ticket]:
        return self._page("by_assignee", [assignee], ticket_of, limit=limit, cursor=cursor)

    def log(self, ticket_id: TicketId) -> list[LogEntry]:
        return self._part(ticket_id, "log#", lambda item: LogEntry.model_validate_json(item["log"]))

    # Follow-ups

    def promise(self, follow_up: FollowUp, event: Event) -> FollowUp:
        item = self._follow_up_item(follow_up) | {"event": event.carried()}
        try:
            with dynamo.contention():
                self._client.put_item(
                    **self._put(
                        item,
                        "attribute_not_exists(pk) OR (#state = :scheduled AND #since > :since)",
                        scheduled=FollowUpState.SCHEDULED,
                        since=isoformat(follow_up.since),
                    )["Put"]
                )
        except Contention:
            standing = self.read_follow_up(follow_up.ticket_id, follow_up.follow_up_id)
            if standing is None:
                raise
            return standing
        return follow_up

    def read_follow_up(self, ticket_id: TicketId, follow_up_id: FollowUpId) -> FollowUp | None:
        item = self._get(_follow_up_key(ticket_id, follow_up_id))
        return follow_up_of(item) if item else None

    def follow_ups_of_ticket(self, ticket_id: TicketId) -> list[FollowUp]:
        return self._part(ticket_id, "follow_up#", follow_up_of)

    def follow_ups_of_profiles(
        self, profile_ids: Sequence[ProfileId], *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]:
        return self._page(
            "by_profile",
            profile_ids,
            follow_up_of,
            begins_with="follow_up#",
            limit=limit,
            cursor=cursor,
            newest_first=True,
        )

    def follow_ups_in_state(
        self, state: FollowUpState, *, limit: int = 50, cursor: str | None = None
    ) -> Page[FollowUp]:
        worklist = f"follow_up/{state}"
        return self._page("by_worklist", [worklist], follow_up_of, limit=limit, cursor=cursor)

    def move(self, follow_up: FollowUp, expected: FollowUpState) -> None:
        with dynamo.contention():
            self._client.put_item(**self._follow_up_write(follow_up, expected)["Put"])

    def end(
        self,
        follow_up: FollowUp,
        expected: FollowUpState,
        event: Event,
        *,
        sent: Touchpoint | None = None,
        ticket: tuple[Ticket, Ticket, Event, LogEntry] | None = None,
    ) -> None:
        writes = [self._follow_up_write(follow_up, expected, event)]
        if sent is not None:
            # No condition: an echo of this very message may have come back before us.
            values = outbound_values(sent, follow_up.profile_id, self._retention)
            # So that a status of its delivery finds the way back.
            values |= {"ticket_id": follow_up.ticket_id, "follow_up_id": follow_up.follow_up_id}
            key = {"touchpoint_id": sent.touchpoint_id}
            writes.append(
                {
                    "Update": dynamo.update(
                        key, table=self._touchpoints_table, set_=values, remove=["event"]
                    )
                }
            )
            writes.append(
                {"Update": count_update(follow_up.profile_id, sent, table=self._profiles_table)}
            )
        if ticket is not None:
            after, before, ticket_event, log = ticket
            _, ticket_writes = self._save_writes(after, before, ticket_event, log)
            writes += ticket_writes
        self._write(writes)

    def _follow_up_write(
        self, follow_up: FollowUp, expected: FollowUpState, event: Event | None = None
    ) -> Write:
        item = self._follow_up_item(follow_up) | ({"event": event.carried()} if event else {})
        return self._put(item, "#state = :expected", expected=expected)

    # Items, with the moment at which the table deletes them by itself

    def _ticket_item(self, ticket: Ticket) -> dict[str, object]:
        return _ticket_item(ticket) | self._expiring(_latest(ticket))

    def _log_item(self, ticket_id: TicketId, entry: LogEntry) -> dict[str, object]:
        return _log_item(ticket_id, entry) | self._expiring(entry.at)

    def _follow_up_item(self, follow_up: FollowUp) -> dict[str, object]:
        latest = max(follow_up.since, follow_up.due_at)
        return _follow_up_item(follow_up) | self._expiring(latest)

    def _expiring(self, latest: datetime) -> dict[str, object]:
        return {"expires_at": epoch(latest + self._retention.ticket)} if self._retention else {}

    # Access

    def _write(self, writes: Sequence[Write]) -> None:
        """All or nothing; one put alone costs half of what it would in a transaction."""
        if len(writes) > 1:
            dynamo.transact(self._client, writes, refusals={})
            return
        with dynamo.contention():
            self._client.put_item(**writes[0]["Put"])

    def _put(self, item: Mapping[str, object], condition: str = "", **values: object) -> Write:
        return {"Put": dynamo.put(item, table=self._table, condition=condition, values=values)}

    def _get(self, key: Mapping[str, str]) -> dict[str, Any]:
        answer = self._client.get_item(
            TableName=self._table, Key=dynamo.attributes(key), ConsistentRead=True
        )
        return dynamo.plain(answer.get("Item", {}))

    def _part(
        self, ticket_id: TicketId, begins_with: str, read: Callable[[dict[str, Any]], T]
    ) -> list[T]:
        """All items of one kind in a ticket's partition, in the order of their sort keys."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=dynamo.attributes(
                {":pk": f"ticket#{ticket_id}", ":sk": begins_with}
            ),
            ConsistentRead=True,
        )
        return [read(dynamo.plain(item)) for page in pages for item in page["Items"]]

    def _page(
        self,
        index: str,
        values: Sequence[str],
        read: Callable[[dict[str, Any]], T],
        *,
        begins_with: str = "",
        limit: int,
        cursor: str | None,
        newest_first: bool = False,
    ) -> Page[T]:
        """One page of index partitions, of the items whose sort key begins so."""
        partition, sort = _INDEX_KEYS[index]
        places, next_cursor = dynamo.query_index(
            self._client,
            table=self._table,
            index=index,
            partition=partition,
            values=values,
            sort=sort,
            keys=("pk", "sk"),
            begins_with=begins_with,
            newest_first=newest_first,
            limit=limit,
            cursor=cursor,
        )
        order = [(item["pk"], item["sk"]) for item in places]
        found = {
            (item["pk"], item["sk"]): item
            for item in self._items([{"pk": pk, "sk": sk} for pk, sk in order], consistent=False)
        }
        return Page([read(found[key]) for key in order if key in found], next_cursor)

    def _items(
        self, keys: Iterable[Mapping[str, str]], *, consistent: bool
    ) -> list[dict[str, Any]]:
        return dynamo.batch_get(self._client, self._table, list(keys), consistent=consistent)


def _worklist(queue: str, ended: bool) -> str:
    return f"{queue}/{'ended' if ended else 'active'}"


def _pointers(profile_id: ProfileId) -> str:
    return f"profile#{profile_id}"


def _pointer_key(ticket: Ticket) -> dict[str, str]:
    return {"pk": _pointers(ticket.profile_id), "sk": f"queue#{ticket.queue}"}


def _ticket_key(ticket_id: TicketId) -> dict[str, str]:
    return {"pk": f"ticket#{ticket_id}", "sk": "ticket"}


def _ticket_item(ticket: Ticket) -> dict[str, object]:
    return {
        **_ticket_key(ticket.ticket_id),
        "ticket": dynamo.compressed(ticket.model_dump_json(exclude_defaults=True)),
        "version": ticket.version,
        "worklist": _worklist(ticket.queue, ticket.is_ended),
        "due": isoformat(ticket.due_at),
        "profile_id": ticket.profile_id,
        "made": f"ticket#{isoformat(ticket.first.at)}",
        "assignee": ticket.assignee,
    }


def _latest(ticket: Ticket) -> datetime:
    spoken = (ticket.first.at, ticket.last.at, ticket.last_agent_at)
    return max(moment for moment in spoken if moment is not None)


def ticket_of(item: Mapping[str, Any]) -> Ticket:
    return Ticket.model_validate_json(dynamo.decompressed(item["ticket"]))


def _log_item(ticket_id: TicketId, entry: LogEntry) -> dict[str, object]:
    """One item an entry, in the order of time; a retry writes the same item again."""
    log = entry.model_dump_json(exclude_defaults=True)
    digest = sha256(log.encode()).hexdigest()[:8]
    return {
        "pk": f"ticket#{ticket_id}",
        "sk": f"log#{isoformat(entry.at)}#{digest}",
        "log": log,
    }


def _follow_up_key(ticket_id: TicketId, follow_up_id: FollowUpId) -> dict[str, str]:
    return {"pk": f"ticket#{ticket_id}", "sk": f"follow_up#{follow_up_id}"}


def _follow_up_item(follow_up: FollowUp) -> dict[str, object]:
    return {
        **_follow_up_key(follow_up.ticket_id, follow_up.follow_up_id),
        "follow_up": dynamo.compressed(
            follow_up.model_dump_json(exclude_none=True, exclude=set(_IN_PLACES))
        ),
        "state": follow_up.state,
        "worklist": f"follow_up/{follow_up.state}",
        "since": isoformat(follow_up.since),
        "due": isoformat(follow_up.due_at),
        "profile_id": follow_up.profile_id,
        "made": f"follow_up#{isoformat(follow_up.due_at)}",
    }


def follow_up_of(item: Mapping[str, Any]) -> FollowUp:
    """Older items hold their ids a second time."""
    places = {
        name: item[place].removeprefix(prefix) for name, (place, prefix) in _IN_PLACES.items()
    }
    return FollowUp.model_validate(json.loads(dynamo.decompressed(item["follow_up"])) | places)
