"""Who is one person: what holds a person together, what may, and an agent's decision."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from functions.agent_api.logic.paging import Listing, filtered
from functions.agent_api.logic.profiles import existing
from shared.domain.errors import Contention
from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_tie import Tie, TieKind
from shared.domain.model import Instant, Model, ProfileId
from shared.domain.profile import MergeSuggestion
from shared.merging import merge, separate
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock

ATTEMPTS = 5
"""A touchpoint of the same person at the same moment changes the same graph."""
Named = Annotated[ProfileId, Field(min_length=1, max_length=64)]


class MergeRequest(Model):
    """Two profiles that are one person's."""

    profile_ids: tuple[Named, Named]
    reason: str = Field(min_length=1, max_length=500, description="Why, for whoever asks later.")


class SeparationRequest(Model):
    """Two profiles that are two people's, whether or not they are one now."""

    profile_ids: tuple[Named, Named]
    reason: str = Field(min_length=1, max_length=500)


class TieView(Model):
    """What ties two identifiers: seen in a touchpoint, or decided by a person."""

    merge_id: str
    identifiers: tuple[Identifier, Identifier]
    profile_ids: tuple[ProfileId, ProfileId]
    kind: TieKind
    joins: bool = Field(description="Whether both are one person's now.")
    holds: bool = Field(description="False for a decision that a later one replaced.")
    rule: Literal["proven by one touchpoint", "stated by one touchpoint", "decided by a person"]
    reason: str
    score: float | None
    by: str
    at: Instant


RULES = {
    TieKind.VERIFIED: "proven by one touchpoint",
    TieKind.STATED: "stated by one touchpoint",
    TieKind.MERGED: "decided by a person",
    TieKind.SEPARATED: "decided by a person",
}


def read_merges(profile_id: ProfileId, *, profiles: ProfileStore) -> Listing[TieView]:
    """Everything that ties this person together, or to others. Raises NotFound."""
    profile = existing(profile_id, profiles)
    keys = {one.key for one in profile.identifiers}
    stored = profiles.known([profile_id]).graphs.get(profile_id)
    if stored is None:
        return Listing(items=())
    held = [(one, True) for one in stored.graph.ties]
    held += [(one, False) for one in stored.graph.outweighed]
    return Listing(
        items=tuple(_view(one, keys, holds=holds) for one, holds in held if keys & set(one.pair))
    )


def _view(tie: Tie, keys: set[str], *, holds: bool = True) -> TieView:
    ends = (Identifier.from_key(tie.one), Identifier.from_key(tie.other))
    return TieView.model_validate(
        {
            "merge_id": tie.merge_id,
            "identifiers": ends,
            "profile_ids": (ends[0].profile_id, ends[1].profile_id),
            "kind": tie.kind,
            "joins": set(tie.pair) <= keys,
            "holds": holds,
            "rule": RULES[tie.kind],
            "reason": tie.reason,
            "score": tie.score,
            "by": tie.by,
            "at": tie.at,
        }
    )


def list_suggestions(
    *, limit: int, cursor: str | None, profiles: ProfileStore
) -> Listing[MergeSuggestion]:
    # Those that somebody decided on stand among the others.
    page = filtered(
        lambda at: profiles.suggestions_open(limit=limit, cursor=at), lambda _: True, cursor
    )
    return Listing(items=tuple(page.items), cursor=page.cursor)


def merge_profiles(
    asked: MergeRequest,
    *,
    agent: str,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    clock: Clock,
) -> TieView:
    """With the score of the suggestion that it accepts, where there is one.

    Raises NotFound or Conflict, and Contention after a few attempts.
    """
    suggested = (
        one.score
        for one in profiles.suggestions(asked.profile_ids[:1])
        if set(one.profile_ids) == set(asked.profile_ids)
    )
    accept = partial(merge, score=next(suggested, None))
    return _decided(accept, asked, agent, profiles, policy, clock, joins=True)


def separate_profiles(
    asked: SeparationRequest,
    *,
    agent: str,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    clock: Clock,
) -> TieView:
    """Raises NotFound or Conflict, and Contention after a few attempts."""
    return _decided(separate, asked, agent, profiles, policy, clock, joins=False)


def _decided(
    decide: Callable[..., Tie],
    asked: MergeRequest | SeparationRequest,
    agent: str,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    clock: Clock,
    *,
    joins: bool,
) -> TieView:
    def once() -> Tie:
        return decide(
            *asked.profile_ids,
            by=f"agent:{agent}",
            at=clock.now(),
            reason=asked.reason,
            profiles=profiles,
            policy=policy,
        )

    for _ in range(ATTEMPTS - 1):
        with suppress(Contention):
            return _decision_view(once(), joins=joins)
    return _decision_view(once(), joins=joins)


def _decision_view(tie: Tie, *, joins: bool) -> TieView:
    return _view(tie, set(tie.pair) if joins else set())
