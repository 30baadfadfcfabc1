"""Privacy requests and personal data in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.domain.errors import NotFound
from shared.domain.identity_graph import IdentityGraph
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.privacy import Erasure, ErasureId, ErasureProof, Export, ExportId, Search
from shared.events.envelope import Event
from shared.ports.privacy import Cleared, PersonalData, PrivacyRequests
from shared.ports.profiles import StoredGraph


class FakePrivacyRequests:
    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.erasures: dict[ErasureId, Erasure] = {}
        self.exports: dict[ExportId, Export] = {}
        self.kept_proofs: dict[ErasureId, ErasureProof] = {}
        self.marked: dict[ProfileId, ErasureId] = {}
        self.kept_parts: dict[ExportId, list[dict[str, Any]]] = {}
        self.archives: dict[ExportId, dict[str, bytes]] = {}

    def begin_erasure(self, erasure: Erasure, event: Event) -> Erasure:
        standing = self.erasure_under_way(erasure.profile_ids[0])
        if standing is not None:
            return standing
        self.erasures[erasure.erasure_id] = erasure
        self.marked[erasure.profile_ids[0]] = erasure.erasure_id
        self.events.append(event)
        return erasure

    def erasure_under_way(self, profile_id: ProfileId) -> Erasure | None:
        standing = self.marked.get(profile_id)
        return self.erasures[standing] if standing is not None else None

    def read_erasure(self, erasure_id: ErasureId) -> Erasure | ErasureProof | None:
        return self.erasures.get(erasure_id) or self.kept_proofs.get(erasure_id)

    def save_erasure(self, erasure: Erasure, event: Event | None = None) -> None:
        if erasure.erasure_id not in self.erasures:
            raise NotFound("there is no such request any more")
        counts = self.erasures[erasure.erasure_id].counts
        self.erasures[erasure.erasure_id] = erasure.model_copy(update={"counts": counts})
        self.events += [event] if event else []

    def count(self, erasure_id: ErasureId, kind: str, number: int) -> None:
        before = self.erasures[erasure_id]
        counts = before.counts | {kind: before.counts.get(kind, 0) + number}
        self.erasures[erasure_id] = before.model_copy(update={"counts": counts})

    def mark(self, erasure: Erasure) -> None:
        self.marked |= dict.fromkeys(erasure.profile_ids, erasure.erasure_id)

    def end_erasure(self, proof: ErasureProof, erasure: Erasure, event: Event) -> None:
        self.kept_proofs[proof.erasure_id] = proof
        del self.erasures[proof.erasure_id]
        for profile_id in erasure.profile_ids:
            self.marked.pop(profile_id, None)
        self.events.append(event)

    def proofs(self) -> Iterator[ErasureProof]:
        return iter(self.kept_proofs.values())

    def begin_export(self, export: Export, event: Event) -> None:
        self.exports[export.export_id] = export
        self.events.append(event)

    def read_export(self, export_id: ExportId) -> Export | None:
        return self.exports.get(export_id)

    def save_export(self, export: Export, event: Event | None = None) -> None:
        if export.export_id not in self.exports:
            raise NotFound("there is no such request any more")
        self.exports[export.export_id] = export
        self.events += [event] if event else []

    def keep_part(self, export: Export, part: Mapping[str, Any]) -> None:
        parts = self.kept_parts.setdefault(export.export_id, [])
        parts[export.parts :] = [dict(part)]

    def parts(self, export: Export) -> Iterator[dict[str, Any]]:
        kept = self.kept_parts.get(export.export_id, [])
        if len(kept) < export.parts:
            raise NotFound("this file was deleted")
        return iter(kept[: export.parts])

    def keep_archive(self, export: Export, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        self.archives[export.export_id] = {name: b"".join(content) for name, content in files}

    def discard(self, export: Export) -> None:
        self.kept_parts.pop(export.export_id, None)
        self.archives.pop(export.export_id, None)

    def link(self, export: Export) -> str:
        return f"https://example.com/{export.export_id}"


@dataclass
class FakePersonalData:
    """Each kind of thing is a number of pieces; a piece counts one on the request."""

    requests: FakePrivacyRequests
    tickets: int = 0
    touchpoints: int = 0
    profiles: int = 0
    unclaimed: list[bytes] = field(default_factory=list)
    pages: int = 1
    """Of the ledger, to be searched."""
    left: list[IdentityGraph | None] = field(default_factory=list)
    """What was left of each graph they were in."""
    kept: dict[ProfileId, list[dict[str, Any]]] = field(default_factory=dict)
    raws: dict[TouchpointId, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def _piece(self, erasure: Erasure, kind: str) -> Cleared:
        left = getattr(self, kind)
        if not left:
            return Cleared(0, more=False)
        setattr(self, kind, left - 1)
        self.requests.count(erasure.erasure_id, kind, 1)
        return Cleared(1, more=True)

    def erase_tickets(self, erasure: Erasure) -> Cleared:
        return self._piece(erasure, "tickets")

    def erase_touchpoints(self, erasure: Erasure) -> Cleared:
        return self._piece(erasure, "touchpoints")

    def erase_profiles(self, erasure: Erasure) -> Cleared:
        return self._piece(erasure, "profiles")

    def leave_graph(
        self, erasure: Erasure, stored: StoredGraph, left: IdentityGraph | None
    ) -> None:
        self.left.append(left)

    def erase_unclaimed(self, erasure: Erasure, search: Search) -> tuple[Erasure, bool]:
        page = int(erasure.position or 0) + 1
        found = [one for one in self.unclaimed if search.finds(one)]
        self.unclaimed = [one for one in self.unclaimed if one not in found]
        if found:
            self.requests.count(erasure.erasure_id, "unclaimed", len(found))
        position = str(page) if page < self.pages else None
        return erasure.model_copy(update={"position": position}), position is not None

    def items(self, profile_id: ProfileId) -> list[dict[str, Any]]:
        return self.kept.get(profile_id, [])

    def raw(self, touchpoint_ids: Sequence[TouchpointId]) -> dict[TouchpointId, bytes]:
        return {one: self.raws[one] for one in touchpoint_ids if one in self.raws}

    def file(self, object_key: str) -> Iterator[bytes]:
        yield self.files[object_key]


def as_ports(
    requests: FakePrivacyRequests, data: FakePersonalData
) -> tuple[PrivacyRequests, PersonalData]:
    """They fit, says the type checker."""
    return requests, data
