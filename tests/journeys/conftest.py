"""The whole house on the synthesised template, in this process: an empty cloud for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from infra.local.synthesis import synthesised_template
from tests.journeys import chromium
from tests.journeys.agent import Agent
from tests.journeys.chromium import Browser, Page


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium.installed()
    if program is None:
        pytest.skip("NOT PROVEN HERE: the chat needs a browser, and there is no Chromium")
    with chromium.running(program) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone of a visitor who was never here. Nothing breaks in it, and the site's policy for
    content forbids nothing that the chat does.
    """
    shown = browser.page()
    shown.call(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=640,
        deviceScaleFactor=2,
        mobile=True,
    )
    yield shown
    assert shown.complaints() == []
    shown.close()
