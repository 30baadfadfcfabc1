"""Weights from data, by Splink: how often strangers agree, how often profiles of one person do.

u is counted on random pairs. m comes of expectation maximisation, which needs no labels: each
session takes the pairs that agree on one fact and learns from them how the others agree
(https://moj-analytical-services.github.io/splink/topic_guides/training/training_rationale.html).
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import duckdb
from splink import DuckDBAPI, Linker

from infra.matching.facts_table import TABLE
from infra.matching.levels import settings
from shared.domain.matching import (
    COMPARISONS,
    Level,
    MatchModel,
    Odds,
    Training,
)

FEWEST = 400
"""Profiles with enough facts below which nothing is learned: too few pairs of one person."""
SAMPLE = 1_000_000
"""Random pairs on which u is counted."""
SEED = 1
SMALLEST = 1e-7
"""Of m and u, so that no weight is infinite."""
CERTAIN = (
    "l.given_name = r.given_name AND l.family_name = r.family_name AND l.birth_date = r.birth_date",
    "l.given_name = r.given_name AND l.family_name = r.family_name "
    "AND list_has_any(l.phones, r.phones)",
    "l.given_name = r.given_name AND l.family_name = r.family_name "
    "AND list_has_any(l.emails, r.emails)",
)
"""Rules nearly all of whose pairs are one person's."""
RECALL_OF_CERTAIN = 0.6
"""What share of all such pairs they find, about; it moves the prior only."""
SESSIONS = (
    "l.birth_date = r.birth_date",
    "l.given_name = r.given_name AND l.family_name = r.family_name",
    # What is named of both sides is not learned in the session; an equality is needed to be quick.
    "l.first_phone = r.first_phone AND l.phones IS NOT NULL AND r.phones IS NOT NULL",
    "l.first_email = r.first_email AND l.emails IS NOT NULL AND r.emails IS NOT NULL",
)
"""On what the pairs agree from which the other facts are learned."""


class Learned(NamedTuple):
    model: MatchModel
    kept: tuple[str, ...]
    """`field.level` where the data showed nothing or may not decide: the former odds."""


def linker_of(database: duckdb.DuckDBPyConnection, model: MatchModel) -> Linker:
    # Splink reports each of its steps, and each level that no pair shows.
    logging.getLogger("splink").setLevel(logging.ERROR)
    return Linker(
        TABLE, settings(model), db_api=DuckDBAPI(connection=database), set_up_basic_logging=False
    )


def learn(
    database: duckdb.DuckDBPyConnection,
    former: MatchModel,
    *,
    learned_at: datetime,
    description: str,
) -> Learned | None:
    """None where the data is too little, or shows no pair that could be one person's."""
    profiles = _count(database, "SELECT count(*) FROM facts")
    if profiles < FEWEST:
        return None
    linker = linker_of(database, former)
    training = linker.training
    training.estimate_probability_two_random_records_match(list(CERTAIN), recall=RECALL_OF_CERTAIN)
    training.estimate_u_using_random_sampling(max_pairs=SAMPLE, seed=SEED)
    for rule in SESSIONS:
        training.estimate_parameters_using_expectation_maximisation(
            rule, fix_probability_two_random_records_match=True
        )
    return _read(linker.misc.save_model_to_json(), former, learned_at, description, profiles)


def _read(
    saved: Mapping[str, Any],
    former: MatchModel,
    learned_at: datetime,
    description: str,
    profiles: int,
) -> Learned:
    kept: list[str] = []
    odds: dict[str, dict[str, Odds]] = {}
    by_field = {one["output_column_name"]: one["comparison_levels"] for one in saved["comparisons"]}
    for comparison in COMPARISONS:
        found = {one["label_for_charts"]: one for one in by_field[comparison.field]}
        odds[comparison.field] = {}
        for level in comparison.levels:
            learned = _odds(level, found[level.name])
            if learned is None:
                kept.append(f"{comparison.field}.{level.name}")
            odds[comparison.field][level.name] = (
                learned or former.odds[comparison.field][level.name]
            )
    content = {
        "prior": saved["probability_two_random_records_match"],
        "odds": {
            field: {name: one.model_dump() for name, one in levels.items()}
            for field, levels in odds.items()
        },
    }
    digest = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    model = MatchModel.model_validate(
        {
            **content,
            "version": f"splink-{learned_at.date()}-{digest}",
            "learned_at": learned_at,
            "training": Training(
                method=f"u on {SAMPLE} random pairs, m by expectation maximisation (Splink)",
                profiles=profiles,
                description=description,
            ),
        }
    )
    return Learned(model, tuple(kept))


def _odds(level: Level, learned: Mapping[str, Any]) -> Odds | None:
    """None where no pair was at this level: Splink then says so in words, or leaves it out."""
    m, u = (learned.get(f"{name}_probability") for name in "mu")
    if level.rules_out or not isinstance(m, float) or not isinstance(u, float):
        return None
    return Odds(m=max(m, SMALLEST), u=max(u, SMALLEST))


def _count(database: duckdb.DuckDBPyConnection, query: str) -> int:
    ((number,),) = database.execute(query).fetchall()
    return int(number)
