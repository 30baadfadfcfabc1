"""How samples become figures, and figures are judged."""

from typing import Any

import pytest

from tests.bench.goals import goals
from tests.bench.initialisation import BARE, summarise
from tests.bench.load import Load
from tests.bench.throughput import intake_of, without_streams

FIGURES: dict[str, Any] = {
    "init_ratio": {"webhook_intake": 1.3, "agent_api": 1.6},
    "intake": {"per_second": 150, "p95_ms": 78.9},
    "end_to_end_per_second": 25,
    "per_touchpoint": {"write_units": 15.25, "read_units": 5.85},
    "usd_per_million": 10,
    "reading": {"stripe": {"ratio": 5.0}, "slack": {"ratio": 30}, "mailgun": {"ratio": 400}},
    "units_by_history": {"10": 20.0, "10000": 20.0},
}


def test_goals_are_met_at_their_limits() -> None:
    assert [one.what for one in goals(FIGURES) if not one.met] == []


@pytest.mark.parametrize(
    "worse",
    [
        {"init_ratio": {"webhook_intake": 1.31}},
        {"init_ratio": {"agent_api": 1.61}},
        {"intake": {"per_second": 149.9, "p95_ms": 50}},
        {"intake": {"per_second": 200, "p95_ms": 79}},
        {"end_to_end_per_second": 24.9},
        {"per_touchpoint": {"write_units": 16.0, "read_units": 5.85}},
        {"usd_per_million": 10.01},
        {"reading": {"slack": {"ratio": 30.1}}},
        {"units_by_history": {"10": 20.0, "10000": 20.5}},
    ],
)
def test_a_goal_that_is_missed_says_so(worse: dict[str, Any]) -> None:
    assert sum(not one.met for one in goals(FIGURES | worse)) == 1


def test_starts_are_medians_against_the_bare_one() -> None:
    rounds = [
        {BARE: (bare, bare), "profile_update": (ours, ours + 0.1)}
        for bare, ours in ((0.2, 0.3), (0.1, 0.3), (0.2, 0.9))
    ]
    starts = summarise(rounds)
    assert starts[BARE].ratio == 1
    assert starts["profile_update"].seconds == 0.3
    assert starts["profile_update"].ratio == pytest.approx(1.5)
    assert starts["profile_update"].lowest_ratio == pytest.approx(1.5)
    assert starts["profile_update"].highest_ratio == pytest.approx(4.5)
    assert starts["profile_update"].first_call_ratio == pytest.approx(2.0)


def test_an_intake_counts_what_was_accepted() -> None:
    load = Load(
        requests=100,
        touchpoints=200,
        accepted=50,
        seconds=10,
        latencies=[float(n) for n in range(1, 101)],
        providers={"segment": 100},
    )
    intake = intake_of(load)
    assert intake.per_second == 5
    assert intake.touchpoints_per_second == 10
    assert intake.median_ms == 50.5
    assert 95 <= intake.p95_ms <= 97


def test_an_account_without_streams_keeps_the_rest() -> None:
    template = {
        "Resources": {
            "mapping": {"Type": "AWS::Lambda::EventSourceMapping"},
            "table": {"Type": "AWS::DynamoDB::Table"},
        },
        "Outputs": {},
    }
    assert without_streams(template) == {
        "Resources": {"table": {"Type": "AWS::DynamoDB::Table"}},
        "Outputs": {},
    }
