"""An event reaches a subscription, or is tried again until it does or a day is over."""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.webhook_delivery.logic import Begun, Due, Ports, begin, go_on
from shared.domain.webhook import Answer, Subscription, WebhookDelivery, begun_anew, signing_secrets
from shared.events.catalogue import WebhookSubscriptionDisabled
from tests.builders import NOON
from tests.fakes import World

CRM = Subscription(name="crm", url="https://crm.example/in", made_by="agent:a", made_at=NOON)
KEY = {"key": "k" * 64}


@pytest.fixture
def world() -> World:
    world = World()
    world.secrets.secrets["webhooks"] = KEY
    world.webhooks.save(CRM)
    return world


def ports(world: World) -> Ports:
    return Ports(world.webhooks, world.receivers, world.secrets, world.timer, world.clock)


def opened(subscription: str = "crm", event_id: str = "e-1") -> Begun:
    detail = {
        "metadata": {"event_id": event_id, "at": NOON, "version": "1"},
        "data": {"ticket_id": "t-1", "queue": "orders"},
    }
    return Begun.model_validate(
        {"subscription": subscription, "type": "TicketOpened", "detail": detail}
    )


def log(world: World) -> list[WebhookDelivery]:
    return world.webhooks.deliveries("crm", limit=100).items


def pass_time(world: World, by: timedelta) -> list[str]:
    world.clock.advance(by)
    due: list[dict[str, Any]] = world.timer.fire(world.clock.now())
    return [go_on(Due.model_validate(one), ports(world)) for one in due]


def test_an_event_is_posted_once_and_signed_with_the_secret_that_is_shown(world: World) -> None:
    assert begin(opened(), ports(world)) == "delivered"
    ((url, key, body, secrets),) = world.receivers.posts
    assert url == "https://crm.example/in"
    assert json.loads(body) == {
        "type": "TicketOpened",
        "timestamp": "2026-11-23T12:00:00.000000Z",
        "data": {"ticket_id": "t-1", "queue": "orders"},
    }
    assert list(secrets) == signing_secrets(KEY, CRM, NOON)
    (kept,) = log(world)
    assert (kept.delivery_id, kept.state) == (key, "delivered")
    assert len(world.timer) == 0


def test_the_bus_delivers_twice_and_the_receiver_hears_it_once(world: World) -> None:
    begin(opened(), ports(world))
    assert begin(opened(), ports(world)) == "known"
    assert len(world.receivers.posts) == 1


def test_every_attempt_has_the_same_id_and_the_same_words(world: World) -> None:
    world.receivers.answers = [Answer(500), Answer(None, error="it took too long"), Answer(204)]
    assert begin(opened(), ports(world)) == "pending"
    assert pass_time(world, timedelta(minutes=1)) == ["pending"]
    assert pass_time(world, timedelta(minutes=5)) == ["delivered"]
    assert len({(key, body) for _, key, body, _ in world.receivers.posts}) == 1
    (kept,) = log(world)
    assert [(one.status, one.error) for one in kept.attempts] == [
        (500, None),
        (None, "it took too long"),
        (204, None),
    ]


def test_a_schedule_that_fires_twice_sends_once(world: World) -> None:
    world.receivers.answers = [Answer(500)]
    begin(opened(), ports(world))
    ((_, payload),) = world.timer.scheduled.values()
    due = Due.model_validate(payload)
    assert go_on(due, ports(world)) == "not due"
    world.clock.advance(timedelta(minutes=1))
    assert go_on(due, ports(world)) == "delivered"
    assert go_on(due, ports(world)) == "ended"


def test_gone_disables_and_what_waits_is_dropped(world: World) -> None:
    world.receivers.answers = [Answer(500), Answer(410)]
    begin(opened(event_id="e-1"), ports(world))
    assert begin(opened(event_id="e-2"), ports(world)) == "failed"
    subscription = world.webhooks.subscription("crm")
    assert subscription is not None
    assert (subscription.state, subscription.disabled_because) == (
        "disabled",
        "it answered 410 Gone",
    )
    assert world.happened(WebhookSubscriptionDisabled) == [
        WebhookSubscriptionDisabled(subscription="crm")
    ]
    assert pass_time(world, timedelta(days=1)) == ["not wanted"]
    assert begin(opened(event_id="e-3"), ports(world)) == "not wanted"
    assert len(world.receivers.posts) == 2


def test_a_change_at_the_same_moment_counts_more_than_a_410(world: World) -> None:
    class Changing(type(world.receivers)):  # type: ignore[misc]
        def post(self, *args: Any) -> Answer:
            moved = CRM.model_copy(update={"url": "https://new.example", "version": 2})
            world.webhooks.save(moved)
            return Answer(410)

    world.receivers = Changing()
    begin(opened(), ports(world))
    subscription = world.webhooks.subscription("crm")
    assert subscription is not None
    assert subscription.state == "active"


def test_two_at_once_keep_one_attempt_and_set_one_schedule(world: World) -> None:
    """The bus hands it over twice at the same moment: both post, under one id."""

    class Twice(type(world.receivers)):  # type: ignore[misc]
        def post(self, *args: Any) -> Answer:
            answer: Answer = super().post(*args)
            if len(self.posts) == 1:
                begin(opened(), ports(world))
            return answer

    world.receivers = Twice([Answer(500), Answer(500)])
    begin(opened(), ports(world))
    assert len(world.receivers.posts) == 2
    (kept,) = log(world)
    assert len(kept.attempts) == len(world.timer) == 1


def test_a_replay_of_what_waits_begins_no_second_chain(world: World) -> None:
    world.receivers.answers = [Answer(500)] * 3
    begin(opened(), ports(world))
    (kept,) = log(world)
    world.webhooks.keep(begun_anew(kept))
    go_on(Due(subscription="crm", delivery_id=kept.delivery_id), ports(world))
    world.clock.advance(timedelta(minutes=1))
    assert len(world.timer) == 2
    assert pass_time(world, timedelta(0)) == ["pending", "not due"]
    assert len(world.receivers.posts) == 3


def test_a_replay_goes_out_again_under_its_id(world: World) -> None:
    begin(opened(), ports(world))
    (kept,) = log(world)
    world.webhooks.keep(begun_anew(kept))
    due = Due(subscription="crm", delivery_id=kept.delivery_id)
    assert go_on(due, ports(world)) == "delivered"
    first, second = world.receivers.posts
    assert first == second


@pytest.mark.parametrize("name", ["other", "crm"])
def test_what_nobody_wants_or_knows_is_dropped(world: World, name: str) -> None:
    world.webhooks.remove("crm")
    assert begin(opened(name), ports(world)) == "not wanted"
    assert go_on(Due(subscription=name, delivery_id="d"), ports(world)) == "not wanted"
    world.webhooks.save(CRM)
    assert go_on(Due(subscription="crm", delivery_id="d"), ports(world)) == "ended"
    assert world.receivers.posts == []
