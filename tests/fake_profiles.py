"""The profile store in memory: profiles by id, identity graphs, suggestions."""

from collections.abc import Sequence
from typing import Any, Protocol

from shared.domain.activity import contact_of
from shared.domain.errors import Conflict, Contention, PasserelleError
from shared.domain.identity import Identifier
from shared.domain.identity_graph import IdentityGraph
from shared.domain.learning import Learned
from shared.domain.model import Instant, ProfileId, TouchpointId
from shared.domain.profile import (
    LearnedLanguage,
    MergeSuggestion,
    Mood,
    Profile,
    as_one,
    counting,
)
from shared.domain.records import Record, RecordKind, counted_twice, newest
from shared.domain.touchpoint import Touchpoint, TouchpointState
from shared.events.envelope import Event
from shared.ports.paging import Page
from shared.ports.profiles import GraphChange, Known, ProfileTie, StoredGraph, StoredRecord
from tests.fake_pages import page_of


class Entries(Protocol):
    def change(self, touchpoint_id: TouchpointId, **fields: Any) -> None: ...
    def still(
        self, touchpoint_id: TouchpointId, attempt: int, error: type[PasserelleError]
    ) -> None: ...


class FakeProfileStore:
    """`len` counts profiles; `in` asks for a profile id or an identifier.

    Ties touchpoints in `ledger` where one is given.
    """

    def __init__(self, ledger: Entries | None = None, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self._ledger = ledger
        self._profiles: dict[ProfileId, Profile] = {}
        self._graphs: dict[str, StoredGraph] = {}
        self._learned: dict[ProfileId, Learned] = {}
        self._attached: set[TouchpointId] = set()
        self._records: dict[tuple[ProfileId, str], StoredRecord] = {}
        self._suggestions: dict[tuple[ProfileId, ProfileId], MergeSuggestion] = {}
        self.erased: set[ProfileId] = set()

    def __len__(self) -> int:
        return len(self._profiles)

    def __contains__(self, one: object) -> bool:
        return (one.profile_id if isinstance(one, Identifier) else one) in self._profiles

    # Reading

    def known(self, profile_ids: Sequence[ProfileId]) -> Known:
        graphs = {key: self._graph_of(key) for key in profile_ids}
        return Known(
            {key: self._profiles[key] for key in profile_ids if key in self._profiles},
            {key: one for key, one in graphs.items() if one is not None},
        )

    def _graph_of(self, profile_id: ProfileId) -> StoredGraph | None:
        for stored in self._graphs.values():
            if stored.graph.person_with(profile_id) is not None:
                return stored
        return None

    def read(self, profile_id: ProfileId) -> Profile | None:
        stored = self._graph_of(profile_id)
        person = stored.graph.person_with(profile_id) if stored else None
        if stored is None or person is None:
            return self._profiles.get(profile_id)
        mine = [self._profiles[one] for one in person.profile_ids if one in self._profiles]
        twice = counted_twice([one for key in person.profile_ids for one in self._told(key)])
        return counting(as_one(person, stored.graph, mine), twice) if mine else None

    def was_erased(self, profile_id: ProfileId) -> bool:
        return profile_id in self.erased

    # Writing

    def attach(self, tie: ProfileTie) -> None:
        id_, whose = tie.touchpoint.touchpoint_id, tie.profile_id
        if id_ in self._attached:
            raise Conflict("this touchpoint has its profile already")
        if self._ledger is not None:
            self._ledger.still(id_, tie.attempt, Conflict)
        before = self._profiles.get(whose)
        stored = self._graph_of(whose)
        if (before is None) != (tie.profile is None):
            raise Contention("another journey created this profile")
        if (stored.graph_id if stored else None) != tie.graph_id:
            raise Contention("another journey tied this profile")
        for name, trait in tie.traits.items():
            if before and name in before.traits and before.traits[name].stamp >= trait.stamp:
                raise Contention("a statement of this trait that is as new is there")
        if tie.record is not None:
            place = (whose, tie.record.after.key)
            if self._records.get(place) != tie.record.before:
                raise Contention("another version of this record came first")
            version = tie.record.before.version + 1 if tie.record.before else 1
            self._records[place] = StoredRecord(tie.record.after, version)
        if tie.graph is not None:
            self._write_graph(tie.graph)
        profile = before or Profile(
            profile_id=whose,
            profile_ids=(whose,),
            created_at=tie.touchpoint.received_at,
            identifiers=(tie.home,),
            learned_time_zone=tie.time_zone,
        )
        contacted = with_contact(profile, tie.touchpoint)
        self._profiles[whose] = counting(contacted, tie.counts).model_copy(
            update={"traits": profile.traits | dict(tie.traits)}
        )
        self._attached.add(id_)
        if self._ledger is not None:
            self._ledger.change(id_, profile_id=whose)
            if tie.finished:
                self._ledger.change(id_, state=TouchpointState.PROCESSED)
        if tie.event is not None:
            self.events.append(tie.event)

    def _write_graph(self, change: GraphChange) -> None:
        for one in change.before:
            if self._graphs.get(one.graph_id) != one:
                raise Contention("the identity graph is no longer as it was read")
        graph_id = min((one.graph_id for one in change.before), default="")
        version = max((one.version for one in change.before), default=0) + 1
        for one in change.before:
            del self._graphs[one.graph_id]
        key = graph_id or min(change.after.identifiers)
        self._graphs[key] = StoredGraph(key, version, change.after)
        for suggestion in change.suggestions:
            self._suggestions[suggestion.profile_ids] = suggestion
        if change.event is not None:
            self.events.append(change.event)

    def change_graph(self, change: GraphChange) -> None:
        self._write_graph(change)

    def finish(self, touchpoint_id: TouchpointId, attempt: int, event: Event | None = None) -> None:
        if self._ledger is not None:
            self._ledger.still(touchpoint_id, attempt, Contention)
            self._ledger.change(touchpoint_id, state=TouchpointState.PROCESSED)
        if event is not None:
            self.events.append(event)

    def learn(
        self,
        profile_id: ProfileId,
        touchpoint_id: TouchpointId,
        language: LearnedLanguage | None,
        mood: Mood | None,
        event: Event | None = None,
    ) -> None:
        profile = self._profiles.get(profile_id)
        if profile is None:
            return
        known = self._learned.get(profile_id, Learned())
        taught = self._learned[profile_id] = known.after(touchpoint_id, language, mood)
        before, after = (one.language and one.language.language for one in (known, taught))
        if event is not None and (before != after or taught.corrects(known)):
            self.events.append(event)
        self._profiles[profile_id] = profile.model_copy(
            update={"learned_language": taught.language, "moods": taught.moods}
        )

    # Records

    def record(self, profile_id: ProfileId, key: str) -> StoredRecord | None:
        return self._records.get((profile_id, key))

    def _told(self, profile_id: ProfileId) -> list[Record]:
        return [one.record for (whose, _), one in self._records.items() if whose == profile_id]

    def records(
        self,
        profile_ids: Sequence[ProfileId],
        kind: RecordKind | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Record]:
        told: dict[str, list[Record]] = {}
        for record in (one for key in profile_ids for one in self._told(key)):
            if kind is None or record.kind is kind:
                told.setdefault(record.key, []).append(record)
        found = map(newest, told.values())
        return page_of(found, lambda one: one.key, limit=limit, cursor=cursor)

    def count_contact(self, profile_id: ProfileId, touchpoint: Touchpoint) -> None:
        """One more contact on a profile, as a part of another's transaction."""
        profile = self._profiles.get(profile_id)
        if profile is not None:
            self._profiles[profile_id] = with_contact(profile, touchpoint)

    # Suggestions

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        if not self._is_open(suggestion):
            return False
        self._suggestions[suggestion.profile_ids] = suggestion
        return True

    def suggestions(self, profile_ids: Sequence[ProfileId]) -> list[MergeSuggestion]:
        return [
            one
            for pair, one in self._suggestions.items()
            if set(profile_ids) & set(pair) and self._is_open(one)
        ]

    def suggestions_open(
        self, *, limit: int = 50, cursor: str | None = None
    ) -> Page[MergeSuggestion]:
        """A page of all that were made, without those that were decided since."""
        made = self._suggestions.values()
        ranked = sorted(made, key=lambda one: (one.score or 0, one.profile_ids), reverse=True)
        start = int(cursor or 0)
        page = [one for one in ranked[start : start + limit] if self._is_open(one)]
        more = len(ranked) > start + limit
        return Page(page, str(start + limit) if more else None)

    def _is_open(self, suggestion: MergeSuggestion) -> bool:
        one, other = suggestion.profile_ids
        stored = self._graph_of(one)
        both = {one, other} <= set(self._profiles)
        return both and (stored is None or not stored.graph.is_decided(one, other))

    # What a test begins with.

    def put(self, profile: Profile) -> None:
        """A profile that is there already."""
        self._profiles[profile.profile_id] = profile
        languages = () if profile.learned_language is None else (profile.learned_language,)
        self._learned[profile.profile_id] = Learned(languages=languages, moods=profile.moods)

    def forget(self, profile_id: ProfileId) -> None:
        """As an erasure does, on its way."""
        del self._profiles[profile_id]
        self._learned.pop(profile_id, None)

    def put_graph(self, graph: IdentityGraph) -> None:
        key = min(graph.identifiers)
        self._graphs[key] = StoredGraph(key, 1, graph)


def with_contact(profile: Profile, touchpoint: Touchpoint) -> Profile:
    contact = contact_of(touchpoint)
    counted = (contact.direction, contact.channel)
    hours = dict(profile.hours)
    if contact.hour is not None:
        hours[contact.hour] = hours.get(contact.hour, 0) + 1
    last = _latest(profile.last_at.get(contact.direction), contact.at)
    return profile.model_copy(
        update={
            "contacts": profile.contacts | {counted: profile.contacts.get(counted, 0) + 1},
            "hours": hours,
            "first_at": min(profile.first_at or contact.at, contact.at),
            "last_at": {**profile.last_at, contact.direction: last},
            "last_use_at": _latest(profile.last_use_at, contact.used_at),
            "last_purchase_at": _latest(profile.last_purchase_at, contact.bought_at),
        }
    )


def _latest(*moments: Instant | None) -> Instant | None:
    return max((one for one in moments if one is not None), default=None)
