"""Erasing and exporting on real tables: moto's, and AWS's own DynamoDB Local."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from random import Random
from typing import Any
from zipfile import ZipFile

import boto3
import pytest

from shared.adapters.ledger import DynamoLedger
from shared.adapters.ledger_items import INLINE_LIMIT
from shared.adapters.personal_data import AwsPersonalData, Tables
from shared.adapters.privacy import DynamoPrivacyRequests
from shared.adapters.tickets import DynamoTicketStore
from shared.domain.errors import NotFound
from shared.domain.follow_up import FollowUpState
from shared.domain.identity_graph import MOST_IDENTIFIERS
from shared.domain.model import TicketId
from shared.domain.privacy import (
    Erasure,
    ErasureId,
    ErasureProof,
    Export,
    ExportId,
    Reason,
    Search,
    proof_of,
)
from shared.domain.retention import epoch, expires_at
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import (
    Attachment,
    CallState,
    DeliveryStatus,
    Direction,
    Heard,
    Message,
    Touchpoint,
)
from shared.events.catalogue import (
    ErasureDone,
    ErasureRequested,
    ExportRequested,
    FollowUpDone,
    FollowUpScheduled,
    TicketOpened,
)
from shared.ports.privacy import Cleared
from shared.ports.tickets import LogEntry
from shared.providers.base import File, Observed
from tests.builders import (
    NOON,
    PHONE,
    call_part,
    follow_up,
    identifier,
    observed,
    policies,
    profile_id,
    ticket,
    touchpoint,
    webhook_request,
    whatsapp_message,
)
from tests.integration.conftest import Stores

RETENTION = policies().retention
OTHER = "+33699999999"


class Privacy:
    """The adapters of privacy on a test's tables, and an erasure under way."""

    def __init__(self, stores: Stores) -> None:
        names = stores.names
        self.client, self.stores = stores.client, stores
        self.s3 = boto3.client("s3")
        self.ledger = DynamoLedger(
            stores.client, lambda: self.s3, names["touchpoints"], stores.bucket, RETENTION
        )
        self.tickets = DynamoTicketStore(
            stores.client, names["tickets"], names["touchpoints"], names["profiles"], RETENTION
        )
        self.requests = DynamoPrivacyRequests(
            stores.client, lambda: self.s3, names["profiles"], stores.bucket, RETENTION
        )
        scheduler = boto3.client("scheduler")
        scheduler.create_schedule_group(Name="passerelle")
        self.data = AwsPersonalData(
            stores.client,
            lambda: self.s3,
            lambda: scheduler,
            self.ledger,
            tables=Tables(names["touchpoints"], names["profiles"], names["tickets"]),
            bucket=stores.bucket,
            schedule_group="passerelle",
        )
        self.erasure = Erasure(
            erasure_id=ErasureId("e1"),
            profile_ids=(profile_id(),),
            identifiers=(identifier().key,),
            reason=Reason.OBJECTION,
            by="agent-7",
            requested_at=NOON,
            touched_at=NOON,
        )

    def begin(self) -> Erasure:
        return self.requests.begin_erasure(self.erasure, ErasureRequested(erasure_id="e1"))

    @property
    def counts(self) -> dict[str, int]:
        found = self.requests.read_erasure(ErasureId("e1"))
        assert found is not None
        return found.counts

    def items(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.scan(TableName=self.stores.names[table])["Items"]
        return found

    def files(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.stores.bucket)
        return [one["Key"] for one in listed.get("Contents", [])]

    def put(self, pk: str, sk: str) -> None:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        self.client.put_item(TableName=self.stores.names["profiles"], Item=key)

    def tie(self, *seen: Any) -> None:
        """Give touchpoints to the profile, as `profile_update` does."""
        for one in seen:
            self.client.update_item(
                TableName=self.stores.names["touchpoints"],
                Key={"touchpoint_id": {"S": one.touchpoint_id}},
                UpdateExpression="SET profile_id = :id, timeline = :at",
                ExpressionAttributeValues={
                    ":id": {"S": profile_id()},
                    ":at": {"S": f"{one.occurred_at.isoformat()}#{one.touchpoint_id}"},
                },
            )


@pytest.fixture
def privacy(stores: Stores) -> Privacy:
    return Privacy(stores)


def test_an_erasure_is_begun_once_and_goes_on_where_it_was(privacy: Privacy) -> None:
    assert privacy.begin() == privacy.erasure
    second = privacy.erasure.model_copy(update={"erasure_id": ErasureId("e2")})
    event = ErasureRequested(erasure_id="e2")
    assert privacy.requests.begin_erasure(second, event).erasure_id == "e1"
    assert privacy.requests.read_erasure(ErasureId("e2")) is None
    further = privacy.erasure.model_copy(update={"passes": 2, "position": "here"})
    privacy.requests.save_erasure(further)
    assert privacy.requests.read_erasure(ErasureId("e1")) == further


def test_touchpoints_go_with_their_files_and_statuses(privacy: Privacy) -> None:
    privacy.begin()
    large = whatsapp_message("x" * (INLINE_LIMIT + 1), key="large")
    content = Message(text="voilà", attachments=(Attachment(name="a.jpg"),))
    pictured = touchpoint(content, key="pictured")
    file = File(attachment=Attachment(name="a.jpg"), content=b"JPEG")
    sent = touchpoint(key="wamid.out")
    told = touchpoint(DeliveryStatus(status="read", message_id="wamid.out"), key="told")
    late = touchpoint(DeliveryStatus(status="sent", message_id="wamid.out"), key="late")
    other = whatsapp_message(phone=OTHER)
    seen = [Observed(pictured, b"{}", (file,)), *map(observed, (large, sent, told, late, other))]
    assert all(privacy.ledger.record(seen))
    for status in (told, late):
        assert isinstance(status.content, DeliveryStatus)
        privacy.ledger.advance_delivery(status, status.content)
    privacy.tie(large, pictured, sent)
    assert len(privacy.files()) >= 2

    assert privacy.data.erase_touchpoints(privacy.erasure) == Cleared(deleted=7, more=True)
    assert privacy.data.erase_touchpoints(privacy.erasure) == Cleared(deleted=0, more=False)
    assert privacy.counts == {"touchpoints": 5, "files": 2}
    assert privacy.files() == []
    items = privacy.items("touchpoints")
    kept = [one for one in items if "state" in one]
    assert [one["touchpoint_id"]["S"] for one in kept] == [other.touchpoint_id]
    # That the two statuses came together is known for a day, by their ids, as events are.
    (together,) = [one for one in items if "state" not in one]
    assert set(together) == {"touchpoint_id", "event", "expires_at"}


def replied(privacy: Privacy) -> tuple[Ticket, Touchpoint]:
    """A ticket with a reply that left with a file, one that never left, and a file of no reply."""
    opened, asked = ticket(), whatsapp_message()
    privacy.ledger.record([observed(asked)])
    privacy.tie(asked)
    keep = privacy.stores.media_files.keep_to_send
    key = keep(opened.ticket_id, b"%PDF", "application/pdf")
    keep(opened.ticket_id, b"\x89PNG", "image/png")
    bill = Attachment(name="facture.pdf", object_key=key, size=4)
    said = Message(text="La voici.", attachments=(bill,))
    sent = touchpoint(said, key="wamid.out", direction=Direction.OUTBOUND)
    event = TicketOpened(
        ticket_id=opened.ticket_id,
        profile_id=profile_id(),
        touchpoint_id=opened.first.touchpoint_id,
        queue=opened.queue,
        intent=opened.first.intent,
        priority=opened.priority,
        first_response_due_at=opened.first_response.due_at,
        resolution_due_at=opened.resolution.due_at,
    )
    privacy.tickets.open(opened, event, LogEntry(at=NOON, what="opened", by="policy"))
    promised = follow_up(opened)
    told = {
        "follow_up_id": promised.follow_up_id,
        "ticket_id": opened.ticket_id,
        "profile_id": profile_id(),
        "name": promised.name,
    }
    privacy.tickets.promise(promised, FollowUpScheduled(**told, due_at=promised.due_at))
    done = promised.model_copy(update={"state": FollowUpState.DONE})
    ended = FollowUpDone(**told, state=done.state)
    privacy.tickets.end(done, FollowUpState.SCHEDULED, ended, sent=sent)
    return opened, sent


def erase(privacy: Privacy, erase_some: Callable[[Erasure], Cleared]) -> None:
    while erase_some(privacy.erasure).more:
        pass


def test_what_replies_sent_along_goes_with_their_ticket(privacy: Privacy) -> None:
    privacy.begin()
    _, sent = replied(privacy)
    other = privacy.stores.media_files.keep_to_send(TicketId("another"), b"%PDF", "a/b")
    assert len(privacy.files()) == 3
    erase(privacy, privacy.data.erase_tickets)
    assert privacy.files() == [other]
    erase(privacy, privacy.data.erase_touchpoints)
    assert privacy.ledger.read(sent.touchpoint_id) is None
    assert privacy.counts["files"] == 2, "none of them is counted twice"


def test_what_was_sent_goes_with_its_message_where_the_ticket_has_ended(privacy: Privacy) -> None:
    privacy.begin()
    opened, sent = replied(privacy)
    for item in privacy.items("tickets"):
        privacy.client.delete_item(
            TableName=privacy.stores.names["tickets"],
            Key={"pk": item["pk"], "sk": item["sk"]},
        )
    erase(privacy, privacy.data.erase_tickets)
    erase(privacy, privacy.data.erase_touchpoints)
    assert privacy.ledger.read(sent.touchpoint_id) is None
    assert privacy.counts["files"] == 1
    prefix = f"attachments/tickets/{opened.ticket_id}/"
    assert [key.startswith(prefix) for key in privacy.files()] == [True], "it was never sent"


def test_a_call_goes_with_all_it_was(privacy: Privacy) -> None:
    """A large one lies in files, of which each part left one."""
    privacy.begin()
    noise = Random(1)
    large = [
        call_part(name, heard=(Heard(source="live", key=name, text=noise.randbytes(90_000).hex()),))
        for name in ("one", "two", "three", "four")
    ]
    small = call_part("ringing", key="CA2")
    ended = call_part("ended", key="CA2", at=30, state=CallState.NO_ANSWER)
    for part in (*large, small, ended):
        privacy.ledger.record([observed(part)])
    assert len(privacy.files()) > 1
    entry = privacy.ledger.read(ended.touchpoint_id)
    assert entry is not None
    kept = {item["touchpoint_id"]["S"]: item for item in privacy.items("touchpoints")}
    assert int(kept[ended.touchpoint_id]["expires_at"]["N"]) == expires_at(
        entry.touchpoint, RETENTION
    )
    privacy.tie(large[0], small)
    assert privacy.data.erase_touchpoints(privacy.erasure).deleted >= 2
    assert privacy.files() == []
    assert privacy.items("touchpoints") == []


def test_what_is_nobodys_is_searched_by_value(privacy: Privacy) -> None:
    privacy.begin()
    body = f'{{"from": "{PHONE}"}}'.encode()
    theirs = privacy.ledger.quarantine("till", webhook_request(body), "unreadable", NOON)
    large = webhook_request(body + b" " * INLINE_LIMIT)
    privacy.ledger.quarantine("till", large, "unreadable", NOON)
    other = privacy.ledger.quarantine("till", webhook_request(b"{}"), "unreadable", NOON)
    mention = whatsapp_message(f"Appelez ma soeur, {PHONE}", phone=OTHER)
    waiting = whatsapp_message("in flight")
    assert all(privacy.ledger.record([observed(mention, PHONE.encode()), observed(waiting)]))

    search = Search(privacy.erasure.identifiers)
    through, more = privacy.data.erase_unclaimed(privacy.erasure, search)
    assert (through.looked_at, through.position, more) == (5, None, False)
    assert privacy.counts == {"quarantined": 2, "touchpoints": 1, "files": 1}
    left = {one["touchpoint_id"]["S"] for one in privacy.items("touchpoints")}
    assert left == {other, mention.touchpoint_id}
    assert theirs not in left
    assert privacy.files() == []


def test_everything_under_a_profile_goes_and_what_mirrors_it(privacy: Privacy) -> None:
    privacy.begin()
    mine = f"profile#{profile_id()}"
    for number in range(60):
        privacy.put(mine, f"consent#{number:03}")
    privacy.put(mine, "learned")
    privacy.put(mine, "suggestion#other")
    privacy.put("profile#other", f"suggestion#{profile_id()}")
    privacy.put("profile#other", "profile")
    while privacy.data.erase_profiles(privacy.erasure).more:
        pass
    assert privacy.counts == {"consents": 60, "profile_items": 1, "suggestions": 1}
    left = {(one["pk"]["S"], one["sk"]["S"]) for one in privacy.items("profiles")}
    assert left == {("profile#other", "profile"), (mine, "erasing"), ("erasure#e1", "request")}


def test_the_proof_replaces_the_request_and_is_in_the_bucket(privacy: Privacy) -> None:
    erasure = privacy.begin()
    privacy.requests.mark(erasure)
    proof = proof_of(erasure, NOON, b"k")
    for _ in range(2):
        privacy.requests.end_erasure(proof, erasure, ErasureDone(erasure_id="e1"))
    found = privacy.requests.read_erasure(ErasureId("e1"))
    assert isinstance(found, ErasureProof)
    assert found == proof
    assert list(privacy.requests.proofs()) == [proof]
    assert privacy.stores.profiles.was_erased(profile_id())
    assert {one["sk"]["S"] for one in privacy.items("profiles")} == {"erased", "proof"}
    with pytest.raises(NotFound):
        privacy.requests.save_erasure(erasure)
    with pytest.raises(NotFound):
        privacy.data._erase(erasure, [])


def test_an_erasure_of_a_whole_graph_ends(privacy: Privacy) -> None:
    profile_ids = tuple(identifier(f"+336{n:08}").profile_id for n in range(MOST_IDENTIFIERS))
    erasure = privacy.erasure.model_copy(update={"profile_ids": profile_ids})
    privacy.requests.mark(erasure)
    proof = proof_of(erasure, NOON, b"k")
    privacy.requests.end_erasure(proof, erasure, ErasureDone(erasure_id="e1"))
    assert all(map(privacy.stores.profiles.was_erased, profile_ids))


def test_an_export_is_kept_fetched_and_gone_with_the_person(privacy: Privacy) -> None:
    export = Export(
        export_id=ExportId("x1"),
        profile_ids=(profile_id(),),
        by="agent-7",
        language="fr",
        requested_at=NOON,
        expires_at=NOON + timedelta(days=7),
    )
    privacy.requests.begin_export(export, ExportRequested(export_id="x1"))
    privacy.requests.keep_part(export, {"tickets": [1]})
    export = export.model_copy(update={"parts": 1})
    privacy.requests.save_export(export)
    assert privacy.requests.read_export(ExportId("x1")) == export
    assert list(privacy.requests.parts(export)) == [{"tickets": [1]}]
    # Two parts of an upload, since noise does not compress.
    noise = Random(1).randbytes(9 * 1024 * 1024)
    privacy.requests.keep_archive(export, [("export.json", [noise[:5], noise[5:]])])
    kept = privacy.s3.get_object(Bucket=privacy.stores.bucket, Key="exports/x1/export.zip")
    assert kept["ETag"].strip('"').endswith("-2")
    assert ZipFile(BytesIO(kept["Body"].read())).read("export.json") == noise
    assert "exports/x1/export.zip" in privacy.requests.link(export)

    privacy.begin()
    assert privacy.data.erase_profiles(privacy.erasure).more
    assert privacy.files() == []
    assert privacy.requests.read_export(ExportId("x1")) is None
    with pytest.raises(NotFound):
        privacy.requests.save_export(export)
    with pytest.raises(NotFound):
        list(privacy.requests.parts(export))


def test_what_an_erasure_has_deleted_of_a_touchpoint_is_not_found(privacy: Privacy) -> None:
    large = whatsapp_message("x" * (INLINE_LIMIT + 1), key="large")
    raw = Random(1).randbytes(INLINE_LIMIT + 1)
    privacy.ledger.record([Observed(large, raw)])
    assert privacy.data.raw([large.touchpoint_id]) == {large.touchpoint_id: raw}
    for key in privacy.files():
        privacy.s3.delete_object(Bucket=privacy.stores.bucket, Key=key)
    with pytest.raises(NotFound):
        privacy.data.raw([large.touchpoint_id])


def test_what_is_written_says_when_it_ends(privacy: Privacy) -> None:
    seen = whatsapp_message()
    privacy.ledger.record([observed(seen)])
    privacy.ledger.quarantine("till", webhook_request(b"{"), "unreadable", NOON)
    told = touchpoint(DeliveryStatus(status="read", message_id="m-1"), key="told")
    assert isinstance(told.content, DeliveryStatus)
    privacy.ledger.advance_delivery(told, told.content)
    ends = sorted(int(one["expires_at"]["N"]) for one in privacy.items("touchpoints"))
    assert ends == sorted(
        [
            expires_at(seen, RETENTION),
            epoch(NOON + RETENTION.quarantined),
            expires_at(told, RETENTION),
        ]
    )
