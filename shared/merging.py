"""Changing who is one person: what touchpoints proved, and what people decided."""

from collections.abc import Iterable

from shared.domain.errors import Conflict, NotFound
from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_graph import (
    MOST_IDENTIFIERS,
    IdentityGraph,
    Person,
    difference,
    settled,
    united,
)
from shared.domain.identity_tie import Tie, TieKind, tie
from shared.domain.model import Instant, ProfileId
from shared.domain.profile import MergeSuggestion
from shared.events.catalogue import ProfilesMerged, ProfilesSeparated
from shared.events.envelope import Event
from shared.ports.profiles import GraphChange, Known, ProfileStore

MOST_SUGGESTIONS = 12
"""Made by one change, which must fit into one transaction."""
SHARED = "but what they have in common may be several people's"


def graph_change(known: Known, after: IdentityGraph, *, by: str) -> GraphChange:
    """From what was read of the profiles concerned to the graph that follows."""
    before = tuple({one.graph_id: one for one in known.graphs.values()}.values())
    persons = [person for one in before for person in one.graph.persons]
    persons += [
        _alone(profile.identifiers[0])
        for profile_id, profile in known.profiles.items()
        if profile_id not in known.graphs
    ]
    return GraphChange(
        before,
        after,
        _event(persons, after, by),
        _suggestions([one.graph for one in before], after),
    )


def _suggestions(
    before: Iterable[IdentityGraph], after: IdentityGraph
) -> tuple[MergeSuggestion, ...]:
    """Once for each tie that could join two people with a history, and does not."""
    known = {each.profile_ids for graph in before for each in graph.suggested()}
    new = [each for each in after.suggested() if each.profile_ids not in known]
    return tuple(
        MergeSuggestion(
            profile_ids=pair,
            reason=one.reason if one.kind is TieKind.STATED else f"{one.reason}; {SHARED}",
            by=one.by,
            at=one.at,
        )
        for pair, one in new[:MOST_SUGGESTIONS]
    )


def _alone(identifier: Identifier) -> Person:
    keys = frozenset({identifier.key})
    return Person(profile_id=identifier.profile_id, identifiers=keys, homes=keys)


def _event(before: Iterable[Person], after: IdentityGraph, by: str) -> Event | None:
    change = difference(before, after.persons)
    if change is None:
        return None
    if change.kind == "merged":
        return ProfilesMerged(profile_id=change.profile_id, profile_ids=change.profile_ids, by=by)
    return ProfilesSeparated(profile_ids=change.profile_ids, by=by)


def merge(
    one: ProfileId,
    other: ProfileId,
    *,
    by: str,
    at: Instant,
    reason: str,
    score: float | None = None,
    profiles: ProfileStore,
    policy: IdentityPolicy,
) -> Tie:
    """Make two profiles one person's, reversibly. No touchpoint, ticket or reply moves.

    Raises NotFound for a profile that never was, Conflict for one that was erased and where both
    are one person already, Contention where somebody changed them at the same moment.
    """
    if one == other:
        raise Conflict("a profile cannot be merged with itself")
    known = _both(one, other, profiles)
    graph = known.graphs.get(one)
    if graph is not None and graph.graph.are_one(one, other):
        raise Conflict("both are one person already")
    here, there = (known.profiles[each].identifiers[0].key for each in (one, other))
    more = {} if score is None else {"score": score}
    decided = tie(here, there, TieKind.MERGED, at, by, reason, **more)
    if decided in (after := _after(decided, known, policy)).ties and not after.are_one(one, other):
        raise Conflict("somebody decided that people joined to these two are not one person")
    _write(decided, known, profiles, policy)
    return decided


def separate(
    one: ProfileId,
    other: ProfileId,
    *,
    by: str,
    at: Instant,
    reason: str,
    profiles: ProfileStore,
    policy: IdentityPolicy,
) -> Tie:
    """Undo the merge of two profiles, or say beforehand that they are two people.

    Each has again what is its own, whatever came in between. Raises as `merge` does, and Conflict
    for a profile with itself.
    """
    if one == other:
        raise Conflict("a profile cannot be parted from itself")
    known = _both(one, other, profiles)
    here, there = (known.profiles[each].identifiers[0].key for each in (one, other))
    decided = tie(here, there, TieKind.SEPARATED, at, by, reason)
    for merged in _merges_between(known, one, other):
        undone = tie(*merged.pair, TieKind.SEPARATED, at, by, reason)
        if not _after(undone, known, policy).are_one(one, other):
            decided = undone
            break
    _write(decided, known, profiles, policy)
    return decided


def record(decided: Tie, *, profiles: ProfileStore, policy: IdentityPolicy) -> None:
    """Add a decision that was made before, as it was: replayed in any order, the same persons
    follow. Raises NotFound where a profile is not there, and Contention.
    """
    _write(decided, _both(*decided.profile_ids, profiles), profiles, policy)


def _merges_between(known: Known, one: ProfileId, other: ProfileId) -> list[Tie]:
    """What people merged in a person, latest first: one of these may be all that holds two of
    their profiles together, and is then what must be undone.
    """
    stored = known.graphs.get(one)
    if stored is None or not stored.graph.are_one(one, other):
        return []
    merged = [each for each in stored.graph.ties if each.kind is TieKind.MERGED]
    return sorted(merged, key=lambda each: (each.at, each.pair), reverse=True)


def _both(one: ProfileId, other: ProfileId, profiles: ProfileStore) -> Known:
    known = profiles.known([one, other])
    for profile_id in (one, other):
        if profile_id not in known.profiles:
            if profiles.was_erased(profile_id):
                raise Conflict("this profile was erased")
            raise NotFound("there is no such profile")
    return known


def _after(decided: Tie, known: Known, policy: IdentityPolicy) -> IdentityGraph:
    homes = frozenset(profile.identifiers[0].key for profile in known.profiles.values())
    alone = IdentityGraph(identifiers=homes, homes=homes)
    graphs = (one.graph for one in known.graphs.values())
    return settled(united([alone, *graphs], [decided]), policy)


def _write(decided: Tie, known: Known, profiles: ProfileStore, policy: IdentityPolicy) -> None:
    """A decision that a later one outweighs changes nothing."""
    after = _after(decided, known, policy)
    if len(after.identifiers) > MOST_IDENTIFIERS:
        raise Conflict(f"together they would have more than {MOST_IDENTIFIERS} identifiers")
    if decided in after.ties:
        profiles.change_graph(graph_change(known, after, by=decided.by))
