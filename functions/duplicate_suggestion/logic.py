"""Find profiles that may be the same person's, and suggest them. Nothing is merged here."""

from typing import NamedTuple

from pydantic import ConfigDict

from shared.domain.ai_use import AiUseName
from shared.domain.identity import IdentifierType, IdentityPolicy
from shared.domain.match_facts import blocking_keys, facts_of
from shared.domain.matching import MatchingPolicy, MatchModel, Similarity, score
from shared.domain.model import Model, ProfileId
from shared.domain.profile import MergeSuggestion
from shared.ports.profiles import MatchIndex, ProfileStore
from shared.ports.providers import Clock
from shared.ports.understanding import AiUses

DUPLICATES = AiUseName.DUPLICATE_SUGGESTION


class DuplicateRequest(Model):
    """What ProfileUpdated says."""

    model_config = ConfigDict(extra="ignore")

    profile_id: ProfileId


class Ports(NamedTuple):
    profiles: ProfileStore
    match_index: MatchIndex
    similarity: Similarity
    model: MatchModel
    policy: MatchingPolicy
    identity: IdentityPolicy
    ai_uses: AiUses
    clock: Clock


NAMELESS = ({IdentifierType.WEB_ANONYMOUS}, {IdentifierType.WEB_CHAT_SESSION})
"""Who is nothing but a browser: anybody can make one up, and say anything of it."""


def suggest_duplicates(request: DuplicateRequest, ports: Ports) -> int:
    """How many suggestions were made.

    The index is written before it is searched, so of two alike that come at the same moment at
    least one sees the other. It only leads to candidates: what is compared is read anew, so an
    entry that is out of date costs a comparison and suggests nothing. Doing it again does no harm.
    """
    profile = ports.profiles.read(request.profile_id)
    if profile is None or {one.type for one in profile.identifiers} in NAMELESS:
        return 0
    facts = facts_of(profile, ports.identity)
    keys = blocking_keys(facts) if facts.are_enough else frozenset[str]()
    ports.match_index.put(profile.profile_id, keys)
    if not _may_compare(ports.ai_uses):
        return 0
    compared = set(profile.profile_ids)
    suggested = 0
    candidates = [
        one
        for one in ports.match_index.find(keys, most=ports.policy.most_per_key)
        if one not in compared
    ]
    for candidate in candidates[: ports.policy.most_candidates]:
        other = ports.profiles.read(candidate)
        if other is None or other.profile_id in compared:
            continue
        compared.add(other.profile_id)
        match = score(facts, facts_of(other, ports.identity), ports.model, ports.similarity)
        if match.probability >= ports.policy.suggest_from:
            one, two = sorted((profile.profile_id, other.profile_id))
            suggestion = MergeSuggestion(
                profile_ids=(one, two),
                reason=match.reason,
                score=match.probability,
                by=f"model:{ports.model.version}",
                at=ports.clock.now(),
            )
            suggested += ports.profiles.suggest(suggestion)
    return suggested


def _may_compare(ai_uses: AiUses) -> bool:
    """Switched off, it keeps the index, which is no AI, so that nobody is missing from it later.

    Where the switch cannot be read, this rises and is tried again: nobody waits for a suggestion.
    """
    return ai_uses.states([DUPLICATES])[DUPLICATES].is_on
