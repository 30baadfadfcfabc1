"""How well pairs are found on profiles whose truth is known: our two scores, Splink's own way, and
an exact rule, on the same data.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import NamedTuple

import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from infra.matching.facts_table import TABLE, facts_table
from infra.matching.learning import CERTAIN, RECALL_OF_CERTAIN, SAMPLE, SEED, learn
from infra.matching.population import Labelled
from infra.matching.review import pairs
from shared.adapters.similarity import JellyfishSimilarity
from shared.domain.identity import IdentityPolicy
from shared.domain.match_facts import MatchFacts, blocking_keys, facts_of
from shared.domain.matching import MatchingPolicy, MatchModel, score
from shared.domain.model import ProfileId

Found = set[frozenset[ProfileId]]
"""Pairs of profile ids."""


class Row(NamedTuple):
    way: str
    suggested: int
    right: int
    possible: int
    wrong_by_kind: Mapping[str, int]

    @property
    def precision(self) -> float:
        return self.right / self.suggested if self.suggested else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.possible if self.possible else 1.0


class Truth(NamedTuple):
    persons: Mapping[ProfileId, int]
    kinds: Mapping[ProfileId, str]
    possible: Found
    """Pairs of one person, both of whom state at least two facts."""

    def judge(self, way: str, found: Found) -> Row:
        wrong = found - self.possible
        kinds = Counter(self.kinds[min(pair)] for pair in wrong)
        right = len(found) - len(wrong)
        return Row(way, len(found), right, len(self.possible), dict(sorted(kinds.items())))


def evaluate(
    labelled: Sequence[Labelled],
    *,
    model: MatchModel,
    policy: MatchingPolicy,
    identity: IdentityPolicy,
) -> list[Row]:
    facts = [facts_of(one.profile, identity) for one in labelled]
    usable = [one for one in facts if one.are_enough]
    truth = truth_of(labelled, usable)
    judged = [
        truth.judge("exact rule", exact(usable)),
        truth.judge(f"streaming score, {model.version}", streamed(usable, model, policy)),
    ]
    database = facts_table(usable, most_per_key=policy.most_per_key)
    learned = learn(
        database, model, learned_at=datetime.now(UTC), description="the data it is judged on"
    )
    database.close()
    if learned is not None:
        found = pairs(
            usable,
            learned.model,
            suggest_from=policy.suggest_from,
            most_per_key=policy.most_per_key,
        )
        mine = {frozenset((one.one, one.other)) for one in found}
        judged.append(truth.judge("Splink, our levels, learned on this data", mine))
    theirs = stock_splink(usable, policy)
    judged.append(truth.judge("Splink, its own levels, learned on this data", theirs))
    return judged


def truth_of(labelled: Sequence[Labelled], usable: Sequence[MatchFacts]) -> Truth:
    by_person: dict[int, list[ProfileId]] = defaultdict(list)
    persons = {one.profile.profile_id: one.person for one in labelled}
    for one in usable:
        by_person[persons[one.profile_id]].append(one.profile_id)
    possible = {frozenset(pair) for own in by_person.values() for pair in combinations(own, 2)}
    kinds = {one.profile.profile_id: one.kind for one in labelled}
    return Truth(persons, kinds, possible)


def exact(facts: Iterable[MatchFacts]) -> Found:
    """The rule one would write by hand: the same name, and one more fact the same."""
    groups: dict[tuple[str, ...], set[ProfileId]] = defaultdict(set)
    for one in facts:
        if one.given_name and one.family_name:
            others = [("phone", x) for x in one.phones] + [("email", x) for x in one.emails]
            others += [("born", one.birth_date)] if one.birth_date else []
            others += [("lives", one.postcode)] if one.postcode else []
            for kind, value in others:
                groups[one.given_name, one.family_name, kind, value].add(one.profile_id)
    return {frozenset(pair) for group in groups.values() for pair in combinations(sorted(group), 2)}


def streamed(facts: Sequence[MatchFacts], model: MatchModel, policy: MatchingPolicy) -> Found:
    """One profile after the other, each compared with those before it, as the function does."""
    similarity = JellyfishSimilarity()
    index: dict[str, list[MatchFacts]] = defaultdict(list)
    found: Found = set()
    for one in facts:
        keys = blocking_keys(one)
        sharing = Counter(
            other.profile_id
            for key in keys
            if len(index[key]) <= policy.most_per_key
            for other in index[key]
        )
        seen = {other.profile_id: other for key in keys for other in index[key]}
        ranked = sorted(sharing, key=lambda other: (-sharing[other], other))
        for other in ranked[: policy.most_candidates]:
            if score(one, seen[other], model, similarity).probability >= policy.suggest_from:
                found.add(frozenset((one.profile_id, other)))
        for key in keys:
            index[key].append(one)
    return found


def stock_splink(facts: Sequence[MatchFacts], policy: MatchingPolicy) -> Found:
    """As Splink's own guide sets it up: its ready-made comparisons and ordinary blocking rules."""
    database = facts_table(facts, most_per_key=policy.most_per_key)
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.ForenameSurnameComparison("given_name", "family_name"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.LevenshteinAtThresholds("first_phone", 1),
            cl.EmailComparison("first_email"),
            cl.LevenshteinAtThresholds("postcode", 1),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("first_phone"),
            block_on("first_email"),
            block_on("birth_date"),
            block_on("family_name", "postcode"),
            block_on("given_name", "family_name"),
        ],
    )
    linker = Linker(
        TABLE, settings, db_api=DuckDBAPI(connection=database), set_up_basic_logging=False
    )
    training = linker.training
    training.estimate_probability_two_random_records_match(list(CERTAIN), RECALL_OF_CERTAIN)
    training.estimate_u_using_random_sampling(max_pairs=SAMPLE, seed=SEED)
    for columns in (["birth_date"], ["given_name", "family_name"], ["first_phone"]):
        training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
    table = linker.inference.predict(threshold_match_probability=policy.suggest_from)
    rows = database.execute(
        f"SELECT unique_id_l, unique_id_r FROM {table.physical_name}"
    ).fetchall()
    database.close()
    return {frozenset(row) for row in rows}


def table(rows: Sequence[Row]) -> str:
    head = f"{'way':48} {'pairs':>6} {'right':>6} {'precision':>9} {'recall':>7}  wrong, by kind"
    return "\n".join(
        [
            head,
            *(
                f"{row.way:48} {row.suggested:6} {row.right:6} {row.precision:9.3f} "
                f"{row.recall:7.3f}  {dict(row.wrong_by_kind)}"
                for row in rows
            ),
        ]
    )
