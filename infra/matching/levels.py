"""The levels of `shared.domain.matching` in DuckDB's SQL, as Splink's settings.

One table of levels makes both scores, so that a weight learned by the batch means the same to the
function that compares one new profile.
"""

from collections.abc import Sequence
from typing import Any

from infra.matching.facts_table import COLUMNS
from shared.domain.matching import (
    COMPARISONS,
    MISSING,
    Agreement,
    Alike,
    Begins,
    Both,
    Comparison,
    Contained,
    Crossed,
    DayAndMonthExchanged,
    Differs,
    Edited,
    Either,
    Initial,
    MatchModel,
    Same,
    Shared,
    SharedEdited,
)

BLOCKING = {"blocking_rule": "l.blocks = r.blocks", "arrays_to_explode": ["blocks"]}
"""Pairs that share one of the blocking keys of `shared.domain.match_facts`."""


def sql(test: Agreement) -> str:
    """The condition on a pair, in which `x_l` and `x_r` are one's and the other's x."""
    match test:
        case Same(facts):
            return " AND ".join(f"{one}_l = {one}_r" for one in facts)
        case Crossed(first, second):
            return f"({first}_l = {second}_r OR {second}_l = {first}_r)"
        case Contained(fact, at_least):
            shorter = f"least(len({fact}_l), len({fact}_r))"
            both = f"len(list_intersect({fact}_l, {fact}_r))"
            return f"{both} >= greatest({at_least}, {shorter})"
        case Alike(fact, similarity, shortest, other_fact):
            pair = f"{fact}_l, {other_fact or fact}_r"
            edits = f"damerau_levenshtein({pair}) <= 1"
            left, right = pair.split(", ")
            long_enough = f"least(length({left}), length({right})) >= {shortest}"
            alike = f"jaro_winkler_similarity({pair}) >= {similarity}"
            return f"({alike} OR ({long_enough} AND {edits}))"
        case Initial(fact):
            shorter = f"least(length({fact}_l), length({fact}_r))"
            return f"left({fact}_l, 1) = left({fact}_r, 1) AND {shorter} = 1"
        case Edited(fact):
            return f"damerau_levenshtein({fact}_l, {fact}_r) <= 1"
        case DayAndMonthExchanged(fact):
            return f"{fact}_l = left({fact}_r, 5) || substr({fact}_r, 9) || substr({fact}_r, 5, 3)"
        case Begins(fact, length):
            return f"left({fact}_l, {length}) = left({fact}_r, {length})"
        case Differs(fact):
            return f"{fact}_l <> {fact}_r"
        case Shared(fact):
            return f"list_has_any({fact}_l, {fact}_r)"
        case SharedEdited(fact):
            near = f"list_filter({fact}_r, lambda y: damerau_levenshtein(x, y) <= 1)"
            return f"len(list_filter({fact}_l, lambda x: len({near}) > 0)) > 0"
        case Either(one, other):
            return f"(({sql(one)}) OR ({sql(other)}))"
        case Both(one, other):
            return f"({sql(one)}) AND ({sql(other)})"
        case _:
            raise TypeError(f"no SQL for {type(test).__name__}")


def comparison_settings(comparison: Comparison, model: MatchModel) -> dict[str, Any]:
    missing = [f"{need}_{side} IS NULL" for need in comparison.needs for side in "lr"]
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": " OR ".join(missing),
            "label_for_charts": MISSING,
            "is_null_level": True,
        }
    ]
    for level in comparison.levels:
        odds = model.odds[comparison.field][level.name]
        levels.append(
            {
                "sql_condition": sql(level.test) if level.test is not None else "ELSE",
                "label_for_charts": level.name,
                "m_probability": odds.m,
                "u_probability": odds.u,
                # Learned from households, it would no longer rule anything out.
                "fix_m_probability": level.rules_out,
                "fix_u_probability": level.rules_out,
            }
        )
    return {"output_column_name": comparison.field, "comparison_levels": levels}


def settings(model: MatchModel, blocking: Sequence[dict[str, Any]] = (BLOCKING,)) -> dict[str, Any]:
    """Splink's settings for the table `facts`, with the weights of a model to begin with."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": next(iter(COLUMNS)),
        "sql_dialect": "duckdb",
        "probability_two_random_records_match": model.prior,
        "comparisons": [comparison_settings(one, model) for one in COMPARISONS],
        "blocking_rules_to_generate_predictions": [
            {"sql_dialect": "duckdb", **one} for one in blocking
        ],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": False,
        "em_convergence": 0.0001,
        "max_iterations": 40,
    }


def level_of(comparison: Comparison, gamma: int) -> str:
    """The level behind Splink's number: -1 is missing, 0 the last, upwards to the first."""
    return MISSING if gamma < 0 else comparison.levels[len(comparison.levels) - 1 - gamma].name
