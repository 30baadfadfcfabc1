"""Pairs of profiles that Splink finds alike, each with the waterfall of its score."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import duckdb

from infra.matching.facts_table import facts_table
from infra.matching.learning import linker_of
from infra.matching.levels import level_of
from shared.domain.match_facts import MatchFacts
from shared.domain.matching import COMPARISONS, Match, MatchModel, explained, probability
from shared.domain.model import ProfileId


class Pair(NamedTuple):
    one: ProfileId
    other: ProfileId
    splink_weight: float
    """As Splink added it up; `match` is our sum over the levels it found."""
    match: Match


def pairs(
    facts: Sequence[MatchFacts], model: MatchModel, *, suggest_from: float, most_per_key: int
) -> list[Pair]:
    """Those at least so probable, the most probable first. Too few facts are left out."""
    usable = [one for one in facts if one.are_enough]
    if len(usable) < 2:
        return []
    database = facts_table(usable, most_per_key=most_per_key)
    try:
        return list(_pairs(database, model, suggest_from))
    finally:
        database.close()


def _pairs(
    database: duckdb.DuckDBPyConnection, model: MatchModel, suggest_from: float
) -> Iterator[Pair]:
    found = linker_of(database, model).inference.predict(threshold_match_probability=suggest_from)
    gammas = ", ".join(f"gamma_{one.field}" for one in COMPARISONS)
    rows = database.execute(
        f"SELECT unique_id_l, unique_id_r, match_weight, {gammas} FROM {found.physical_name} "
        "ORDER BY match_weight DESC, unique_id_l, unique_id_r"
    ).fetchall()
    for one, other, weight, *numbers in rows:
        levels = {
            each.field: level_of(each, number)
            for each, number in zip(COMPARISONS, numbers, strict=True)
        }
        yield Pair(ProfileId(one), ProfileId(other), weight, explained(levels, model))


def waterfall(pair: Pair) -> str:
    """From the prior down to the score, one line for each fact, with the running probability."""
    match = pair.match
    lines = [
        f"{pair.one} and {pair.other}: probability {match.probability:.4f}",
        _line("before", "", match.prior, match.prior, "anything is compared"),
    ]
    running = match.prior
    for step in match.waterfall:
        running += step.weight
        lines.append(_line(step.field, step.level, step.weight, running, step.reason))
    return "\n".join(lines)


def _line(field: str, level: str, weight: float, running: float, reason: str) -> str:
    return f"  {field:11} {level:13} {weight:+8.2f}  {probability(running):.6f}  {reason}"
