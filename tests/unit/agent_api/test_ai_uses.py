from datetime import timedelta

import pytest

from shared.domain.ai_use import AiUseName, AiUseState
from shared.events.catalogue import AiUseSwitched
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client

EMBEDDED = "/v1/ai-uses/embedded_classification"
BEDROCK = "/v1/ai-uses/bedrock_classification"


def test_the_register_with_how_each_use_stands(client: Client) -> None:
    items = client.get("/v1/ai-uses").body["items"]
    assert {one["ai_use"] for one in items} == set(AiUseName)
    assert all(one["on"] and one["switched"] is None for one in items)
    assert all(one["purpose"] and one["owner"] and one["falls_back_to"] for one in items)
    assert {one["ai_use"] for one in items if one["spending"]} == {"bedrock_classification"}


def test_what_was_spent_and_what_the_breaker_does(client: Client, world: World) -> None:
    world.ai_uses.put(
        AiUseState(
            ai_use=AiUseName.BEDROCK_CLASSIFICATION,
            day=NOON.date(),
            spent=1_250_000,
            failures=5,
            open_until=NOON + timedelta(minutes=1),
        )
    )
    spending = client.get(BEDROCK).body["spending"]
    assert (spending["spent"], spending["daily_budget"]) == (1.25, 2.0)
    assert spending["failures_in_a_row"] == 5
    assert spending["breaker_open_until"] == "2026-11-23T12:01:00Z"
    world.clock.advance(timedelta(days=1))
    spending = client.get(BEDROCK).body["spending"]
    assert (spending["day"], spending["spent"]) == ("2026-11-24", 0)


def test_a_use_is_switched_off_and_on_again(client: Client, world: World) -> None:
    off = client.put(f"{EMBEDDED}/switch", on=False, reason="it errs")
    assert off.status == 200
    assert off.body["on"] is False
    assert off.body["switched"] == {
        "on": False,
        "by": f"agent:{AGENT}",
        "at": "2026-11-23T12:00:00Z",
        "reason": "it errs",
    }
    assert client.get(EMBEDDED).body["on"] is False
    assert client.put(f"{EMBEDDED}/switch", on=True, reason="mended").body["on"] is True
    assert world.happened(AiUseSwitched) == [
        AiUseSwitched(ai_use="embedded_classification", on=on, by=f"agent:{AGENT}")
        for on in (False, True)
    ]


def test_switching_twice_changes_nothing(client: Client, world: World) -> None:
    client.put(f"{EMBEDDED}/switch", on=False, reason="it errs")
    again = client.put(f"{EMBEDDED}/switch", on=False, reason="another reason")
    assert again.body["switched"]["reason"] == "it errs"
    assert len(world.events) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"on": False}, "reason"),
        ({"on": False, "reason": " "}, "reason"),
        ({"on": False, "reason": "x" * 501}, "reason"),
        ({"on": "off", "reason": "it errs"}, "on"),
        ({"reason": "it errs"}, "on"),
        ({"on": False, "reason": "it errs", "by": "somebody"}, "by"),
    ],
)
def test_a_wrong_switch_changes_nothing(
    client: Client, world: World, body: dict[str, object], field: str
) -> None:
    refused = client.put(f"{EMBEDDED}/switch", **body)
    assert (refused.status, refused.fields) == (422, [field])
    assert client.get(EMBEDDED).body["on"] is True
    assert not world.events


def test_what_is_no_use_of_ai(client: Client) -> None:
    assert client.get("/v1/ai-uses/mind_reading").status == 404
    assert client.put("/v1/ai-uses/mind_reading/switch", on=False, reason="x").status == 404


def test_a_machine_lifts_nothing_that_people_stopped(client: Client, world: World) -> None:
    client.put(f"{EMBEDDED}/switch", on=False, reason="it errs")
    client.claims = {"sub": "bot-1", "client_id": "bot-1"}
    answer = client.put(f"{EMBEDDED}/switch", on=True, reason="I am fine")
    assert answer.status == 403
    assert "person" in answer.body["detail"]
    assert client.get(EMBEDDED).body["on"] is False
    assert len(world.happened(AiUseSwitched)) == 1
