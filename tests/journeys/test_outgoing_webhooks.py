"""A system of the company subscribes, and hears what happens: signed, for a day, with a log."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from infra.local.cloud import LocalCloud
from tests.journeys.agent import PHONE, Agent
from tests.journeys.webhooks import STORY, whatsapp
from tests.receiver import Receiver

CRM = "/v1/webhook-subscriptions/crm"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def test_a_ticket_is_told_again_until_it_arrives_and_once_more_on_request(
    cloud: LocalCloud, agent: Agent, receiver: Receiver
) -> None:
    agent.send("PUT", CRM, url=receiver.url, events=["TicketOpened"])
    (secret,) = agent.get(f"{CRM}/secrets")["signing_secrets"]
    receiver.status = 503
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now()))
    cloud.settle()
    assert len(receiver.heard) == 1

    receiver.status = 200
    cloud.advance(timedelta(minutes=2))
    assert len(receiver.heard) == 2
    (ticket,) = agent.tickets()
    for _, headers, body in receiver.heard:
        told = Webhook(secret).verify(body, headers)
        assert told["type"] == "TicketOpened"
        assert told["data"]["ticket_id"] == ticket["ticket_id"]
        assert STORY not in body.decode()
    assert len({headers["webhook-id"] for _, headers, _ in receiver.heard}) == 1

    (delivery,) = agent.get(f"{CRM}/deliveries")["items"]
    assert delivery["state"] == "delivered"
    assert [one["status"] for one in delivery["attempts"]] == [503, 200]

    agent.send("POST", f"{CRM}/deliveries/{delivery['delivery_id']}/replay")
    cloud.settle()
    assert [headers["webhook-id"] for _, headers, _ in receiver.heard][2] == delivery["delivery_id"]
    assert receiver.heard[2][2] == receiver.heard[0][2]
    (delivery,) = agent.get(f"{CRM}/deliveries")["items"]
    assert [one["status"] for one in delivery["attempts"]] == [503, 200, 200]


def test_who_is_gone_is_left_alone_until_it_subscribes_again(
    cloud: LocalCloud, agent: Agent, receiver: Receiver
) -> None:
    agent.send("PUT", CRM, url=receiver.url)
    receiver.status = 410
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now()))
    cloud.settle()
    assert agent.get(CRM)["state"] == "disabled"
    heard = len(receiver.heard)
    cloud.receive(whatsapp(cloud, "Et alors ?", phone=PHONE, key="more", at=cloud.clock.now()))
    cloud.settle()
    assert len(receiver.heard) == heard

    receiver.status = 200
    agent.send("PUT", CRM, url=receiver.url)
    cloud.receive(whatsapp(cloud, "Et alors ?", phone=PHONE, key="again", at=cloud.clock.now()))
    cloud.settle()
    types = [json.loads(body)["type"] for _, _, body in receiver.heard[heard:]]
    assert "TouchpointReceived" in types
