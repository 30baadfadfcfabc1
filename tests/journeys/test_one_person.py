"""One person on every channel: suggested, merged by an agent, and parted again without a trace."""

from datetime import timedelta
from typing import Any

from infra.local.cloud import LocalCloud
from tests.journeys.agent import PHONE, Agent, outbox
from tests.journeys.webhooks import STORY, told, whatsapp


def bought(cloud: LocalCloud, key: str) -> None:
    """At the till, where she named her phone and her card was scanned."""
    customer = {
        "customer_number": "C-77",
        "loyalty_card": "9250001234567",
        "scanned": True,
        "phone": PHONE,
    }
    data = {"number": key, "total": "64.80", "currency": "EUR", "customer": customer}
    at = cloud.clock.now()
    call = told(cloud, "purchase.completed", data, key=key, at=at, source="till")
    assert cloud.receive(call).status == 200
    cloud.settle()


def wrote(cloud: LocalCloud, text: str, key: str) -> None:
    call = whatsapp(cloud, text, phone=PHONE, key=key, at=cloud.clock.now())
    assert cloud.receive(call).status == 200
    cloud.settle()


def seen(agent: Agent, profile_id: str) -> list[str]:
    timeline = agent.get(f"/v1/profiles/{profile_id}/timeline")["items"]
    return [one["content"]["kind"] for one in timeline]


def view(agent: Agent, profile_id: str) -> dict[str, Any]:
    """Of a profile, what is its own."""
    body = agent.get(f"/v1/profiles/{profile_id}")
    return {name: body[name] for name in ("profile_ids", "identifiers", "contacts", "spend")}


def test_cw_4728_a_merge_is_suggested_made_and_undone_and_moves_nothing(
    cloud: LocalCloud, agent: Agent
) -> None:
    wrote(cloud, STORY, "1")
    bought(cloud, "R-1")
    (suggestion,) = agent.get("/v1/merge-suggestions")["items"]
    assert "stated" in suggestion["reason"] and "phone" in suggestion["reason"]
    whose, stated = agent.get("/v1/profiles?identifier=phone:%2B33612345678")["items"]
    by_phone, customer = whose["profile_id"], stated["profile_id"]
    assert {by_phone, customer} == set(suggestion["profile_ids"])
    before = [view(agent, by_phone), view(agent, customer)]
    assert [seen(agent, one) for one in (by_phone, customer)] == [["message"], ["purchase"]]

    pair = suggestion["profile_ids"]
    status, merged = agent.send("POST", "/v1/merges", profile_ids=pair, reason="she said so")
    assert (status, merged["joins"]) == (200, True)
    assert agent.send("POST", "/v1/merges", profile_ids=pair, reason="again")[0] == 409
    assert agent.get("/v1/merge-suggestions")["items"] == []
    person = agent.get(f"/v1/profiles/{by_phone}")
    assert person["profile_id"] == customer
    assert set(person["profile_ids"]) == {by_phone, customer}
    assert seen(agent, by_phone) == seen(agent, customer) == ["purchase", "message"]

    cloud.advance(timedelta(hours=1))
    (ticket,) = agent.get(f"/v1/tickets?profile={customer}")["items"]
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    assert agent.send("POST", path, text="Votre colis arrive demain.")[0] == 202
    cloud.settle()
    (sent,) = outbox(cloud, "whatsapp_cloud")
    assert sent["parsed"]["to"] == PHONE.removeprefix("+"), "a reply goes where it was asked"
    wrote(cloud, "Merci !", "2")
    bought(cloud, "R-2")
    assert len(seen(agent, customer)) == 5

    cloud.advance(timedelta(minutes=1))
    status, parted = agent.send("POST", "/v1/separations", profile_ids=pair, reason="her sister")
    assert (status, parted["joins"]) == (200, False)
    after = [view(agent, by_phone), view(agent, customer)]
    assert [one["profile_ids"] for one in after] == [one["profile_ids"] for one in before]
    assert [one["identifiers"] for one in after] == [one["identifiers"] for one in before]
    assert sorted(seen(agent, by_phone)) == ["message", "message", "message"]
    assert seen(agent, customer) == ["purchase", "purchase"]
    assert agent.get(f"/v1/tickets?profile={customer}")["items"] == []
    assert agent.get("/v1/merge-suggestions")["items"] == [], "somebody decided"
    cloud.settle()
    happened = [one["detail-type"] for one in cloud.events]
    assert happened.count("ProfilesMerged") == happened.count("ProfilesSeparated") == 1
