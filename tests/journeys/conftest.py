"""The whole house on the synthesised template, in this process: an empty cloud for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from infra.local.synthesis import synthesised_template
from tests.journeys.agent import Agent


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """Synthesised once for a state of the source, whatever process asks."""
    return synthesised_template(print)


@pytest.fixture
def cloud(template: dict[str, Any]) -> Iterator[LocalCloud]:
    with LocalCloud(template, pace=0.01) as alive:
        yield alive


@pytest.fixture
def agent(cloud: LocalCloud) -> Agent:
    return Agent(cloud)
