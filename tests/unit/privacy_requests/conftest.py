"""A world, the fakes of privacy beside it, and the state machine's loop in a few lines."""

from collections.abc import Callable
from functools import partial

import pytest

from functions.privacy_requests.logic.steps import Next, Ports, StepRequest
from tests.builders import policies
from tests.fake_privacy import FakePersonalData, FakePrivacyRequests
from tests.fakes import FakeSecrets, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def requests(world: World) -> FakePrivacyRequests:
    return FakePrivacyRequests(world.events)


@pytest.fixture
def data(requests: FakePrivacyRequests) -> FakePersonalData:
    return FakePersonalData(requests)


@pytest.fixture
def ports(world: World, requests: FakePrivacyRequests, data: FakePersonalData) -> Ports:
    return Ports(
        requests=requests,
        data=data,
        ledger=world.ledger,
        profiles=world.profiles,
        tickets=world.tickets,
        consents=world.consents,
        secrets=FakeSecrets({"privacy": {"key": "k"}}),
        policy=policies().identity,
        clock=world.clock,
    )


Run = Callable[..., Next]


def step(name: str, *, run: str = "run-1", attempt: int = 1, **ids: str) -> StepRequest:
    return StepRequest(step=name, run=run, attempt=attempt, **ids)


erasure_step = partial(step, erasure_id="e1")
export_step = partial(step, export_id="x1")
