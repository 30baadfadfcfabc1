"""Messenger and Instagram on the synthesised template: asked, answered, seen."""

import json
from datetime import timedelta
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.agent import Agent, outbox
from tests.journeys.webhooks import STORY

LINES = {
    "messenger": ("page", "682498302938465", "2573184936125874"),
    "instagram": ("instagram", "17841405762564537", "1053467289912345"),
}


def hears(cloud: LocalCloud, provider: str, *events: dict[str, Any]) -> None:
    kind, line, person = LINES[provider]
    at = int(cloud.clock.now().timestamp() * 1000)
    told = [
        {"sender": {"id": person}, "recipient": {"id": line}, "timestamp": at} | one
        for one in events
    ]
    body = {"object": kind, "entry": [{"id": line, "time": at, "messaging": told}]}
    call = cloud.signed(provider, json.dumps(body), {"content-type": "application/json"})
    assert cloud.receive(call).status == 200
    cloud.settle()


def test_all_that_left_until_a_moment_is_read(cloud: LocalCloud, agent: Agent) -> None:
    """Messenger names no message that was read. A moment before ours left changes nothing."""
    hears(cloud, "messenger", {"message": {"mid": "m_ASKED", "text": STORY}})
    (ticket,) = agent.get("/v1/tickets?queue=orders")["items"]
    before = int(cloud.clock.now().timestamp() * 1000) - 1
    cloud.advance(timedelta(minutes=1))
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    assert agent.send("POST", path, text="C'est parti !")[0] == 202
    cloud.settle()

    def delivery() -> dict[str, Any] | None:
        timeline = agent.get(f"/v1/profiles/{ticket['profile_id']}/timeline")["items"]
        assert [one["direction"] for one in timeline] == ["outbound", "inbound"]
        found = agent.get(f"/v1/touchpoints/{timeline[0]['touchpoint_id']}").get("delivery")
        assert found is None or isinstance(found, dict)
        return found

    hears(cloud, "messenger", {"read": {"watermark": before}})
    assert delivery() is None
    cloud.advance(timedelta(minutes=1))
    after = int(cloud.clock.now().timestamp() * 1000)
    hears(cloud, "messenger", {"delivery": {"watermark": after, "seq": 7}})
    hears(cloud, "messenger", {"read": {"watermark": after}})
    found = delivery()
    assert found is not None and found["status"] == "read"
    assert not cloud.failed_journeys


@pytest.mark.parametrize("provider", LINES)
def test_a_message_is_answered_once_and_its_echo_is_the_same_message(
    cloud: LocalCloud, agent: Agent, provider: str
) -> None:
    _, line, person = LINES[provider]
    asked = {"message": {"mid": "m_ASKED", "text": STORY}}
    hears(cloud, provider, asked, asked)
    (ticket,) = agent.get("/v1/tickets?queue=orders")["items"]
    assert ticket["last"]["endpoint"]["address"] == person

    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    status, _ = agent.send("POST", path, text="C'est parti !")
    assert status == 202
    cloud.settle()
    (sent,) = outbox(cloud, provider)
    assert sent["response"]["status"] == 200
    assert sent["parsed"]["recipient"] == {"id": person}
    assert sent["parsed"]["message"] == {"text": "C'est parti !"}
    assert sent["parsed"]["reply_to"] == {"mid": "m_ASKED"}

    mid = json.loads(sent["response"]["body"])["message_id"]
    echo = {
        "sender": {"id": line},
        "recipient": {"id": person},
        "message": {"mid": mid, "text": "C'est parti !", "is_echo": True},
    }
    seen = {"read": {"mid": mid}} if provider == "instagram" else {"delivery": {"mids": [mid]}}
    hears(cloud, provider, echo, seen, {"reaction": {"mid": mid, "action": "react", "emoji": "❤️"}})

    timeline = agent.get(f"/v1/profiles/{ticket['profile_id']}/timeline")["items"]
    kept = [agent.get(f"/v1/touchpoints/{one['touchpoint_id']}") for one in timeline]
    assert sorted((one["content"]["kind"], one["direction"]) for one in kept) == [
        ("message", "inbound"),
        ("message", "outbound"),
        ("reaction", "passive"),
    ]
    [ours] = [one for one in kept if one["direction"] == "outbound"]
    assert ours["delivery"]["status"] == ("read" if provider == "instagram" else "delivered")
    assert len(agent.get("/v1/tickets?queue=orders")["items"]) == 1
    assert len(outbox(cloud, provider)) == 1
    assert not cloud.failed_journeys
