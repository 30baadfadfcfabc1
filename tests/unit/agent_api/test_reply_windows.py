"""R8 at the door: an agent sees how long words may go, and what may go instead."""

from datetime import timedelta
from typing import Any

import pytest

from functions.agent_api import ports
from shared.domain.follow_up import FollowUpState, SendReply
from shared.domain.profile import Profile
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Channel, Choice, Touchpoint
from shared.events.catalogue import FollowUpScheduled
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


def messenger() -> Touchpoint:
    way = builders.endpoint(Channel.MESSENGER, address="7000")
    return builders.whatsapp_message("Bonjour ?", channel=Channel.MESSENGER, endpoint=way)


def opened(world: World, *said: Touchpoint) -> Ticket:
    """By the first of these; the last is the ticket's latest."""
    for one in said:
        world.ledger.record([builders.observed(one)])
        world.ledger.change(one.touchpoint_id, profile_id=builders.profile_id())
    world.events.clear()
    first, last = builders.word(said[0]), builders.word(said[-1])
    return world.tickets.put(builders.ticket(first=first, last=last))


def way_back(client: Client, ticket: Ticket) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"/v1/tickets/{ticket.ticket_id}").body["way_back"]
    return shown


def post(client: Client, ticket: Ticket, body: dict[str, Any], **headers: str) -> Any:
    return client.post(f"/v1/tickets/{ticket.ticket_id}/replies", body, **headers)


class TestWhatIsShown:
    def test_cw_9516_how_long_words_may_still_go(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        world.clock.advance(HOUR)
        shown = way_back(client, ticket)
        assert shown["endpoint"]["channel"] == "whatsapp"
        (window,) = shown["windows"]
        assert window == {
            "kind": "free",
            "state": "open",
            "opened_at": "2026-11-23T12:00:00Z",
            "open_until": "2026-11-24T11:50:00Z",
            "seconds_left": 22 * 3600 + 50 * 60,
        }
        assert shown["may_leave"] == ["persons_words", "machines_words", "template"]
        assert shown["templates"] == ["answer_is_ready", "still_working_on_it"]

    def test_closed_only_a_template_may_leave(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        world.clock.advance(2 * DAY)
        shown = way_back(client, ticket)
        assert [(one["state"], one["seconds_left"]) for one in shown["windows"]] == [("closed", 0)]
        assert shown["may_leave"] == ["template"]

    def test_cw_14800_people_have_longer_than_machines(self, world: World, client: Client) -> None:
        ticket = opened(world, messenger())
        world.clock.advance(2 * DAY)
        shown = way_back(client, ticket)
        assert [(one["kind"], one["state"]) for one in shown["windows"]] == [
            ("free", "closed"),
            ("human_agent", "open"),
        ]
        assert shown["may_leave"] == ["persons_words"]
        assert shown["templates"] == []

    def test_what_they_wrote_elsewhere_on_the_same_way_counts(
        self, world: World, client: Client
    ) -> None:
        ticket = opened(world, builders.whatsapp_message())
        later = builders.whatsapp_message("Et ma facture ?", at=NOON + 5 * HOUR)
        world.ledger.record([builders.observed(later)])
        world.ledger.change(later.touchpoint_id, profile_id=ticket.profile_id)
        (window,) = way_back(client, ticket)["windows"]
        assert window["opened_at"] == "2026-11-23T17:00:00Z"

    def test_a_channel_that_never_closes(self, world: World, client: Client) -> None:
        shown = way_back(client, opened(world, builders.sms()))
        assert [(one["kind"], one["seconds_left"]) for one in shown["windows"]] == [
            ("always", None)
        ]
        assert shown["may_leave"] == ["persons_words", "machines_words"]

    def test_no_way_back_has_no_window(self, world: World, client: Client) -> None:
        assert way_back(client, opened(world, builders.whatsapp_message(endpoint=None))) is None

    def test_templates_are_those_in_their_language(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        policies = builders.policies()
        wordings = policies.templates.templates["answer_is_ready"]
        french = wordings["fr"].model_copy(update={"approved": {}})
        templates = policies.templates.model_copy(
            update={
                "templates": policies.templates.templates
                | {"answer_is_ready": wordings | {"fr": french}}
            }
        )
        client.override(ports.policies, policies._replace(templates=templates))
        assert way_back(client, ticket)["templates"] == ["still_working_on_it"]
        spanish = builders.word(builders.whatsapp_message(), language="es")
        world.tickets.put(ticket.model_copy(update={"last": spanish}))
        assert "answer_is_ready" in way_back(client, ticket)["templates"]


class TestTheDoor:
    def test_cw_9516_words_are_refused_with_the_reason_and_what_may_go_instead(
        self, world: World, client: Client
    ) -> None:
        ticket = opened(world, builders.whatsapp_message())
        world.clock.advance(2 * DAY)
        answer = post(client, ticket, {"text": "Elle arrive."})
        assert answer.status == 409
        assert answer.body["reason"] == "window_closed"
        assert answer.body["templates"] == ["answer_is_ready", "still_working_on_it"]
        assert answer.body["detail"].startswith("the reply window is closed: it closed at 2026-11-")
        assert world.events == []
        assert world.tickets.follow_ups_of_ticket(ticket.ticket_id) == []

    def test_a_template_goes_instead(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        world.clock.advance(2 * DAY)
        assert post(client, ticket, {"template": "answer_is_ready"}).status == 202
        (promised,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
        assert isinstance(promised.action, SendReply)
        assert (promised.action.template, promised.action.text) == ("answer_is_ready", "")

    def test_a_template_that_agents_may_not_send(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        answer = post(client, ticket, {"template": "opt_out_confirmed"})
        assert (answer.status, answer.fields) == (422, ["template"])
        assert "answer_is_ready, still_working_on_it" in answer.body["detail"]

    def test_a_template_the_channel_does_not_know_does_not_open_it(
        self, world: World, client: Client
    ) -> None:
        ticket = opened(world, messenger())
        world.clock.advance(8 * DAY)
        answer = post(client, ticket, {"template": "answer_is_ready"})
        assert (answer.status, answer.body["templates"]) == (409, [])

    @pytest.mark.parametrize(("by", "status"), [("person", 202), ("machine", 409)])
    def test_cw_14800_a_person_may_answer_where_a_machine_may_not(
        self, world: World, client: Client, by: str, status: int
    ) -> None:
        ticket = opened(world, messenger())
        world.clock.advance(2 * DAY)
        assert post(client, ticket, {"text": "Bonjour", "written_by": by}).status == status

    def test_words_on_the_same_way_after_the_answered_ones_keep_it_open(
        self, world: World, client: Client
    ) -> None:
        early = builders.whatsapp_message()
        late = builders.whatsapp_message("Alors ?", at=NOON + DAY)
        ticket = opened(world, early, late)
        whose = builders.profile_id()
        known = Profile(profile_id=whose, profile_ids=(whose,), created_at=NOON)
        world.profiles.put(known)
        world.clock.advance(DAY + 3 * HOUR)
        body = {"text": "Elle arrive.", "touchpoint_id": early.touchpoint_id}
        assert post(client, ticket, body).status == 202

    def test_whoever_never_wrote_there(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message(direction="outbound"))
        answer = post(client, ticket, {"text": "Bonjour"})
        assert answer.body["detail"] == "the reply window is closed: they never wrote there"

    def test_the_same_request_again_after_it_closed_is_the_same_reply(
        self, world: World, client: Client
    ) -> None:
        ticket = opened(world, builders.whatsapp_message())
        first = post(client, ticket, {"text": "Bonjour"}, idempotency_key="k")
        world.clock.advance(2 * DAY)
        again = post(client, ticket, {"text": "Bonjour"}, idempotency_key="k")
        assert again.status == 202
        assert again.body["follow_up_id"] == first.body["follow_up_id"]
        assert again.body["state"] == FollowUpState.SCHEDULED


class TestWhatGoesAlong:
    CHOICES = ({"id": "am", "title": "Le matin"}, {"id": "pm", "title": "L'après-midi"})
    FILE = {"url": "https://shop.example/facture.pdf", "name": "facture.pdf"}

    def test_buttons_and_files_go_with_the_words(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        body = {"text": "Quand ?", "choices": list(self.CHOICES), "files": [self.FILE]}
        assert post(client, ticket, body).status == 202
        (promised,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
        assert isinstance(promised.action, SendReply)
        assert promised.action.choices == (
            Choice(id="am", title="Le matin"),
            Choice(id="pm", title="L'après-midi"),
        )
        assert [one.url for one in promised.action.files] == [self.FILE["url"]]

    def test_other_buttons_are_another_reply(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        for choices in (self.CHOICES, self.CHOICES[:1], self.CHOICES[:1]):
            post(client, ticket, {"text": "Quand ?", "choices": list(choices)})
        assert len(world.happened(FollowUpScheduled)) == 2

    @pytest.mark.parametrize("extra", ["choices", "files"])
    def test_a_way_that_cannot_carry_it_says_so_at_the_door(
        self, world: World, client: Client, extra: str
    ) -> None:
        way = builders.endpoint(
            Channel.SMS, provider="africas_talking_sms", account="22345", address="+254711000111"
        )
        said = builders.touchpoint(
            key="sms-1", channel=Channel.SMS, provider="africas_talking_sms", endpoint=way
        )
        ticket = opened(world, said)
        going = {"choices": list(self.CHOICES), "files": [self.FILE]}[extra]
        answer = post(client, ticket, {"text": "Voici", extra: going})
        assert (answer.status, answer.fields) == (400, [extra])
        assert answer.body["detail"] == f"this way carries no {extra}"
        assert world.events == []

    def test_a_file_may_go_alone(self, world: World, client: Client) -> None:
        ticket = opened(world, builders.whatsapp_message())
        assert post(client, ticket, {"files": [self.FILE]}).status == 202

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"choices": [{"id": "1", "title": "Oui"}]}, "text"),
            ({"choices": [{"id": "1", "title": "Oui"}], "files": [FILE]}, "text"),
            ({"text": " ", "files": [FILE]}, "text"),
            ({"text": "Bonjour", "template": "answer_is_ready"}, "text"),
            ({"files": [FILE], "template": "answer_is_ready"}, "text"),
            ({"text": "?", "choices": [{"id": "1", "title": "Oui"}] * 2}, "choices"),
            (
                {
                    "text": "?",
                    "choices": [{"id": "1", "title": "Oui"}, {"id": "2", "title": "Oui"}],
                },
                "choices",
            ),
            ({"text": "?", "choices": [{"id": "", "title": "Oui"}]}, "choices.0.id"),
            ({"text": "?", "files": [{"url": "http://shop.example/a"}]}, "files.0.url"),
            ({"text": "?", "files": [FILE] * 11}, "files"),
        ],
    )
    def test_what_makes_no_message(
        self, world: World, client: Client, body: dict[str, Any], field: str
    ) -> None:
        ticket = opened(world, builders.whatsapp_message())
        answer = post(client, ticket, body)
        assert answer.status == 422
        assert field in answer.fields
        assert world.events == []
