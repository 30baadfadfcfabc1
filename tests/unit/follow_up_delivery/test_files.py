"""A file of ours on its way out, in the form that its provider takes, and what is kept of it."""

import json
from email import message_from_bytes, policy
from hashlib import sha256

import pytest

from infra.local.simulators._media import PDF
from shared.domain.errors import SendDelayed
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.media import Medium, MediumState
from shared.domain.sending import OutboundFile
from shared.domain.touchpoint import Channel, Message
from shared.ports.ledger import LedgerEntry
from shared.providers.base import HttpRequest, MailRequest
from tests.builders import endpoint, touchpoint
from tests.unit.follow_up_delivery.conftest import Promise

ELSEWHERE = OutboundFile(url="https://shop.example/plan.png", name="plan.png", form="image")
KEY = f"attachments/tickets/t-1/{sha256(PDF).hexdigest()}"
BILL = OutboundFile(
    name="facture.pdf", content_type="application/pdf", object_key=KEY, size=len(PDF)
)


def replied(promise: Promise, *files: OutboundFile, by_mail: bool = False) -> FollowUp:
    """A reply with these files is due; ours lies where it was looked at."""
    promise.world.ledger.media_files.files[KEY] = (PDF, "application/pdf")
    wrote = promise.wrote
    if by_mail:
        way = endpoint(
            Channel.EMAIL,
            provider="email_ses",
            account="support@boutique.example",
            address="awa@example.org",
        )
        wrote = promise.hear(
            touchpoint(channel=Channel.EMAIL, provider="email_ses", endpoint=way, key="<1@a.b>")
        )
    now = promise.world.clock.now()
    action = SendReply(text="La voici.", files=files, answers=wrote.touchpoint_id, agent="lea")
    return promise.make(
        name="reply", since=now, due_at=now, action=action, cancelled_by=frozenset()
    )


def kept(promise: Promise, ended: FollowUp) -> LedgerEntry:
    assert (ended.state, ended.result) == (FollowUpState.DONE, "sent")
    assert ended.touchpoint_id is not None
    entry = promise.world.ledger.read(ended.touchpoint_id)
    assert entry is not None
    return entry


def test_a_provider_that_fetches_gets_an_address_for_an_hour(promise: Promise) -> None:
    replied(promise, BILL)
    promise.deliver()
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, HttpRequest)
    document = json.loads(outgoing.body)["document"]
    assert document["link"].startswith(f"https://files.example/for-an-hour/{KEY}")
    assert document["filename"] == "facture.pdf"


def test_a_mail_has_it_in_itself_and_a_link_to_what_lies_elsewhere(promise: Promise) -> None:
    replied(promise, BILL, ELSEWHERE, by_mail=True)
    promise.deliver()
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, MailRequest)
    mail = message_from_bytes(outgoing.mime, policy=policy.default)
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("facture.pdf", PDF)
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().strip().endswith(f"plan.png: {ELSEWHERE.url}")


@pytest.mark.parametrize("by_mail", [False, True])
def test_what_left_stays_with_the_message_and_its_address_does_not(
    promise: Promise, by_mail: bool
) -> None:
    replied(promise, BILL, by_mail=by_mail)
    entry = kept(promise, promise.deliver())
    assert entry.media == {
        "0": Medium(
            state=MediumState.STORED,
            object_key=KEY,
            content_type="application/pdf",
            size=len(PDF),
        )
    }
    assert isinstance(entry.touchpoint.content, Message)
    (attachment,) = entry.touchpoint.content.attachments
    assert (attachment.object_key, attachment.provider_reference) == (KEY, None)
    assert "files.example" not in entry.model_dump_json()


def test_each_attempt_makes_its_own_address(promise: Promise) -> None:
    replied(promise, BILL)
    promise.world.sender.fail_next(SendDelayed("busy"))
    again = promise.deliver()
    assert again.state is FollowUpState.SCHEDULED
    kept(promise, promise.deliver(at=again.due_at))
    assert promise.standing.action == again.action, "the promise holds no address"


def test_what_is_no_longer_there_is_refused_and_nobody_was_asked(promise: Promise) -> None:
    replied(promise, BILL, by_mail=True)
    promise.world.ledger.media_files.drop(KEY)
    refused = promise.deliver()
    assert (refused.state, refused.refusal_reason) == (FollowUpState.REFUSED, "content")
    assert refused.result == "a file of it is no longer there"
    assert len(promise.world.sender) == 0


def test_what_no_mail_holds_is_refused_and_not_read(promise: Promise) -> None:
    """The account moved to another provider of mail since; it holds less."""
    replied(promise, BILL.model_copy(update={"size": 30_000_000}), by_mail=True)
    promise.world.ledger.media_files.files.clear()
    refused = promise.deliver()
    assert (refused.state, refused.refusal_reason) == (FollowUpState.REFUSED, "content")
    assert refused.result == "the files are too large together for email_ses"
