"""The stores keep what their ports promise, on moto and on AWS's own DynamoDB Local alike."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from shared.adapters import dynamo
from shared.adapters.ledger_items import INLINE_LIMIT
from shared.domain.errors import Conflict, Contention, InvalidInput, MediumTooLarge
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled, united
from shared.domain.identity_tie import TieKind, tie
from shared.domain.media import Medium, MediumState, medium_name
from shared.domain.model import ProfileId, TicketId, TouchpointId
from shared.domain.profile import LearnedLanguage, MergeSuggestion, Trait
from shared.domain.ticket import Priority, Ticket, TicketStatus
from shared.domain.touchpoint import (
    Attachment as AttachedFile,
)
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Direction,
    Message,
    PageView,
    Touchpoint,
    TouchpointState,
)
from shared.events.catalogue import (
    FollowUpDone,
    FollowUpScheduled,
    MediaStored,
    TicketChanged,
    TicketOpened,
)
from shared.ports.ledger import Delivery, LedgerEntry, Quarantined, Upload
from shared.ports.profiles import GraphChange
from shared.ports.tickets import LogEntry
from shared.providers.base import File, OneTimeProof
from tests.builders import (
    NOON,
    endpoint,
    follow_up,
    identifier,
    observed,
    policies,
    profile_id,
    profile_tie,
    ticket,
    touchpoint,
    webhook_request,
    whatsapp_message,
    word,
)
from tests.integration.conftest import Stores

EMAIL = identifier("awa@example.com", IdentifierType.EMAIL)
OPENED = LogEntry(at=NOON, what="opened", by="policy")


def _told(stores: Stores) -> dict[str, dict[str, Any]]:
    """The events that items of the ledger carry, by their names."""
    items = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
    return {one["event"]["M"]["type"]["S"]: one["event"] for one in items if "event" in one}


def attach(stores: Stores, seen: Touchpoint, **overrides: object) -> None:
    """Tie a touchpoint to the profile of its first identifier, as that stands now."""
    home = seen.identifiers[0].profile_id
    known = stores.profiles.known([home])
    graph = known.graphs.get(home)
    read = {"profile": known.profiles.get(home), "graph_id": graph.graph_id if graph else None}
    stores.profiles.attach(profile_tie(seen, **read | overrides))


def opened_event(of: Ticket) -> TicketOpened:
    return TicketOpened(
        ticket_id=of.ticket_id,
        profile_id=of.profile_id,
        touchpoint_id=of.first.touchpoint_id,
        queue=of.queue,
        intent=of.first.intent,
        priority=of.priority,
        first_response_due_at=of.first_response.due_at,
        resolution_due_at=of.resolution.due_at,
    )


def changed_event(of: Ticket) -> TicketChanged:
    return TicketChanged(
        ticket_id=of.ticket_id,
        profile_id=of.profile_id,
        queue=of.queue,
        status=of.status,
        priority=of.priority,
        change="edited",
        version=of.version + 1,
    )


def scheduled_event(of: FollowUp) -> FollowUpScheduled:
    return FollowUpScheduled(
        follow_up_id=of.follow_up_id,
        ticket_id=of.ticket_id,
        profile_id=of.profile_id,
        name=of.name,
        due_at=of.due_at,
    )


def done_event(of: FollowUp) -> FollowUpDone:
    return FollowUpDone(
        follow_up_id=of.follow_up_id,
        ticket_id=of.ticket_id,
        profile_id=of.profile_id,
        name=of.name,
        state=of.state,
    )


def open_one(stores: Stores, seen: Touchpoint | None = None, **overrides: object) -> Ticket:
    first = word(seen if seen is not None else whatsapp_message())
    one = ticket(first=first, **overrides)
    stores.tickets.open(one, opened_event(one), OPENED)
    return one


class TestLedger:
    def test_a_touchpoint_comes_back_as_it_went_in(self, stores: Stores) -> None:
        seen = whatsapp_message("Où est ma commande ? 📦")
        assert stores.ledger.record([observed(seen, b'{"raw": true}')]) == [True]
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None
        assert entry.touchpoint == seen
        assert entry.state is TouchpointState.RECEIVED
        assert stores.ledger.raw(seen.touchpoint_id) == b'{"raw": true}'

    def test_a_second_delivery_is_counted_and_changes_nothing_else(self, stores: Stores) -> None:
        seen = whatsapp_message()
        assert stores.ledger.record([observed(seen)]) == [True]
        # One after the other: moto does not add atomically.
        assert [stores.ledger.record([observed(seen)]) for _ in range(2)] == [[False], [False]]
        balance = stores.ledger.balance()
        assert (balance.received, balance.duplicate, balance.in_flight) == (3, 2, 1)
        assert balance.holds

    def test_a_proof_without_content_stands_beside_one_only(self, stores: Stores) -> None:
        proof = OneTimeProof(token="t-1", content="one", valid_for=timedelta(hours=1))
        assert [stores.ledger.claim("mailgun", proof, NOON) for _ in range(2)] == [True, True]
        other = proof._replace(content="other")
        assert not stores.ledger.claim("mailgun", other, NOON)
        assert stores.ledger.claim("another", other, NOON)
        balance = stores.ledger.balance()
        assert balance.received == 0
        assert balance.holds
        (item, _) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert int(item["expires_at"]["N"]) == (NOON + timedelta(hours=1)).timestamp()

    def test_the_write_carries_its_event(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        (item,) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert item["event"]["M"]["type"] == {"S": "TouchpointReceived"}
        assert item["event"]["M"]["data"]["M"]["touchpoint_id"] == {"S": seen.touchpoint_id}

    def test_what_comes_together_is_told_of_once_by_one_event(self, stores: Stores) -> None:
        """Also where the first try broke off before the event, and where nothing is new."""
        view = PageView(name="Kettle", url="https://www.boutique.example/kettle")
        views = [touchpoint(view, key=f"v{n}", direction=Direction.PASSIVE) for n in range(3)]
        words = whatsapp_message()
        together = [observed(one) for one in (*views, words)]
        assert stores.ledger.record(together) == [True] * 4
        first = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert stores.ledger.record(together) == [False] * 4
        again = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        told = {one["event"]["M"]["type"]["S"]: one["event"] for one in again if "event" in one}
        assert told == {
            one["event"]["M"]["type"]["S"]: one["event"] for one in first if "event" in one
        }
        assert set(told) == {"TouchpointReceived", "TouchpointsReceived"}
        data = dynamo.plain(told["TouchpointsReceived"]["M"]["data"]["M"])
        assert data["touchpoint_ids"] == [one.touchpoint_id for one in views]
        balance = stores.ledger.balance()
        assert (balance.received, balance.duplicate, balance.in_flight) == (8, 4, 4)
        assert balance.holds

    def test_what_is_large_goes_to_s3(self, stores: Stores) -> None:
        text = "é" * INLINE_LIMIT
        seen = whatsapp_message(text)
        stores.ledger.record([observed(seen, text.encode())])
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and entry.touchpoint.text == text
        assert stores.ledger.raw(seen.touchpoint_id) == text.encode()
        (item,) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert item["raw_key"]["S"] == f"raw/message/{seen.touchpoint_id}"

    def test_attachments_are_stored_and_linked(self, stores: Stores) -> None:
        file = AttachedFile(name="facture.pdf", content_type="application/pdf", size=4)
        seen = touchpoint(Message(text="voilà", attachments=(file,)))
        stores.ledger.record([observed(seen)._replace(files=(File(file, b"%PDF"),))])
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and isinstance(entry.touchpoint.content, Message)
        (kept,) = entry.touchpoint.content.attachments
        stored = boto3.client("s3").get_object(Bucket=stores.bucket, Key=kept.object_key or "")
        assert stored["Body"].read() == b"%PDF"
        # Nobody has looked at it: it is saved, never shown.
        assert stored["ContentType"] == "application/octet-stream"
        assert stored["ContentDisposition"] == "attachment"

    def test_what_came_together_untold_is_told_of_when_it_comes_again_alone(
        self, stores: Stores
    ) -> None:
        view = PageView(name="Kettle", url="https://www.boutique.example/kettle")
        views = [touchpoint(view, key=f"v{n}", direction=Direction.PASSIVE) for n in range(2)]
        stores.ledger.record([observed(one) for one in views])
        (told,) = (
            one["touchpoint_id"]
            for one in stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
            if "event" in one
        )
        # As if the function had ended before that last write.
        stores.client.delete_item(
            TableName=stores.names["touchpoints"], Key={"touchpoint_id": told}
        )
        assert stores.ledger.record([observed(views[0])]) == [False]
        assert stores.ledger.record([observed(views[0])]) == [False]
        items = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert {
            one["touchpoint_id"]["S"]: one["event"]["M"]["type"]["S"]
            for one in items
            if "event" in one
        } == {views[0].touchpoint_id: "TouchpointReceived"}
        assert stores.ledger.balance().duplicate == 2

    def test_what_comes_again_as_something_else_does_not_take_the_place_of_what_came(
        self, stores: Stores
    ) -> None:
        """Whoever knows a mail's Message-ID can send another under it, and a visitor of the web
        chat repeats an id of their own, once the first file was looked at.
        """
        file = AttachedFile(name="facture.pdf", content_type="application/pdf", size=4)
        text = "é" * INLINE_LIMIT
        seen = touchpoint(Message(text=text, attachments=(file,)))
        first = observed(seen, text.encode())._replace(files=(File(file, b"%PDF"),))
        forged_content = Message(text="?" * len(text), attachments=(file,))
        forged = observed(
            seen.model_copy(update={"content": forged_content}), b"?" * len(text)
        )._replace(files=(File(file, b"MZ\x90"),))
        assert [stores.ledger.record([one]) for one in (first, forged)] == [[True], [False]]
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and isinstance(entry.touchpoint.content, Message)
        (kept,) = entry.touchpoint.content.attachments
        assert stores.media_files.read(kept.object_key or "") == b"%PDF"
        assert entry.touchpoint.text == text
        assert stores.ledger.raw(seen.touchpoint_id) == text.encode()

    def test_a_file_that_was_not_let_in_is_shown_as_refused_and_not_stored(
        self, stores: Stores
    ) -> None:
        refused, file = AttachedFile(name="film.pdf"), AttachedFile(name="facture.pdf")
        seen = touchpoint(Message(text="voilà", attachments=(refused, file)))
        files = (File(refused, b"", "size"), File(file, b"%PDF"))
        stores.ledger.record([observed(seen)._replace(files=files)])
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and isinstance(entry.touchpoint.content, Message)
        assert entry.media == {"0": Medium(state=MediumState.REFUSED, because="size")}
        kept = [one.object_key for one in entry.touchpoint.content.attachments]
        assert kept == [None, f"attachments/{seen.touchpoint_id}/1"]
        looked_at = Medium(state=MediumState.STORED, object_key=kept[1])
        event = MediaStored(touchpoint_id=seen.touchpoint_id, stored=1, refused=1)
        media = {**entry.media, "1": looked_at}
        assert stores.ledger.record_media(seen.touchpoint_id, entry.media, media, event)

    def test_what_became_of_files_is_kept_with_its_event(self, stores: Stores) -> None:
        file = AttachedFile(name="photo", provider_reference="1")
        seen = touchpoint(Message(text="voilà", attachments=(file, AttachedFile(name="run.exe"))))
        stores.ledger.record([observed(seen)])
        (item,) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert item["event"]["M"]["data"]["M"]["has_media"] == {"BOOL": True}
        name = medium_name(file, 0)
        key = stores.media_files.keep(seen.touchpoint_id, name, b"PNG", "image/png")
        media = {
            name: Medium(
                state=MediumState.STORED, object_key=key, content_type="image/png", size=3
            ),
            "1": Medium(state=MediumState.REFUSED, because="type"),
        }
        event = MediaStored(touchpoint_id=seen.touchpoint_id, stored=1, refused=1)
        assert stores.ledger.record_media(seen.touchpoint_id, {}, media, event)
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and entry.media == media
        assert isinstance(entry.touchpoint.content, Message)
        assert [one.object_key for one in entry.touchpoint.content.attachments] == [key, None]
        (item,) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
        assert item["event"]["M"]["type"] == {"S": "MediaStored"}
        assert stores.media_files.read(key) == b"PNG"
        with pytest.raises(Contention):
            stores.ledger.record_media(seen.touchpoint_id, {}, {}, event)
        assert stores.media_files.read(key) == b"PNG", "it is not taken for erased"
        assert stores.ledger.record_media(seen.touchpoint_id, media, {"1": media["1"]}, event)
        stores.media_files.drop(key)
        assert stores.media_files.read(key) is None

    def test_of_a_touchpoint_that_was_erased_no_file_stays(self, stores: Stores) -> None:
        """A status may have come for it since, so that there is an item."""
        seen = whatsapp_message()
        key = stores.media_files.keep(seen.touchpoint_id, "0", b"PNG", "image/png")
        media = {"0": Medium(state=MediumState.STORED, object_key=key)}
        event = MediaStored(touchpoint_id=seen.touchpoint_id, stored=1, refused=0)
        assert not stores.ledger.record_media(seen.touchpoint_id, {}, media, event)
        assert stores.media_files.read(key) is None
        assert stores.client.scan(TableName=stores.names["touchpoints"])["Items"] == []

    def test_an_upload_is_offered_for_one_key_one_type_and_so_many_bytes(
        self, stores: Stores
    ) -> None:
        form = stores.media_files.offer("u1", "facture é.pdf", "application/pdf", 10)
        assert urlsplit(form.url).scheme == "https"
        assert (form.fields["key"], form.fields["Content-Type"]) == (
            "uploads/u1",
            "application/pdf",
        )
        assert form.fields["x-amz-meta-name"] == "facture%20%C3%A9.pdf"
        policy = json.loads(b64decode(form.fields["policy"]))
        assert {"key": "uploads/u1"} in policy["conditions"]
        assert {"Content-Type": "application/pdf"} in policy["conditions"]
        assert {"Content-Disposition": "attachment"} in policy["conditions"]
        assert ["content-length-range", 1, 10] in policy["conditions"]
        left = datetime.fromisoformat(policy["expiration"]) - datetime.now(UTC)
        assert timedelta(minutes=14) < left <= timedelta(minutes=15)

    def test_what_was_put_is_found_until_it_ends(self, stores: Stores) -> None:
        files = stores.media_files
        assert files.upload("u1", 10) is None
        boto3.client("s3").put_object(
            Bucket=stores.bucket,
            Key="uploads/u1",
            Body=b"%PDF-1.4",
            ContentType="application/pdf",
            Metadata={"name": "facture%20%C3%A9.pdf"},
        )
        assert files.upload("u1", 8) == Upload(b"%PDF-1.4", "facture é.pdf", "application/pdf")
        with pytest.raises(MediumTooLarge):
            files.upload("u1", 7)

    def test_what_a_reply_sends_along_lies_with_its_ticket_once(self, stores: Stores) -> None:
        files = stores.media_files
        keys = {files.keep_to_send(TicketId("t1"), b"%PDF-1.4", "application/pdf") for _ in "ab"}
        (key,) = keys
        assert key.startswith("attachments/tickets/t1/")
        assert key != files.keep_to_send(TicketId("t1"), b"%PDF-1.5", "application/pdf")
        assert files.read(key) == b"%PDF-1.4"
        stored = boto3.client("s3").get_object(Bucket=stores.bucket, Key=key)
        assert (stored["ContentType"], stored["ContentDisposition"]) == (
            "application/pdf",
            "attachment",
        )
        lasts = parse_qs(urlsplit(files.address(key, "a")).query)
        assert lasts.get("X-Amz-Expires", ["3600"]) == ["3600"]

    def test_what_a_reply_sent_along_stays_with_it(self, stores: Stores) -> None:
        promise = follow_up()
        stores.tickets.promise(promise, scheduled_event(promise))
        key = stores.media_files.keep_to_send(promise.ticket_id, b"%PDF", "application/pdf")
        bill = AttachedFile(
            name="facture.pdf", content_type="application/pdf", object_key=key, size=4
        )
        elsewhere = AttachedFile(name="plan", provider_reference="https://shop.example/plan.png")
        said = Message(text="La voici.", attachments=(elsewhere, bill))
        sent = touchpoint(said, key="wamid.out", direction=Direction.OUTBOUND)
        done = promise.model_copy(update={"state": FollowUpState.DONE})
        stores.tickets.end(done, FollowUpState.SCHEDULED, done_event(done), sent=sent)
        entry = stores.ledger.read(sent.touchpoint_id)
        assert entry is not None and entry.touchpoint == sent
        assert entry.media == {
            "1": Medium(
                state=MediumState.STORED, object_key=key, content_type="application/pdf", size=4
            )
        }

    def test_a_link_saves_the_file_under_its_name_and_nothing_else(self, stores: Stores) -> None:
        hostile = 'a"; filename=x.html\r\n/é.pdf'
        link = urlsplit(stores.media_files.link("attachments/1/0", hostile))
        query = parse_qs(link.query)
        assert link.path.endswith("/attachments/1/0")
        assert query["response-content-disposition"] == [
            "attachment; filename*=UTF-8''a%22%3B%20filename%3Dx.html%0D%0A%2F%C3%A9.pdf"
        ]
        assert {"X-Amz-Signature", "AWSAccessKeyId"} & set(query)

    def test_quarantine_keeps_the_request_without_its_credentials(self, stores: Stores) -> None:
        headers = {"content-type": "application/json", "authorization": "Basic c2VjcmV0"}
        request = webhook_request(b"\x00{", headers=headers)
        key = stores.ledger.quarantine("whatsapp_cloud", request, "not JSON", NOON)
        assert stores.ledger.quarantine("whatsapp_cloud", request, "not JSON", NOON) == key
        (found,) = stores.ledger.in_state(TouchpointState.QUARANTINED).items
        assert isinstance(found, Quarantined) and found.deliveries == 2
        assert stores.ledger.read_quarantined(key) == found
        kept = stores.ledger.quarantined_request(key)
        assert kept is not None
        assert kept[0] == "whatsapp_cloud"
        assert kept[1].body == b"\x00{"
        assert kept[1].headers == {"content-type": "application/json"}
        balance = stores.ledger.balance()
        assert (balance.received, balance.duplicate, balance.quarantined) == (2, 1, 1)
        stores.ledger.release(key)
        assert stores.ledger.read_quarantined(key) is None
        assert stores.ledger.in_state(TouchpointState.QUARANTINED).items == []
        assert stores.ledger.balance().holds

    def test_delivery_only_moves_forward_and_may_come_first(self, stores: Stores) -> None:
        for status in ("read", "delivered", "sent"):
            moved = DeliveryStatus.model_validate({"status": status, "message_id": "wamid.out"})
            stores.ledger.advance_delivery(touchpoint(moved, key=f"wamid.out-{status}"), moved)
        sent = touchpoint(Message(text="Bonjour"), key="wamid.out", direction=Direction.OUTBOUND)
        assert stores.ledger.read(sent.touchpoint_id) is None
        assert stores.ledger.record([observed(sent)]) == [True]
        entry = stores.ledger.read(sent.touchpoint_id)
        assert entry is not None and entry.delivery is not None
        assert entry.delivery.status == "read"
        assert set(entry.delivery_times) == {"sent", "delivered", "read"}

    def test_of_each_stage_the_earliest_time_counts_whichever_is_told_first(
        self, stores: Stores
    ) -> None:
        sent = touchpoint(Message(text="Bonjour"), key="wamid.out", direction=Direction.OUTBOUND)
        stores.ledger.record([observed(sent)])
        read = DeliveryStatus(status="read", message_id="wamid.out")
        for minute in (2, 1, 3):
            seen = touchpoint(read, key=f"read-{minute}", at=NOON + timedelta(minutes=minute))
            stores.ledger.advance_delivery(seen, read)
        entry = stores.ledger.read(sent.touchpoint_id)
        assert entry is not None
        assert entry.delivery_times == {"read": NOON + timedelta(minutes=1)}

    def test_a_status_knows_for_what_its_message_left_and_what_it_costs(
        self, stores: Stores
    ) -> None:
        def tell(status: str, price: str | None = None) -> Delivery:
            told = DeliveryStatus.model_validate(
                {"status": status, "message_id": "wamid.out", "price_category": price}
            )
            seen = touchpoint(told, key=f"wamid.out-{status}", at=NOON)
            return stores.ledger.advance_delivery(seen, told)

        early = tell("sent", "utility")
        assert (early.is_known, early.ticket_id, early.status.status) == (False, None, "sent")
        due = follow_up()
        stores.tickets.promise(due, scheduled_event(due))
        sent = touchpoint(Message(text="Bonjour"), key="wamid.out", direction=Direction.OUTBOUND)
        done = due.model_copy(update={"state": FollowUpState.DONE})
        stores.tickets.end(done, FollowUpState.SCHEDULED, done_event(done), sent=sent)
        late = tell("failed")
        assert late == Delivery(
            DeliveryStatus(status="failed", message_id="wamid.out"),
            is_known=True,
            ticket_id=due.ticket_id,
            follow_up_id=due.follow_up_id,
        )
        assert tell("delivered").status.status == "failed", "it says how far it is"
        entry = stores.ledger.read(sent.touchpoint_id)
        assert entry is not None and entry.delivery is not None
        assert (entry.delivery.status, entry.delivery.price_category) == ("failed", "utility")
        assert entry.delivery_times["sent"] == NOON

    def test_only_what_failed_or_is_in_flight_is_sent_again(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        assert stores.ledger.send_again(seen.touchpoint_id)
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None and entry.attempt == 2
        attach(stores, seen, finished=True, attempt=2)
        assert not stores.ledger.send_again(seen.touchpoint_id)

    def test_states_can_be_listed(self, stores: Stores) -> None:
        seen = [whatsapp_message(f"message {n}") for n in range(5)]
        stores.ledger.record([observed(one) for one in seen])
        listed: list[LedgerEntry | Quarantined] = []
        cursor = None
        while True:
            page = stores.ledger.in_state(TouchpointState.RECEIVED, limit=2, cursor=cursor)
            listed += page.items
            if (cursor := page.cursor) is None:
                break
        assert {one.touchpoint for one in listed if isinstance(one, LedgerEntry)} == set(seen)

    def test_a_strange_cursor_is_the_callers_mistake(self, stores: Stores) -> None:
        for cursor in ("nonsense", "e30=é", "eyJhIjoxfQ==", "eyJwayI6IHsiUyI6ICJ4In19"):
            with pytest.raises(InvalidInput) as raised:
                stores.ledger.timeline([profile_id()], cursor=cursor)
            assert raised.value.field == "cursor"


class TestProfiles:
    def test_attach_ties_counts_and_links_at_once(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        name = Trait(value="Awa", at=NOON)
        attach(stores, seen, traits={"name": name}, finished=True)
        profile = stores.profiles.read(profile_id())
        assert profile is not None
        assert profile.identifiers == (identifier(),)
        assert profile.traits == {"name": name}
        assert profile.contacts == {(Direction.INBOUND, Channel.WHATSAPP): 1}
        assert profile.preferred_channel is Channel.WHATSAPP
        entry = stores.ledger.read(seen.touchpoint_id)
        assert entry is not None
        assert (entry.profile_id, entry.state) == (profile_id(), TouchpointState.PROCESSED)

    def test_attaching_twice_is_a_conflict_and_counts_once(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        attach(stores, seen)
        with pytest.raises(Conflict):
            attach(stores, seen)
        profile = stores.profiles.read(profile_id())
        assert profile is not None and sum(profile.contacts.values()) == 1

    def test_a_profile_somebody_else_made_first_is_read_again(self, stores: Stores) -> None:
        first, second = whatsapp_message("un"), whatsapp_message("deux")
        stores.ledger.record([observed(first), observed(second)])
        attach(stores, first)
        with pytest.raises(Contention):
            attach(stores, second, profile=None)
        entry = stores.ledger.read(second.touchpoint_id)
        assert entry is not None and entry.profile_id is None

    def test_what_ties_two_profiles_makes_them_one_person(self, stores: Stores) -> None:
        person = persons(stores, identifier(), EMAIL)
        graph = one_graph(person)
        stores.profiles.change_graph(GraphChange((), graph, None))
        here, there = (stores.profiles.read(one.profile_id) for one in person)
        assert here is not None and here == there
        assert set(here.identifiers) == {identifier(), EMAIL}
        assert here.contacts == {(Direction.INBOUND, Channel.WHATSAPP): 2}
        known = stores.profiles.known([one.profile_id for one in person])
        assert {one.graph for one in known.graphs.values()} == {graph}

    def test_a_graph_that_was_changed_since_is_read_again(self, stores: Stores) -> None:
        person = persons(stores, identifier(), EMAIL)
        stores.profiles.change_graph(GraphChange((), one_graph(person), None))
        read = stores.profiles.known([profile_id()]).graphs[profile_id()]
        one, other = (each.key for each in person)
        apart = tie(one, other, TieKind.SEPARATED, NOON, "agent:1")
        parted = settled(united([read.graph], [apart]), policies().identity)
        stores.profiles.change_graph(GraphChange((read,), parted, None))
        with pytest.raises(Contention):
            stores.profiles.change_graph(GraphChange((read,), read.graph, None))
        kept = stores.profiles.read(profile_id())
        assert kept is not None and kept.profile_ids == (profile_id(),)

    def test_a_first_contact_at_the_moment_of_a_tie_is_not_overlooked(self, stores: Stores) -> None:
        """The tie was made of an identifier without history; meanwhile it got one."""
        only_stated = IdentityGraph(
            identifiers=frozenset({identifier().key, EMAIL.key}),
            homes=frozenset({identifier().key}),
            ties=(tie(identifier().key, EMAIL.key, TieKind.STATED, NOON, "touchpoint:1"),),
        )
        change = GraphChange((), settled(only_stated, policies().identity), None)
        persons(stores, identifier(), EMAIL)
        with pytest.raises(Contention):
            stores.profiles.change_graph(change)

    def test_an_older_trait_is_refused(self, stores: Stores) -> None:
        first, second = whatsapp_message("un"), whatsapp_message("deux")
        stores.ledger.record([observed(first), observed(second)])
        attach(stores, first, traits={"first name": Trait(value="A", at=NOON)})
        older = {"first name": Trait(value="B", at=NOON - timedelta(days=1))}
        with pytest.raises(Contention):
            attach(stores, second, traits=older)
        profile = stores.profiles.read(profile_id())
        assert profile is not None and profile.traits["first name"].value == "A"

    def test_the_latest_language_stays(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        attach(stores, seen)
        french = LearnedLanguage(touchpoint_id=seen.touchpoint_id, language="fr", at=NOON)
        before = TouchpointId("an hour before")
        english = LearnedLanguage(touchpoint_id=before, language="en", at=NOON - timedelta(hours=1))
        stores.profiles.learn(profile_id(), seen.touchpoint_id, french, None)
        stores.profiles.learn(profile_id(), before, english, None)
        profile = stores.profiles.read(profile_id())
        assert profile is not None and profile.language == "fr"
        stores.profiles.learn(ProfileId("nobody"), seen.touchpoint_id, french, None)
        assert stores.profiles.read(ProfileId("nobody")) is None

    def test_a_suggestion_is_kept_once_until_somebody_decides(self, stores: Stores) -> None:
        person = persons(stores, identifier(), EMAIL)
        one, other = sorted(each.profile_id for each in person)
        for score in (0.4, 0.9):
            made = MergeSuggestion(
                profile_ids=(one, other), score=score, reason="both", by="model:1", at=NOON
            )
            assert stores.profiles.suggest(made)
        assert stores.profiles.suggestions([one]) == stores.profiles.suggestions([other]) == [made]
        assert stores.profiles.suggestions_open().items == [made]
        stores.profiles.change_graph(GraphChange((), one_graph(person), None))
        assert stores.profiles.suggestions([one]) == []
        assert stores.profiles.suggestions_open().items == []
        assert not stores.profiles.suggest(made)

    def test_the_most_probable_is_reviewed_first_page_by_page(self, stores: Stores) -> None:
        mails = [identifier(f"{n}@example.com", IdentifierType.EMAIL) for n in range(3)]
        persons(stores, identifier(), *mails)
        for n, mail in enumerate(mails):
            pair = tuple(sorted((profile_id(), mail.profile_id)))
            stores.profiles.suggest(
                MergeSuggestion(
                    profile_ids=(pair[0], pair[1]),
                    score=(n + 1) / 4,
                    reason="alike",
                    by="model:1",
                    at=NOON,
                )
            )
        first = stores.profiles.suggestions_open(limit=2)
        rest = stores.profiles.suggestions_open(limit=2, cursor=first.cursor)
        assert [one.score for one in (*first.items, *rest.items)] == [0.75, 0.5, 0.25]
        assert rest.cursor is None

    def test_identifiers_with_awkward_values_stay_apart(self, stores: Stores) -> None:
        awkward = [
            Identifier(type=IdentifierType.EMAIL, scope="", value="a#b@example.com"),
            Identifier(type=IdentifierType.EMAIL, scope="a", value="b@example.com"),
            Identifier(type=IdentifierType.EMAIL, scope="a#b", value="@example.com"),
        ]
        persons(stores, awkward[0])
        known = stores.profiles.known([one.profile_id for one in awkward])
        assert [one.identifiers for one in known.profiles.values()] == [(awkward[0],)]


def persons(stores: Stores, *identifiers: Identifier) -> tuple[Identifier, ...]:
    """Each has had one contact."""
    for one in identifiers:
        seen = touchpoint(key=one.key, identifiers=(one,))
        stores.ledger.record([observed(seen)])
        attach(stores, seen)
    return identifiers


def one_graph(identifiers: tuple[Identifier, ...]) -> IdentityGraph:
    keys = [one.key for one in identifiers]
    graph = IdentityGraph(
        identifiers=frozenset(keys),
        homes=frozenset(keys),
        ties=(tie(keys[0], keys[1], TieKind.MERGED, NOON, "agent:1"),),
    )
    return settled(graph, policies().identity)


class TestTimeline:
    def test_newest_first_in_pages(self, stores: Stores) -> None:
        seen = [whatsapp_message(f"{n}", at=NOON + timedelta(minutes=n)) for n in range(7)]
        for one in seen:
            stores.ledger.record([observed(one)])
            attach(stores, one)
        found: list[Touchpoint] = []
        cursor = None
        while True:
            page = stores.ledger.timeline([profile_id()], limit=3, cursor=cursor)
            found += [entry.touchpoint for entry in page.items]
            if (cursor := page.cursor) is None:
                break
        assert found == seen[::-1]
        since = stores.ledger.timeline([profile_id()], since=NOON + timedelta(minutes=5)).items
        assert [entry.touchpoint for entry in since] == [seen[6], seen[5]]


class TestTickets:
    def test_opened_once_for_a_touchpoint_in_flight(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        opened = open_one(stores, seen)
        assert stores.tickets.read(opened.ticket_id) == opened
        assert stores.tickets.of_profiles([opened.profile_id]) == ({"orders": 1}, [opened])
        assert stores.tickets.log(opened.ticket_id) == [OPENED]
        with pytest.raises(Contention):
            open_one(stores, seen)
        with pytest.raises(Contention):
            open_one(stores, seen, sequence=2)

    def test_not_for_a_touchpoint_whose_journey_has_ended(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        attach(stores, seen, finished=True)
        with pytest.raises(Conflict):
            open_one(stores, seen)
        assert stores.tickets.of_profiles([profile_id()]) == ({}, [])

    def test_a_stale_version_is_refused(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        opened = open_one(stores, seen)
        raised = opened.model_copy(update={"priority": Priority.HIGH})
        saved = stores.tickets.save(raised, opened, changed_event(opened))
        assert saved.version == 2
        with pytest.raises(Contention):
            stores.tickets.save(raised, opened, changed_event(opened))

    def test_resolving_frees_the_queue_and_reopening_takes_it(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        opened = open_one(stores, seen)
        resolved = opened.model_copy(update={"status": TicketStatus.RESOLVED, "resolved_at": NOON})
        resolved = stores.tickets.save(resolved, opened, changed_event(opened), OPENED)
        assert stores.tickets.of_profiles([opened.profile_id]) == ({"orders": 1}, [])
        assert stores.tickets.by_queue("orders").items == []
        assert stores.tickets.by_queue("orders", ended=True).items == [resolved]
        again = resolved.model_copy(update={"status": TicketStatus.OPEN, "resolved_at": None})
        again = stores.tickets.save(again, resolved, changed_event(resolved))
        assert stores.tickets.of_profiles([opened.profile_id]) == ({"orders": 1}, [again])

    def test_a_queue_taken_by_the_next_ticket_cannot_be_reopened_into(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        opened = open_one(stores, seen)
        resolved = opened.model_copy(update={"status": TicketStatus.RESOLVED})
        resolved = stores.tickets.save(resolved, opened, changed_event(opened))
        second = open_one(stores, seen, sequence=2)
        with pytest.raises(Contention):
            stores.tickets.save(opened, resolved, changed_event(resolved))
        assert stores.tickets.of_profiles([opened.profile_id]) == ({"orders": 2}, [second])

    def test_moving_to_another_queue_moves_the_pointer(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        opened = open_one(stores, seen)
        moved = opened.model_copy(update={"queue": "billing"})
        moved = stores.tickets.save(moved, opened, changed_event(opened))
        sequences, open_tickets = stores.tickets.of_profiles([opened.profile_id])
        assert sequences == {"orders": 1, "billing": 1}
        assert open_tickets == [moved]

    def test_worked_by_what_is_due_next(self, stores: Stores) -> None:
        tickets = []
        for n, phone in enumerate(("+33612345601", "+33612345602", "+33612345603")):
            seen = whatsapp_message(phone=phone, at=NOON - timedelta(hours=n))
            stores.ledger.record([observed(seen)])
            tickets.append(open_one(stores, seen, profile_id=profile_id(phone)))
        first = stores.tickets.by_queue("orders", limit=2)
        rest = stores.tickets.by_queue("orders", limit=2, cursor=first.cursor)
        assert first.items + rest.items == tickets[::-1]
        assert stores.tickets.by_profiles([tickets[1].profile_id]).items == [tickets[1]]
        assert stores.tickets.by_assignee("anna").items == []
        with pytest.raises(InvalidInput):
            stores.tickets.by_profiles([profile_id()], cursor=first.cursor)


class TestFollowUps:
    def test_promised_once_and_counted_from_the_earlier_moment(self, stores: Stores) -> None:
        promised = follow_up()
        assert stores.tickets.promise(promised, scheduled_event(promised)) == promised
        hour = timedelta(hours=1)
        later = promised.model_copy(update={"since": promised.since + hour})
        assert stores.tickets.promise(later, scheduled_event(later)) == promised
        sooner = promised.model_copy(update={"since": promised.since - hour})
        assert stores.tickets.promise(sooner, scheduled_event(sooner)) == sooner
        assert stores.tickets.follow_ups_of_ticket(promised.ticket_id) == [sooner]
        assert stores.tickets.follow_ups_of_profiles([promised.profile_id]).items == [sooner]

    def test_claimed_by_one_and_ended_with_what_it_did(self, stores: Stores) -> None:
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        attach(stores, seen)
        opened = open_one(stores, seen)
        promised = follow_up(opened)
        stores.tickets.promise(promised, scheduled_event(promised))
        claimed = promised.model_copy(update={"state": FollowUpState.SENDING})
        stores.tickets.move(claimed, FollowUpState.SCHEDULED)
        with pytest.raises(Contention):
            stores.tickets.move(claimed, FollowUpState.SCHEDULED)
        later = NOON + timedelta(days=1)
        sent = touchpoint(
            Message(text="…"), key="wamid.out", direction=Direction.OUTBOUND, at=later
        )
        done = claimed.model_copy(update={"state": FollowUpState.DONE})
        change = (opened, opened, changed_event(opened), OPENED)
        stores.tickets.end(done, FollowUpState.SENDING, done_event(done), sent=sent, ticket=change)
        assert stores.tickets.follow_ups_in_state(FollowUpState.DONE).items == [done]
        assert stores.tickets.follow_ups_in_state(FollowUpState.SCHEDULED).items == []
        latest = stores.ledger.timeline([profile_id()]).items[0]
        assert latest.state is TouchpointState.PROCESSED
        profile = stores.profiles.read(profile_id())
        assert profile is not None
        assert profile.contacts[Direction.OUTBOUND, Channel.WHATSAPP] == 1
        with pytest.raises(Contention):
            stores.tickets.end(done, FollowUpState.SENDING, done_event(done), sent=sent)
        profile = stores.profiles.read(profile_id())
        assert profile is not None
        assert profile.contacts[Direction.OUTBOUND, Channel.WHATSAPP] == 1

    def test_what_a_chat_must_fetch_waits_in_its_mailbox(self, stores: Stores) -> None:
        line = endpoint(Channel.WEB_CHAT, provider="web_chat", account="web", address="s1")
        seen = whatsapp_message()
        stores.ledger.record([observed(seen)])
        attach(stores, seen)
        promised = follow_up(open_one(stores, seen))
        stores.tickets.promise(promised, scheduled_event(promised))
        sent = touchpoint(
            Message(text="réponse"),
            key="reply-1",
            provider="web_chat",
            account="web",
            channel=Channel.WEB_CHAT,
            direction=Direction.OUTBOUND,
            endpoint=line,
        )
        done = promised.model_copy(update={"state": FollowUpState.DONE})
        stores.tickets.end(done, FollowUpState.SCHEDULED, done_event(done), sent=sent)
        assert [entry.touchpoint for entry in stores.ledger.mailbox(line)] == [sent]
        assert stores.ledger.mailbox(line, after=NOON) == []
        other = endpoint(Channel.WEB_CHAT, provider="web_chat", account="web", address="s2")
        assert stores.ledger.mailbox(other) == []
