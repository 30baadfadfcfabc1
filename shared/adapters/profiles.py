"""Profiles on DynamoDB: each identifier's own, under a key that derives from it.

Counters are one number each, so that they change by atomic addition and two journeys of one person
commute. What makes several profiles one person stands in their identity graph.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from shared.adapters import dynamo
from shared.adapters.activity import activity, activity_fields
from shared.adapters.contact_counts import profile_key
from shared.adapters.identity_graphs import (
    graph_id_after,
    graph_key,
    graph_writes,
    stored_graph,
)
from shared.adapters.learned import learn, learned_key, learned_of
from shared.adapters.ledger_items import this_round, timeline_key
from shared.adapters.profile_ties import TAKEN, Way, counting_of, ties_of, way_of
from shared.adapters.records import read_record, read_records, record_writes, told_twice
from shared.domain.errors import Conflict, Contention
from shared.domain.identity import Identifier
from shared.domain.model import ProfileId, TouchpointId, isoformat
from shared.domain.profile import (
    LearnedLanguage,
    MergeSuggestion,
    Mood,
    Profile,
    Trait,
    as_one,
    counting,
)
from shared.domain.records import Record, RecordKind
from shared.domain.retention import RetentionPolicy
from shared.domain.touchpoint import TouchpointState
from shared.events.envelope import Event
from shared.ports.paging import Page
from shared.ports.profiles import GraphChange, Known, ProfileTie, StoredRecord

_TRAIT = "trait#"
_STAMP = "at#"


class DynamoProfileStore:
    def __init__(
        self,
        client: Any,
        table: str,
        touchpoints_table: str,
        retention: RetentionPolicy | None = None,
    ) -> None:
        """`retention` is for those who write records: without it nothing expires."""
        self._client = client
        self._retention = retention
        self._table = table
        self._touchpoints_table = touchpoints_table

    # Reading

    def known(self, profile_ids: Sequence[ProfileId]) -> Known:
        try:
            return self._known(profile_ids)
        except Contention:
            return self._known(profile_ids)

    def _known(self, profile_ids: Sequence[ProfileId]) -> Known:
        items = self._items([profile_key(one) for one in profile_ids])
        graph_ids = sorted({item["graph"] for item in items.values() if "graph" in item})
        graphs = {
            item["pk"].removeprefix("graph#"): stored_graph(item)
            for item in self._items([graph_key(one) for one in graph_ids]).values()
        }
        if len(graphs) < len(graph_ids):
            raise Contention("an identity graph became part of another while it was read")
        by_id = {ProfileId(pk.removeprefix("profile#")): item for (pk, _), item in items.items()}
        return Known(
            {key: _profile(key, item) for key, item in by_id.items() if "created_at" in item},
            {key: graphs[item["graph"]] for key, item in by_id.items() if "graph" in item},
            {key: ties_of(item) for key, item in by_id.items() if "created_at" in item},
        )

    def read(self, profile_id: ProfileId) -> Profile | None:
        known = self.known([profile_id])
        stored = known.graphs.get(profile_id)
        person = stored.graph.person_with(profile_id) if stored else None
        if stored is None or person is None:
            alone = known.profiles.get(profile_id)
            return self._with_learned([alone])[0] if alone else None
        others = [one for one in person.profile_ids if one not in known.profiles]
        found = {**known.profiles, **self.known(others).profiles}
        mine = [found[one] for one in person.profile_ids if one in found]
        if not mine:
            return None
        twice = told_twice(self._client, self._table, {one.profile_id: one.records for one in mine})
        return counting(as_one(person, stored.graph, self._with_learned(mine)), twice)

    def _with_learned(self, profiles: Sequence[Profile]) -> list[Profile]:
        items = self._items([learned_key(one.profile_id) for one in profiles])
        learned = {pk: learned_of(item) for (pk, _), item in items.items()}
        return [
            one.model_copy(update={"learned_language": known.language, "moods": known.moods})
            if (known := learned.get(f"profile#{one.profile_id}"))
            else one
            for one in profiles
        ]

    def _items(self, keys: Sequence[dict[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        found = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        return {(item["pk"], item["sk"]): item for item in found}

    # Writing

    def attach(self, tie: ProfileTie) -> None:
        beside = [
            *self._record_writes(tie),
            *(self._graph_writes(tie.graph, besides=tie.profile_id) if tie.graph else []),
        ]
        way = way_of(self._client, self._touchpoints_table, tie, is_alone=not beside)
        if way is Way.AT_ONCE:
            writes = [self._touchpoint_update(tie), self._profile_update(tie, way)]
            dynamo.transact(
                self._client,
                [*({"Update": one} for one in writes), *beside],
                refusals={0: Conflict(TAKEN)},
            )
            return
        if way is Way.COUNTED_FIRST:
            with dynamo.contention():
                self._client.update_item(**self._profile_update(tie, way))
        try:
            with dynamo.contention():
                self._client.update_item(**self._touchpoint_update(tie))
        except Contention:
            raise Conflict(TAKEN) from None

    def _record_writes(self, tie: ProfileTie) -> list[dict[str, Any]]:
        if tie.record is None:
            return []
        return record_writes(self._table, tie.profile_id, tie.record, self._retention)

    def _touchpoint_update(self, tie: ProfileTie) -> dict[str, Any]:
        return dynamo.update(
            {"touchpoint_id": tie.touchpoint.touchpoint_id},
            table=self._touchpoints_table,
            set_={
                "profile_id": tie.profile_id,
                "timeline": timeline_key(tie.touchpoint),
                "state": TouchpointState.PROCESSED if tie.finished else None,
            },
            remove=["event"],
            # One that was erased meanwhile does not come back as an empty shell; and what was read
            # of a call may be less than what is known of it in a later round.
            condition="attribute_exists(#state) AND attribute_not_exists(#profile_id)"
            f" AND {this_round(tie.attempt)}",
            values={"round": tie.attempt},
        )

    def _profile_update(self, tie: ProfileTie, way: Way) -> dict[str, Any]:
        """What was read must still be so where something was concluded from it: that the profile
        is there or not, in which graph it is, and that no later statement of a trait came.
        """
        touchpoint = tie.touchpoint
        traits = {
            f"{_TRAIT}{name}": json.dumps(one.value, ensure_ascii=False)
            for name, one in tie.traits.items()
        }
        stamps = {f"{_STAMP}{name}": one.stamp for name, one in tie.traits.items()}
        conditions = [
            f"(attribute_not_exists({token}) OR {token} < :{token[1:]})"
            for token in map(dynamo.token, stamps)
        ]
        done = activity(touchpoint, tie.profile, tie.counts)
        conditions += done.conditions
        counting = counting_of(tie, way)
        conditions += counting.conditions
        values: dict[str, object] = dict(counting.values)
        graph_id = graph_id_after(tie.graph) if tie.graph else None
        if tie.profile is None:
            conditions.append("attribute_not_exists(#created_at)")
        if tie.profile is None or (graph_id is not None and graph_id != tie.graph_id):
            conditions.append(
                "#graph = :was_in" if tie.graph_id else "attribute_not_exists(#graph)"
            )
            values |= {"was_in": tie.graph_id} if tie.graph_id else {}
        event = tie.event.carried() if tie.event else None
        return dynamo.update(
            profile_key(tie.profile_id),
            table=self._table,
            set_={
                **traits,
                **stamps,
                **done.set_,
                **counting.set_,
                "event": event,
                "graph": graph_id,
            },
            set_once={
                "created_at": isoformat(touchpoint.received_at),
                "identifier": tie.home.key,
                **({"time_zone": tie.time_zone} if tie.time_zone else {}),
            },
            add={**done.add, "ties": 1},
            delete=done.delete,
            remove=[] if event else ["event"],
            condition=" AND ".join(conditions),
            values=values,
        )

    def change_graph(self, change: GraphChange) -> None:
        dynamo.transact(self._client, self._graph_writes(change), refusals={})

    def _graph_writes(
        self, change: GraphChange, besides: ProfileId | None = None
    ) -> list[dict[str, Any]]:
        return [
            *graph_writes(self._table, change, besides=besides),
            *(put for one in change.suggestions for put in self._suggestion_writes(one)),
        ]

    def was_erased(self, profile_id: ProfileId) -> bool:
        return bool(self._items([{"pk": f"profile#{profile_id}", "sk": "erased"}]))

    def finish(self, touchpoint_id: TouchpointId, attempt: int, event: Event | None = None) -> None:
        carried = {"event": event.carried()} if event else {}
        with dynamo.contention():
            self._client.update_item(
                **dynamo.update(
                    {"touchpoint_id": touchpoint_id},
                    table=self._touchpoints_table,
                    set_={"state": TouchpointState.PROCESSED, **carried},
                    remove=[] if event else ["event"],
                    condition=f"attribute_exists(#touchpoint_id) AND {this_round(attempt)}",
                    values={"round": attempt},
                )
            )

    def learn(
        self,
        profile_id: ProfileId,
        touchpoint_id: TouchpointId,
        language: LearnedLanguage | None,
        mood: Mood | None,
        event: Event | None = None,
    ) -> None:
        learn(self._client, self._table, profile_id, touchpoint_id, language, mood, event)

    # Records

    def record(self, profile_id: ProfileId, key: str) -> StoredRecord | None:
        return read_record(self._client, self._table, profile_id, key)

    def records(
        self,
        profile_ids: Sequence[ProfileId],
        kind: RecordKind | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Record]:
        return read_records(
            self._client, self._table, profile_ids, kind, limit=limit, cursor=cursor
        )

    # Suggestions

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        known = self.known(suggestion.profile_ids)
        if not _is_open(suggestion, known):
            return False
        dynamo.transact(self._client, self._suggestion_writes(suggestion), refusals={})
        return True

    def _suggestion_writes(self, suggestion: MergeSuggestion) -> list[dict[str, Any]]:
        """One item under each of the two, so that both show it; the first is the one in review.

        Facts that were compared say more than a touchpoint that named both, whichever comes later.
        """
        one, other = suggestion.profile_ids
        kept: dict[str, object] = {"suggestion": suggestion.model_dump_json(exclude_none=True)}
        ranked = {"ranked": f"{suggestion.score or 0:.6f}#{one}#{other}"}
        way = "set_once" if suggestion.score is None else "set_"
        changes: list[dict[str, Any]] = [{way: kept | ranked}, {way: kept}]
        changes[0].setdefault("set_", {})["review"] = "open"
        return [
            {
                "Update": dynamo.update(
                    {"pk": f"profile#{here}", "sk": f"suggestion#{there}"},
                    table=self._table,
                    **change,
                )
            }
            for (here, there), change in zip(((one, other), (other, one)), changes, strict=True)
        ]

    def suggestions(self, profile_ids: Sequence[ProfileId]) -> list[MergeSuggestion]:
        found = {}
        for profile_id in profile_ids:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues=dynamo.attributes(
                    {":pk": f"profile#{profile_id}", ":sk": "suggestion#"}
                ),
            )
            for item in (item for page in pages for item in page["Items"]):
                one = MergeSuggestion.model_validate_json(item["suggestion"]["S"])
                found[one.profile_ids] = one
        return self._open(list(found.values()))

    def suggestions_open(
        self, *, limit: int = 50, cursor: str | None = None
    ) -> Page[MergeSuggestion]:
        places, next_cursor = dynamo.query_index(
            self._client,
            table=self._table,
            index="by_review",
            partition="review",
            values=["open"],
            sort="ranked",
            keys=("pk", "sk"),
            newest_first=True,
            limit=limit,
            cursor=cursor,
        )
        order = [(item["pk"], item["sk"]) for item in places]
        items = self._items([{"pk": pk, "sk": sk} for pk, sk in order])
        found = [
            MergeSuggestion.model_validate_json(items[key]["suggestion"])
            for key in order
            if key in items
        ]
        still = self._open(found)
        for one in found:
            if one not in still:
                self._end_review(one)
        return Page(still, next_cursor)

    def _end_review(self, decided: MergeSuggestion) -> None:
        """Out of the queue, where those that were decided would crowd out the others."""
        one, other = decided.profile_ids
        with suppress(Contention), dynamo.contention():
            self._client.update_item(
                **dynamo.update(
                    {"pk": f"profile#{one}", "sk": f"suggestion#{other}"},
                    table=self._table,
                    remove=["review", "ranked"],
                    condition="attribute_exists(suggestion)",
                )
            )

    def _open(self, suggestions: Sequence[MergeSuggestion]) -> list[MergeSuggestion]:
        """Without those that became one person since, or of which somebody decided."""
        known = self.known(sorted({key for one in suggestions for key in one.profile_ids}))
        return [one for one in suggestions if _is_open(one, known)]


def _is_open(suggestion: MergeSuggestion, known: Known) -> bool:
    one, other = suggestion.profile_ids
    if not {one, other} <= set(known.profiles):
        return False
    graph = known.graphs.get(one)
    return graph is None or not graph.graph.is_decided(one, other)


def _moment(item: dict[str, Any], trait: str) -> Any:
    return item[f"{_STAMP}{trait}"].split("#")[0]


def _profile(profile_id: ProfileId, item: dict[str, Any]) -> Profile:
    return Profile(
        profile_id=profile_id,
        profile_ids=(profile_id,),
        created_at=item["created_at"],
        identifiers=(Identifier.from_key(item["identifier"]),),
        traits={
            name: Trait(value=json.loads(item[f"{_TRAIT}{name}"]), at=_moment(item, name))
            for name in sorted(one.removeprefix(_TRAIT) for one in item if one.startswith(_TRAIT))
        },
        learned_time_zone=item.get("time_zone"),
        **activity_fields(item),
    )
