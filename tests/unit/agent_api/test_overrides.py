from typing import Any

import pytest

from shared.domain.touchpoint import Direction, Touchpoint, TouchpointState
from shared.events.catalogue import ClassificationOverridden, OverrideReleased
from tests import builders
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client

SAID = builders.whatsapp_message("Où est ma commande ?")
TOUCHPOINT = f"/v1/touchpoints/{SAID.touchpoint_id}"
REFUND = {"intent": "refund", "reason": "they want their money"}


@pytest.fixture(autouse=True)
def understood(world: World) -> None:
    received(world, SAID)
    outcome = builders.journey(SAID, understood=builders.classification())
    world.ledger.record_outcome(outcome)


def received(world: World, seen: Touchpoint) -> None:
    world.ledger.record([builders.observed(seen)])
    world.ledger.change(seen.touchpoint_id, profile_id=builders.profile_id())


def ended(world: World) -> None:
    """As if its journey had gone round."""
    world.ledger.change(SAID.touchpoint_id, state=TouchpointState.PROCESSED)


def override(client: Client, **said: Any) -> Any:
    return client.post(f"{TOUCHPOINT}/overrides", {**REFUND, **said})


def test_an_override_stands_and_the_touchpoint_goes_round_again(
    world: World, client: Client
) -> None:
    answer = override(client, urgency="high")
    assert answer.status == 201
    assert answer.body["by"] == f"agent:{AGENT}"
    assert (answer.body["intent"], answer.body["urgency"]) == ("refund", "high")
    body = client.get(TOUCHPOINT).body
    assert (body["state"], body["attempt"]) == ("received", 2)
    assert (body["classification"]["intent"], body["classification"]["decided_by"]) == (
        "refund",
        "person",
    )
    assert body["machine_classification"]["intent"] == "order_status"
    assert body["overrides"] == [answer.body]
    assert len(world.happened(ClassificationOverridden)) == 1


def test_without_an_override_the_machine_s_answer_stands_once(client: Client) -> None:
    body = client.get(TOUCHPOINT).body
    assert body["classification"]["intent"] == "order_status"
    assert body["machine_classification"] is None
    assert body["overrides"] == []


def test_the_same_again_is_no_second_one(world: World, client: Client) -> None:
    first = override(client)
    again = override(client)
    assert (again.status, again.body) == (200, first.body)
    ended(world)
    assert override(client).status == 200
    assert override(client, reason="I asked them").status == 201


def test_a_release_is_a_mark_and_made_once(world: World, client: Client) -> None:
    made = override(client).body
    ended(world)
    path = f"{TOUCHPOINT}/overrides/{made['override_id']}"
    gone = client.call("DELETE", path)
    assert gone.status == 200
    assert gone.body["released"]["by"] == f"agent:{AGENT}"
    assert gone.body["intent"] == "refund"
    assert client.call("DELETE", path).body == gone.body
    assert len(world.happened(OverrideReleased)) == 1
    body = client.get(TOUCHPOINT).body
    assert (body["classification"]["intent"], body["machine_classification"]) == (
        "order_status",
        None,
    )
    assert body["overrides"] == [gone.body]


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"intent": "world_peace", "reason": "x"}, ["intent"]),
        ({"reason": "x"}, ["body"]),
        ({"intent": "refund"}, ["reason"]),
        ({"intent": "refund", "reason": " "}, ["reason"]),
        ({"intent": "refund", "reason": "x" * 501}, ["reason"]),
        ({"sentiment": "angry", "reason": "x"}, ["sentiment"]),
        ({"urgency": "now", "reason": "x"}, ["urgency"]),
        ({"language": "French", "reason": "x"}, ["language"]),
        ({"weather": "fine", "reason": "x"}, ["weather"]),
        ({**REFUND, "attempt": 0}, ["attempt"]),
    ],
)
def test_what_breaks_a_rule_changes_nothing(
    world: World, client: Client, said: dict[str, Any], fields: list[str]
) -> None:
    before = world.ledger.read(SAID.touchpoint_id)
    answer = client.post(f"{TOUCHPOINT}/overrides", said)
    assert (answer.status, answer.fields) == (422, fields)
    assert world.ledger.read(SAID.touchpoint_id) == before


def test_a_wrong_intent_is_told_the_right_ones(client: Client) -> None:
    answer = override(client, intent="world_peace")
    allowed = ", ".join(builders.policies().intents)
    assert answer.body["errors"] == [{"field": "intent", "reason": f"must be one of {allowed}"}]


def test_what_is_under_way_is_not_ready(world: World, client: Client) -> None:
    made = override(client).body
    busy = override(client, intent="complaint")
    assert (busy.status, "in a moment" in busy.body["detail"]) == (409, True)
    path = f"{TOUCHPOINT}/overrides/{made['override_id']}"
    assert client.call("DELETE", path).status == 409


@pytest.mark.parametrize("direction", [Direction.PASSIVE, Direction.OUTBOUND])
def test_what_was_never_understood_has_nothing_to_override(
    world: World, client: Client, direction: Direction
) -> None:
    other = builders.touchpoint(key="another", direction=direction)
    received(world, other)
    world.ledger.change(other.touchpoint_id, state=TouchpointState.PROCESSED)
    answer = client.post(f"/v1/touchpoints/{other.touchpoint_id}/overrides", REFUND)
    assert (answer.status, "never understood" in answer.body["detail"]) == (409, True)
    world.ledger.record_outcome(builders.journey(other))
    assert client.post(f"/v1/touchpoints/{other.touchpoint_id}/overrides", REFUND).status == 409


def test_a_round_that_failed_is_seen_and_may_be_overridden_again(
    world: World, client: Client
) -> None:
    override(client)
    world.ledger.record_failure(SAID.touchpoint_id, "ticket_creation", "Timeout")
    (failed,) = client.get("/v1/touchpoints", state="failed").body["items"]
    assert failed["classification"]["intent"] == "refund"
    assert override(client, intent="complaint").status == 201
    assert client.get(TOUCHPOINT).body["state"] == "received"


def test_an_agent_who_looked_at_an_earlier_round_is_told(world: World, client: Client) -> None:
    made = override(client, attempt=1).body
    ended(world)
    assert override(client, intent="complaint", attempt=1).status == 409
    path = f"{TOUCHPOINT}/overrides/{made['override_id']}"
    assert client.call("DELETE", path, query={"attempt": 1}).status == 409
    assert client.call("DELETE", path, query={"attempt": 2}).status == 200


def test_a_touchpoint_takes_only_so_many(world: World, client: Client) -> None:
    for number in range(50):
        assert override(client, reason=f"reason {number}").status == 201
        ended(world)
    assert override(client, reason="one more").status == 409


def test_nobody_has_that_touchpoint_or_that_override(client: Client) -> None:
    assert client.post("/v1/touchpoints/nothing/overrides", REFUND).status == 404
    assert client.call("DELETE", f"{TOUCHPOINT}/overrides/nothing").status == 404
    assert client.call("DELETE", "/v1/touchpoints/nothing/overrides/x").status == 404


def test_a_machine_does_not_pass_for_the_person_who_corrects(world: World, client: Client) -> None:
    made = override(client).body
    ended(world)
    client.claims = {"sub": "bot-1", "client_id": "bot-1"}
    assert override(client, intent="praise").status == 403
    assert client.call("DELETE", f"{TOUCHPOINT}/overrides/{made['override_id']}").status == 403
    assert len(world.happened(ClassificationOverridden)) == 1
    assert world.happened(OverrideReleased) == []
