"""Push on the synthesised template: a device is registered, its person is answered on it and opens
it, and the app is removed.
"""

import json
from datetime import timedelta
from typing import Any

from infra.local.cloud import LocalCloud
from infra.local.simulators.push_sns import DISABLED
from tests.journeys.agent import Agent, outbox
from tests.journeys.webhooks import STORY, told

DEVICES = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/Boutique"


class App:
    """The company's app, whose server tells what happens on one device."""

    def __init__(self, cloud: LocalCloud, agent: Agent, device: str) -> None:
        self.cloud, self.agent = cloud, agent
        self.customer = {"customer_number": "C-4711", "push_device": f"{DEVICES}/{device}"}

    def tells(self, type_: str, **data: Any) -> None:
        self.cloud.advance(timedelta(minutes=1))
        at = self.cloud.clock.now()
        given = {"customer": self.customer, **data}
        call = told(self.cloud, type_, given, key=f"{type_} {at}", at=at, source="app")
        assert self.cloud.receive(call).status == 200
        self.cloud.settle()

    def asks(self) -> dict[str, Any]:
        """Their ticket."""
        self.tells("message.received", text=STORY, reply_by="push")
        (ticket,) = self.agent.get("/v1/tickets?queue=orders")["items"]
        assert isinstance(ticket, dict)
        return ticket

    def is_answered(self, ticket: dict[str, Any], text: str) -> dict[str, Any]:
        """The follow-up that carried the answer."""
        path = f"/v1/tickets/{ticket['ticket_id']}/replies"
        status, promised = self.agent.send("POST", path, text=text)
        assert status == 202
        self.cloud.settle()
        found = self.agent.get(f"/v1/follow-ups?profile={ticket['profile_id']}")["items"]
        [one] = [one for one in found if one["follow_up_id"] == promised["follow_up_id"]]
        assert isinstance(one, dict)
        return one


def test_a_person_is_answered_on_their_device(cloud: LocalCloud, agent: Agent) -> None:
    app = App(cloud, agent, "ce14083e-402f-3b72-8520-9608fe54f5fd")
    app.tells("push.registered")
    ticket = app.asks()
    assert app.is_answered(ticket, "C'est parti !")["state"] == "done"
    (sent,) = outbox(cloud, "push_sns")
    message = json.loads(json.loads(sent["parsed"]["Message"])["GCM"])["fcmV1Message"]["message"]
    assert message["notification"] == {"title": "Boutique", "body": "C'est parti !"}

    app.tells("push.opened")
    timeline = agent.get(f"/v1/profiles/{ticket['profile_id']}/timeline")["items"]
    [ours] = [one for one in timeline if one["direction"] == "outbound"]
    kept = agent.get(f"/v1/touchpoints/{ours['touchpoint_id']}")
    assert kept["delivery"]["status"] == "read"

    app.tells("push.unregistered")
    assert app.is_answered(ticket, "Il arrive demain.")["state"] == "refused"
    app.tells("push.registered")
    assert app.is_answered(ticket, "Il est arrivé.")["state"] == "done"
    assert len(outbox(cloud, "push_sns")) == 2
    assert not cloud.failed_journeys


def test_a_device_whose_app_was_removed_is_asked_once(cloud: LocalCloud, agent: Agent) -> None:
    app = App(cloud, agent, DISABLED)
    ticket = app.asks()
    refused = app.is_answered(ticket, "C'est parti !")
    assert (refused["state"], refused["refusal_reason"]) == ("refused", "unreachable")
    cloud.advance(timedelta(minutes=1))
    again = app.is_answered(ticket, "Allô ?")
    assert again["state"] == "refused"
    assert again["result"].startswith("suppression")
    (asked,) = outbox(cloud, "push_sns")
    assert asked["response"]["status"] == 400
