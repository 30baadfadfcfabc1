"""Ties: what was seen or said of two identifiers, and nothing that follows from it."""

from collections.abc import Iterable
from enum import StrEnum

from shared.domain.identity import Identifier
from shared.domain.model import Instant, Model, ProfileId, derived_id

Keys = frozenset[str]
"""Of identifiers."""


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

    def is_between(self, here: Keys, there: Keys) -> bool:
        return (self.one in here and self.other in there) or (
            self.one in there and self.other in here
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
            best[slot] = max(one, known, key=moment)
        else:
            seen = [each.until for each in (one, known) if each.until is not None]
            earliest = min(one, known, key=moment)
            best[slot] = earliest.model_copy(update={"until": max(seen, default=None)})
    return tuple(best[slot] for slot in sorted(best))


def moment(one: Tie) -> tuple[Instant, bool, str, str, float]:
    """Sorts by time; at the same instant a separation is later, and then it is decided anyhow."""
    return one.at, one.kind is TieKind.SEPARATED, one.by, one.reason, one.score or 0
