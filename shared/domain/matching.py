"""How probable it is that two profiles are one person's: Fellegi and Sunter's weights.

Each fact is compared on its own and found to agree at one of a few levels. A level that is common
among pairs of one person (m) and rare among others (u) speaks for them, by log2(m/u); the sum with
the weight of the prior is the log of the odds. Fellegi and Sunter, A Theory for Record Linkage
(1969), https://doi.org/10.1080/01621459.1969.10501049; the levels and words follow Splink
(https://moj-analytical-services.github.io/splink/topic_guides/theory/fellegi_sunter.html).

`COMPARISONS` is the one table of levels: the score here and the batch in `infra.matching` are both
made from it, so that weights learned by the one hold in the other.
"""

from collections.abc import Mapping
from itertools import product
from math import log2, pow
from typing import Any, NamedTuple, Protocol, Self

from pydantic import Field, model_validator

from shared.domain.match_facts import MatchFacts
from shared.domain.model import Instant, Model


class Similarity(Protocol):
    """How alike two texts are, byte by byte in UTF-8: as DuckDB, where the batch runs, counts."""

    def jaro_winkler(self, one: str, other: str) -> float:
        """0 to 1, where 1 is the same."""

    def edits(self, one: str, other: str) -> int:
        """Letters to insert, remove, replace or exchange with their neighbour."""


class Agreement(Protocol):
    """What must hold of two people's facts for a level. Neither is ever without them."""

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool: ...


class Same(NamedTuple):
    """Each of these facts is the same."""

    facts: tuple[str, ...]

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return all(_of(one, fact) == _of(other, fact) for fact in self.facts)


class Contained(NamedTuple):
    """Of two lists, the shorter is wholly in the longer."""

    fact: str
    at_least: int

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        here, there = set(_of(one, self.fact)), set(_of(other, self.fact))
        return len(here & there) >= max(self.at_least, min(len(here), len(there)))


class Alike(NamedTuple):
    """Misspelled: Jaro-Winkler at least `similarity`, or one edit in a text long enough for it."""

    fact: str
    similarity: float
    shortest: int = 4

    other_fact: str = ""
    """Of the second person, where it is not the same fact."""

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        here, there = _of(one, self.fact), _of(other, self.other_fact or self.fact)
        return similarity.jaro_winkler(here, there) >= self.similarity or (
            min(len(here), len(there)) >= self.shortest and similarity.edits(here, there) <= 1
        )


class Crossed(NamedTuple):
    """What one states as the first fact, the other states as the second; or the reverse."""

    first: str
    second: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return bool(
            _of(one, self.first) == _of(other, self.second)
            or _of(one, self.second) == _of(other, self.first)
        )


class Initial(NamedTuple):
    """One of them is the first letter of the other."""

    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        here, there = _of(one, self.fact), _of(other, self.fact)
        return here[:1] == there[:1] and min(len(here), len(there)) == 1


class Edited(NamedTuple):
    """One letter or digit is wrong, missing, too many or exchanged with its neighbour."""

    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return similarity.edits(_of(one, self.fact), _of(other, self.fact)) <= 1


class DayAndMonthExchanged(NamedTuple):
    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        here, there = _of(one, self.fact), _of(other, self.fact)
        return bool(here == f"{there[:4]}-{there[8:]}-{there[5:7]}")


class Begins(NamedTuple):
    """Both begin with the same letters."""

    fact: str
    length: int

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return bool(_of(one, self.fact)[: self.length] == _of(other, self.fact)[: self.length])


class Differs(NamedTuple):
    """Both state it, and not the same."""

    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        here, there = _of(one, self.fact), _of(other, self.fact)
        return bool(here and there and here != there)


class Shared(NamedTuple):
    """Of two lists, at least one is in both."""

    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return not set(_of(one, self.fact)).isdisjoint(_of(other, self.fact))


class SharedEdited(NamedTuple):
    """Of two lists, one of the first is within one edit of one of the second."""

    fact: str

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        pairs = product(_of(one, self.fact), _of(other, self.fact))
        return any(similarity.edits(here, there) <= 1 for here, there in pairs)


class Either(NamedTuple):
    one: Agreement
    other: Agreement

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return self.one.holds(one, other, similarity) or self.other.holds(one, other, similarity)


class Both(NamedTuple):
    one: Agreement
    other: Agreement

    def holds(self, one: MatchFacts, other: MatchFacts, similarity: Similarity) -> bool:
        return self.one.holds(one, other, similarity) and self.other.holds(one, other, similarity)


def _of(facts: MatchFacts, fact: str) -> Any:
    return getattr(facts, fact)


class Level(NamedTuple):
    name: str
    test: Agreement | None
    """None for what is left."""
    says: str
    """In plain words, after "they have"."""
    rules_out: bool = False
    """Whether it outweighs everything that people of one household share."""


class Comparison(NamedTuple):
    field: str
    needs: tuple[str, ...]
    """Facts that both must have stated."""
    levels: tuple[Level, ...]
    """The first that holds counts."""

    def level(self, name: str) -> Level:
        return next(level for level in self.levels if level.name == name)


MISSING = "missing"
"""The level of a fact that one of the two never stated. It says nothing."""

_ALIKE_GIVEN, _ALIKE_FAMILY = Alike("given_name", 0.9), Alike("family_name", 0.9)

COMPARISONS = (
    # Given and family name together: what one says depends on the other. Twins and couples share
    # phone, mail box, address and even the day of birth; their given name is what tells them apart.
    Comparison(
        "name",
        ("given_name", "family_name"),
        (
            Level(
                "initial",
                Both(Initial("given_name"), _ALIKE_FAMILY),
                "the same family name, and a given name whose initial fits",
            ),
            Level("same", Same(("given_name", "family_name")), "the same name"),
            Level(
                "swapped",
                Both(
                    Alike("given_name", 0.9, other_fact="family_name"),
                    Alike("family_name", 0.9, other_fact="given_name"),
                ),
                "the same name with given and family name exchanged",
            ),
            Level(
                "part",
                Contained("words", at_least=2),
                "the same name but for a further given or family name",
            ),
            Level(
                "other_form",
                Both(Both(Same(("given_stem",)), Differs("given_form")), _ALIKE_FAMILY),
                "the same family name with a man's and a woman's form of one given name",
                rules_out=True,
            ),
            Level(
                "alike", Both(_ALIKE_GIVEN, _ALIKE_FAMILY), "names that differ by their spelling"
            ),
            Level(
                "other_family",
                _ALIKE_GIVEN,
                "the same given name with another family name",
            ),
            Level(
                "other_given",
                Either(_ALIKE_FAMILY, Crossed("given_name", "family_name")),
                "the same family name with another given name",
                rules_out=True,
            ),
            Level("other", None, "different names"),
        ),
    ),
    Comparison(
        "birth_date",
        ("birth_date",),
        (
            Level("same", Same(("birth_date",)), "the same date of birth"),
            Level(
                "exchanged",
                DayAndMonthExchanged("birth_date"),
                "dates of birth with day and month exchanged",
            ),
            Level("edited", Edited("birth_date"), "dates of birth that differ by one digit"),
            Level("other", None, "different dates of birth"),
        ),
    ),
    Comparison(
        "phone",
        ("phones",),
        (
            Level("same", Shared("phones"), "a phone number in common"),
            Level("edited", SharedEdited("phones"), "phone numbers that differ by one digit"),
            Level("other", None, "different phone numbers"),
        ),
    ),
    Comparison(
        "email",
        ("emails",),
        (
            Level("same", Shared("emails"), "a mail address in common"),
            Level("edited", SharedEdited("emails"), "mail addresses that differ by one letter"),
            Level("mailbox", Shared("mailboxes"), "the same mail box name at different domains"),
            Level("other", None, "different mail addresses"),
        ),
    ),
    Comparison(
        "postcode",
        ("postcode",),
        (
            Level("same", Same(("postcode",)), "the same postcode"),
            Level("edited", Edited("postcode"), "postcodes that differ by one sign"),
            Level("area", Begins("postcode", 2), "postcodes of one area"),
            Level("other", None, "different postcodes"),
        ),
    ),
)

RULED_OUT = -100.0
"""The weight, at most, of a level that rules out: all other facts together weigh about 70."""


class Odds(Model):
    """How frequent a level is among pairs of one person (m) and of two (u)."""

    m: float = Field(gt=0, le=1)
    u: float = Field(gt=0, le=1)

    @property
    def weight(self) -> float:
        return log2(self.m / self.u)


class Training(Model):
    """Where the weights come from."""

    method: str
    profiles: int = Field(ge=0)
    description: str


class MatchModel(Model):
    """Weights by field and level (`policies/matching_model.json`), as `infra.matching` learns them.

    Raises pydantic's ValidationError unless it speaks of exactly the levels of `COMPARISONS`.
    """

    version: str = Field(pattern=r"^[\w.:-]{1,60}$")
    learned_at: Instant
    prior: float = Field(gt=0, lt=1)
    """How probable it is that two profiles are one person's before anything is compared."""
    training: Training
    odds: dict[str, dict[str, Odds]]

    @model_validator(mode="after")
    def _speaks_of_our_levels(self) -> Self:
        wanted = {one.field: {level.name for level in one.levels} for one in COMPARISONS}
        given = {field: set(levels) for field, levels in self.odds.items()}
        if given != wanted:
            raise ValueError("the levels are not those that are compared")
        for comparison in COMPARISONS:
            for level in comparison.levels:
                weight = self.odds[comparison.field][level.name].weight
                if level.rules_out and weight > RULED_OUT:
                    raise ValueError(f"{comparison.field}.{level.name} must weigh {RULED_OUT}")
        return self

    def weight(self, field: str, level: str) -> float:
        return 0.0 if level == MISSING else self.odds[field][level].weight


class Contribution(NamedTuple):
    """One step of the waterfall."""

    field: str
    level: str
    weight: float
    """In bits: one more doubles the odds."""
    reason: str
    """In plain words, without the values."""


class Match(NamedTuple):
    prior: float
    """The weight before anything is compared."""
    waterfall: tuple[Contribution, ...]

    @property
    def weight(self) -> float:
        return self.prior + sum(one.weight for one in self.waterfall)

    @property
    def probability(self) -> float:
        return probability(self.weight)

    @property
    def reason(self) -> str:
        """What speaks for and what speaks against it, the weightiest first."""
        told = sorted(self.waterfall, key=lambda one: (-abs(one.weight), one.field))
        speaks_for = [one.reason for one in told if one.weight > 0]
        against = [one.reason for one in told if one.weight < 0]
        said = f"they have {', '.join(speaks_for)}" if speaks_for else "they have nothing in common"
        return f"{said}; against it: {', '.join(against)}" if against else said


class MatchingPolicy(Model):
    """When two profiles are shown to a person as one (`policies/matching.yaml`)."""

    suggest_from: float = Field(gt=0.5, le=1)
    """The probability from which on a suggestion is made."""
    most_candidates: int = Field(gt=0, le=100)
    """Profiles that a changed one is compared with, those that share most first."""
    most_per_key: int = Field(gt=1, le=200)
    """What more profiles than these have in common tells nobody apart, and is not looked up."""


def probability(weight: float) -> float:
    """Of odds given as their log2."""
    return 1 / (1 + pow(2.0, -max(min(weight, 500.0), -500.0)))


def log_odds(probability: float) -> float:
    return log2(probability / (1 - probability))


def levels_of(one: MatchFacts, other: MatchFacts, similarity: Similarity) -> Mapping[str, str]:
    """By field the level at which two people's facts agree. The same whichever stands first."""
    first, second = sorted((one, other), key=lambda facts: facts.profile_id)
    return {each.field: _level(each, first, second, similarity) for each in COMPARISONS}


def _level(
    comparison: Comparison, one: MatchFacts, other: MatchFacts, similarity: Similarity
) -> str:
    if not all(_of(facts, need) for facts in (one, other) for need in comparison.needs):
        return MISSING
    return next(
        level.name
        for level in comparison.levels
        if level.test is None or level.test.holds(one, other, similarity)
    )


def explained(levels: Mapping[str, str], model: MatchModel) -> Match:
    """The waterfall of levels that were found, in the order of `COMPARISONS`."""
    return Match(
        log_odds(model.prior),
        tuple(
            Contribution(
                one.field,
                level,
                model.weight(one.field, level),
                "not stated by both" if level == MISSING else one.level(level).says,
            )
            for one in COMPARISONS
            for level in [levels[one.field]]
        ),
    )


def score(one: MatchFacts, other: MatchFacts, model: MatchModel, similarity: Similarity) -> Match:
    """How probable it is that both are one person, and why."""
    return explained(levels_of(one, other, similarity), model)
