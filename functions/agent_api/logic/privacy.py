"""What a person asks of their data, as an agent enters it: a copy, a correction, an erasure."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from shared.domain.errors import Conflict, InvalidInput, NotFound
from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_graph import settled, united
from shared.domain.identity_tie import Tie, TieKind, tie
from shared.domain.model import Instant, Model, ProfileId, TouchpointId, derived_id, isoformat
from shared.domain.privacy import (
    Erasure,
    ErasureId,
    ErasureProof,
    ErasureState,
    Export,
    ExportId,
    ExportState,
    Reason,
)
from shared.domain.profile import Profile
from shared.domain.retention import RetentionPolicy
from shared.domain.touchpoint import Channel, Direction, Identification, Touchpoint
from shared.events.catalogue import ErasureRequested, ExportRequested
from shared.merging import graph_change
from shared.ports.ledger import Ledger
from shared.ports.privacy import PrivacyRequests
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock
from shared.providers.base import Observed

PROVIDER = "passerelle"
"""Of touchpoints that are of our own making."""
TraitName = Annotated[str, Field(min_length=1, max_length=100)]


class Rectification(Model):
    """What is wrong about a person, put right."""

    traits: dict[TraitName, JsonValue] = Field(
        default={}, max_length=40, description="The right value of each; null takes it away."
    )
    not_theirs: tuple[Identifier, ...] = Field(
        default=(), max_length=20, description="Identifiers that were stated of them wrongly."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.traits and not self.not_theirs:
            raise ValueError("nothing is to be changed")
        return self


class Rectified(Model):
    """What was written; the profile shows it as soon as its journey has ended."""

    profile_id: ProfileId
    touchpoint_id: TouchpointId | None = Field(
        description="The touchpoint that states the corrected traits; null where none was given."
    )


AskedReason = Literal[
    "no_longer_needed", "consent_withdrawn", "objection", "unlawful", "legal_obligation"
]
"""Of `Reason`, without the one that only a restored backup gives."""


class ErasureRequest(Model):
    """To forget a person. It cannot be undone."""

    reason: AskedReason
    confirm: str = Field(description="The profile's id once more, so that nobody erases by a slip.")


class ErasureView(Model):
    """How far an erasure is; at its end, the proof."""

    erasure_id: ErasureId
    state: ErasureState
    reason: Reason
    by: str
    requested_at: Instant
    passes: int = Field(description="Through all stores; the last one finds nothing.")
    looked_at: int | None = Field(
        description="Touchpoints the pass under way has searched; null at the end."
    )
    counts: dict[str, int] = Field(description="What was deleted, by kind.")
    proof: ErasureProof | None


class ExportRequest(Model):
    language: str = Field(
        default="",
        pattern=r"^([a-z]{2})?$",
        description="Of the readable page; the person's own where none is named.",
    )


class ExportView(Model):
    """A copy of everything known of a person."""

    export_id: ExportId
    state: ExportState
    by: str
    requested_at: Instant
    expires_at: Instant
    pages: int = Field(description="How much is collected.")
    url: str | None = Field(description="Fetches the archive, for five minutes; null until ready.")


def existing(profile_id: ProfileId, profiles: ProfileStore) -> Profile:
    """The person. Raises Conflict where they were erased, NotFound where they never were."""
    profile = profiles.read(profile_id)
    if profile is None:
        if profiles.was_erased(profile_id):
            raise Conflict("this profile was erased")
        raise NotFound("there is no such profile")
    return profile


def request_export(
    profile_id: ProfileId,
    request: ExportRequest,
    *,
    export_id: ExportId,
    agent: str,
    profiles: ProfileStore,
    requests: PrivacyRequests,
    retention: RetentionPolicy,
    clock: Clock,
) -> ExportView:
    profile = existing(profile_id, profiles)
    now = clock.now()
    export = Export(
        export_id=export_id,
        profile_ids=profile.profile_ids,
        by=agent,
        language=request.language or profile.language or "en",
        requested_at=now,
        expires_at=now + retention.export,
    )
    requests.begin_export(export, ExportRequested(export_id=export_id))
    return _export_view(export, requests)


def read_export(export_id: ExportId, *, requests: PrivacyRequests, clock: Clock) -> ExportView:
    export = requests.read_export(export_id)
    if export is None or export.expires_at <= clock.now():
        raise NotFound("there is no such export, or it has expired")
    return _export_view(export, requests)


def _export_view(export: Export, requests: PrivacyRequests) -> ExportView:
    is_ready = export.state is ExportState.READY
    return ExportView(
        export_id=export.export_id,
        state=export.state,
        by=export.by,
        requested_at=export.requested_at,
        expires_at=export.expires_at,
        pages=export.parts,
        url=requests.link(export) if is_ready else None,
    )


def rectify(
    profile_id: ProfileId,
    wrong: Rectification,
    *,
    agent: str,
    ledger: Ledger,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    clock: Clock,
) -> Rectified:
    """State the corrected traits by a touchpoint of our own, which as the newest wins; what was
    said before stays in the history.
    """
    profile = existing(profile_id, profiles)
    now = clock.now()
    if wrong.not_theirs:
        _disown(profile, wrong.not_theirs, agent=agent, at=now, profiles=profiles, policy=policy)
    touchpoint_id = None
    if wrong.traits:
        correction = _correction(profile, wrong, agent, now)
        raw = json.dumps({"by": f"agent:{agent}", "traits": wrong.traits}, ensure_ascii=False)
        ledger.record([Observed(touchpoint=correction, raw=raw.encode())])
        touchpoint_id = correction.touchpoint_id
    return Rectified(profile_id=profile.profile_id, touchpoint_id=touchpoint_id)


def _correction(profile: Profile, wrong: Rectification, agent: str, now: Instant) -> Touchpoint:
    """It belongs to the profile they are known by, since it names nothing else."""
    known_by = next(one for one in profile.identifiers if one.profile_id == profile.profile_id)
    said = json.dumps(wrong.traits, sort_keys=True)
    return Touchpoint(
        provider=PROVIDER,
        account=agent,
        provider_event_id=derived_id("rectification", profile.profile_id, isoformat(now), said),
        channel=Channel.WEB,
        direction=Direction.PASSIVE,
        occurred_at=now,
        received_at=now,
        content=Identification(traits=wrong.traits),
        identifiers=(known_by,),
    )


def _disown(
    profile: Profile,
    identifiers: tuple[Identifier, ...],
    *,
    agent: str,
    at: Instant,
    profiles: ProfileStore,
    policy: IdentityPolicy,
) -> None:
    """A decision against each statement that tied one of these to them."""
    known = profiles.known(profile.profile_ids)
    graphs = {one.graph_id: one.graph for one in known.graphs.values()}.values()
    keys = {one.key for one in identifiers}
    mine = {one.key for one in profile.identifiers}
    stated = [
        one
        for graph in graphs
        for one in graph.ties
        if one.kind is TieKind.STATED and set(one.pair) & mine and set(one.pair) & keys
    ]
    if keys - {key for one in stated for key in one.pair} or keys & mine:
        reason = "one of these is not merely stated of this person"
        raise InvalidInput(reason, field="not_theirs")
    decided: list[Tie] = [
        tie(*one.pair, TieKind.SEPARATED, at, f"agent:{agent}", "stated wrongly") for one in stated
    ]
    after = settled(united(graphs, decided), policy)
    profiles.change_graph(graph_change(known, after, by=f"agent:{agent}"))


def request_erasure(
    profile_id: ProfileId,
    request: ErasureRequest,
    *,
    erasure_id: ErasureId,
    agent: str,
    profiles: ProfileStore,
    requests: PrivacyRequests,
    clock: Clock,
) -> ErasureView:
    """Once for a person: asking again shows the one under way, and makes a stalled one go on, even
    where it deleted the profile before it stalled.
    """
    if request.confirm != profile_id:
        raise InvalidInput("this is not the id of the profile", field="confirm")
    now = clock.now()
    standing = requests.erasure_under_way(profile_id)
    if standing is None:
        wanted = Erasure(
            erasure_id=erasure_id,
            profile_ids=existing(profile_id, profiles).profile_ids,
            reason=Reason(request.reason),
            by=agent,
            requested_at=now,
            touched_at=now,
        )
        standing = requests.begin_erasure(wanted, ErasureRequested(erasure_id=erasure_id))
    if standing.is_stalled(now):
        standing = standing.model_copy(
            update={
                "attempt": standing.attempt + 1,
                "state": ErasureState.RUNNING,
                "touched_at": now,
            }
        )
        again = ErasureRequested(erasure_id=standing.erasure_id, attempt=standing.attempt)
        requests.save_erasure(standing, again)
    return _erasure_view(standing)


def read_erasure(erasure_id: ErasureId, *, requests: PrivacyRequests) -> ErasureView:
    found = requests.read_erasure(erasure_id)
    if found is None:
        raise NotFound("there is no such erasure")
    return _erasure_view(found)


def _erasure_view(found: Erasure | ErasureProof) -> ErasureView:
    state, looked_at, proof = (
        (found.state, found.looked_at, None)
        if isinstance(found, Erasure)
        else (ErasureState.DONE, None, found)
    )
    return ErasureView(
        erasure_id=found.erasure_id,
        state=state,
        reason=found.reason,
        by=found.by,
        requested_at=found.requested_at,
        passes=found.passes,
        looked_at=looked_at,
        counts=found.counts,
        proof=proof,
    )
