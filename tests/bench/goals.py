"""What the figures should be, and whether they are."""

from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

INIT_RATIO = 1.6
INIT_RATIO_OF_INTAKE = 1.3
INTAKE_PER_SECOND = 150
INTAKE_P95_MS = 79
END_TO_END_PER_SECOND = 25
USD_PER_MILLION = 10
SPINE_UNITS = 12.2 + 4.68
"""Write and read units of a touchpoint of the mix before people were one on every channel: the run
of 2026-11-22 at e56f77e.
"""
UNITS_TIMES_SPINE = 1.25
READING_TIMES_FLOOR = 30
"""Of the provider in the middle: what carries mail is far above, what carries a form below."""


class Goal(NamedTuple):
    what: str
    goal: str
    measured: float
    met: bool

    @classmethod
    def at_least(cls, what: str, goal: float, measured: float) -> "Goal":
        return cls(what, f">= {goal:g}", measured, measured >= goal)

    @classmethod
    def at_most(cls, what: str, goal: float, measured: float) -> "Goal":
        return cls(what, f"<= {goal:g}", measured, measured <= goal)

    @classmethod
    def below(cls, what: str, goal: float, measured: float) -> "Goal":
        return cls(what, f"< {goal:g}", measured, measured < goal)


def goals(figures: Mapping[str, Any]) -> list[Goal]:
    """Of the JSON object that the bench prints."""
    short, long = figures["units_by_history"].values()
    return [
        *(
            Goal.at_most(
                f"start of {name}, times a bare handler",
                INIT_RATIO_OF_INTAKE if name == "webhook_intake" else INIT_RATIO,
                ratio,
            )
            for name, ratio in figures["init_ratio"].items()
        ),
        Goal.at_least(
            "webhooks accepted a second", INTAKE_PER_SECOND, figures["intake"]["per_second"]
        ),
        Goal.below("p95 of accepting one, ms", INTAKE_P95_MS, figures["intake"]["p95_ms"]),
        Goal.at_least(
            "touchpoints a second, end to end",
            END_TO_END_PER_SECOND,
            figures["end_to_end_per_second"],
        ),
        Goal.at_most("dollars a million", USD_PER_MILLION, figures["usd_per_million"]),
        Goal.at_most(
            "units of a touchpoint, times the spine's",
            UNITS_TIMES_SPINE,
            round(
                sum(figures["per_touchpoint"][f"{way}_units"] for way in ("write", "read"))
                / SPINE_UNITS,
                2,
            ),
        ),
        Goal.at_most(
            "proof and reading of a request, times the floor",
            READING_TIMES_FLOOR,
            round(median(one["ratio"] for one in figures["reading"].values()), 1),
        ),
        Goal("units with a long history", f"= {short:g}", long, long == short),
    ]
