import pytest

from tests.fakes import World
from tests.unit.agent_api.client import Client


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)
