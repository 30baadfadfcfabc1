"""POST /v1/tickets/{id}/replies: what an agent says is promised once, and bound to its endpoint."""

import pytest

from shared.domain.disclosure import GAP, TEMPLATE
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.model import ProfileId
from shared.domain.ticket import Ticket, TicketStatus
from shared.domain.touchpoint import Touchpoint, Writer
from shared.events.catalogue import FollowUpScheduled
from tests import builders
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client


@pytest.fixture
def said(world: World) -> Touchpoint:
    return heard(world, builders.whatsapp_message())


@pytest.fixture
def ticket(world: World, said: Touchpoint) -> Ticket:
    return world.tickets.put(builders.ticket(first=builders.word(said)))


@pytest.fixture
def path(ticket: Ticket) -> str:
    return f"/v1/tickets/{ticket.ticket_id}/replies"


def heard(world: World, said: Touchpoint, whose: ProfileId | None = None) -> Touchpoint:
    world.ledger.record([builders.observed(said)])
    world.ledger.change(said.touchpoint_id, profile_id=whose or builders.profile_id())
    world.events.clear()
    return said


def test_a_reply_is_promised_at_once(
    world: World, client: Client, ticket: Ticket, said: Touchpoint, path: str
) -> None:
    answer = client.post(path, {"text": "Elle arrive demain."})
    assert answer.status == 202
    assert answer.body["state"] == "scheduled"
    (follow_up,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
    assert follow_up.follow_up_id == answer.body["follow_up_id"]
    assert follow_up.action == SendReply(
        text="Elle arrive demain.", answers=said.touchpoint_id, agent=AGENT
    )
    assert follow_up.due_at == follow_up.since == world.clock.now()
    assert follow_up.cancelled_by == frozenset()
    (event,) = world.happened(FollowUpScheduled)
    assert isinstance(event, FollowUpScheduled)
    assert (event.name, event.immediate) == ("reply", True)
    assert event.follow_up_id == follow_up.follow_up_id


def test_the_same_request_twice_is_one_reply(world: World, client: Client, path: str) -> None:
    one = client.post(path, {"text": "Bonjour"}).body
    other = client.post(path, {"text": "Bonjour"}).body
    assert one == other
    assert len(world.happened(FollowUpScheduled)) == 1


def test_the_same_key_is_one_reply_even_after_it_left(
    world: World, client: Client, ticket: Ticket, path: str
) -> None:
    one = client.post(path, {"text": "Bonjour"}, idempotency_key="key-1")
    (follow_up,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
    done = follow_up.model_copy(update={"state": FollowUpState.DONE})
    world.tickets.move(done, FollowUpState.SCHEDULED)
    other = client.post(path, {"text": "Bonjour"}, idempotency_key="key-1")
    assert one.body["follow_up_id"] == other.body["follow_up_id"]
    assert other.body["state"] == "done"


def test_two_keys_are_two_replies(world: World, client: Client, path: str) -> None:
    client.post(path, {"text": "Bonjour"}, idempotency_key="key-1")
    client.post(path, {"text": "Bonjour"}, idempotency_key="key-2")
    assert len(world.happened(FollowUpScheduled)) == 2


def test_a_key_stands_for_one_reply_only(client: Client, path: str) -> None:
    client.post(path, {"text": "Bonjour"}, idempotency_key="key-1")
    answer = client.post(path, {"text": "Au revoir"}, idempotency_key="key-1")
    assert (answer.status, answer.fields) == (400, ["idempotency-key"])


def test_the_same_words_after_the_ticket_moved_on_are_a_new_reply(
    world: World, client: Client, ticket: Ticket, path: str
) -> None:
    client.post(path, {"text": "Bonjour"})
    world.tickets.save(ticket, ticket, None)
    client.post(path, {"text": "Bonjour"})
    assert len(world.happened(FollowUpScheduled)) == 2


def test_cw_15359_reply_goes_to_its_sender(
    world: World, client: Client, ticket: Ticket, path: str
) -> None:
    by_sms = heard(world, builders.sms())
    answer = client.post(path, {"text": "Bonjour", "touchpoint_id": by_sms.touchpoint_id})
    assert answer.body["answers"] == by_sms.touchpoint_id

    somebody_else = heard(
        world, builders.sms("Moi aussi", phone="+33600000000"), ProfileId("another")
    )
    refused = client.post(path, {"text": "Bonjour", "touchpoint_id": somebody_else.touchpoint_id})
    assert refused.status == 409
    assert len(world.tickets.follow_ups_of_ticket(ticket.ticket_id)) == 1


def test_a_touchpoint_without_a_way_back(world: World, client: Client, path: str) -> None:
    in_store = heard(world, builders.touchpoint(key="till-1", endpoint=None))
    answer = client.post(path, {"text": "Bonjour", "touchpoint_id": in_store.touchpoint_id})
    assert answer.status == 409


def test_a_touchpoint_that_is_none(client: Client, path: str) -> None:
    answer = client.post(path, {"text": "Bonjour", "touchpoint_id": "nothing"})
    assert (answer.status, answer.fields) == (400, ["touchpoint_id"])


def test_a_closed_ticket_is_not_answered(
    world: World, client: Client, ticket: Ticket, path: str
) -> None:
    world.tickets.put(ticket.model_copy(update={"status": TicketStatus.CLOSED}))
    assert client.post(path, {"text": "Bonjour"}).status == 409


def test_no_such_ticket(client: Client) -> None:
    assert client.post("/v1/tickets/nothing/replies", {"text": "Bonjour"}).status == 404


@pytest.mark.parametrize("text", ["Ligne\nsuivante\tet 😀", "x" * 4096])
def test_words_that_can_be_sent(client: Client, path: str, text: str) -> None:
    assert client.post(path, {"text": text}).status == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 4097}, "text"),
        ({"text": "nul \x00 byte"}, "text"),
        ({"text": 7}, "text"),
        ({"text": None}, "text"),
        ({"text": "hi", "touchpoint_id": "x" * 65}, "touchpoint_id"),
        ({"text": "hi", "touchpoint_id": ""}, "touchpoint_id"),
        ({"text": "hi", "to": "+33600000000"}, "to"),
        ({"text": "hi", "written_by": "model"}, "written_by"),
        ({"text": "hi", "written_by": None}, "written_by"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_a_body_that_breaks_a_rule(
    world: World, client: Client, path: str, body: object, field: str
) -> None:
    answer = client.post(path, body)
    assert (answer.status, answer.fields) == (422, [field])
    assert world.events == []


def test_a_key_that_is_too_long(client: Client, path: str) -> None:
    answer = client.post(path, {"text": "hi"}, idempotency_key="k" * 201)
    assert (answer.status, answer.fields) == (422, ["idempotency-key"])


class TestWhoWroteIt:
    def test_a_person_unless_somebody_says_otherwise(
        self, world: World, client: Client, ticket: Ticket, path: str
    ) -> None:
        assert client.post(path, {"text": "Bonjour"}).status == 202
        assert writer(world, ticket) is Writer.PERSON

    def test_a_person_may_send_what_a_model_wrote(
        self, world: World, client: Client, ticket: Ticket, path: str
    ) -> None:
        assert client.post(path, {"text": "Bonjour", "written_by": "machine"}).status == 202
        assert writer(world, ticket) is Writer.MACHINE

    @pytest.mark.parametrize("stated", [{}, {"written_by": "machine"}])
    def test_rfc_9068_a_clients_own_token_is_a_machines(
        self, world: World, client: Client, ticket: Ticket, path: str, stated: dict[str, str]
    ) -> None:
        client.claims = {"sub": "bot-1", "client_id": "bot-1"}
        assert client.post(path, {"text": "Bonjour"} | stated).status == 202
        assert writer(world, ticket) is Writer.MACHINE

    def test_a_machine_does_not_pass_for_a_person(
        self, world: World, client: Client, path: str
    ) -> None:
        client.claims = {"sub": "bot-1", "client_id": "bot-1"}
        answer = client.post(path, {"text": "Bonjour", "written_by": "person"})
        assert (answer.status, answer.fields) == (400, ["written_by"])
        assert "a machine wrote" in answer.body["detail"]
        assert world.events == []

    def test_a_token_that_names_no_client_is_a_persons(
        self, world: World, client: Client, ticket: Ticket, path: str
    ) -> None:
        client.claims = {"sub": AGENT}
        client.post(path, {"text": "Bonjour", "written_by": "person"})
        assert writer(world, ticket) is Writer.PERSON

    def test_the_same_words_of_a_person_and_of_a_machine_are_two_replies(
        self, world: World, client: Client, path: str
    ) -> None:
        client.post(path, {"text": "Bonjour"})
        client.post(path, {"text": "Bonjour", "written_by": "machine"})
        client.post(path, {"text": "Bonjour", "written_by": "machine"})
        assert len(world.happened(FollowUpScheduled)) == 2

    def test_a_key_does_not_turn_a_machine_into_a_person(self, client: Client, path: str) -> None:
        client.post(path, {"text": "Bonjour", "written_by": "machine"}, idempotency_key="key-1")
        answer = client.post(path, {"text": "Bonjour"}, idempotency_key="key-1")
        assert (answer.status, answer.fields) == (400, ["idempotency-key"])


def the_reply(world: World, ticket: Ticket) -> FollowUp:
    (found,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
    return found


def writer(world: World, ticket: Ticket) -> Writer:
    action = the_reply(world, ticket).action
    assert isinstance(action, SendReply)
    return action.written_by


class TestWhatFits:
    """The whole message: a machine's with the words before it, in whatever language they come."""

    ROOM = builders.policies().templates.longest(TEMPLATE) + len(GAP)

    @pytest.mark.parametrize(("by", "room"), [("person", 0), ("machine", ROOM)])
    @pytest.mark.parametrize(("channel", "most"), [("whatsapp", 4096), ("sms", 1600)])
    def test_as_much_as_the_way_carries_and_no_more(
        self, world: World, client: Client, path: str, by: str, room: int, channel: str, most: int
    ) -> None:
        asked = heard(world, builders.sms() if channel == "sms" else builders.whatsapp_message())
        body = {"touchpoint_id": asked.touchpoint_id, "written_by": by}
        assert client.post(path, body | {"text": "x" * (most - room)}).status == 202
        world.events.clear()
        refused = client.post(path, body | {"text": "x" * (most - room + 1)})
        assert refused.status in {400, 422}
        assert refused.fields == ["text"]
        assert str(most - room) in refused.body["detail"]
        assert world.events == []

    def test_the_refusal_says_what_takes_the_room(self, client: Client, path: str) -> None:
        answer = client.post(path, {"text": "x" * 4096, "written_by": "machine"})
        assert "beside the words that a machine wrote it" in answer.body["detail"]
