"""The batch and the stream agree: Splink adds up what our own score adds up, pair by pair."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from infra.matching import __main__ as command
from infra.matching import deployed
from infra.matching.evaluation import evaluate, exact, streamed, table, truth_of
from infra.matching.export import line_of, profiles_of
from infra.matching.facts_table import facts_table
from infra.matching.learning import learn
from infra.matching.levels import level_of, sql
from infra.matching.population import Labelled, population
from infra.matching.review import pairs, waterfall
from shared.adapters.similarity import JellyfishSimilarity
from shared.domain.errors import InvalidInput
from shared.domain.match_facts import MatchFacts, blocking_keys, facts_of
from shared.domain.matching import COMPARISONS, MISSING, MatchModel, score
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion, Profile
from shared.policies.reader import read_match_model, read_policies
from shared.ports.paging import Page
from shared.ports.profiles import ProfileStore

SIMILARITY = JellyfishSimilarity()
MODEL = read_match_model()
POLICIES = read_policies()
EVERYTHING = 1e-9
"""A threshold that lets nearly all blocked pairs through."""


@pytest.fixture(scope="module")
def labelled() -> list[Labelled]:
    return population(900, seed=5)


@pytest.fixture(scope="module")
def usable(labelled: list[Labelled]) -> list[MatchFacts]:
    found = [facts_of(one.profile, POLICIES.identity) for one in labelled]
    return [one for one in found if one.are_enough]


def test_splink_and_our_score_agree_on_every_pair(usable: list[MatchFacts]) -> None:
    by_id = {one.profile_id: one for one in usable}
    found = pairs(
        usable, MODEL, suggest_from=EVERYTHING, most_per_key=POLICIES.matching.most_per_key
    )
    assert len(found) > 300
    seen: set[tuple[str, str]] = set()
    for pair in found:
        ours = score(by_id[pair.one], by_id[pair.other], MODEL, SIMILARITY)
        assert ours.waterfall == pair.match.waterfall, "the same levels"
        assert ours.weight == pytest.approx(pair.splink_weight, abs=1e-6)
        seen |= {(step.field, step.level) for step in ours.waterfall}
    assert len(seen) > 20, "many levels were compared"


def test_every_level_means_the_same_in_sql() -> None:
    """Each test of the table, on names and numbers that are hard to tell apart."""
    facts = [
        MatchFacts(profile_id=ProfileId(f"{number:04}"), **fields)
        for number, fields in enumerate(_hard_facts())
    ]
    database = facts_table(facts, most_per_key=20)
    for comparison in COMPARISONS:
        for level in comparison.levels:
            if level.test is None:
                continue
            known = " AND ".join(
                f"{n}_l IS NOT NULL AND {n}_r IS NOT NULL" for n in comparison.needs
            )
            found = set(_holding(database, f"{known} AND ({sql(level.test)})"))
            expected = {
                (one.profile_id, other.profile_id)
                for one in facts
                for other in facts
                if one.profile_id < other.profile_id
                and all(getattr(each, n) for each in (one, other) for n in comparison.needs)
                and level.test.holds(one, other, SIMILARITY)
            }
            assert found == expected, f"{comparison.field}.{level.name}"
            assert expected, f"{comparison.field}.{level.name} holds for no pair"
    database.close()


def _hard_facts() -> Iterator[dict[str, Any]]:
    names = [
        *("awa diop", "diop awa", "awa diopp", "dipo awa", "a diop", "adama diop", "awa ndiaye"),
        *("giulia rossi", "giulio rossi", "guilia rossi", "jean roux", "jeanne roux"),
        *("мария иванова", "мария иваноба", "marie-claire roux", "marie roux", "roux patrick"),
    ]
    for name in names:
        traits = {"name": {"value": name, "at": "2026-11-22T00:00:00Z"}}
        fields = {"profile_id": "x", "created_at": "2026-11-22T00:00:00Z", "traits": traits}
        yield facts_of(Profile.model_validate(fields), POLICIES.identity).model_dump(
            exclude={"profile_id"}
        )
    yield {"given_name": "awa", "family_name": "diop", "words": ("awa", "diop", "marie")}
    for birth_date in ("1985-03-07", "1985-07-03", "1985-03-01", "1958-03-07", "1991-12-24"):
        yield {"birth_date": birth_date}
        yield {"birth_date": birth_date}
    for phones in (("12345678",), ("12345687", "99999999"), ("99999999",), ("11111111",)):
        yield {"phones": phones}
    for emails, mailboxes in (
        (("soleil@a.example",), ("soleil",)),
        (("lune@a.example", "soliel@a.example"), ("lune", "soliel")),
        (("lune@a.example",), ("lune",)),
        (("soleil@other.test",), ("soleil",)),
        (("b@other.test",), ()),
    ):
        yield {"emails": emails, "mailboxes": mailboxes}
    for postcode in ("75011", "75012", "75120", "13004", "13004", "SW1A1AA"):
        yield {"postcode": postcode}


def _holding(database: duckdb.DuckDBPyConnection, condition: str) -> list[tuple[str, str]]:
    columns = [row[0] for row in database.execute("DESCRIBE facts").fetchall()]
    sides = ", ".join(f"{side}.{name} AS {name}_{side}" for name in columns for side in "lr")
    both = f"SELECT {sides} FROM facts l, facts r WHERE l.unique_id < r.unique_id"
    query = f"SELECT unique_id_l, unique_id_r FROM ({both}) WHERE {condition}"
    return [(row[0], row[1]) for row in database.execute(query).fetchall()]


def test_distances_are_those_of_duckdb(usable: list[MatchFacts]) -> None:
    words = [*sorted({word for one in usable for word in one.words})[::9], "", "мария", "مريم"]
    values = [(one, other) for one in words for other in words]
    with duckdb.connect() as database:
        for one, other in values:
            row = database.execute(
                "SELECT jaro_winkler_similarity($1, $2), damerau_levenshtein($1, $2)", [one, other]
            ).fetchall()
            assert row == [
                (
                    pytest.approx(SIMILARITY.jaro_winkler(one, other)),
                    SIMILARITY.edits(one, other),
                )
            ], (one, other)


def test_a_waterfall_runs_from_the_prior_to_the_score(usable: list[MatchFacts]) -> None:
    best = pairs(usable, MODEL, suggest_from=0.95, most_per_key=20)[0]
    lines = waterfall(best).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [one.field for one in COMPARISONS]
    assert f"{best.match.probability:.6f}" in lines[-1]
    assert "anything is compared" in lines[1]


def test_of_few_people_no_weights_are_learned(usable: list[MatchFacts]) -> None:
    few = facts_table(usable[:50], most_per_key=20)
    assert learn(few, MODEL, learned_at=datetime.now(UTC), description="few") is None
    few.close()


@pytest.mark.skipif("PROVE" not in os.environ, reason="takes ten seconds: make prove")
def test_weights_are_learned_from_enough_data(usable: list[MatchFacts]) -> None:
    database = facts_table(usable, most_per_key=20)
    learned = learn(database, MODEL, learned_at=datetime(2026, 1, 1, tzinfo=UTC), description="all")
    database.close()
    assert learned is not None
    assert learned.model.version.startswith("splink-2026-01-01-")
    assert {"name.other_given", "name.other_form"} <= set(learned.kept)
    for field in ("name", "birth_date", "phone", "email", "postcode"):
        assert learned.model.weight(field, "same") > 3
        assert learned.model.weight(field, "other") < 0


@pytest.mark.skipif("PROVE" not in os.environ, reason="takes a minute: make prove")
def test_our_score_is_no_worse_than_the_others(labelled: list[Labelled]) -> None:
    """Relations that must hold on any such data, not figures."""
    rows = evaluate(labelled, model=MODEL, policy=POLICIES.matching, identity=POLICIES.identity)
    rule, ours, ours_learned, stock = rows
    assert ours.recall > rule.recall
    assert ours.precision > 0.9
    assert ours.precision > stock.precision
    assert abs(ours.recall - ours_learned.recall) < 0.05
    assert "precision" in table(rows)


def test_twins_and_families_of_several_names_are_left_alone(labelled: list[Labelled]) -> None:
    facts = [facts_of(one.profile, POLICIES.identity) for one in labelled]
    usable = [one for one in facts if one.are_enough]
    truth = truth_of(labelled, usable)
    by_id = {one.profile_id: one for one in usable}
    suggested = streamed(usable, MODEL, POLICIES.matching)
    for pair in suggested - truth.possible:
        one, other = (by_id[each] for each in pair)
        level = score(one, other, MODEL, SIMILARITY).waterfall[0].level
        assert level not in {"other_given", "other_form"}
    assert exact(usable), "there is something to compare with"


def test_what_nobody_shares_with_too_many_is_blocked_alike(usable: list[MatchFacts]) -> None:
    crowd = [
        one.model_copy(update={"profile_id": ProfileId(str(n))})
        for n, one in enumerate([usable[0]] * 4)
    ]
    assert blocking_keys(crowd[0])
    assert pairs(crowd, MODEL, suggest_from=0.5, most_per_key=3) == []
    assert len(pairs(crowd, MODEL, suggest_from=0.5, most_per_key=4)) == 6
    assert pairs(crowd[:1], MODEL, suggest_from=0.5, most_per_key=4) == []


def test_splinks_numbers_are_our_levels() -> None:
    (name, *_) = COMPARISONS
    assert level_of(name, -1) == MISSING
    assert level_of(name, 0) == "other"
    assert level_of(name, len(name.levels) - 1) == name.levels[0].name


# The command


def test_an_export_is_read_line_by_line() -> None:
    (one, *_) = population(1, seed=1)
    bare = json.dumps({"profile_id": "p", "traits": {"name": "Awa Diop"}})
    again, other = profiles_of([line_of(one.profile, person=1), "", bare])
    assert again.traits == one.profile.traits
    assert again.identifiers == one.profile.identifiers
    assert other.traits["name"].value == "Awa Diop"
    for wrong in ("no json", "[]", "{}", '{"profile_id": 1}', '{"profile_id":"p","traits":[]}'):
        with pytest.raises(InvalidInput) as raised:
            list(profiles_of([bare, wrong]))
        assert raised.value.field == "line 2"


def test_the_command_reviews_an_export_and_keeps_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, model = tmp_path / "people.jsonl", tmp_path / "model.json"
    assert command.main(["--invent", str(export), "--people", "700"]) == 0
    assert command.main(["--export", str(export), "--learn", str(model), "--most", "3"]) == 0
    said = capsys.readouterr()
    kept = MatchModel.model_validate_json(model.read_bytes())
    assert f"weights {kept.version}" in said.out
    assert said.out.count("anything is compared") == 3
    assert kept.training.description == "profiles of people.jsonl"


def test_the_command_says_when_there_is_too_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, model = tmp_path / "people.jsonl", tmp_path / "model.json"
    command.main(["--invent", str(export), "--people", "30"])
    assert command.main(["--export", str(export), "--learn", str(model)]) == 0
    assert f"the weights are those shipped, {MODEL.version}" in capsys.readouterr().err
    assert not model.exists()
    assert command.main(["--export", str(tmp_path / "nothing")]) == 1
    for wrong in ([], ["--export", str(export), "--write"], ["--evaluate", "--from", "2"]):
        with pytest.raises(SystemExit):
            command.main(wrong)


class Store:
    """Persons by each of their ids; refuses what was decided."""

    def __init__(self, persons: dict[str, Profile]) -> None:
        self.persons = persons
        self.suggested: list[MergeSuggestion] = []

    def read(self, profile_id: ProfileId) -> Profile | None:
        return self.persons.get(profile_id)

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        self.suggested.append(suggestion)
        return len(self.suggested) == 1


class Index:
    """Two pages: one profile, one that is another's, one that was erased."""

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        if cursor is None:
            return Page([ProfileId("a")], "more")
        return Page([ProfileId("b"), ProfileId("c")], None)


def test_a_stack_is_read_page_by_page_and_written_back(
    capsys: pytest.CaptureFixture[str], usable: list[MatchFacts]
) -> None:
    (seen, *_) = population(1, seed=1)
    one = seen.profile.model_copy(update={"profile_id": ProfileId("a")})
    store = Store({"a": one, "b": one})
    read = deployed.read_all(cast(Any, Index()), cast(ProfileStore, store))
    assert [each.profile_id for each in read] == ["a"]
    assert "3 profiles of 1 people read" in capsys.readouterr().err
    found = pairs(usable, MODEL, suggest_from=0.95, most_per_key=20)[:3]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert deployed.write_all(cast(ProfileStore, store), found, MODEL, at) == 1
    for made in store.suggested:
        assert made.profile_ids == tuple(sorted(made.profile_ids))
        assert made.by == f"model:{MODEL.version}"
