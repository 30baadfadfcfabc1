"""The agents' API on the real tables: what fakes cannot show are the cursors and the keys."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from functions.agent_api import ports
from shared.domain.follow_up import FollowUpState
from shared.domain.model import ProfileId
from shared.domain.ticket import Ticket
from shared.events.catalogue import TicketOpened
from shared.ports.tickets import LogEntry
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.integration.conftest import Stores
from tests.unit.agent_api.client import AGENT, Client


@pytest.fixture
def client(stores: Stores) -> Client:
    world = World()
    world.clock.advance(timedelta(hours=1))
    client = Client(world)
    client.override(ports.ledger, stores.ledger)
    client.override(ports.profiles, stores.profiles)
    client.override(ports.tickets, stores.tickets)
    return client


def arrived(stores: Stores, n: int, whose: ProfileId) -> Ticket:
    """The n-th message of a profile, attached to it, and the ticket it opened."""
    said = builders.whatsapp_message(f"message {n}", at=NOON + timedelta(minutes=n))
    stores.ledger.record([builders.observed(said)])
    known = stores.profiles.known([whose]).profiles.get(whose)
    stores.profiles.attach(builders.profile_tie(said, profile=known))
    queue = ("orders", "billing", "technical")[n]
    ticket = builders.ticket(profile_id=whose, queue=queue, first=builders.word(said))
    event = TicketOpened(
        ticket_id=ticket.ticket_id,
        profile_id=whose,
        touchpoint_id=said.touchpoint_id,
        queue=queue,
        intent="refund",
        priority=ticket.priority,
        first_response_due_at=ticket.first_response.due_at,
        resolution_due_at=ticket.resolution.due_at,
    )
    stores.tickets.open(ticket, event, LogEntry(at=NOON, what="opened", by="policy"))
    return ticket


@pytest.fixture
def opened(stores: Stores) -> list[Ticket]:
    return [arrived(stores, n, builders.profile_id()) for n in range(3)]


def test_an_agent_finds_reads_takes_and_answers(
    stores: Stores, client: Client, opened: list[Ticket]
) -> None:
    (found,) = client.get("/v1/profiles", identifier="phone: 33612345678").body["items"]
    assert found["contacts"] == [{"direction": "inbound", "channel": "whatsapp", "number": 3}]
    assert found["last_contact_at"] == "2026-11-23T12:02:00Z"
    path = f"/v1/tickets/{opened[0].ticket_id}"
    taken = client.patch(path, status="open", assignee=AGENT, queue="care", version=1)
    assert (taken.status, taken.body["queue"]) == (200, "care")
    assert client.patch(path, priority="high", version=1).status == 409
    promised = client.post(f"{path}/replies", {"text": "Il arrive."}, idempotency_key="k")
    again = client.post(f"{path}/replies", {"text": "Il arrive."}, idempotency_key="k")
    assert (promised.status, again.body) == (202, promised.body)
    detail = client.get(path).body
    assert [one["what"] for one in detail["log"]] == ["opened", "edited"]
    assert [one["action"]["do"] for one in detail["follow_ups"]] == ["reply"]
    assert detail["touchpoint_ids"] == [opened[0].first.touchpoint_id]
    mine = client.get("/v1/tickets", assignee=AGENT).body["items"]
    assert [one["ticket_id"] for one in mine] == [opened[0].ticket_id]


def test_a_profile_keeps_one_open_ticket_in_a_queue(client: Client, opened: list[Ticket]) -> None:
    answer = client.patch(f"/v1/tickets/{opened[0].ticket_id}", queue="billing")
    assert answer.status == 409


def test_every_list_pages_to_its_end(client: Client, opened: list[Ticket]) -> None:
    whose = builders.profile_id()
    for ticket in opened:
        client.post(f"/v1/tickets/{ticket.ticket_id}/replies", {"text": "Bonjour"})
    for path, query in _lists(whose).items():
        seen: list[object] = []
        page = client.get(path, limit=1, **query)
        while page.body["cursor"] is not None:
            seen += page.body["items"]
            page = client.get(path, limit=1, cursor=page.body["cursor"], **query)
            assert page.status == 200
        assert len(seen + page.body["items"]) == 3, path


def _lists(whose: ProfileId) -> dict[str, dict[str, str]]:
    return {
        "/v1/tickets": {"profile": whose},
        "/v1/follow-ups": {"state": FollowUpState.SCHEDULED},
        f"/v1/profiles/{whose}/timeline": {},
        "/v1/touchpoints": {"state": "received"},
    }


def test_a_cursor_that_belongs_elsewhere(client: Client, opened: list[Ticket]) -> None:
    whose = builders.profile_id()
    lists = _lists(whose)
    for path, query in lists.items():
        other = "/v1/touchpoints" if path == "/v1/tickets" else "/v1/tickets"
        another_lists = client.get(other, limit=1, **lists[other]).body["cursor"]
        for cursor in (another_lists, "garbage", "\x00é", "W10="):
            answer = client.get(path, cursor=cursor, **query)
            assert (answer.status, answer.fields) == (400, ["cursor"]), (path, cursor)


@pytest.mark.parametrize("made_up", ["", "x", "\x00", "é" * 600, "\ud800"])
def test_a_cursor_that_was_made_up(client: Client, opened: list[Ticket], made_up: str) -> None:
    """DynamoDB takes no empty key and none that is too long, and none from outside the list."""
    whose = builders.profile_id()
    known = {
        "profile_id": whose,
        "trouble": "failed",
        "worklist": "follow_up/scheduled",
    }
    rest = ("made", "due", "timeline", "received_at", "touchpoint_id", "pk", "sk")
    lists = {
        f"/v1/profiles/{whose}/timeline": ("profile_id", "timeline", "touchpoint_id"),
        "/v1/touchpoints?state=failed": ("trouble", "received_at", "touchpoint_id"),
        "/v1/touchpoints?state=received": ("touchpoint_id",),
        f"/v1/tickets?profile={whose}": ("profile_id", "made", "pk", "sk"),
        "/v1/follow-ups?state=scheduled": ("worklist", "due", "pk", "sk"),
    }
    for where, names in lists.items():
        path, _, query = where.partition("?")
        key = {name: {"S": made_up if name in rest else known[name]} for name in names}
        cursor = urlsafe_b64encode(json.dumps(key).encode()).decode()
        answer = client.get(path, cursor=cursor[:2000], **dict(parse_qsl(query)))
        assert answer.status == 200 or answer.fields == ["cursor"], (where, answer.body)


def test_odd_values_find_nothing_and_break_nothing(client: Client) -> None:
    for odd in ("\x00", "é" * 60, "'; --", "x" * 64, "%00", "#"):
        assert client.get("/v1/tickets", assignee=odd).body["items"] == []
        assert client.get("/v1/tickets", profile=odd).body["items"] == []
        assert client.get("/v1/follow-ups", ticket=odd).body["items"] == []
        found = client.get("/v1/profiles", identifier=f"web_user:{odd}")
        assert found.status == 400 or found.body["items"] == []
