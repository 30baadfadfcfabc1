"""Providers that are busy, broken, silent, or tell us things twice and backwards.

One cloud for all; each test is about somebody else.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from infra.local.cloud import LocalCloud
from infra.local.synthesis import synthesised_template
from tests.journeys.agent import Agent
from tests.journeys.webhooks import STORY, sms, whatsapp

WORDS = "Elle part ce soir."
NUMBERS = count(1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(synthesised_template(print), pace=0.01) as alive:
        yield alive


@pytest.fixture(autouse=True)
def calm(cloud: LocalCloud) -> Iterator[None]:
    yield
    for provider in ("whatsapp_cloud", "twilio"):
        behave(cloud, provider, "normal")
    cloud.callbacks.always = False


def behave(cloud: LocalCloud, provider: str, behaviour: str | list[str], **more: Any) -> None:
    body = json.dumps({"behaviour": behaviour, **more})
    answer = cloud.post(f"/_local/providers/{provider}", body)
    assert answer.status == 200, answer.body


class Customer:
    """Who has written, and an agent who looks after them."""

    def __init__(self, cloud: LocalCloud, provider: str = "whatsapp_cloud") -> None:
        self.cloud, self.provider = cloud, provider
        self.agent = Agent(cloud)
        number = next(NUMBERS)
        self.phone = f"+3361234{number:04}"
        write = {"whatsapp_cloud": self._whatsapp, "twilio": self._sms}[provider]
        write(f"p{number}")
        cloud.settle()
        self.told_before = len(cloud.callbacks.told)

    def _whatsapp(self, key: str) -> None:
        at = self.cloud.clock.now()
        call = whatsapp(self.cloud, STORY, phone=self.phone, key=key, at=at)
        assert self.cloud.receive(call).status == 200

    def _sms(self, key: str) -> None:
        key = key.replace("p", "a")
        assert self.cloud.receive(sms(self.cloud, STORY, phone=self.phone, key=key)).status == 200

    @property
    def profile_id(self) -> str:
        found = self.agent.get(f"/v1/profiles?identifier={quote(f'phone:{self.phone}')}")
        (profile,) = found["items"]
        return str(profile["profile_id"])

    @property
    def ticket(self) -> dict[str, Any]:
        (found,) = self.agent.get(f"/v1/tickets?profile={self.profile_id}")["items"]
        return self.agent.get(f"/v1/tickets/{found['ticket_id']}")

    @property
    def reply(self) -> dict[str, Any]:
        """Where the agent's answer stands."""
        (found,) = [one for one in self.ticket["follow_ups"] if one["name"] == "reply"]
        assert isinstance(found, dict)
        return found

    def is_answered(self) -> dict[str, Any]:
        path = f"/v1/tickets/{self.ticket['ticket_id']}/replies"
        status, made = self.agent.send("POST", path, text=WORDS)
        assert status == 202, made
        self.cloud.settle()
        return self.reply

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What the provider was asked to send them in the agent's words."""
        sent = json.loads(self.cloud.get("/_local/outbox").body)
        digits = self.phone.removeprefix("+")
        return [
            one
            for one in sent
            if one["provider"] == self.provider and digits in one["body"] and "ce" in one["body"]
        ]

    @property
    def outbound(self) -> dict[str, Any]:
        """The answer as the agent sees it in the timeline: once."""
        timeline = self.agent.get(f"/v1/profiles/{self.profile_id}/timeline")["items"]
        (sent,) = [one for one in timeline if one["direction"] == "outbound"]
        return self.agent.get(f"/v1/touchpoints/{sent['touchpoint_id']}")

    @property
    def statuses(self) -> list[str]:
        """What the provider called us with, in order; we took all of it."""
        told = list(self.cloud.callbacks.told)[self.told_before :]
        assert {one.answered for one in told} <= {200}
        return [one.status for one in told]


def test_a_busy_provider_is_asked_again_when_it_said_and_takes_it_once(cloud: LocalCloud) -> None:
    lea = Customer(cloud)
    behave(cloud, "whatsapp_cloud", "throttle", retry_after=600, requests=1)
    waiting = lea.is_answered()
    assert (waiting["state"], waiting["touchpoint_id"]) == ("scheduled", None)
    cloud.advance(timedelta(minutes=9, seconds=50))
    assert [one["response"]["status"] for one in lea.answers] == [429]
    cloud.advance(timedelta(seconds=20))
    assert lea.reply["state"] == "done"
    cloud.advance(timedelta(hours=1))
    assert [one["response"]["status"] for one in lea.answers] == [429, 200]
    assert lea.outbound["content"]["text"] == WORDS


@pytest.mark.parametrize("behaviour", ["fail", "disconnect"])
def test_what_nobody_knows_the_end_of_is_never_sent_twice(
    cloud: LocalCloud, behaviour: str
) -> None:
    lea = Customer(cloud, "twilio")
    behave(cloud, "twilio", behaviour)
    assert lea.is_answered()["state"] == "unconfirmed"
    behave(cloud, "twilio", "normal")
    cloud.advance(timedelta(hours=3))
    (asked,) = lea.answers
    assert asked["behaviour"] == behaviour
    assert lea.reply["state"] == "unconfirmed"


def test_a_status_tells_what_a_broken_connection_did_not(cloud: LocalCloud) -> None:
    """WhatsApp gives our own key back with each status, so the message is found again."""
    lea = Customer(cloud)
    cloud.callbacks.always = True
    behave(cloud, "whatsapp_cloud", "disconnect")
    assert lea.is_answered()["state"] == "unconfirmed"
    cloud.advance(timedelta(seconds=5))
    assert lea.statuses == ["sent", "delivered"]
    assert lea.reply["state"] == "done"
    assert lea.outbound["delivery"]["status"] == "delivered"
    cloud.advance(timedelta(minutes=1))
    assert lea.outbound["delivery"]["status"] == "read"
    assert len(lea.answers) == 1


def test_statuses_twice_and_backwards_end_as_one_message_that_was_read(cloud: LocalCloud) -> None:
    lea = Customer(cloud)
    before = cloud.stories.balance()
    behave(cloud, "whatsapp_cloud", ["redeliver", "reorder"], copies=3)
    assert lea.is_answered()["state"] == "done"
    cloud.advance(timedelta(minutes=2))
    told = lea.statuses
    assert Counter(told) == {"sent": 3, "delivered": 3, "read": 3}
    assert told[0] == "read" and told[-1] == "sent"
    sent = lea.outbound
    assert sent["delivery"]["status"] == "read"
    assert set(sent["delivery_times"]) == {"sent", "delivered", "read"}
    balance = cloud.stories.balance()
    assert balance["received"] - before["received"] == 9
    assert balance["duplicate"] - before["duplicate"] == 6
    assert balance["holds"]


def test_an_agent_sees_that_a_message_did_not_arrive_and_why(cloud: LocalCloud) -> None:
    lea = Customer(cloud, "twilio")
    behave(cloud, "twilio", "status_failed", code="30006")
    assert lea.is_answered()["state"] == "done"
    assert lea.ticket["status"] == "waiting_customer"
    cloud.advance(timedelta(seconds=5))
    assert lea.statuses == ["queued", "sent", "undelivered"]
    delivery = lea.outbound["delivery"]
    assert (delivery["status"], delivery["reason"]) == ("failed", "30006")
    # It is our turn again.
    assert (lea.reply["state"], lea.ticket["status"]) == ("refused", "open")


def test_a_refusal_is_told_with_its_code_and_reason(cloud: LocalCloud) -> None:
    lea = Customer(cloud)
    behave(cloud, "whatsapp_cloud", "refuse", code="131047")
    refused = lea.is_answered()
    assert refused["state"] == "refused"
    assert (refused["refusal_reason"], refused["provider_code"]) == ("window_closed", "131047")
    cloud.advance(timedelta(hours=1))
    assert len(lea.answers) == 1
