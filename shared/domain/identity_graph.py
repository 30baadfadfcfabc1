"""Who is one person: a graph of identifiers, and a pure function from it to persons.

What was seen is only ever added to the graph, and the persons follow from all of it. So the order
in which touchpoints, merges and unmerges arrive does not matter, and nothing that belongs to one
identifier is moved when another joins it or leaves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import Literal, NamedTuple

from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy
from shared.domain.model import Instant, Model, ProfileId, derived_id
from shared.domain.touchpoint import Touchpoint

MOST_IDENTIFIERS = 45
"""Of one graph: what changes with it must fit into one transaction of 100 items."""

MOST_OF_A_TYPE = 30
"""Of one graph, so that whoever makes up browsers by the thousand leaves room for what matters."""

Keys = frozenset[str]


class TieKind(StrEnum):
    VERIFIED = "verified"
    """One touchpoint proved both identifiers."""
    STATED = "stated"
    """A touchpoint proved at most one of them. It joins nobody, and is a reason to suggest."""
    MERGED = "merged"
    """A person said that both are one. Wins over what touchpoints say."""
    SEPARATED = "separated"
    """A person said that they are not. Wins over everything but a later merge of the same two."""


DECIDED = frozenset({TieKind.MERGED, TieKind.SEPARATED})


class Tie(Model):
    """What was seen or said of two identifiers, by their keys in order."""

    one: str
    other: str
    kind: TieKind
    at: Instant
    by: str
    """`touchpoint:<id>` or `agent:<id>`."""
    reason: str = ""
    score: float | None = None

    @property
    def pair(self) -> tuple[str, str]:
        return self.one, self.other

    @property
    def profile_ids(self) -> tuple[ProfileId, ProfileId]:
        """Of both identifiers, in sorted order."""
        one, other = sorted(Identifier.from_key(key).profile_id for key in self.pair)
        return one, other

    def is_between(self, here: "Person", there: "Person") -> bool:
        return (self.one in here.identifiers and self.other in there.identifiers) or (
            self.one in there.identifiers and self.other in here.identifiers
        )

    @property
    def merge_id(self) -> str:
        """Of this pair's merge, whichever way round it was named."""
        return derived_id("merge", *self.pair)


def tie(
    one: str, other: str, kind: TieKind, at: Instant, by: str, reason: str = "", **more: float
) -> Tie:
    first, second = sorted((one, other))
    return Tie.model_validate(
        {"one": first, "other": second, "kind": kind, "at": at, "by": by, "reason": reason} | more
    )


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
            each.kind is TieKind.SEPARATED and each.is_between(here, there) for each in self.ties
        )

    def stated_of(self, person: Person) -> Keys:
        """What was said to be theirs as well, is not proven, and nobody said is wrong."""
        wrong = {one.pair for one in self.ties if one.kind is TieKind.SEPARATED}
        ends = {
            key
            for one in self.ties
            if one.kind is TieKind.STATED and set(one.pair) & person.identifiers
            for key in one.pair
            if one.pair not in wrong
        }
        return frozenset(ends - person.identifiers)

    def suggested(self) -> list[Tie]:
        """What ties two persons who both have a history, and nobody decided on yet."""
        return [
            each
            for each in self.ties
            if self.person_of(each.one).homes
            and self.person_of(each.other).homes
            and not self.is_decided(*each.profile_ids)
        ]


class Claims(NamedTuple):
    """What one touchpoint says about who it is."""

    home: Identifier
    """Whose it is, for good: no merge ever moves it."""
    is_proven: bool
    others: tuple[Identifier, ...]
    """What it is tied to."""
    ties: tuple[Tie, ...]
    """One with each of the others."""


def claims_of(
    touchpoint: Touchpoint, identifiers: Sequence[Identifier], policy: IdentityPolicy
) -> Claims | None:
    """From identifiers in their one form; None where they identify nobody.

    Blocked ones are no identifiers. Shared ones, and chat sessions, which last an hour, are only
    used where nothing better is there, and tie nothing.
    """
    usable = sorted({one for one in identifiers if not policy.is_blocked(one)}, key=policy.strength)
    proven = [one for one in usable if is_verified(one, touchpoint, policy)]
    lasting = [one for one in usable if _ties(one, policy)]
    ranked = [one for one in proven if one in lasting] or lasting or proven or usable
    if not ranked:
        return None
    home = ranked[0]
    others = tuple(one for one in lasting if one != home) if home in lasting else ()
    return Claims(
        home,
        home in proven,
        others,
        tuple(_tie_of(touchpoint, home, one, {home, one} <= set(proven)) for one in others),
    )


def _tie_of(touchpoint: Touchpoint, home: Identifier, other: Identifier, is_proven: bool) -> Tie:
    names = f"{home.type.value} and {other.type.value}".replace("_", " ")
    verb = "proved" if is_proven else "stated"
    return tie(
        home.key,
        other.key,
        TieKind.VERIFIED if is_proven else TieKind.STATED,
        touchpoint.occurred_at,
        f"touchpoint:{touchpoint.touchpoint_id}",
        f"one {touchpoint.channel.value} touchpoint of {touchpoint.provider} {verb} {names}",
    )


def _ties(identifier: Identifier, policy: IdentityPolicy) -> bool:
    return identifier.type is not policy.priority[-1] and not policy.is_shared(identifier)


def is_verified(identifier: Identifier, touchpoint: Touchpoint, policy: IdentityPolicy) -> bool:
    """Whether this touchpoint proves this identifier, by one of the policy's rows."""
    facts = {
        "type": identifier.type,
        "provider": touchpoint.provider,
        "account": touchpoint.account,
        "channel": touchpoint.channel,
        "direction": touchpoint.direction,
        "proof": touchpoint.proof,
    }
    return any(
        all(facts[name] == getattr(row, name) for name in row.model_fields_set)
        for row in policy.verified_by
    )


def kept(ties: Iterable[Tie]) -> tuple[Tie, ...]:
    """Of each pair: the earliest of each kind that was seen, and the latest that was decided."""
    best: dict[tuple[str, str, str], Tie] = {}
    for one in ties:
        decided = one.kind in DECIDED
        slot = (*one.pair, "decided" if decided else one.kind.value)
        known = best.get(slot)
        if known is None or (_later(one, known) if decided else _later(known, one)):
            best[slot] = one
    return tuple(best[slot] for slot in sorted(best))


def _later(one: Tie, other: Tie) -> bool:
    """At the same instant a separation counts as later, and then what sorts last."""
    return _moment(one) > _moment(other)


def _moment(one: Tie) -> tuple[Instant, bool, str, str]:
    return one.at, one.kind is TieKind.SEPARATED, one.by, one.model_dump_json()


def united(graphs: Iterable[IdentityGraph], more: Iterable[Tie] = ()) -> IdentityGraph:
    """All of it as one graph, whose persons are not settled yet."""
    together = list(graphs)
    ties = kept([*(one for graph in together for one in graph.ties), *more])
    ends = (key for one in ties for key in one.pair)
    return IdentityGraph(
        identifiers=frozenset(ends).union(*(graph.identifiers for graph in together)),
        homes=frozenset().union(*(graph.homes for graph in together)),
        ties=ties,
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
        if other.key in graph.identifiers or _has_room(bigger):
            graph = bigger
    return settled(graph, policy)


def _has_room(graph: IdentityGraph) -> bool:
    types = Counter(Identifier.from_key(key).type for key in graph.identifiers)
    return len(graph.identifiers) <= MOST_IDENTIFIERS and max(types.values()) <= MOST_OF_A_TYPE


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


def resolve(
    identifiers: Iterable[str], ties: Sequence[Tie], policy: IdentityPolicy
) -> tuple[Keys, ...]:
    """Whose identifiers are one person's, whatever the order in which they came into the graph.

    First what people decided; then identifier by identifier, strongest first, what is proven. One
    that would bring together what may not be together (two customer numbers, two people somebody
    separated) is evidently shared: it joins none of them.
    """
    groups = _Groups(identifiers, ties, policy)
    merged = [one for one in ties if one.kind is TieKind.MERGED]
    for one in sorted(merged, key=_moment):
        groups.join(one.pair, ignoring_limits=True)
    proven: dict[str, list[str]] = {}
    for one in ties:
        if one.kind is TieKind.VERIFIED:
            weaker, stronger = sorted(one.pair, key=groups.strength, reverse=True)
            proven.setdefault(weaker, []).append(stronger)
    for key in sorted(proven, key=groups.strength):
        groups.join([key, *proven[key]])
    return groups.persons()


class _Groups:
    def __init__(
        self, identifiers: Iterable[str], ties: Sequence[Tie], policy: IdentityPolicy
    ) -> None:
        self._policy = policy
        self._separated = [one.pair for one in ties if one.kind is TieKind.SEPARATED]
        self._group = {key: frozenset({key}) for key in identifiers}
        self._strength = {key: policy.strength(Identifier.from_key(key)) for key in self._group}
        self._counts_as = _counts_as(ties)

    def strength(self, key: str) -> tuple[int, str]:
        return self._strength[key]

    def join(self, keys: Sequence[str], *, ignoring_limits: bool = False) -> None:
        parts = {self._group[key] for key in keys if key in self._group}
        if self._are_apart(parts) or (not ignoring_limits and self._too_many(parts)):
            return
        union = frozenset().union(*parts)
        self._group.update(dict.fromkeys(union, union))

    def _are_apart(self, parts: set[Keys]) -> bool:
        return any(
            (one in a and other in b) or (one in b and other in a)
            for one, other in self._separated
            for a, b in combinations(parts, 2)
        )

    def _too_many(self, parts: set[Keys]) -> bool:
        """Whether together they hold more of a type than one person may, and each alone less."""
        counted = [self._counted(part) for part in parts]
        together = self._counted(frozenset().union(*parts))
        return any(
            count > self._policy.at_most.get(slot[0], count)
            and count > max(one[slot] for one in counted)
            for slot, count in together.items()
        )

    def _counted(self, part: Keys) -> Counter[tuple[IdentifierType, str]]:
        """How many identifiers of a type there are within a scope."""
        different = {self._counts_as.get(key, key) for key in part}
        return Counter((one.type, one.scope) for one in map(Identifier.from_key, different))

    def persons(self) -> tuple[Keys, ...]:
        return tuple(sorted(set(self._group.values()), key=min))


def _counts_as(ties: Sequence[Tie]) -> dict[str, str]:
    """Two values of a type that one touchpoint proved are one that changed: a new number, a new
    user id. All of a chain count as its first.
    """
    first: dict[str, str] = {}
    for one in ties:
        if one.kind is TieKind.VERIFIED and _slot(one.one) == _slot(one.other):
            chain = {first.get(key, key) for key in one.pair}
            chain |= {key for key, value in first.items() if value in chain} | set(one.pair)
            first.update(dict.fromkeys(chain, min(chain)))
    return first


def _slot(key: str) -> tuple[IdentifierType, str]:
    one = Identifier.from_key(key)
    return one.type, one.scope
