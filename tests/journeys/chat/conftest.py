"""One cloud for all tests of a file: each test's visitor is somebody new."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.agent import Agent
from tests.journeys.chat.visitor import Visitor
from tests.journeys.chromium import Page


@pytest.fixture(scope="module")
def cloud(template: dict[str, Any]) -> Iterator[LocalCloud]:
    with LocalCloud(template, pace=0.01) as alive:
        yield alive


@pytest.fixture(scope="module")
def agent(cloud: LocalCloud) -> Agent:
    return Agent(cloud)


@pytest.fixture
def visitor(page: Page, cloud: LocalCloud) -> Visitor:
    return Visitor(page, cloud)
