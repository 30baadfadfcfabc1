"""Sets of people that live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.domain.model import ProfileId, TouchpointId

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.segment import Membership, SegmentState
    from shared.events.envelope import Event
from shared.ports.paging import Page


class SegmentStore(Protocol):
    def remember(
        self, profile_id: ProfileId, name: str, at: datetime, touchpoint_id: TouchpointId
    ) -> None:
        """Keep that a named event happened, once for each touchpoint; of each name the newest."""

    def states(self, profile_ids: Sequence[ProfileId]) -> dict[ProfileId, SegmentState]:
        """Of each of these, in their order. Strongly consistent."""

    def enter(self, membership: Membership, event: Event) -> bool:
        """False where they are in already: then nothing is written."""

    def leave(self, profile_id: ProfileId, segment: str, at: datetime, event: Event) -> bool:
        """False where they are not in: then nothing is written."""

    def expect(self, profile_id: ProfileId, at: datetime, before: datetime | None) -> None:
        """Keep when the timer of this profile fires next.

        Raises Contention where that is no longer `before`.
        """

    def memberships(self, profile_id: ProfileId) -> list[Membership]:
        """Those of now, by name."""

    def members(
        self, segment: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Membership]:
        """In the order of their ids. A page may be shorter than its limit."""
