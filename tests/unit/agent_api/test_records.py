"""What follows from a profile, and what runs between the person and the company."""

from datetime import timedelta

import pytest

from shared.domain.activity import counts_of
from shared.domain.profile import Mood
from shared.domain.records import record_of
from shared.domain.touchpoint import Appointment, Content, Direction, Order
from shared.ports.profiles import ProfileTie, RecordChange
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client

WHOSE = builders.profile_id()
PATH = f"/v1/profiles/{WHOSE}"
ORDER = Order(number="4512", status="shipped", version_at=NOON, total="64.80", currency="EUR")
APPOINTMENT = Appointment(number="A-1", status="kept", starts_at=NOON, place="Lyon")


@pytest.fixture
def known(world: World) -> World:
    """Told of an order and an appointment, an hour apart."""
    contents: tuple[Content, ...] = (ORDER, APPOINTMENT)
    for hours, content in enumerate(contents):
        tell(world, content, hours)
    world.clock.advance(timedelta(days=3))
    return world


def tell(world: World, content: Content, hours: int) -> None:
    at = NOON + timedelta(hours=hours)
    seen = builders.touchpoint(content, key=content.kind, direction=Direction.PASSIVE, at=at)
    record = record_of(seen)
    assert record is not None
    world.ledger.record([builders.observed(seen)])
    world.profiles.attach(
        ProfileTie(
            touchpoint=seen,
            home=builders.identifier(),
            profile=world.profiles.known([WHOSE]).profiles.get(WHOSE),
            graph_id=None,
            graph=None,
            traits={},
            finished=True,
            event=None,
            record=RecordChange(None, record),
            counts=counts_of(seen, record, None),
            time_zone="Europe/Paris" if hours == 0 else None,
        )
    )


def test_computed_attributes(known: World, client: Client) -> None:
    mood = Mood(at=NOON, score=-0.5, sentiment="negative")
    known.profiles.learn(WHOSE, mood.touchpoint_id, None, mood)
    body = client.get(PATH).body
    assert body["first_contact_at"] == "2026-11-23T12:00:00Z"
    assert body["last_contact_at"] == "2026-11-23T13:00:00Z"
    assert (body["days_since_last_contact"], body["days_since_last_use"]) == (2, None)
    assert (body["purchases"], body["spend"]) == (1, {"EUR": "64.80"})
    assert body["open_obligations"] == {"order": ["4512"]}
    assert body["sentiment"] == {"recent": -0.5, "before": None, "trend": "unknown"}
    assert body["time_zone"] == {"value": "Europe/Paris", "origin": "learned"}


def test_records(known: World, client: Client) -> None:
    listing = client.get(f"{PATH}/records").body
    assert [(one["kind"], one["number"]) for one in listing["items"]] == [
        ("appointment", "A-1"),
        ("order", "4512"),
    ]
    order = listing["items"][1]
    assert (order["status"], order["open"]) == ("shipped", True)
    assert order["details"] == {"total": "64.80 EUR"}
    assert order["version_at"] == "2026-11-23T12:00:00Z"
    assert listing["items"][0]["open"] is False
    assert client.get(f"/v1/touchpoints/{order['touchpoint_id']}").status == 200


def test_records_of_one_kind_and_in_pages(known: World, client: Client) -> None:
    (order,) = client.get(f"{PATH}/records", kind="order").body["items"]
    first = client.get(f"{PATH}/records", limit=1).body
    second = client.get(f"{PATH}/records", limit=1, cursor=first["cursor"]).body
    assert (second["items"], second["cursor"]) == ([order], None)
    assert client.get(f"{PATH}/records", kind="contract").body["items"] == []


def test_records_nobody_can_have(known: World, client: Client) -> None:
    assert client.get("/v1/profiles/nobody/records").status == 404
    strange = client.get(f"{PATH}/records", kind="promise")
    assert (strange.status, strange.fields) == (422, ["kind"])
    garbage = client.get(f"{PATH}/records", cursor="garbage")
    assert (garbage.status, garbage.fields) == (400, ["cursor"])
