"""The segment store keeps what its port promises, on moto and on DynamoDB Local alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from shared.adapters import dynamo
from shared.adapters.segments import DynamoSegmentStore
from shared.domain.errors import Contention, InvalidInput
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import LearnedLanguage
from shared.domain.segment import MOST_KEPT, Membership, SegmentState
from shared.events.catalogue import ProfileUpdated, SegmentEntered, SegmentExited
from tests.builders import NOON
from tests.integration.conftest import Stores

AWA, BEN = ProfileId("awa"), ProfileId("ben")
HOUR = timedelta(hours=1)
ENTERED = SegmentEntered(profile_id=AWA, segment="gold")
EXITED = SegmentExited(profile_id=AWA, segment="gold", because="rule")


@pytest.fixture
def segments(stores: Stores) -> DynamoSegmentStore:
    return DynamoSegmentStore(stores.client, stores.names["profiles"])


@pytest.fixture
def real_segments(real_stores: Stores) -> DynamoSegmentStore:
    return DynamoSegmentStore(real_stores.client, real_stores.names["profiles"])


def membership(profile_id: ProfileId = AWA, segment: str = "gold") -> Membership:
    reasons = ("plan is gold",)
    return Membership(profile_id=profile_id, segment=segment, since=NOON, reasons=reasons)


def state(segments: DynamoSegmentStore, profile_id: ProfileId = AWA) -> SegmentState:
    return segments.states([profile_id])[profile_id]


def event(stores: Stores, segment: str = "gold") -> Any:
    """What the membership's item carries into the stream."""
    key = dynamo.attributes({"pk": f"profile#{AWA}", "sk": f"segment#{segment}"})
    found = stores.client.get_item(TableName=stores.names["profiles"], Key=key)
    return dynamo.plain(found["Item"])["event"]


class TestActivity:
    def test_of_nobody_there_is_none(self, segments: DynamoSegmentStore) -> None:
        assert segments.states([BEN, AWA]) == {BEN: SegmentState(), AWA: SegmentState()}

    def test_it_is_kept_once_for_each_touchpoint(self, segments: DynamoSegmentStore) -> None:
        for touchpoint, name in (("t1", "cart"), ("t2", "cart"), ("t1", "cart"), ("t1", "カート")):
            segments.remember(AWA, name, NOON, TouchpointId(touchpoint))
        assert state(segments).seen == {
            "cart": {"t1": NOON, "t2": NOON},
            "カート": {"t1": NOON},
        }
        assert state(segments, BEN).seen == {}

    def test_of_each_name_the_newest_whatever_comes_first(
        self, segments: DynamoSegmentStore
    ) -> None:
        hours = list(range(MOST_KEPT + 5))
        Random(7).shuffle(hours)
        segments.remember(AWA, "review", NOON, TouchpointId("r"))
        for hour in [*hours, *hours[:3]]:
            segments.remember(AWA, "cart", NOON + hour * HOUR, TouchpointId(f"t{hour}"))
        newest = {f"t{hour}": NOON + hour * HOUR for hour in range(5, MOST_KEPT + 5)}
        assert state(segments).seen == {"cart": newest, "review": {"r": NOON}}

    def test_nothing_is_lost_between_two_who_write_at_once(
        self, real_segments: DynamoSegmentStore
    ) -> None:
        def remember(number: int) -> None:
            for _ in range(20):
                try:
                    at = NOON + number * HOUR
                    return real_segments.remember(AWA, "cart", at, TouchpointId(f"t{number}"))
                except Contention:
                    continue
            raise AssertionError("never got through")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(remember, range(MOST_KEPT + 20)))
        kept = state(real_segments).seen["cart"]
        assert set(kept) == {f"t{number}" for number in range(20, MOST_KEPT + 20)}


class TestMemberships:
    def test_one_enters_once(self, stores: Stores, segments: DynamoSegmentStore) -> None:
        assert segments.enter(membership(), ENTERED) is True
        assert segments.enter(membership(), ENTERED) is False
        assert segments.memberships(AWA) == [membership()]
        assert state(segments).segments == {"gold"}
        assert event(stores) == ENTERED.carried()

    def test_one_leaves_once_and_may_come_back(
        self, stores: Stores, segments: DynamoSegmentStore
    ) -> None:
        assert segments.leave(AWA, "gold", NOON, EXITED) is False
        assert state(segments) == SegmentState()
        segments.enter(membership(), ENTERED)
        assert segments.leave(AWA, "gold", NOON, EXITED) is True
        assert segments.leave(AWA, "gold", NOON, EXITED) is False
        assert segments.memberships(AWA) == []
        assert segments.members("gold").items == []
        assert state(segments).segments == set()
        assert event(stores) == EXITED.carried()
        assert segments.enter(membership(), ENTERED) is True
        assert event(stores) == ENTERED.carried()
        assert segments.members("gold").items == [membership()]

    def test_of_many_who_move_at_once_one_does(self, real_segments: DynamoSegmentStore) -> None:
        def enter(_: int) -> bool:
            for _ in range(50):
                try:
                    return real_segments.enter(membership(), ENTERED)
                except Contention:
                    continue
            raise AssertionError("never got through")

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(enter, range(16))) == [False] * 15 + [True]

    def test_members_come_in_pages(self, segments: DynamoSegmentStore) -> None:
        everybody = [membership(ProfileId(f"p{number}")) for number in range(5)]
        for one in everybody:
            segments.enter(one, ENTERED)
        segments.enter(membership(AWA, "other"), ENTERED)
        found, cursor = [], None
        while True:
            page = segments.members("gold", limit=2, cursor=cursor)
            found += page.items
            if (cursor := page.cursor) is None:
                break
            assert len(page.items) == 2
        assert found == everybody
        assert segments.members("none").items == []

    def test_a_cursor_of_another_list_is_refused(self, segments: DynamoSegmentStore) -> None:
        for number in range(3):
            segments.enter(membership(ProfileId(f"p{number}")), ENTERED)
        cursor = segments.members("gold", limit=1).cursor
        for wrong in ("garbage", cursor):
            with pytest.raises(InvalidInput):
                segments.members("other", cursor=wrong)


class TestTheNextTimer:
    def test_it_is_replaced_by_who_read_it(self, segments: DynamoSegmentStore) -> None:
        segments.expect(AWA, NOON, None)
        assert state(segments).next_at == NOON
        with pytest.raises(Contention):
            segments.expect(AWA, NOON + HOUR, None)
        with pytest.raises(Contention):
            segments.expect(AWA, NOON + HOUR, NOON - HOUR)
        segments.expect(AWA, NOON + HOUR, NOON)
        assert state(segments).next_at == NOON + HOUR

    def test_it_stands_beside_what_was_seen(self, segments: DynamoSegmentStore) -> None:
        segments.remember(AWA, "cart", NOON, TouchpointId("t"))
        segments.expect(AWA, NOON, None)
        segments.enter(membership(), ENTERED)
        assert state(segments) == SegmentState(
            seen={"cart": {TouchpointId("t"): NOON}}, segments=frozenset({"gold"}), next_at=NOON
        )


def test_another_language_carries_its_event_and_the_same_again_none(stores: Stores) -> None:
    event = ProfileUpdated(profile_id=AWA, touchpoint_id=TouchpointId("t"), change="language")
    profile = {"pk": f"profile#{AWA}", "sk": "profile", "created_at": "2026-11-23T12:00:00Z"}
    stores.client.put_item(TableName=stores.names["profiles"], Item=dynamo.attributes(profile))

    def told(hour: int, language: str) -> bool:
        id_ = TouchpointId(f"hour-{hour}")
        learned = LearnedLanguage(touchpoint_id=id_, language=language, at=NOON + hour * HOUR)
        stores.profiles.learn(AWA, id_, learned, None, event)
        key = dynamo.attributes({"pk": f"profile#{AWA}", "sk": "learned"})
        found = stores.client.get_item(TableName=stores.names["profiles"], Key=key)
        carried = dynamo.plain(found["Item"]).get("event")
        assert carried in (None, event.carried())
        return carried is not None

    assert [told(1, "fr"), told(2, "fr"), told(3, "en"), told(2, "fr"), told(4, "fr")] == [
        True,
        False,
        True,
        True,
        True,
    ]
