"""What a segment asks for is told, even where nothing else of the profile changed."""

from datetime import timedelta
from typing import Any

import pytest

from functions.profile_update.logic.update import update_profile
from shared.domain.journey import JourneyState
from shared.domain.segment import SegmentPolicy
from shared.domain.touchpoint import Channel, Direction, Identification, PageView, TrackedEvent
from shared.events.catalogue import ProfileUpdated
from shared.runtime import wiring
from tests.builders import NOON, observed, policies, touchpoint, whatsapp_message
from tests.fakes import World

CART = {"event": {"name": "cart_abandoned", "within": "P1D"}}
QUIET = {"attribute": {"name": "since_last_contact", "at_least": "P90D"}}


@pytest.fixture
def world() -> World:
    return World()


def happens(world: World, content: Any, *rules: dict[str, Any], day: int = 0) -> list[str]:
    """What was told of the profile, of which there has been one since noon."""
    segments = SegmentPolicy.model_validate(
        {"segments": {f"s{n}": {"description": "x", "when": r} for n, r in enumerate(rules)}}
    )
    first = whatsapp_message(direction=Direction.PASSIVE)
    later = touchpoint(
        content,
        key=f"later-{day}",
        at=NOON + timedelta(days=day),
        direction=Direction.PASSIVE,
        channel=Channel.WEB,
    )
    for seen in (first, later):
        world.ledger.record([observed(seen)])
        update_profile(
            JourneyState(touchpoint_id=seen.touchpoint_id),
            ledger=world.ledger,
            profiles=world.profiles,
            consents=world.consents,
            policy=policies().identity,
            forms=wiring.identifier_forms(),
            segments=segments,
        )
    updates = [one for one in world.events if isinstance(one, ProfileUpdated)]
    return [one.change for one in updates if one.touchpoint_id == later.touchpoint_id]


def test_an_event_that_a_rule_names(world: World) -> None:
    assert happens(world, TrackedEvent(name="Cart Abandoned"), CART) == ["activity"]


def test_any_other_is_only_counted(world: World) -> None:
    assert happens(world, TrackedEvent(name="Cart Abandoned")) == []
    assert happens(World(), TrackedEvent(name="Video Watched"), CART) == []


def test_a_silence_that_ends(world: World) -> None:
    assert happens(world, PageView(), QUIET, day=90) == ["activity"]
    assert happens(World(), PageView(), QUIET, day=89) == []


def test_what_changes_more_is_told_as_that(world: World) -> None:
    said = Identification(traits={"plan": "gold"})
    assert happens(world, said, CART, {"event": {"name": "identification"}}) == ["traits"]
