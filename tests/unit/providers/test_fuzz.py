"""A short run of `make fuzz`: what must hold of any request at all (`tests/fuzz/laws.py`).

Nothing here is timed: what a body may cost is measured by `make fuzz` alone.
"""

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.providers.base import provider_names
from tests.fuzz import laws
from tests.fuzz.laws import Subject
from tests.fuzz.mutations import mutated, with_other_head
from tests.fuzz.work import REGRESSIONS, body_number, broken_by, regression, requests_of

BODIES = 100
each_provider = pytest.mark.parametrize("name", provider_names())


@each_provider
def test_whatever_is_made_of_a_request_is_read_or_malformed(name: str) -> None:
    subject = Subject.of(name)
    for number in range(BODIES):
        request, _ = body_number(name, number, seed=0)
        laws.check_read(subject, laws.read(subject, request))


@each_provider
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(draw=st.randoms(use_true_random=False))
def test_what_hypothesis_draws_is_read_or_malformed(name: str, draw: Random) -> None:
    """The same mutations, drawn by whoever can make a failing one smaller."""
    subject = Subject.of(name)
    request = mutated(draw.choice(requests_of(name)), draw)
    laws.check_read(subject, laws.read(subject, request))


@each_provider
def test_without_a_proof_whatever_comes_is_refused_and_nothing_breaks(name: str) -> None:
    subject = Subject.of(name)
    for number in range(BODIES // 3):
        request, draw = body_number(name, number, seed=0)
        laws.check_unproven(subject, request)
        laws.check_unproven(subject, with_other_head(request, draw))
        if (signed := laws.proven(subject, request)) is not None:
            laws.check_unproven(subject, with_other_head(signed, draw))


@pytest.mark.parametrize(
    "file", sorted(REGRESSIONS.glob("*.json")), ids=lambda file: str(file.stem)
)
def test_what_once_broke_something_no_longer_does(file: Path) -> None:
    name, request = regression(file)
    assert broken_by(Subject.of(name), request) is None
