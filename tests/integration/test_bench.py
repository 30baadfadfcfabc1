"""`make bench` in small: it runs, and its JSON object holds what it promises."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from infra.local.synthesis import ROOT
from shared.providers.base import provider_names
from tests.bench.traffic import Kind

pytestmark = pytest.mark.skipif("PROVE" not in os.environ, reason="takes a minute: make prove")

FUNCTIONS = {
    "webhook_intake",
    "event_publishing",
    "profile_update",
    "ai_classification",
    "ticket_creation",
    "follow_up_scheduling",
    "follow_up_delivery",
    "agent_api",
}


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_function_starts(figures: dict[str, Any]) -> None:
    assert set(figures["init_ratio"]) == FUNCTIONS
    assert min(figures["init_ratio"].values()) > 0


def test_the_intake_and_the_journeys_have_a_pace(figures: dict[str, Any]) -> None:
    assert set(figures["intake"]) == {"per_second", "p95_ms"}
    assert min(figures["intake"].values()) > 0
    assert figures["end_to_end_per_second"] > 0


def test_each_provider_has_its_cost_of_reading(figures: dict[str, Any]) -> None:
    assert set(figures["reading"]) == set(provider_names())
    assert min(one["ratio"] for one in figures["reading"].values()) > 0


def test_a_touchpoint_has_its_cost(figures: dict[str, Any]) -> None:
    assert {"write_units", "read_units", "aws_calls", "transitions", "gb_seconds"} <= set(
        figures["per_touchpoint"]
    )
    assert min(figures["per_touchpoint"].values()) > 0
    assert set(figures["by_kind"]) == set(Kind)
    by_service = figures["usd_per_million_by_service"]
    assert sum(by_service.values()) == pytest.approx(figures["usd_per_million"], abs=0.01)
    assert figures["usd_per_million"] > figures["floor_usd_per_million"]["in_batch"]


def test_what_leads_to_more_costs_more(figures: dict[str, Any]) -> None:
    costs = {kind: one["usd_per_million"] for kind, one in figures["by_kind"].items()}
    assert costs[Kind.PASSIVE_SINGLE] < costs[Kind.MESSAGE_THAT_JOINS]
    assert costs[Kind.MESSAGE_THAT_JOINS] < costs[Kind.MESSAGE_THAT_OPENS]


def test_a_long_history_costs_no_more_than_a_short_one(figures: dict[str, Any]) -> None:
    """Units are counted, so even in small the figure is the true one."""
    assert set(figures["units_by_history"]) == {"10", "10000"}
    assert figures["units_by_history"]["10"] == figures["units_by_history"]["10000"] > 0


def test_every_goal_is_judged(figures: dict[str, Any]) -> None:
    assert len(figures["goals"]) == len(FUNCTIONS) + 7
    assert all(isinstance(one["met"], bool) for one in figures["goals"])
