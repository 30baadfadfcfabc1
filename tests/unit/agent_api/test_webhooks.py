from datetime import timedelta

import pytest

from functions.agent_api import ports
from shared.domain.webhook import Attempt, WebhookDelivery
from shared.events.catalogue import WebhookReplayRequested
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client

CRM = "/v1/webhook-subscriptions/crm"
URL = "https://crm.example.com/passerelle"


@pytest.fixture(autouse=True)
def _administrator(client: Client) -> None:
    client.claims["cognito:groups"] = "[supervisors administrators]"


@pytest.fixture(autouse=True)
def _key(world: World) -> None:
    world.secrets.secrets["webhooks"] = {"key": "k" * 64}


def test_a_system_subscribes_and_the_bus_is_told(client: Client, world: World) -> None:
    made = client.put(CRM, url=URL, events=["TicketOpened", "TicketChanged", "TicketOpened"])
    assert made.status == 200
    assert made.body == {
        "name": "crm",
        "url": URL,
        "events": ["TicketChanged", "TicketOpened"],
        "description": "",
        "state": "active",
        "disabled_because": None,
        "made_by": f"agent:{AGENT}",
        "made_at": "2026-11-23T12:00:00Z",
        "rotated_at": None,
    }
    assert world.event_rules.heard == {"crm": ("TicketChanged", "TicketOpened")}
    assert client.get(CRM).body == made.body
    assert client.get("/v1/webhook-subscriptions").body["items"] == [made.body]


def test_without_names_it_hears_everything(client: Client, world: World) -> None:
    client.put(CRM, url=URL)
    assert world.event_rules.heard == {"crm": ()}


def test_a_change_keeps_the_secret_and_wakes_what_was_disabled(
    client: Client, world: World
) -> None:
    client.put(CRM, url=URL)
    secrets = client.get(f"{CRM}/secrets").body
    before = world.webhooks.subscription("crm")
    assert before is not None
    off = {"state": "disabled", "disabled_because": "it answered 410 Gone", "version": 2}
    world.webhooks.save(before.model_copy(update=off))
    world.clock.advance(timedelta(days=1))
    changed = client.put(CRM, url="https://new.example.com", description="moved").body
    assert (changed["state"], changed["disabled_because"]) == ("active", None)
    assert changed["made_at"] == "2026-11-23T12:00:00Z"
    assert client.get(f"{CRM}/secrets").body == secrets


def test_where_the_bus_fails_doing_it_again_puts_it_right(client: Client, world: World) -> None:
    world.event_rules.broken = ConnectionError("the bus is away")
    assert client.put(CRM, url=URL).status == 500
    world.event_rules.broken = None
    assert client.put(CRM, url=URL).status == 200
    assert world.event_rules.heard == {"crm": ()}


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com",
        "https://localhost/x",
        "https://127.0.0.1",
        "https://user:secret@crm.example.com",
        "https://",
        "https://[::1",
        "https://crm.example.com:99999",
        "ftp://crm.example.com",
        "crm",
        "https://crm.exämple.com",
        "https://crm.example.com/a b",
        "https://crm.exam\nple.com",
        "https://crm.example.com/\x00",
        "https://10.0.0.1/x",
        "https://93.184.216.34",
        "https://2130706433",
        "https://127.1",
        "https://[fd00::1]",
        "https://crm",
    ],
)
def test_an_address_that_cannot_be_sent_to_is_named(client: Client, world: World, url: str) -> None:
    refused = client.put(CRM, url=url)
    assert (refused.status, refused.fields) == (400, ["url"])
    assert world.event_rules.heard == {}
    assert world.webhooks.subscriptions() == []


def test_an_event_that_does_not_exist_is_named(client: Client) -> None:
    refused = client.put(CRM, url=URL, events=["TicketOpend"])
    assert refused.fields == ["events"]
    assert "TicketOpend" in refused.body["detail"]


def test_a_rotation_shows_both_for_a_day(client: Client, world: World) -> None:
    client.put(CRM, url=URL)
    (old,) = client.get(f"{CRM}/secrets").body["signing_secrets"]
    new, beside = client.call("POST", f"{CRM}/rotate").body["signing_secrets"]
    assert beside == old != new
    world.clock.advance(timedelta(days=1))
    assert client.get(f"{CRM}/secrets").body["signing_secrets"] == [new]
    assert client.get(CRM).body["rotated_at"] == "2026-11-23T12:00:00Z"


def test_who_unsubscribes_hears_nothing_more(client: Client, world: World) -> None:
    client.put(CRM, url=URL)
    assert client.call("DELETE", CRM).status == 200
    assert world.event_rules.heard == {}
    assert client.call("DELETE", CRM).status == client.get(CRM).status == 404


def kept(world: World, *ids: str) -> None:
    for one in ids:
        attempt = Attempt(at=NOON, status=500)
        world.webhooks.keep(
            WebhookDelivery(
                subscription="crm",
                delivery_id=one,
                event="TicketOpened",
                body="{}",
                state="failed",
                attempts=(attempt,),
                version=1,
            )
        )


def test_the_log_shows_each_attempt_the_latest_event_first(client: Client, world: World) -> None:
    kept(world, "1", "2", "3")
    page = client.get(f"{CRM}/deliveries", limit=2).body
    assert [one["delivery_id"] for one in page["items"]] == ["3", "2"]
    assert page["items"][0]["attempts"] == [
        {"at": "2026-11-23T12:00:00Z", "status": 500, "error": None}
    ]
    (last,) = client.get(f"{CRM}/deliveries", cursor=page["cursor"]).body["items"]
    assert last["delivery_id"] == "1"


def test_a_delivery_is_asked_for_again(client: Client, world: World) -> None:
    client.put(CRM, url=URL)
    kept(world, "1")
    assert client.call("POST", f"{CRM}/deliveries/1/replay").body["state"] == "pending"
    assert world.happened(WebhookReplayRequested) == [
        WebhookReplayRequested(subscription="crm", delivery_id="1")
    ]
    assert client.call("POST", f"{CRM}/deliveries/2/replay").status == 404


def test_no_machine_subscribes_or_reads_a_secret(client: Client) -> None:
    client.claims["sub"] = client.claims["client_id"]
    assert client.put(CRM, url=URL).status == 403
    assert client.get(f"{CRM}/secrets").status == 403


@pytest.mark.parametrize("groups", [None, "[]", "[supervisors]", "[administrators-of-shops]"])
def test_only_an_administrator_subscribes_reads_a_secret_or_sends_again(
    client: Client, world: World, groups: str | None
) -> None:
    client.put(CRM, url=URL)
    kept(world, "1")
    client.claims.pop("cognito:groups")
    if groups is not None:
        client.claims["cognito:groups"] = groups
    refused = [
        client.put(CRM, url="https://else.example.com"),
        client.call("DELETE", CRM),
        client.get(f"{CRM}/secrets"),
        client.call("POST", f"{CRM}/rotate"),
        client.call("POST", f"{CRM}/deliveries/1/replay"),
    ]
    assert {one.status for one in refused} == {403}
    assert "administrators" in refused[0].body["detail"]
    assert client.get(CRM).body["url"] == URL
    assert client.get(f"{CRM}/deliveries").status == 200


def test_on_a_laptop_this_machine_may_receive(client: Client, world: World) -> None:
    client.override(ports.loopback_webhooks, True)
    assert client.put(CRM, url="http://127.0.0.1:9000/in").status == 200
    assert client.put(CRM, url="http://192.168.0.1").status == 400
