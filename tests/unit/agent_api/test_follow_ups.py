from datetime import timedelta

import pytest

from shared.domain.follow_up import Escalate, FollowUpState
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client


@pytest.fixture(autouse=True)
def promises(world: World) -> None:
    """Three of one ticket, due a, b, c; c is done. One of another profile, in another state."""
    ticket = builders.ticket()
    for hours, name in enumerate("abc"):
        state = FollowUpState.DONE if name == "c" else FollowUpState.SCHEDULED
        due = NOON + timedelta(hours=hours)
        world.tickets.put_follow_up(
            builders.follow_up(ticket, name=name, due_at=due, state=state, action=Escalate())
        )
    other = builders.ticket(profile_id="another")
    world.tickets.put_follow_up(
        builders.follow_up(other, name="d", state=FollowUpState.UNCONFIRMED)
    )


def names(client: Client, **query: str | int) -> list[str]:
    return [one["name"] for one in client.get("/v1/follow-ups", **query).body["items"]]


def test_of_a_ticket_of_a_profile_and_in_a_state(client: Client) -> None:
    ticket = builders.ticket()
    assert names(client, ticket=ticket.ticket_id) == ["a", "b", "c"]
    assert names(client, profile=ticket.profile_id) == ["c", "b", "a"]
    assert names(client, state="unconfirmed") == ["d"]
    assert names(client, ticket=ticket.ticket_id, state="done") == ["c"]
    assert names(client, ticket=ticket.ticket_id, profile="another") == []
    assert names(client, profile="another", state="unconfirmed") == ["d"]
    assert names(client, ticket="nothing") == []


@pytest.mark.parametrize("by", ["ticket", "profile", "state"])
def test_they_page(client: Client, by: str) -> None:
    ticket = builders.ticket()
    queries: dict[str, dict[str, str]] = {
        "ticket": {"ticket": ticket.ticket_id},
        "profile": {"profile": ticket.profile_id},
        "state": {"state": "scheduled"},
    }
    query = queries[by]
    everything = names(client, **query)
    first = client.get("/v1/follow-ups", **query, limit=1).body
    assert [one["name"] for one in first["items"]] == everything[:1]
    second = client.get("/v1/follow-ups", **query, limit=20, cursor=first["cursor"]).body
    assert [one["name"] for one in second["items"]] == everything[1:]
    assert second["cursor"] is None


@pytest.mark.parametrize("by", ["ticket", "profile", "state"])
def test_a_cursor_that_is_none_of_ours(client: Client, by: str) -> None:
    query = {by: "scheduled" if by == "state" else "x"}
    answer = client.get("/v1/follow-ups", **query, cursor="garbage")
    assert (answer.status, answer.fields) == (400, ["cursor"])


def test_of_everything_is_too_much(client: Client) -> None:
    answer = client.get("/v1/follow-ups")
    assert (answer.status, answer.fields) == (400, ["ticket"])


@pytest.mark.parametrize("by", ["ticket", "profile"])
def test_an_empty_id(client: Client, by: str) -> None:
    answer = client.get("/v1/follow-ups", **{by: ""})
    assert (answer.status, answer.fields) == (422, [by])


def test_a_state_there_is_not(client: Client) -> None:
    answer = client.get("/v1/follow-ups", state="lost")
    assert (answer.status, answer.fields) == (422, ["state"])
