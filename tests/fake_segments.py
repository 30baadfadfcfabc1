"""The segment store in memory, true to its port."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.errors import Contention
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.segment import MOST_KEPT, Membership, SegmentState
from shared.events.envelope import Event
from shared.ports.paging import Page
from tests.fake_pages import page_of


class FakeSegmentStore:
    """`in` asks for (profile id, segment). Every fact it was told stands in `events`."""

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.contentions = 0
        """How many notes of a timer are refused from now on."""
        self._states: dict[ProfileId, SegmentState] = {}
        self._members: dict[tuple[ProfileId, str], Membership] = {}

    def __contains__(self, one: object) -> bool:
        return one in self._members

    def remember(
        self, profile_id: ProfileId, name: str, at: datetime, touchpoint_id: TouchpointId
    ) -> None:
        state = self._state(profile_id)
        seen = {**state.seen.get(name, {}), touchpoint_id: at}
        newest = sorted(seen, key=lambda one: (seen[one], one), reverse=True)[:MOST_KEPT]
        self._change(profile_id, seen={**state.seen, name: {one: seen[one] for one in newest}})

    def states(self, profile_ids: Sequence[ProfileId]) -> dict[ProfileId, SegmentState]:
        return {one: self._state(one) for one in profile_ids}

    def enter(self, membership: Membership, event: Event) -> bool:
        key = membership.profile_id, membership.segment
        if key in self._members:
            return False
        self._members[key] = membership
        self._keep(membership.profile_id, event)
        return True

    def leave(self, profile_id: ProfileId, segment: str, at: datetime, event: Event) -> bool:
        if self._members.pop((profile_id, segment), None) is None:
            return False
        self._keep(profile_id, event)
        return True

    def _keep(self, profile_id: ProfileId, event: Event) -> None:
        mine = frozenset(segment for whose, segment in self._members if whose == profile_id)
        self._change(profile_id, segments=mine)
        self.events.append(event)

    def expect(self, profile_id: ProfileId, at: datetime, before: datetime | None) -> None:
        if self.contentions or self._state(profile_id).next_at != before:
            self.contentions = max(self.contentions - 1, 0)
            raise Contention("somebody else set the timer")
        self._change(profile_id, next_at=at)

    def memberships(self, profile_id: ProfileId) -> list[Membership]:
        mine = [one for one in self._members.values() if one.profile_id == profile_id]
        return sorted(mine, key=lambda one: one.segment)

    def members(
        self, segment: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Membership]:
        found = [one for one in self._members.values() if one.segment == segment]
        return page_of(found, lambda one: one.profile_id, limit=limit, cursor=cursor)

    def _state(self, profile_id: ProfileId) -> SegmentState:
        return self._states.get(profile_id, SegmentState())

    def _change(self, profile_id: ProfileId, **fields: object) -> None:
        self._states[profile_id] = self._state(profile_id).model_copy(update=fields)

    # What a test begins with.

    def put(self, membership: Membership) -> None:
        self._members[membership.profile_id, membership.segment] = membership
        mine = self._state(membership.profile_id).segments | {membership.segment}
        self._change(membership.profile_id, segments=mine)
