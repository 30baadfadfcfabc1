from datetime import timedelta

import pytest

from shared.domain.decision import Decision
from shared.domain.media import Medium, MediumState, medium_name
from shared.domain.model import TicketId
from shared.domain.touchpoint import Attachment, DeliveryStatus, Direction, Message, PageView
from shared.events.catalogue import MediaStored
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client


def test_a_touchpoint_in_flight(world: World, client: Client) -> None:
    said = builders.whatsapp_message("Bonjour")
    world.ledger.record([builders.observed(said), builders.observed(said)])
    answer = client.get(f"/v1/touchpoints/{said.touchpoint_id}")
    assert answer.status == 200
    assert answer.body["text"] == "Bonjour"
    assert answer.body["state"] == "received"
    assert answer.body["deliveries"] == 2
    assert answer.body["endpoint"]["address"] == "33612345678"
    assert answer.body["classification"] is None
    assert answer.body["outcome"] is None


def test_a_touchpoint_with_all_that_was_decided_about_it(world: World, client: Client) -> None:
    said = builders.whatsapp_message()
    world.ledger.record([builders.observed(said)])
    decision = Decision(
        about="routing", outcome="orders", reason="its queue", by="policy:routing", at=NOON
    )
    journey = builders.journey(
        said, understood=builders.classification(), ticket_id=TicketId("ticket-1")
    )
    assert journey.ticket_creation is not None
    step = journey.ticket_creation.model_copy(update={"decisions": (decision,)})
    world.ledger.record_outcome(journey.model_copy(update={"ticket_creation": step}))
    body = client.get(f"/v1/touchpoints/{said.touchpoint_id}").body
    assert body["state"] == "processed"
    assert body["classification"]["intent"] == "order_status"
    assert body["classification"]["evidence"][0]["words"] == ["commande"]
    assert [one["about"] for one in body["decisions"]] == ["routing"]
    assert body["outcome"] == {
        "ticket": "opened",
        "ticket_id": "ticket-1",
        "queue": "orders",
        "profile": "somebody wrote",
    }


def test_a_touchpoint_whose_journey_ended_with_its_profile(world: World, client: Client) -> None:
    seen = builders.touchpoint(PageView(url="https://example.com/"), direction=Direction.PASSIVE)
    world.ledger.record([builders.observed(seen)])
    world.ledger.record_outcome(builders.journey(seen))
    body = client.get(f"/v1/touchpoints/{seen.touchpoint_id}").body
    assert body["text"] == ""
    assert body["outcome"]["profile"] == "somebody wrote"
    assert body["outcome"]["ticket"] is None


def test_a_message_we_sent_shows_how_far_it_came(world: World, client: Client) -> None:
    sent = builders.touchpoint(Message(text="Il arrive"), direction=Direction.OUTBOUND, key="m1")
    world.ledger.record_sent(sent, builders.profile_id())
    read = DeliveryStatus(status="read", message_id="m1")
    world.ledger.advance_delivery(builders.touchpoint(read, key="m1-read"), read)
    body = client.get(f"/v1/touchpoints/{sent.touchpoint_id}").body
    assert body["delivery"]["status"] == "read"
    assert body["delivery_times"] == {"read": "2026-11-23T12:00:00Z"}


def test_no_such_touchpoint(client: Client) -> None:
    answer = client.get("/v1/touchpoints/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["detail"] == "there is no such touchpoint"


def test_an_id_that_can_be_none(client: Client) -> None:
    answer = client.get(f"/v1/touchpoints/{'x' * 3000}")
    assert (answer.status, answer.fields) == (422, ["touchpoint_id"])


def test_failed_touchpoints_oldest_first_page_by_page(world: World, client: Client) -> None:
    said = [
        builders.whatsapp_message(f"message {n}", at=NOON + timedelta(minutes=n)) for n in range(5)
    ]
    for one in said:
        world.ledger.record([builders.observed(one)])
        world.ledger.record_failure(one.touchpoint_id, "ai_classification", "Contention")
    seen, cursor = [], ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = client.get("/v1/touchpoints", state="failed", limit=2, **more).body
        seen += [(one["text"], one["failed_step"]) for one in page["items"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]
    assert seen == [(f"message {n}", "ai_classification") for n in range(5)]


def test_quarantined_requests(world: World, client: Client) -> None:
    world.ledger.quarantine("twilio", builders.webhook_request(b"?"), "From: missing", NOON)
    world.ledger.quarantine("twilio", builders.webhook_request(b"?"), "From: missing", NOON)
    (item,) = client.get("/v1/touchpoints", state="quarantined").body["items"]
    assert item["reason"] == "From: missing"
    assert item["state"] == "quarantined"
    assert item["deliveries"] == 2
    assert client.get(f"/v1/touchpoints/{item['touchpoint_id']}").body == item


@pytest.mark.parametrize("since", ["2026-11-23T13:05:00+01:00", "2026-11-23T13:05:00 01:00"])
def test_since_may_carry_a_plus_that_nobody_encoded(
    world: World, client: Client, since: str
) -> None:
    for minutes in (0, 10):
        at = NOON + timedelta(minutes=minutes)
        world.ledger.record([builders.observed(builders.whatsapp_message(f"{minutes}", at=at))])
    items = client.get("/v1/touchpoints", state="received", since=since).body["items"]
    assert [one["text"] for one in items] == ["10"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "state"),
        ({"state": "lost"}, "state"),
        ({"state": "failed", "limit": "0"}, "limit"),
        ({"state": "failed", "limit": "101"}, "limit"),
        ({"state": "failed", "limit": "many"}, "limit"),
        ({"state": "failed", "since": "yesterday"}, "since"),
        ({"state": "failed", "since": "2026-11-23T12:00:00"}, "since"),
        ({"state": "failed", "since": "9999-12-31T23:59:59-10:00"}, "since"),
        ({"state": "failed", "since": "0001-01-01T00:00:00+10:00"}, "since"),
        ({"state": "failed", "cursor": "x" * 2001}, "cursor"),
    ],
)
def test_a_query_that_breaks_a_rule(client: Client, query: dict[str, str], field: str) -> None:
    answer = client.get("/v1/touchpoints", **query)
    assert (answer.status, answer.fields) == (422, [field])


@pytest.mark.parametrize("cursor", ["garbage", "Zm9v", "é", "="])
def test_a_cursor_that_is_none_of_ours(client: Client, cursor: str) -> None:
    answer = client.get("/v1/touchpoints", state="failed", cursor=cursor)
    assert (answer.status, answer.fields) == (400, ["cursor"])


def test_files_that_are_kept_have_a_link_and_the_others_a_reason(
    world: World, client: Client
) -> None:
    files = (Attachment(name="photo.jpg", provider_reference="1"), Attachment(name="run.exe"))
    said = builders.touchpoint(Message(text="voilà", attachments=files))
    world.ledger.record([builders.observed(said)])
    world.ledger.change(said.touchpoint_id, profile_id=builders.profile_id())
    photo_name = medium_name(files[0], 0)
    key = world.ledger.media_files.keep(said.touchpoint_id, photo_name, b"JPEG", "image/jpeg")
    media = {
        photo_name: Medium(
            state=MediumState.STORED, object_key=key, content_type="image/jpeg", size=4
        ),
        "1": Medium(state=MediumState.REFUSED, because="type"),
    }
    event = MediaStored(touchpoint_id=said.touchpoint_id, stored=1, refused=1)
    world.ledger.record_media(said.touchpoint_id, {}, media, event)
    photo, program = client.get(f"/v1/touchpoints/{said.touchpoint_id}").body["media"]
    assert photo == {
        "position": 0,
        "name": "photo.jpg",
        "state": "stored",
        "because": None,
        "content_type": "image/jpeg",
        "size": 4,
        "url": f"https://files.example/{key}?name=photo.jpg",
    }
    assert (program["state"], program["because"], program["url"]) == ("refused", "type", None)
    listed = client.get("/v1/touchpoints", state="received").body["items"][0]
    assert [one["url"] for one in listed["media"]] == [None, None]
