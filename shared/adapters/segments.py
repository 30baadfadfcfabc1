"""Segments on DynamoDB, beside the profiles: what was seen of each, and what it belongs to.

`profile#<id>` / `activity` holds one attribute for each event and touchpoint, so that seeing is one
blind write that repeats and commutes. `profile#<id>` / `segment#<name>` is a membership while its
attribute `segment`, the key of the index, is there; one that ended stays to tell when it did.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.adapters import dynamo
from shared.domain.errors import Conflict
from shared.domain.model import Instant, ProfileId, TouchpointId, isoformat
from shared.domain.segment import MOST_KEPT, Membership, SegmentState
from shared.events.envelope import Event
from shared.ports.paging import Page

_SEEN = "seen#"
_INDEX = "by_segment"


class DynamoSegmentStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def remember(
        self, profile_id: ProfileId, name: str, at: datetime, touchpoint_id: TouchpointId
    ) -> None:
        with dynamo.contention():
            answer = self._client.update_item(
                ReturnValues="ALL_NEW",
                **dynamo.update(
                    _activity_key(profile_id),
                    table=self._table,
                    set_={f"{_SEEN}{name}#{touchpoint_id}": isoformat(at)},
                ),
            )
        seen = _state(dynamo.plain(answer["Attributes"])).seen[name]
        # The oldest of more than enough is none of the newest, whatever else comes.
        surplus = sorted(seen, key=lambda one: (seen[one], one), reverse=True)[MOST_KEPT:]
        if surplus:
            self._client.update_item(
                **dynamo.update(
                    _activity_key(profile_id),
                    table=self._table,
                    remove=[f"{_SEEN}{name}#{one}" for one in surplus],
                )
            )

    def states(self, profile_ids: Sequence[ProfileId]) -> dict[ProfileId, SegmentState]:
        keys = [_activity_key(one) for one in profile_ids]
        items = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        found = {_profile_id(item): _state(item) for item in items}
        return {one: found.get(one, SegmentState()) for one in profile_ids}

    def enter(self, membership: Membership, event: Event) -> bool:
        item = {
            "segment": membership.segment,
            "membership": membership.model_dump_json(),
            "event": event.carried(),
        }
        return self._move(
            membership.profile_id,
            membership.segment,
            {"set_": item, "remove": ["ended_at"], "condition": "attribute_not_exists(#segment)"},
            "ADD",
        )

    def leave(self, profile_id: ProfileId, segment: str, at: datetime, event: Event) -> bool:
        changes = {
            "set_": {"ended_at": isoformat(at), "event": event.carried()},
            "remove": ["segment"],
            "condition": "attribute_exists(#segment)",
        }
        return self._move(profile_id, segment, changes, "DELETE")

    def _move(
        self, profile_id: ProfileId, segment: str, changes: Mapping[str, Any], verb: str
    ) -> bool:
        """The membership with its event, and its name among those of the profile."""
        names = {
            "TableName": self._table,
            "Key": dynamo.attributes(_activity_key(profile_id)),
            "UpdateExpression": f"{verb} #segments :name",
            "ExpressionAttributeNames": {"#segments": "segments"},
            "ExpressionAttributeValues": dynamo.attributes({":name": frozenset({segment})}),
        }
        membership = dynamo.update(
            _membership_key(profile_id, segment), table=self._table, **changes
        )
        done = Conflict("somebody else moved them first")
        try:
            dynamo.transact(
                self._client, [{"Update": membership}, {"Update": names}], refusals={0: done}
            )
        except Conflict:
            return False
        return True

    def expect(self, profile_id: ProfileId, at: datetime, before: datetime | None) -> None:
        condition = "#next_at = :before" if before else "attribute_not_exists(#next_at)"
        with dynamo.contention():
            self._client.update_item(
                **dynamo.update(
                    _activity_key(profile_id),
                    table=self._table,
                    set_={"next_at": isoformat(at)},
                    condition=condition,
                    values={"before": isoformat(before)} if before else {},
                )
            )

    def memberships(self, profile_id: ProfileId) -> list[Membership]:
        (state,) = self.states([profile_id]).values()
        keys = [_membership_key(profile_id, one) for one in state.segments]
        return sorted(self._read(keys), key=lambda one: one.segment)

    def members(
        self, segment: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Membership]:
        start = dynamo.read_cursor(cursor, {"segment": segment, "pk": None, "sk": None})
        with dynamo.continuing(cursor):
            answer = self._client.query(
                TableName=self._table,
                IndexName=_INDEX,
                KeyConditionExpression="#segment = :segment",
                ExpressionAttributeNames={"#segment": "segment"},
                ExpressionAttributeValues=dynamo.attributes({":segment": segment}),
                Limit=limit,
                **start,
            )
        keys = [{"pk": one["pk"]["S"], "sk": one["sk"]["S"]} for one in answer["Items"]]
        members = sorted(self._read(keys), key=lambda one: one.profile_id)
        return Page(members, dynamo.write_cursor(answer.get("LastEvaluatedKey")))

    def _read(self, keys: Sequence[Mapping[str, str]]) -> list[Membership]:
        items = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        # The index may still show one that has just ended.
        return [
            Membership.model_validate_json(item["membership"])
            for item in items
            if "segment" in item
        ]


def _activity_key(profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": "activity"}


def _membership_key(profile_id: ProfileId, segment: str) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": f"segment#{segment}"}


def _profile_id(item: Mapping[str, Any]) -> ProfileId:
    return ProfileId(item["pk"].removeprefix("profile#"))


def _state(item: Mapping[str, Any]) -> SegmentState:
    seen: dict[str, dict[str, Instant]] = {}
    for attribute, at in item.items():
        if attribute.startswith(_SEEN):
            _, name, touchpoint_id = attribute.split("#")
            seen.setdefault(name, {})[touchpoint_id] = at
    return SegmentState.model_validate(
        {
            "seen": seen,
            "segments": item.get("segments", frozenset()),
            "next_at": item.get("next_at"),
        }
    )
