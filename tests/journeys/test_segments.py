"""Segments live: people enter by what they do, and leave by what they do or by time alone."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.webhooks import segment_batch, whatsapp

SEGMENT = "abandoned_cart"
USER = "u-7"
ANGRY = "C'est inadmissible, je suis furieuse, votre service est nul"


class Shop:
    """A site whose Segment library speaks of one signed-in person, and an agent who looks on."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        token = json.loads(cloud.get("/_local/token").body)["token"]
        self._headers = {"authorization": f"Bearer {token}"}
        self._calls = 0

    def tracks(self, event: str, **properties: Any) -> None:
        self._calls += 1
        call = {
            "type": "track",
            "userId": USER,
            "event": event,
            "properties": properties,
            "messageId": f"call-{self._calls}",
            "timestamp": self.cloud.clock.now().isoformat(),
        }
        for _ in range(2):
            assert self.cloud.receive(segment_batch(self.cloud, [call])).status == 200
        self.cloud.settle()

    def get(self, path: str) -> Any:
        answer = self.cloud.get(path, self._headers)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def person(self, identifier: str) -> str:
        (found,) = self.get(f"/v1/profiles?identifier={quote(identifier)}")["items"]
        return str(found["profile_id"])

    def members(self, segment: str = SEGMENT) -> list[str]:
        return [one["profile_id"] for one in self.get(f"/v1/segments/{segment}/members")["items"]]

    def moves(self) -> list[tuple[str, str]]:
        """What the bus heard, in order."""
        kinds = {"SegmentEntered", "SegmentExited"}
        return [
            (one["detail-type"], one["detail"]["data"]["segment"])
            for one in self.cloud.events
            if one["detail-type"] in kinds
        ]


@pytest.fixture
def shop(cloud: LocalCloud) -> Shop:
    return Shop(cloud)


ENTERED, EXITED = ("SegmentEntered", SEGMENT), ("SegmentExited", SEGMENT)


def test_a_cart_is_left_and_a_day_goes_by(shop: Shop) -> None:
    shop.tracks("Product Added", sku="kettle-17")
    assert shop.members() == []
    shop.tracks("Cart Abandoned", cart_id="1")
    person = shop.person(f"web_user:shop-web:{USER}")
    assert shop.members() == [person]
    (membership,) = shop.get(f"/v1/profiles/{person}/segments")["items"]
    assert membership["segment"] == SEGMENT
    assert membership["reasons"][0] == "cart_abandoned within 1 day: 1"

    shop.cloud.advance(timedelta(hours=23))
    assert shop.members() == [person]
    shop.cloud.advance(timedelta(hours=2))
    assert shop.members() == []
    assert shop.moves() == [ENTERED, EXITED]
    assert not [one for one in shop.cloud.timers.waiting() if one.name.startswith("segments-")]


def test_a_cart_is_left_and_bought_after_all(shop: Shop) -> None:
    shop.tracks("Cart Abandoned", cart_id="1")
    shop.cloud.advance(timedelta(hours=1))
    shop.tracks("Order Completed", order_id="A-1", revenue=64.8, currency="EUR")
    assert shop.members() == []
    assert shop.moves() == [ENTERED, EXITED]
    # The timer of the first day fires, and finds nobody to move.
    shop.cloud.advance(timedelta(days=2))
    assert shop.moves() == [ENTERED, EXITED]
    shop.tracks("Cart Abandoned", cart_id="2")
    assert shop.moves() == [ENTERED, EXITED, ENTERED]


def test_two_angry_messages_in_a_week(shop: Shop) -> None:
    phone = "+33612345678"
    for key in ("one", "two"):
        now = shop.cloud.clock.now()
        call = whatsapp(shop.cloud, ANGRY, phone=phone, key=key, at=now)
        assert shop.cloud.receive(call).status == 200
        shop.cloud.settle()
        shop.cloud.advance(timedelta(days=2))
    person = shop.person(f"phone:{phone}")
    assert shop.members("losing_patience") == [person]
    shop.cloud.advance(timedelta(days=4))
    assert shop.members("losing_patience") == []
    exported = shop.cloud.get("/v1/segments/losing_patience/export", shop._headers)
    assert (exported.status, exported.body) == (200, b"")
