"""Who is one person: a graph of identifiers, and a pure function from it to persons.

What was seen is only ever added to the graph, and the persons follow from all of it. So the order
in which touchpoints, merges and unmerges arrive does not matter, and nothing that belongs to one
identifier is moved when another joins it or leaves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
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

MOST_OUTWEIGHED = 20
"""Decisions of a graph that no longer hold and are still told."""

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
    until: Instant | None = None
    """The quarter in which it was last seen, by its first day."""

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
    one: str, other: str, kind: TieKind, at: Instant, by: str, reason: str = "", **more: object
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
            each.kind is TieKind.SEPARATED and each.is_between(here, there) for each in self.ties
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
                        self._suggest(found, (ids[0], ids[1]), max(one, other, key=_moment))
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
            if known is None or _moment(because) < _moment(known.because):
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
    """Two of one type are proven together only by who vouches for more than each of them: a
    browser may name any other browser.
    """
    same_type = (home.type, home.scope) == (other.type, other.scope)
    is_proven = is_proven and not (same_type and touchpoint.proof is None)
    names = f"{home.type.value} and {other.type.value}".replace("_", " ")
    verb = "proved" if is_proven else "stated"
    return tie(
        home.key,
        other.key,
        TieKind.VERIFIED if is_proven else TieKind.STATED,
        touchpoint.occurred_at,
        f"touchpoint:{touchpoint.touchpoint_id}",
        f"one {touchpoint.channel.value} touchpoint of {touchpoint.provider} {verb} {names}",
        until=_quarter(touchpoint.occurred_at),
    )


def _quarter(at: Instant) -> Instant:
    """Coarse, so that a tie seen daily is written four times a year."""
    return datetime(at.year, (at.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC)


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
    """Of each pair: the earliest of each kind that was seen, with the quarter it was last seen in,
    and the latest that was decided.
    """
    best: dict[tuple[str, str, str], Tie] = {}
    for one in ties:
        decided = one.kind in DECIDED
        slot = (*one.pair, "decided" if decided else one.kind.value)
        known = best.get(slot)
        if known is None:
            best[slot] = one
        elif decided:
            best[slot] = max(one, known, key=_moment)
        else:
            seen = [each.until for each in (one, known) if each.until is not None]
            earliest = min(one, known, key=_moment)
            best[slot] = earliest.model_copy(update={"until": max(seen, default=None)})
    return tuple(best[slot] for slot in sorted(best))


def _moment(one: Tie) -> tuple[Instant, bool, str, str, float]:
    """Sorts by time; at the same instant a separation is later, and then it is decided anyhow."""
    return one.at, one.kind is TieKind.SEPARATED, one.by, one.reason, one.score or 0


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
        outweighed=tuple(sorted(replaced, key=_moment)[-MOST_OUTWEIGHED:]),
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


def resolve(
    identifiers: Iterable[str], ties: Sequence[Tie], policy: IdentityPolicy
) -> tuple[Keys, ...]:
    """Whose identifiers are one person's, whatever the order in which they came into the graph.

    First what people decided; then identifier by identifier, strongest first, what is proven. One
    that would bring together what may not be together (two people somebody separated, more of a
    type than one person may hold) joins none of them. Nor does one between two values of a
    stronger type: a card that proved two phones is evidently shared.
    """
    groups = _Groups(identifiers, ties, policy)
    merged = [one for one in ties if one.kind is TieKind.MERGED]
    for one in sorted(merged, key=_moment):
        groups.join(one.pair, ignoring_limits=True)
    proven: dict[str, list[str]] = {}
    for one in _current(ties, policy):
        if one.kind is TieKind.VERIFIED:
            weaker, stronger = sorted(one.pair, key=groups.strength, reverse=True)
            proven.setdefault(weaker, []).append(stronger)
    for key in sorted(proven, key=groups.strength):
        if not groups.bridges(key, proven[key]):
            groups.join([key, *proven[key]])
    return groups.persons()


def _current(ties: Sequence[Tie], policy: IdentityPolicy) -> list[Tie]:
    """Without what an identifier proved before it may have changed hands: a telephone number is
    given to somebody else after a while.
    """
    proven: dict[str, list[Tie]] = {}
    for one in ties:
        if one.kind is TieKind.VERIFIED:
            for key in one.pair:
                proven.setdefault(key, []).append(one)
    outdated = set()
    for key, theirs in proven.items():
        lasts = policy.changes_hands.get(Identifier.from_key(key).type)
        if lasts is not None:
            latest = max(one.at for one in theirs)
            outdated |= {one.pair for one in theirs if (one.until or one.at) + lasts < latest}
    return [one for one in ties if one.pair not in outdated]


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

    def bridges(self, key: str, stronger: Sequence[str]) -> bool:
        """Whether it would bring together different values of a type, none of them its own."""
        parts = {self._group[one] for one in stronger} - {self._group[key]}
        counted = [self._counted(part) for part in parts]
        together = self._counted(frozenset().union(*parts))
        return any(count > max(one[slot] for one in counted) for slot, count in together.items())

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
