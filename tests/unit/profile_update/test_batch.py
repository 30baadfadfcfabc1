"""Touchpoints that were told of together: whatever hinders one, the others are tied."""

from functools import partial

import pytest

from functions.profile_update.logic.batch import update_batch
from functions.profile_update.logic.update import update_profile
from shared.domain.errors import Contention, NotFound, PasserelleError
from shared.domain.journey import BatchState, JourneyState
from shared.domain.model import TouchpointId
from shared.domain.touchpoint import Direction, PageView, Touchpoint, TouchpointState
from shared.events.catalogue import TouchpointsReceived
from shared.runtime import wiring
from tests.builders import identifier, observed, policies, profile_id, touchpoint
from tests.fakes import World

PAGE = PageView(name="Kettle", url="https://www.boutique.example/kettle")


def view(number: int) -> Touchpoint:
    return touchpoint(
        PAGE,
        key=f"view-{number}",
        direction=Direction.PASSIVE,
        identifiers=(identifier("+33612345678"),),
    )


def tie(world: World, touchpoint_ids: tuple[TouchpointId, ...]) -> int:
    update = partial(
        update_profile,
        ledger=world.ledger,
        profiles=world.profiles,
        consents=world.consents,
        policy=policies().identity,
        forms=wiring.identifier_forms(),
    )
    return update_batch(BatchState(touchpoint_ids=touchpoint_ids), update)


def test_all_of_a_request_are_tied_and_counted_once() -> None:
    world, views = World(), [view(number) for number in range(3)]
    world.ledger.record([observed(one) for one in views])
    (told,) = [one for one in world.events if isinstance(one, TouchpointsReceived)]
    assert told.touchpoint_ids == tuple(one.touchpoint_id for one in views)
    # An event may be delivered twice.
    assert [tie(world, told.touchpoint_ids) for _ in range(2)] == [3, 3]
    entries = [world.ledger.read(one) for one in told.touchpoint_ids]
    assert {one.state for one in entries if one} == {TouchpointState.PROCESSED}
    profile = world.profiles.read(profile_id())
    assert profile is not None
    assert sum(profile.contacts.values()) == 3


def test_one_that_cannot_be_tied_stops_no_other() -> None:
    world, seen = World(), view(1)
    world.ledger.record([observed(seen)])
    with pytest.raises(NotFound):
        tie(world, (TouchpointId("nobody-knows"), seen.touchpoint_id))
    entry = world.ledger.read(seen.touchpoint_id)
    assert entry is not None and entry.state is TouchpointState.PROCESSED


@pytest.mark.parametrize("passing", [Contention("later"), TimeoutError()])
@pytest.mark.parametrize("hopeless", [NotFound("gone"), ValueError("unreadable")])
def test_what_a_second_try_may_mend_rises_first(passing: Exception, hopeless: Exception) -> None:
    """The state machine tries again by the name of what rose."""
    errors: list[PasserelleError | Exception] = [hopeless, passing, hopeless]

    def update(state: JourneyState) -> None:
        assert state.attempt == 1
        raise errors[int(state.touchpoint_id)]

    with pytest.raises(type(passing)):
        update_batch(BatchState.model_validate({"touchpoint_ids": ["0", "1", "2"]}), update)
