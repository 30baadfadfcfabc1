"""What a write stated reaches the bus: once for each fact, and under an id that a repeat shares."""

from datetime import timedelta
from typing import Any

import pytest

from functions.event_publishing.logic import Change, publish_events
from shared.domain.model import ProfileId, TicketId
from shared.events.catalogue import TicketChanged, TouchpointReceived
from shared.events.envelope import Envelope, Event
from tests.builders import NOON, whatsapp_message
from tests.fakes import FakeBus

RECEIVED = TouchpointReceived(
    touchpoint_id=whatsapp_message().touchpoint_id,
    provider="whatsapp_cloud",
    channel="whatsapp",
    kind="message",
)


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


def change(number: int, after: Event | None, before: Event | None = None) -> Change:
    return Change(
        change_id=f"change-{number}",
        sequence_number=str(number),
        at=NOON + timedelta(seconds=number),
        before=before.carried() if before else {},
        after=after.carried() if after else {},
    )


def ticket_changed(version: int) -> TicketChanged:
    return TicketChanged(
        ticket_id=TicketId("t-1"),
        profile_id=ProfileId("p-1"),
        queue="orders",
        status="open",
        priority="high",
        change="customer_wrote",
        version=version,
    )


def details(bus: FakeBus) -> list[Envelope]:
    return [Envelope.model_validate(detail) for _, detail in bus.published]


def test_an_event_travels_under_its_name_in_its_envelope(bus: FakeBus) -> None:
    assert publish_events([change(1, RECEIVED)], bus=bus) == []
    ((name, _),) = bus.published
    (envelope,) = details(bus)
    assert name == "TouchpointReceived"
    assert TouchpointReceived.model_validate(envelope.data) == RECEIVED
    assert envelope.metadata.at == NOON + timedelta(seconds=1)


def test_a_write_that_states_nothing_publishes_nothing(bus: FakeBus) -> None:
    assert publish_events([change(1, None), change(2, None, before=RECEIVED)], bus=bus) == []
    assert len(bus) == 0


def test_a_write_that_leaves_the_event_as_it_was_states_nothing_new(bus: FakeBus) -> None:
    """A delivery counter goes up beside an event that left long ago."""
    assert publish_events([change(1, RECEIVED, before=RECEIVED)], bus=bus) == []
    assert len(bus) == 0


def test_a_second_fact_of_the_same_kind_is_a_second_event(bus: FakeBus) -> None:
    changes = [change(1, ticket_changed(2)), change(2, ticket_changed(3), ticket_changed(2))]
    publish_events(changes, bus=bus)
    assert [one.data["version"] for one in details(bus)] == [2, 3]


def test_events_leave_in_the_order_of_their_writes(bus: FakeBus) -> None:
    publish_events([change(n, ticket_changed(n)) for n in range(1, 26)], bus=bus)
    assert [one.data["version"] for one in details(bus)] == list(range(1, 26))


def test_cw_13261_the_same_write_gives_the_same_event_id_however_often(bus: FakeBus) -> None:
    publish_events([change(1, RECEIVED)], bus=bus)
    publish_events([change(1, RECEIVED)], bus=bus)
    first, second = details(bus)
    assert first == second


def test_two_writes_of_equal_events_have_ids_of_their_own(bus: FakeBus) -> None:
    publish_events([change(1, RECEIVED), change(2, RECEIVED)], bus=bus)
    first, second = details(bus)
    assert first.metadata.event_id != second.metadata.event_id


class Choosy(FakeBus):
    """Refuses the events of some writes."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self._refused = refused

    def _publish(self, detail_type: str, detail: Any) -> bool:
        if detail["data"]["version"] in self._refused:
            return False
        return super()._publish(detail_type, detail)


def test_what_the_bus_did_not_take_is_named_so_that_it_comes_again() -> None:
    changes = [change(1, None), *(change(n, ticket_changed(n)) for n in range(2, 6))]
    bus = Choosy(3, 5)
    assert publish_events(changes, bus=bus) == ["3", "5"]
    assert [one.data["version"] for one in details(bus)] == [2, 4]


def test_an_empty_batch_is_nothing(bus: FakeBus) -> None:
    assert publish_events([], bus=bus) == []
