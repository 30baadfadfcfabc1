"""What a person may ask of their data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from shared.domain.model import ProfileId, TouchpointId

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.identity_graph import IdentityGraph
    from shared.domain.privacy import Erasure, ErasureId, ErasureProof, Export, ExportId, Search
    from shared.events.envelope import Event
from shared.ports.profiles import StoredGraph


class Cleared(NamedTuple):
    """What one bounded piece of an erasure deleted, and whether there may be more of its kind."""

    deleted: int
    more: bool


class PrivacyRequests(Protocol):
    """Erasures and exports under way, and the proofs of what was erased."""

    def begin_erasure(self, erasure: Erasure, event: Event) -> Erasure:
        """Write it with its event, unless an erasure of this profile is under way.

        Returns the one that stands.
        """

    def erasure_under_way(self, profile_id: ProfileId) -> Erasure | None:
        """Of this profile, even where nothing else is left of it."""

    def read_erasure(self, erasure_id: ErasureId) -> Erasure | ErasureProof | None:
        """The request while it is under way, the proof afterwards."""

    def save_erasure(self, erasure: Erasure, event: Event | None = None) -> None:
        """Keep how far it is; its counts are kept by `PersonalData`.

        Raises NotFound where it has ended meanwhile.
        """

    def mark(self, erasure: Erasure) -> None:
        """Mark each of its profiles, so that a second request finds this one."""

    def end_erasure(self, proof: ErasureProof, erasure: Erasure, event: Event) -> None:
        """Keep the proof, in the table and in a file that no restored table takes back, and forget
        whom it speaks of. Each part of it may be repeated.
        """

    def proofs(self) -> Iterator[ErasureProof]:
        """Of all erasures, from the files."""

    def begin_export(self, export: Export, event: Event) -> None: ...

    def read_export(self, export_id: ExportId) -> Export | None: ...

    def save_export(self, export: Export, event: Event | None = None) -> None:
        """Keep how far it is. Raises NotFound where the person was erased meanwhile."""

    def keep_part(self, export: Export, part: Mapping[str, Any]) -> None:
        """One collected page, under the number of parts there are before it."""

    def parts(self, export: Export) -> Iterator[dict[str, Any]]:
        """The collected pages, in order. Raises NotFound where one of them was deleted."""

    def keep_archive(self, export: Export, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        """One ZIP of files, each a name and its content piece by piece."""

    def discard(self, export: Export) -> None:
        """Delete the pages and the archive."""

    def link(self, export: Export) -> str:
        """An address at which the archive can be fetched for a few minutes."""


class PersonalData(Protocol):
    """What the stores hold of a person: found by whose it is, and by value.

    What is deleted and what is counted are written together: a piece that is repeated finds nothing
    and counts nothing. Raises Contention where somebody changes the same items at that moment,
    NotFound where the erasure has ended.
    """

    def erase_tickets(self, erasure: Erasure) -> Cleared:
        """Tickets, their logs and follow-ups with their schedules, and what points to them."""

    def erase_touchpoints(self, erasure: Erasure) -> Cleared:
        """Touchpoints, the statuses of their delivery, and their files."""

    def leave_graph(
        self, erasure: Erasure, stored: StoredGraph, left: IdentityGraph | None
    ) -> None:
        """Replace a graph by what is left of it."""

    def erase_profiles(self, erasure: Erasure) -> Cleared:
        """Everything under their profiles, and what points to them from elsewhere."""

    def erase_unclaimed(self, erasure: Erasure, search: Search) -> tuple[Erasure, bool]:
        """Go on through the ledger, deleting what is nobody's and names them.

        Returns how far it is, and whether there is more to look through.
        """

    def items(self, profile_id: ProfileId) -> list[dict[str, Any]]:
        """Everything under a profile, each item as JSON can hold it."""

    def raw(self, touchpoint_ids: Sequence[TouchpointId]) -> dict[TouchpointId, bytes]:
        """The requests that touchpoints came from. Raises NotFound where one was just deleted."""

    def file(self, object_key: str) -> Iterator[bytes]:
        """A stored attachment, piece by piece."""
