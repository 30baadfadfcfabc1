"""A file is put where its form says, and goes along with the reply that names it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.agent_api import ports
from infra.local.simulators._media import PDF, PNG
from shared.domain.follow_up import SendReply
from shared.domain.sending import OutboundFile
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Channel
from shared.events.catalogue import FollowUpScheduled
from shared.policies.reader import FOLDER, Policies
from tests import builders
from tests.fake_ledger import FakeMediaFiles
from tests.fakes import World
from tests.unit.agent_api.client import Answer, Client

BILL = {"name": "facture 4512.pdf", "content_type": "application/pdf", "size": len(PDF)}
ELSEWHERE = {"url": "https://shop.example/plan.png", "name": "plan.png"}
PROGRAM = b"MZ" + bytes(200)


@pytest.fixture
def files(world: World) -> FakeMediaFiles:
    return world.ledger.media_files


@pytest.fixture
def ticket(world: World) -> Ticket:
    return opened(world, Channel.WHATSAPP, "whatsapp_cloud")


def opened(world: World, channel: Channel, provider: str) -> Ticket:
    way = builders.endpoint(channel, provider=provider, account="line", address="them@a.example")
    said = builders.touchpoint(channel=channel, provider=provider, endpoint=way)
    world.ledger.record([builders.observed(said)])
    world.ledger.change(said.touchpoint_id, profile_id=builders.profile_id())
    world.events.clear()
    return world.tickets.put(builders.ticket(first=builders.word(said)))


def uploaded(client: Client, files: FakeMediaFiles, content: bytes = PDF, **said: Any) -> str:
    offered = client.post("/v1/uploads", BILL | {"size": len(content)} | said)
    assert offered.status == 201
    files.put(offered.body["upload_id"], content)
    found: str = offered.body["upload_id"]
    return found


def reply(client: Client, ticket: Ticket, *going: dict[str, Any], **said: Any) -> Answer:
    body = {"text": "La voici.", "files": list(going), **said}
    return client.post(f"/v1/tickets/{ticket.ticket_id}/replies", body)


def promised(world: World, ticket: Ticket) -> tuple[OutboundFile, ...]:
    (follow_up,) = world.tickets.follow_ups_of_ticket(ticket.ticket_id)
    assert isinstance(follow_up.action, SendReply)
    return follow_up.action.files


class TestTheOffer:
    def test_it_is_for_this_file_and_nothing_else(
        self, world: World, client: Client, files: FakeMediaFiles
    ) -> None:
        offered = client.post("/v1/uploads", BILL)
        assert offered.status == 201
        assert set(offered.body) == {"upload_id", "url", "fields", "expires_at"}
        ends = datetime.fromisoformat(offered.body["expires_at"])
        assert ends == world.clock.now() + timedelta(minutes=15)
        key = offered.body["upload_id"]
        assert files.offered == {key: (BILL["name"], "application/pdf", len(PDF))}

    def test_nobody_guesses_its_id(self, client: Client) -> None:
        ids = {client.post("/v1/uploads", BILL).body["upload_id"] for _ in range(50)}
        assert len(ids) == 50
        assert all(len(one) == 32 for one in ids)

    @pytest.mark.parametrize(
        ("said", "status", "field"),
        [
            ({"content_type": "text/html"}, 422, "content_type"),
            ({"content_type": "application/zip"}, 422, "content_type"),
            ({"content_type": "APPLICATION/PDF"}, 422, "content_type"),
            ({"size": 0}, 422, "size"),
            ({"size": 12_000_001}, 400, "size"),
            # Fifty megabytes of a video are kept where somebody sends it to us.
            ({"size": 12_000_001, "content_type": "video/mp4"}, 400, "size"),
            ({"name": ""}, 422, "name"),
            ({"name": "x" * 256}, 422, "name"),
            ({"key": "attachments/1/0"}, 422, "key"),
        ],
    )
    def test_what_we_do_not_send_is_not_taken(
        self, client: Client, files: FakeMediaFiles, said: dict[str, Any], status: int, field: str
    ) -> None:
        answer = client.post("/v1/uploads", BILL | said)
        assert (answer.status, answer.fields) == (status, [field])
        assert files.offered == {}

    def test_the_types_are_named(self, client: Client) -> None:
        answer = client.post("/v1/uploads", BILL | {"content_type": "text/html"})
        assert "application/pdf" in answer.body["detail"]


class TestAReplyThatNamesIt:
    def test_has_a_copy_of_its_own(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        upload = uploaded(client, files)
        assert reply(client, ticket, {"upload_id": upload}).status == 202
        (file,) = promised(world, ticket)
        assert file.object_key is not None
        assert file.object_key.startswith(f"attachments/tickets/{ticket.ticket_id}/")
        assert file == OutboundFile(
            name="facture 4512.pdf",
            content_type="application/pdf",
            object_key=file.object_key,
            upload_id=upload,
            size=len(PDF),
        )
        assert files.files[file.object_key] == (PDF, "application/pdf")
        # What is put in its place while the form lasts is nobody's business any more.
        files.put(upload, b"%PDF-another")
        assert files.read(file.object_key) == PDF

    def test_may_name_what_lies_elsewhere_too(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        upload = uploaded(client, files, PNG, content_type="image/png", name="plan.png")
        going = ({"upload_id": upload, "name": "Le plan.png"}, ELSEWHERE)
        assert reply(client, ticket, *going).status == 202
        ours, other = promised(world, ticket)
        assert (ours.name, ours.form, ours.url) == ("Le plan.png", "image", "")
        assert (other.url, other.form, other.object_key) == (ELSEWHERE["url"], "file", None)

    def test_says_how_it_is_shown(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        upload = uploaded(client, files, PNG, content_type="image/png")
        reply(client, ticket, {"upload_id": upload, "form": "file"})
        assert [one.form for one in promised(world, ticket)] == ["file"]

    def test_twice_is_one_reply_and_one_file(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        upload = uploaded(client, files)
        first = reply(client, ticket, {"upload_id": upload})
        assert reply(client, ticket, {"upload_id": upload}).body == first.body
        assert len(world.happened(FollowUpScheduled)) == 1
        assert sum(key.startswith("attachments/") for key in files.files) == 1

    @pytest.mark.parametrize("key", [{}, {"idempotency_key": "key-1"}])
    def test_is_the_same_reply_after_its_upload_has_ended(
        self,
        world: World,
        client: Client,
        files: FakeMediaFiles,
        ticket: Ticket,
        key: dict[str, str],
    ) -> None:
        upload = uploaded(client, files)
        path = f"/v1/tickets/{ticket.ticket_id}/replies"
        body = {"text": "La voici.", "files": [{"upload_id": upload}, ELSEWHERE]}
        first = client.post(path, body, **key)
        files.drop(f"uploads/{upload}")
        again = client.post(path, body, **key)
        assert (again.status, again.body) == (202, first.body)
        assert len(world.happened(FollowUpScheduled)) == 1
        # Of any other reply it is missing.
        shown = {**body, "files": [{"upload_id": upload, "form": "video"}, ELSEWHERE]}
        answer = client.post(path, shown, **key)
        assert answer.status == 400
        assert answer.fields == (["idempotency-key"] if key else ["files.0.upload_id"])

    def test_with_another_file_is_another_reply(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        for content in (PDF, PDF + b"\n"):
            reply(client, ticket, {"upload_id": uploaded(client, files, content)})
        assert len(world.happened(FollowUpScheduled)) == 2

    @pytest.mark.parametrize(
        ("content", "said", "reason"),
        [
            (None, {}, "nothing was uploaded there"),
            (PNG, {}, "by its content it is image/png"),
            (PROGRAM, {}, "by its content it is application/x-msdownload"),
            (b"\x00\x01\x02", {}, "by its content it is nothing we know"),
            (b"<html><script>", {"content_type": "text/plain"}, "by its content it is text/html"),
        ],
    )
    def test_is_refused_where_it_is_not_there_or_not_what_it_is_said_to_be(
        self,
        world: World,
        client: Client,
        files: FakeMediaFiles,
        ticket: Ticket,
        content: bytes | None,
        said: dict[str, Any],
        reason: str,
    ) -> None:
        if content is None:
            upload = client.post("/v1/uploads", BILL).body["upload_id"]
        else:
            upload = uploaded(client, files, content, **said)
        answer = reply(client, ticket, ELSEWHERE, {"upload_id": upload})
        assert (answer.status, answer.fields) == (400, ["files.1.upload_id"])
        assert reason in answer.body["detail"]
        assert world.events == []
        assert not any(key.startswith("attachments/") for key in files.files)

    def test_is_refused_where_one_of_its_form_may_be_smaller_by_now(
        self, client: Client, files: FakeMediaFiles, ticket: Ticket, tmp_path: Path
    ) -> None:
        upload = uploaded(client, files, PNG + bytes(3000), content_type="image/png")
        smaller = (FOLDER / "media.yaml").read_text(encoding="utf-8").replace("16MB", "2000")
        changed = tmp_path / "media.yaml"
        changed.write_text(smaller, encoding="utf-8")
        client.override(ports.policies, Policies(FOLDER, {"media": changed}))
        answer = reply(client, ticket, {"upload_id": upload})
        assert (answer.status, answer.fields) == (400, ["files.0.upload_id"])
        assert "may have 2000 bytes" in answer.body["detail"]

    def test_is_refused_where_they_are_too_large_together(
        self, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        large = PDF + bytes(6_500_000)
        ids = [uploaded(client, files, large) for _ in range(2)]
        answer = reply(client, ticket, *({"upload_id": one} for one in ids))
        assert (answer.status, answer.fields) == (400, ["files.1.upload_id"])
        assert "12000000 bytes together" in answer.body["detail"]

    @pytest.mark.parametrize(("provider", "status"), [("postmark", 400), ("email_ses", 202)])
    def test_is_refused_where_a_mail_cannot_hold_it(
        self, world: World, client: Client, files: FakeMediaFiles, provider: str, status: int
    ) -> None:
        """Ten megabytes of Base64 are not eight of a file."""
        ticket = opened(world, Channel.EMAIL, provider)
        upload = uploaded(client, files, PDF + bytes(8_000_000))
        answer = reply(client, ticket, {"upload_id": upload})
        assert answer.status == status
        assert answer.fields == (["files"] if status == 400 else [])

    @pytest.mark.parametrize(
        "file",
        [
            {},
            {"name": "a.pdf"},
            {"upload_id": "1", "url": "https://shop.example/a.pdf"},
            {"upload_id": "1", "content_type": "text/plain"},
        ],
    )
    def test_names_either_an_upload_or_an_address(
        self, client: Client, ticket: Ticket, file: dict[str, Any]
    ) -> None:
        answer = reply(client, ticket, file)
        assert (answer.status, answer.fields) == (422, ["files.0"])

    @pytest.mark.parametrize("upload_id", ["", "../touchpoint/message/1", "x" * 65])
    def test_leads_nowhere_else_in_the_bucket(
        self, client: Client, ticket: Ticket, upload_id: str
    ) -> None:
        answer = reply(client, ticket, {"upload_id": upload_id})
        assert (answer.status, answer.fields) == (422, ["files.0.upload_id"])

    def test_leaves_nothing_where_no_word_may_go(
        self, world: World, client: Client, files: FakeMediaFiles, ticket: Ticket
    ) -> None:
        upload = uploaded(client, files)
        world.clock.advance(timedelta(days=2))
        assert reply(client, ticket, {"upload_id": upload}).status == 409
        assert not any(key.startswith("attachments/") for key in files.files)
