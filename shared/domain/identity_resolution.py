"""From ties to persons: a pure function, which asks for no order of arrival."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy
from shared.domain.identity_tie import Keys, Tie, TieKind, moment


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
    for one in sorted(merged, key=moment):
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
