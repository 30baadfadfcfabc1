from datetime import timedelta

import pytest

from functions.agent_api import ports
from shared.domain.model import ProfileId, TicketId
from shared.domain.ticket import Priority, Ticket, TicketStatus, record_agent_reply
from shared.events.catalogue import TicketChanged
from shared.ports.tickets import LogEntry
from tests import builders
from tests.builders import NOON
from tests.fake_tickets import FakeTicketStore
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client


def opened(world: World, n: int = 0, **overrides: object) -> Ticket:
    """The ticket of the n-th person, opened n minutes after noon."""
    said = builders.whatsapp_message(f"message {n}", at=NOON + timedelta(minutes=n))
    whose = ProfileId(f"profile-{n}")
    fields = {"profile_id": whose, "first": builders.word(said)} | overrides
    return world.tickets.put(builders.ticket(**fields))


def test_a_ticket_with_its_log_its_follow_ups_and_its_touchpoints(
    world: World, client: Client
) -> None:
    first = builders.whatsapp_message("Où est ma commande ?")
    second = builders.whatsapp_message("Alors ?", at=NOON + timedelta(minutes=5))
    elsewhere = builders.whatsapp_message("Merci", at=NOON + timedelta(minutes=6))
    last = builders.whatsapp_message("Toujours rien", at=NOON + timedelta(minutes=9))
    ticket = builders.ticket(first=builders.word(first), last=builders.word(last))
    world.tickets.put(ticket, LogEntry(at=NOON, what="opened", by="policy"))
    world.tickets.put_follow_up(builders.follow_up(ticket))
    for said, led_to in ((first, ticket.ticket_id), (second, ticket.ticket_id), (elsewhere, None)):
        world.ledger.record([builders.observed(said)])
        world.ledger.change(said.touchpoint_id, profile_id=ticket.profile_id)
        understood = builders.classification()
        world.ledger.record_outcome(builders.journey(said, understood=understood, ticket_id=led_to))
    world.ledger.record([builders.observed(last)])
    world.ledger.change(last.touchpoint_id, profile_id=ticket.profile_id)

    body = client.get(f"/v1/tickets/{ticket.ticket_id}").body
    assert body["touchpoint_ids"] == [
        first.touchpoint_id,
        second.touchpoint_id,
        last.touchpoint_id,
    ]
    assert body["number"] == ticket.number
    assert body["first_response"]["state"] == "active"
    assert body["due_at"] == "2026-11-23T16:00:00Z"
    assert [one["what"] for one in body["log"]] == ["opened"]
    assert [one["name"] for one in body["follow_ups"]] == ["still_working_on_it"]
    assert body["follow_ups"][0]["cancelled_by"] == ["agent_replied", "ticket_resolved"]


def test_a_reply_that_left_is_one_of_the_tickets_touchpoints(world: World, client: Client) -> None:
    ticket = opened(world)
    sent = builders.whatsapp_message("Il arrive", at=NOON + timedelta(minutes=3))
    world.ledger.record_sent(sent, ticket.profile_id)
    world.tickets.put_follow_up(builders.follow_up(ticket, touchpoint_id=sent.touchpoint_id))
    body = client.get(f"/v1/tickets/{ticket.ticket_id}").body
    assert body["touchpoint_ids"] == [sent.touchpoint_id]


def test_the_clocks_are_read_at_this_moment(world: World, client: Client) -> None:
    ticket = opened(world)
    world.clock.advance(timedelta(hours=5))
    body = client.get(f"/v1/tickets/{ticket.ticket_id}").body
    assert body["first_response"]["state"] == "missed"
    assert body["resolution"]["state"] == "active"


def test_no_such_ticket(client: Client) -> None:
    assert client.get("/v1/tickets/nothing").status == 404


def test_a_queue_shows_what_has_not_ended_by_what_is_due_next(world: World, client: Client) -> None:
    late, soon = opened(world, 2), opened(world, 1)
    opened(world, 3, status=TicketStatus.RESOLVED)
    opened(world, 4, queue="billing")
    items = client.get("/v1/tickets", queue="orders").body["items"]
    assert [one["ticket_id"] for one in items] == [soon.ticket_id, late.ticket_id]


def test_a_queue_pages(world: World, client: Client) -> None:
    for n in range(3):
        opened(world, n)
    first = client.get("/v1/tickets", queue="orders", limit=2).body
    second = client.get("/v1/tickets", queue="orders", limit=2, cursor=first["cursor"]).body
    seen = [one["profile_id"] for one in first["items"] + second["items"]]
    assert seen == ["profile-0", "profile-1", "profile-2"]
    assert second["cursor"] is None


@pytest.mark.parametrize("status", [TicketStatus.OPEN, TicketStatus.RESOLVED])
def test_a_queue_by_status(world: World, client: Client, status: TicketStatus) -> None:
    for n, one in enumerate(TicketStatus):
        opened(world, n, status=one)
    items = client.get("/v1/tickets", queue="orders", status=status).body["items"]
    assert [one["status"] for one in items] == [status]


def test_a_filter_looks_on_until_it_finds_something(world: World, client: Client) -> None:
    for n in range(5):
        opened(world, n)
    wanted = opened(world, 5, status=TicketStatus.OPEN)
    body = client.get("/v1/tickets", queue="orders", status="open", limit=1).body
    assert [one["ticket_id"] for one in body["items"]] == [wanted.ticket_id]


def test_a_filter_gives_up_after_ten_pages_and_says_where_to_go_on(
    world: World, client: Client
) -> None:
    for n in range(12):
        opened(world, n)
    wanted = opened(world, 12, status=TicketStatus.OPEN)
    first = client.get("/v1/tickets", queue="orders", status="open", limit=1).body
    assert first["items"] == []
    assert first["cursor"] is not None
    again = client.get(
        "/v1/tickets", queue="orders", status="open", limit=1, cursor=first["cursor"]
    ).body
    assert [one["ticket_id"] for one in again["items"]] == [wanted.ticket_id]


def test_tickets_of_an_assignee_and_of_a_profile(world: World, client: Client) -> None:
    mine = opened(world, 1, assignee=AGENT)
    opened(world, 2, assignee="agent-8")
    for query in ({"assignee": AGENT}, {"profile": "profile-1"}):
        items = client.get("/v1/tickets", **query).body["items"]
        assert [one["ticket_id"] for one in items] == [mine.ticket_id]
    both = client.get("/v1/tickets", assignee=AGENT, queue="billing")
    assert both.body == {"items": [], "cursor": None}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({}, 400, "queue"),
        ({"status": "open"}, 400, "queue"),
        ({"queue": "nowhere"}, 400, "queue"),
        ({"queue": ""}, 422, "queue"),
        ({"profile": ""}, 422, "profile"),
        ({"assignee": ""}, 422, "assignee"),
        ({"queue": "orders", "status": "lost"}, 422, "status"),
        ({"queue": "orders", "limit": "0"}, 422, "limit"),
        ({"queue": "orders", "cursor": "garbage"}, 400, "cursor"),
    ],
)
def test_a_query_that_breaks_a_rule(
    client: Client, query: dict[str, str], status: int, field: str
) -> None:
    answer = client.get("/v1/tickets", **query)
    assert (answer.status, answer.fields) == (status, [field])


def test_an_agent_takes_a_ticket(world: World, client: Client) -> None:
    ticket = opened(world)
    path = f"/v1/tickets/{ticket.ticket_id}"
    answer = client.patch(path, status="open", assignee=AGENT, priority="urgent", version=1)
    assert answer.status == 200
    assert answer.body["version"] == 2
    saved = world.tickets.read(ticket.ticket_id)
    assert saved is not None
    assert (saved.status, saved.assignee) == (TicketStatus.OPEN, AGENT)
    assert saved.priority is Priority.URGENT
    # Noon is 13:00 in Paris, and the lunch break lasts until 13:30.
    assert saved.first_response.due_at == NOON + timedelta(hours=1, minutes=30)
    (event,) = world.happened(TicketChanged)
    assert isinstance(event, TicketChanged)
    assert (event.change, event.version, event.priority) == ("edited", 2, "urgent")
    (entry,) = world.tickets.log(ticket.ticket_id)
    assert entry.by == f"agent:{AGENT}"
    assert entry.detail["status"] == {"from": "new", "to": "open"}
    assert "queue" not in entry.detail


def test_an_agent_resolves_and_reopens(world: World, client: Client) -> None:
    ticket = opened(world)
    path = f"/v1/tickets/{ticket.ticket_id}"
    assert client.patch(path, status="resolved").body["resolved_at"] == "2026-11-23T12:00:00Z"
    assert client.patch(path, status="open").body["resolved_at"] is None
    changes = [e.change for e in world.happened(TicketChanged) if isinstance(e, TicketChanged)]
    assert changes == ["resolved", "edited"]


def test_an_agent_gives_a_ticket_back_and_to_another_queue(world: World, client: Client) -> None:
    ticket = opened(world, assignee=AGENT)
    body = client.patch(f"/v1/tickets/{ticket.ticket_id}", assignee=None, queue="billing").body
    assert (body["assignee"], body["queue"]) == (None, "billing")


def test_an_edit_that_changes_nothing_writes_nothing(world: World, client: Client) -> None:
    ticket = opened(world)
    answer = client.patch(f"/v1/tickets/{ticket.ticket_id}", status="new", priority="normal")
    assert (answer.status, answer.body["version"]) == (200, 1)
    assert world.events == []


def test_a_stale_version(world: World, client: Client) -> None:
    ticket = opened(world, version=3)
    answer = client.patch(f"/v1/tickets/{ticket.ticket_id}", status="open", version=2)
    assert answer.status == 409
    assert "version 3" in answer.body["detail"]
    assert world.tickets.read(ticket.ticket_id) == ticket


def test_a_closed_ticket_stays_closed(world: World, client: Client) -> None:
    ticket = opened(world, status=TicketStatus.CLOSED)
    for change in ({"status": "open"}, {"assignee": AGENT}):
        assert client.patch(f"/v1/tickets/{ticket.ticket_id}", **change).status == 409


def test_no_ticket_becomes_new_again(world: World, client: Client) -> None:
    ticket = opened(world, status=TicketStatus.OPEN)
    assert client.patch(f"/v1/tickets/{ticket.ticket_id}", status="new").status == 409


def test_a_profile_keeps_one_open_ticket_in_a_queue(world: World, client: Client) -> None:
    orders = opened(world)
    opened(world, queue="billing")
    answer = client.patch(f"/v1/tickets/{orders.ticket_id}", queue="billing")
    assert answer.status == 409
    resolved = world.tickets.put(
        builders.ticket(profile_id=ProfileId("profile-0"), sequence=2, status=TicketStatus.RESOLVED)
    )
    assert client.patch(f"/v1/tickets/{resolved.ticket_id}", status="open").status == 409


class WithAColleague(FakeTicketStore):
    """Whenever a ticket is read, somebody else has answered before it is written."""

    def read(self, ticket_id: TicketId) -> Ticket | None:
        found = super().read(ticket_id)
        if found is not None:
            self.save(record_agent_reply(found, NOON), found, None)
        return found


def test_somebody_else_writes_at_the_same_moment(client: Client) -> None:
    tickets = WithAColleague()
    ticket = tickets.put(builders.ticket())
    client.override(ports.tickets, tickets)
    assert client.patch(f"/v1/tickets/{ticket.ticket_id}", assignee=AGENT).status == 409


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({}, 400, "body"),
        ({"version": 1}, 400, "body"),
        ({"queue": "nowhere"}, 400, "queue"),
        ({"status": "lost"}, 422, "status"),
        ({"priority": "top"}, 422, "priority"),
        ({"assignee": ""}, 422, "assignee"),
        ({"version": 0, "status": "open"}, 422, "version"),
        ({"owner": "me"}, 422, "owner"),
    ],
)
def test_an_edit_that_breaks_a_rule(
    world: World, client: Client, fields: dict[str, object], status: int, field: str
) -> None:
    ticket = opened(world)
    answer = client.patch(f"/v1/tickets/{ticket.ticket_id}", **fields)
    assert (answer.status, answer.fields) == (status, [field])
    assert world.events == []


def test_an_edit_of_nothing(client: Client) -> None:
    assert client.patch("/v1/tickets/nothing", status="open").status == 404
