"""People enter and leave segments: by event, by time alone, and when they become one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.segment_evaluation.logic import MOST_ROUNDS, SOONEST, Ports, evaluate_segments
from shared.domain.errors import Contention
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.identity_tie import TieKind, tie
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import Profile, Trait
from shared.domain.segment import (
    EvaluationRequest,
    Membership,
    SegmentPolicy,
    schedule_name,
)
from shared.domain.touchpoint import Channel, Direction, Purchase, Touchpoint, TrackedEvent
from shared.events.catalogue import SegmentEntered, SegmentExited
from shared.ports.profiles import GraphChange
from tests import builders
from tests.builders import NOON, identifier, observed, touchpoint, whatsapp_message
from tests.fakes import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PHONE = identifier()
EMAIL = identifier("awa@example.com", IdentifierType.EMAIL)
AWA, MAIL = PHONE.profile_id, EMAIL.profile_id

RULES: dict[str, Any] = {
    "abandoned_cart": {
        "all": [
            {"event": {"name": "cart_abandoned", "within": "P1D"}},
            {"not": {"event": {"name": "purchase", "after": "cart_abandoned"}}},
        ]
    },
    "losing_patience": {"event": {"name": "negative_touchpoint", "within": "P7D", "at_least": 2}},
    "gold": {"trait": {"name": "plan", "equals": "gold"}},
}


def policy(rules: dict[str, Any]) -> SegmentPolicy:
    segments = {name: {"description": name, "when": when} for name, when in rules.items()}
    return SegmentPolicy.model_validate({"segments": segments})


class Room:
    """The room with fakes around it, and one person in it."""

    def __init__(self, rules: dict[str, Any] = RULES) -> None:
        self.world = World()
        self.policy = policy(rules)
        self.world.profiles.put(person(PHONE))

    def ports(self) -> Ports:
        world = self.world
        return Ports(
            ledger=world.ledger,
            profiles=world.profiles,
            segments=world.segments,
            timer=world.timer,
            policy=self.policy,
            clock=world.clock,
        )

    def evaluate(self, **request: Any) -> int:
        request.setdefault("profile_id", AWA)
        return evaluate_segments(EvaluationRequest.model_validate(request), self.ports())

    def happens(self, seen: Touchpoint, whose: ProfileId = AWA) -> TouchpointId:
        """In the ledger, tied to its profile; nobody has looked yet."""
        self.world.ledger.record([observed(seen)])
        self.world.ledger.change(seen.touchpoint_id, profile_id=whose)
        return seen.touchpoint_id

    def cart(self, at: datetime = NOON) -> TouchpointId:
        return self.happens(passive(TrackedEvent(name="Cart Abandoned"), at))

    def purchase(self, at: datetime = NOON) -> TouchpointId:
        return self.happens(passive(Purchase(number="1", total="9.90", currency="EUR"), at))

    def fire(self) -> None:
        """What is due now."""
        for payload in self.world.timer.fire(self.world.clock.now()):
            evaluate_segments(EvaluationRequest.model_validate(payload), self.ports())

    def moves(self) -> list[str]:
        """As `+segment` and `-segment because`, in order."""
        return [
            f"+{one.segment}"
            if isinstance(one, SegmentEntered)
            else f"-{one.segment} {one.because}"
            for one in self.world.happened(SegmentEntered, SegmentExited)
            if isinstance(one, SegmentEntered | SegmentExited)
        ]

    def segments(self, profile_id: ProfileId = AWA) -> list[str]:
        return [one.segment for one in self.world.segments.memberships(profile_id)]


@pytest.fixture
def room() -> Room:
    return Room()


def person(of: Identifier, **fields: Any) -> Profile:
    known = {"profile_id": of.profile_id, "profile_ids": (of.profile_id,), "created_at": NOON}
    return Profile.model_validate(known | {"identifiers": (of,)} | fields)


def passive(content: Any, at: datetime) -> Touchpoint:
    return touchpoint(
        content,
        at=at,
        key=f"{content.kind}-{at.isoformat()}",
        direction=Direction.PASSIVE,
        channel=Channel.WEB,
    )


def gold(room: Room, plan: str = "gold") -> None:
    room.world.profiles.put(person(PHONE, traits={"plan": Trait(value=plan, at=NOON)}))


class TestAnAbandonedCart:
    def test_they_enter_with_the_reasons(self, room: Room) -> None:
        assert room.evaluate(touchpoint_id=room.cart()) == 1
        assert room.world.segments.memberships(AWA) == [
            Membership(
                profile_id=AWA,
                segment="abandoned_cart",
                since=NOON,
                reasons=("cart_abandoned within 1 day: 1", "purchase after cart_abandoned: 0"),
            )
        ]

    def test_they_leave_by_time_alone(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        room.world.clock.advance(DAY - HOUR)
        room.fire()
        assert room.segments() == ["abandoned_cart"]
        room.world.clock.advance(HOUR)
        room.fire()
        assert room.moves() == ["+abandoned_cart", "-abandoned_cart rule"]
        assert not room.world.timer.scheduled

    def test_they_leave_when_they_buy(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        room.evaluate(touchpoint_id=room.purchase(NOON + HOUR))
        assert room.moves() == ["+abandoned_cart", "-abandoned_cart rule"]

    def test_what_no_rule_names_is_not_kept(self, room: Room) -> None:
        other = room.happens(passive(TrackedEvent(name="Video Watched"), NOON))
        assert room.evaluate(touchpoint_id=other) == 0
        assert room.world.segments.states([AWA])[AWA].seen == {}

    def test_a_touchpoint_that_is_gone_or_nobodys(self, room: Room) -> None:
        assert room.evaluate(touchpoint_id="erased") == 0
        seen = passive(TrackedEvent(name="Cart Abandoned"), NOON)
        room.world.ledger.record([observed(seen)])
        assert room.evaluate(touchpoint_id=seen.touchpoint_id) == 0

    def test_somebody_who_is_gone(self, room: Room) -> None:
        assert room.evaluate(profile_id="erased") == 0
        assert room.evaluate(profile_id="") == 0

    @given(
        st.permutations(["cart", "cart", "purchase", "later cart", "trait"]),
        st.lists(st.sampled_from(["cart", "purchase", "later cart", "trait"]), max_size=4),
    )
    def test_any_order_and_any_repetition_end_the_same(
        self, order: list[str], again: list[str]
    ) -> None:
        room = Room()
        ids: dict[str, Callable[[], TouchpointId | None]] = {
            "cart": room.cart,
            "purchase": lambda: room.purchase(NOON + HOUR),
            "later cart": lambda: room.cart(NOON + 2 * HOUR),
            "trait": lambda: None,
        }
        for name in (*order, *again):
            room.evaluate(touchpoint_id=ids[name]())
        assert room.segments() == ["abandoned_cart"]
        moves = [move.split()[0][0] for move in room.moves()]
        assert moves == ["+", "-"] * (len(moves) // 2) + ["+"]
        (scheduled,) = room.world.timer.scheduled.values()
        assert scheduled[0] <= NOON + 2 * HOUR + DAY


class TestWords:
    def wrote(self, room: Room, *moods: str) -> None:
        """Each an hour after the other, as the profile keeps them once they are understood."""
        known = [
            {"at": NOON + n * HOUR, "score": 0, "sentiment": mood} for n, mood in enumerate(moods)
        ]
        room.world.profiles.put(person(PHONE, moods=known))
        seen = room.happens(whatsapp_message(key=f"wamid.{len(moods)}"))
        room.evaluate(touchpoint_id=seen, sentiment=moods[-1])

    def test_two_negative_ones_in_a_week(self, room: Room) -> None:
        self.wrote(room, "negative", "neutral")
        assert room.segments() == []
        self.wrote(room, "negative", "neutral", "negative")
        assert room.segments() == ["losing_patience"]
        room.world.clock.advance(7 * DAY)
        room.fire()
        assert room.moves() == ["+losing_patience", "-losing_patience rule"]

    @pytest.mark.parametrize("how", [{"sentiment": "negative"}, {"change": "language"}])
    def test_the_ledger_is_not_asked_where_nothing_can_be_named(
        self, room: Room, how: dict[str, str]
    ) -> None:
        def refuse(touchpoint_id: TouchpointId) -> None:
            raise AssertionError("the ledger was asked")

        room.world.ledger.read = refuse  # type: ignore[method-assign]  # a fake's own
        assert room.evaluate(touchpoint_id="t", **how) == 0

    def test_what_is_said_may_be_an_event_itself(self) -> None:
        room = Room({"wrote": {"event": {"name": "message", "within": "P1D"}}})
        self.wrote(room, "neutral")
        assert room.segments() == ["wrote"]


class TestTimers:
    def when(self, room: Room) -> datetime:
        at, payload = min(room.world.timer.scheduled.values(), key=lambda one: one[0])
        assert payload["profile_id"] == AWA
        return at

    def test_nobody_who_stays_has_one(self, room: Room) -> None:
        gold(room)
        room.evaluate()
        assert room.segments() == ["gold"]
        assert not room.world.timer.scheduled

    def test_it_is_for_the_first_change(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        assert self.when(room) == NOON + DAY

    def test_one_for_earlier_comes_first_and_one_for_later_is_not_set(self) -> None:
        room = Room(
            {
                "recently": {"event": {"name": "cart_abandoned", "within": "P2D"}},
                "at_once": {"event": {"name": "purchase", "within": "P1D"}},
            }
        )
        room.evaluate(touchpoint_id=room.cart())
        assert self.when(room) == NOON + 2 * DAY
        room.evaluate(touchpoint_id=room.purchase())
        assert self.when(room) == NOON + DAY
        room.evaluate(touchpoint_id=room.purchase(NOON + HOUR))
        assert self.when(room) == NOON + DAY
        room.world.clock.advance(DAY)
        room.fire()
        assert self.when(room) == NOON + DAY + HOUR
        assert room.segments() == ["at_once", "recently"]

    def test_what_is_due_at_once_is_a_little_ahead(self, room: Room) -> None:
        room.world.clock.advance(DAY)
        room.evaluate(touchpoint_id=room.cart(NOON + timedelta(seconds=1)))
        assert self.when(room) == NOON + DAY + SOONEST

    def test_fired_early_by_its_clock_it_is_on_time_by_ours(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        _, payload = room.world.timer.scheduled.pop(schedule_name(AWA, NOON + DAY))
        room.world.clock.advance(DAY - timedelta(seconds=2))
        evaluate_segments(EvaluationRequest.model_validate(payload), room.ports())
        assert room.segments() == []

    def test_fired_late_or_twice_it_does_no_harm(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        _, payload = room.world.timer.scheduled[schedule_name(AWA, NOON + DAY)]
        room.world.clock.advance(3 * DAY)
        for _ in range(2):
            evaluate_segments(EvaluationRequest.model_validate(payload), room.ports())
        assert room.moves() == ["+abandoned_cart", "-abandoned_cart rule"]

    def test_one_that_fired_in_vain_sets_the_next(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        room.evaluate(touchpoint_id=room.cart(NOON + HOUR))
        room.world.clock.advance(DAY)
        room.fire()
        assert room.segments() == ["abandoned_cart"]
        assert self.when(room) == NOON + DAY + HOUR

    def test_one_that_is_past_is_no_reason_to_wait(self, room: Room) -> None:
        room.evaluate(touchpoint_id=room.cart())
        room.world.timer.scheduled.clear()
        room.world.clock.advance(2 * DAY)
        room.evaluate(touchpoint_id=room.cart(NOON + 2 * DAY))
        assert self.when(room) == NOON + 3 * DAY


class TestRaces:
    def test_a_note_that_somebody_else_wrote_first_is_tried_again(self, room: Room) -> None:
        room.world.segments.contentions = MOST_ROUNDS - 2
        assert room.evaluate(touchpoint_id=room.cart()) == 1
        assert room.segments() == ["abandoned_cart"]
        assert room.world.segments.states([AWA])[AWA].next_at == NOON + DAY

    def test_in_the_end_it_is_left_to_a_later_try(self, room: Room) -> None:
        room.world.segments.contentions = MOST_ROUNDS
        with pytest.raises(Contention):
            room.evaluate(touchpoint_id=room.cart())

    def test_what_changed_while_it_wrote_is_seen(self, room: Room) -> None:
        """They became gold when it read, and were not any more when it wrote."""
        gold(room)
        enter = room.world.segments.enter

        def slowly(membership: Membership, event: SegmentEntered) -> bool:
            gold(room, "tin")
            return enter(membership, event)

        room.world.segments.enter = slowly  # type: ignore[method-assign,assignment]  # a fake's own
        room.evaluate()
        assert room.moves() == ["+gold", "-gold rule"]


class TestMerged:
    @pytest.fixture
    def two(self, room: Room) -> Room:
        """A cart of the phone's profile, gold of the mail's; not one person yet."""
        room.world.profiles.put(person(EMAIL, traits={"plan": Trait(value="gold", at=NOON)}))
        room.evaluate(touchpoint_id=room.cart())
        room.evaluate(profile_id=MAIL)
        return room

    def decide(self, room: Room, kind: TieKind, hour: int) -> None:
        ties = (tie(PHONE.key, EMAIL.key, kind, NOON + hour * HOUR, "agent:1"),)
        keys = frozenset({PHONE.key, EMAIL.key})
        graph = IdentityGraph(identifiers=keys, homes=keys, ties=ties)
        before = tuple(room.world.profiles.known([AWA]).graphs.values())
        after = settled(graph, builders.policies().identity)
        room.world.profiles.change_graph(GraphChange(before=before, after=after, event=None))

    def test_their_memberships_are_of_the_one_they_are_known_by(self, two: Room) -> None:
        self.decide(two, TieKind.MERGED, 1)
        two.evaluate(profile_ids=(MAIL, AWA))
        assert two.segments(AWA) == ["abandoned_cart", "gold"]
        assert two.segments(MAIL) == []
        assert two.moves() == ["+abandoned_cart", "+gold", "+gold", "-gold merged"]

    def test_any_event_of_either_brings_it_in_line(self, two: Room) -> None:
        self.decide(two, TieKind.MERGED, 1)
        two.evaluate(profile_id=MAIL)
        assert two.segments(AWA) == ["abandoned_cart", "gold"]
        assert two.segments(MAIL) == []

    def test_events_of_all_their_profiles_count_together(self, two: Room) -> None:
        self.decide(two, TieKind.MERGED, 1)
        bought = passive(Purchase(number="2", total="1", currency="EUR"), NOON + HOUR)
        two.evaluate(profile_id=MAIL, touchpoint_id=two.happens(bought, MAIL))
        assert two.segments(AWA) == ["gold"]

    def test_separated_each_has_its_own_again(self, two: Room) -> None:
        self.decide(two, TieKind.MERGED, 1)
        two.evaluate(profile_ids=(AWA, MAIL))
        self.decide(two, TieKind.SEPARATED, 2)
        two.evaluate(profile_id=None, profile_ids=(AWA, MAIL))
        assert two.segments(AWA) == ["abandoned_cart"]
        assert two.segments(MAIL) == ["gold"]


def test_a_segment_that_was_removed_lets_everybody_go(room: Room) -> None:
    gold(room)
    room.evaluate()
    room.policy = policy({})
    room.evaluate()
    assert room.moves() == ["+gold", "-gold removed"]
