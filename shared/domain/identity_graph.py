"""Who is one person: a graph of identifiers, and a pure function from it to persons.

What was seen is only ever added to the graph, and the persons follow from all of it. So the order
in which touchpoints, merges and unmerges arrive does not matter, and nothing that belongs to one
identifier is moved when another joins it or leaves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Literal, NamedTuple

from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_claims import Claims
from shared.domain.identity_resolution import resolve
from shared.domain.identity_tie import DECIDED, Keys, Tie, TieKind, kept, moment
from shared.domain.model import Model, ProfileId

MOST_IDENTIFIERS = 45
"""Of one graph: what changes with it must fit into one transaction of 100 items."""

MOST_OF_A_TYPE = 30
"""Of one graph, so that whoever makes up browsers by the thousand leaves room for what matters."""

MOST_OUTWEIGHED = 20
"""Decisions of a graph that no longer hold and are still told."""


class Person(Model):
    """`profile_id` is the one they are known by: of their strongest identifier with a history."""

    profile_id: ProfileId
    identifiers: Keys
    homes: Keys
    """Those that touchpoints belong to: each has a profile with a history."""

    @property
    def profile_ids(self) -> tuple[ProfileId, ...]:
        """Of all their profiles, the one they are known by first."""
        others = {Identifier.from_key(key).profile_id for key in self.homes} - {self.profile_id}
        return (self.profile_id, *sorted(others))


class IdentityGraph(Model):
    """Everything that is tied together, and who follows from it (`settled`)."""

    identifiers: Keys
    homes: Keys = frozenset()
    ties: tuple[Tie, ...] = ()
    outweighed: tuple[Tie, ...] = ()
    """Earlier decisions, which later ones on the same two replaced; the latest of them."""
    persons: tuple[Person, ...] = ()

    def person_of(self, key: str) -> Person:
        """Raises KeyError for an identifier that is not in this graph."""
        for person in self.persons:
            if key in person.identifiers:
                return person
        raise KeyError("no such identifier in this graph")

    def person_with(self, profile_id: ProfileId) -> Person | None:
        """Whose profile this is."""
        for person in self.persons:
            if any(Identifier.from_key(key).profile_id == profile_id for key in person.identifiers):
                return person
        return None

    def are_one(self, one: ProfileId, other: ProfileId) -> bool:
        here = self.person_with(one)
        return here is not None and here == self.person_with(other)

    def is_decided(self, one: ProfileId, other: ProfileId) -> bool:
        """Whether these two profiles are one person's, or somebody said that they are not."""
        here, there = self.person_with(one), self.person_with(other)
        if here is None or there is None:
            return False
        return here == there or any(
            each.kind is TieKind.SEPARATED and each.is_between(here.identifiers, there.identifiers)
            for each in self.ties
        )

    def stated_of(self, person: Person) -> Keys:
        """What was said to be theirs as well, or proved to be several people's, and nobody said is
        wrong.
        """
        wrong = {one.pair for one in self.ties if one.kind is TieKind.SEPARATED}
        ends = {
            key
            for one in self.ties
            if one.kind not in DECIDED and set(one.pair) & person.identifiers
            for key in one.pair
            if one.pair not in wrong
        }
        return frozenset(ends - person.identifiers)

    def suggested(self) -> list["Possible"]:
        """Persons with a history who may be one: something ties them, or ties each to what is
        several people's, and nobody decided yet.
        """
        found: dict[tuple[ProfileId, ProfileId], Possible] = {}
        for each in self.ties:
            self._suggest(found, each.profile_ids, each)
        for key in self.identifiers:
            if not self.person_of(key).homes:
                ties = [one for one in self.ties if key in one.pair and one.kind not in DECIDED]
                for one, other in combinations(ties, 2):
                    ends = (set(one.pair) | set(other.pair)) - {key}
                    ids = sorted(Identifier.from_key(end).profile_id for end in ends)
                    if len(ids) == 2:
                        self._suggest(found, (ids[0], ids[1]), max(one, other, key=moment))
        return [found[pair] for pair in sorted(found)]

    def _suggest(
        self,
        found: dict[tuple[ProfileId, ProfileId], "Possible"],
        pair: tuple[ProfileId, ProfileId],
        because: Tie,
    ) -> None:
        here, there = map(self.person_with, pair)
        if here is None or there is None or not (here.homes and there.homes):
            return
        if not self.is_decided(*pair):
            one, other = sorted((_with_history(here, pair), _with_history(there, pair)))
            known = found.get((one, other))
            if known is None or moment(because) < moment(known.because):
                found[one, other] = Possible((one, other), because)


def _with_history(person: Person, pair: tuple[ProfileId, ProfileId]) -> ProfileId:
    """The profile of the pair that is this person's, or the one they are known by where that has
    no history of its own.
    """
    homes = {Identifier.from_key(key).profile_id for key in person.homes}
    return next((one for one in pair if one in homes), person.profile_id)


class Possible(NamedTuple):
    """Two profiles with a history that may be one person's, and the tie that says so."""

    profile_ids: tuple[ProfileId, ProfileId]
    because: Tie


def united(graphs: Iterable[IdentityGraph], more: Iterable[Tie] = ()) -> IdentityGraph:
    """All of it as one graph, whose persons are not settled yet."""
    together = list(graphs)
    seen = {*more, *(one for graph in together for one in (*graph.ties, *graph.outweighed))}
    ties = kept(seen)
    replaced = [one for one in seen if one.kind in DECIDED and one not in ties]
    ends = (key for one in ties for key in one.pair)
    return IdentityGraph(
        identifiers=frozenset(ends).union(*(graph.identifiers for graph in together)),
        homes=frozenset().union(*(graph.homes for graph in together)),
        ties=ties,
        outweighed=tuple(sorted(replaced, key=moment)[-MOST_OUTWEIGHED:]),
    )


def with_claims(
    claims: Claims, graphs: Mapping[str, IdentityGraph], homes: Keys, policy: IdentityPolicy
) -> IdentityGraph:
    """The graph of a touchpoint's home once what it says is in it, and who follows from it.

    `graphs` are those that the identifiers it names are in, `homes` those with a history. A tie
    for which there is no room is left out: an identifier that so many share joins nobody anyhow.
    """
    home = claims.home.key
    graph = IdentityGraph(identifiers=frozenset({home}), homes=frozenset({home}))
    if home in graphs:
        graph = united([graph, graphs[home]])
    for other, one in zip(claims.others, claims.ties, strict=True):
        alone = IdentityGraph(identifiers=frozenset({other.key}), homes=homes & {other.key})
        bigger = united([graph, graphs.get(other.key, alone)], [one])
        if other.key in graph.identifiers or _has_room(bigger, one.kind):
            graph = bigger
    return settled(graph, policy)


def _has_room(graph: IdentityGraph, kind: TieKind) -> bool:
    """What is only stated may fill half of a graph, and takes no place from what is proven."""
    share = 2 if kind is TieKind.STATED else 1
    types = Counter(Identifier.from_key(key).type for key in graph.identifiers)
    return (
        len(graph.identifiers) <= MOST_IDENTIFIERS // share
        and max(types.values()) <= MOST_OF_A_TYPE // share
    )


class PersonsChange(NamedTuple):
    kind: Literal["merged", "separated"]
    profile_id: ProfileId
    """The one by which those that merged are known."""
    profile_ids: tuple[ProfileId, ...]
    """All with a history whose person is another one now."""


def difference(before: Iterable[Person], after: Iterable[Person]) -> PersonsChange | None:
    """What changed for those with a history; None where each is who they were."""
    was = {one for one in before if one.homes}
    now = {one for one in after if one.homes}
    gone, new = was - now, now - was
    changed = [
        one for one in new if len(one.homes) > 1 or any(one.homes < old.homes for old in gone)
    ]
    if not changed:
        return None
    split = any(one.homes < old.homes for one in new for old in gone)
    largest = max(changed, key=lambda one: (len(one.homes), one.profile_id))
    ids = sorted({key for one in changed for key in one.profile_ids})
    return PersonsChange("separated" if split else "merged", largest.profile_id, tuple(ids))


def settled(graph: IdentityGraph, policy: IdentityPolicy) -> IdentityGraph:
    """With the persons that follow from it."""
    persons = (
        Person(
            profile_id=_known_by(keys & graph.homes or keys, policy),
            identifiers=keys,
            homes=keys & graph.homes,
        )
        for keys in resolve(graph.identifiers, graph.ties, policy)
    )
    return graph.model_copy(update={"persons": tuple(persons)})


def _known_by(keys: Keys, policy: IdentityPolicy) -> ProfileId:
    return min(map(Identifier.from_key, keys), key=policy.strength).profile_id
