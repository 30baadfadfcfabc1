"""For all tests. Unit tests open no socket: what they need of the world is in tests/fakes.py."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import disable_socket, enable_socket

settings.register_profile("house", deadline=None, max_examples=300 if "PROVE" in os.environ else 50)
settings.load_profile("house")
"""No test judges by the clock: a busy machine is no failure. Each run draws other examples."""

_UNIT = Path(__file__).parent / "unit"


@pytest.fixture(autouse=True)
def _sockets_are_for_other_tests(request: pytest.FixtureRequest) -> None:
    """Off in tests/unit, on elsewhere."""
    if request.path.is_relative_to(_UNIT):
        disable_socket(allow_unix_socket=True)
    else:
        enable_socket()
