"""What is told after the send: nothing that left is unknown for ever, nothing that failed hides."""

from datetime import timedelta
from typing import Any

import pytest

from functions.follow_up_delivery.logic.request import fulfil, read_request
from shared.domain.errors import Contention, NotFound, SendUnconfirmed
from shared.domain.follow_up import Escalate, FollowUp, FollowUpState
from shared.domain.model import TouchpointId
from shared.domain.ticket import TicketStatus
from shared.domain.touchpoint import DeliveryStatus, Direction, Message, Writer
from shared.events.catalogue import FollowUpDone, TicketChanged
from tests.builders import NOON, touchpoint, whatsapp_message
from tests.unit.follow_up_delivery.conftest import Promise

HOUR = timedelta(hours=1)
WAMID = "wamid.taken"


def unconfirmed(promise: Promise, by: Writer = Writer.PERSON) -> FollowUp:
    promise.make_reply("Elle part ce soir.", by=by)
    promise.world.sender.fail_next(SendUnconfirmed("HTTP 500"))
    return promise.deliver()


def confirm(promise: Promise, send_key: str, message_id: str = WAMID) -> Any:
    event = {"send_key": send_key, "message_id": message_id}
    return fulfil(read_request(event), promise.ports)["state"]


def sent(promise: Promise, **made: Any) -> FollowUp:
    promise.make_reply("Elle part ce soir.", **made)
    ended = promise.deliver()
    assert ended.state is FollowUpState.DONE and ended.touchpoint_id is not None
    return ended


def fail(
    promise: Promise,
    status: str = "failed",
    reason: str | None = "131026 Undeliverable",
    message_id: str = "whatsapp_cloud-message-1",
) -> None:
    told = DeliveryStatus.model_validate(
        {"status": status, "message_id": message_id, "reason": reason}
    )
    promise.world.ledger.advance_delivery(touchpoint(told, key=f"told {status}"), told)


def note(promise: Promise) -> Any:
    standing = promise.standing
    event = {
        "ticket_id": standing.ticket_id,
        "follow_up_id": standing.follow_up_id,
        "failed": standing.touchpoint_id,
    }
    return fulfil(read_request(event), promise.ports)["state"]


class TestWhatWasUnconfirmed:
    def test_cw_15131_a_status_with_its_key_settles_it_with_the_message_kept(
        self, promise: Promise
    ) -> None:
        waiting = unconfirmed(promise)
        assert waiting.state is FollowUpState.UNCONFIRMED
        left_at = promise.world.clock.now()
        promise.world.clock.advance(HOUR)
        assert confirm(promise, waiting.follow_up_id) == "done"
        ended = promise.standing
        assert (ended.state, ended.result) == (FollowUpState.DONE, "sent")
        assert ended.touchpoint_id is not None
        entry = promise.world.ledger.read(ended.touchpoint_id)
        assert entry is not None
        kept = entry.touchpoint
        assert (kept.direction, kept.provider_event_id, kept.text) == (
            Direction.OUTBOUND,
            WAMID,
            "Elle part ce soir.",
        )
        assert kept.occurred_at == left_at
        assert promise.ticket_now.status is TicketStatus.WAITING_CUSTOMER
        assert promise.ticket_now.last_agent_at == left_at
        assert len(promise.world.sender) == 0, "it is not sent again"

    def test_who_wrote_since_still_waits(self, promise: Promise) -> None:
        waiting = unconfirmed(promise)
        later = promise.hear(whatsapp_message("Alors ?", at=NOON + 5 * HOUR))
        promise.edit_ticket(
            status=TicketStatus.OPEN,
            last=promise.ticket.last.model_copy(
                update={"touchpoint_id": later.touchpoint_id, "at": later.occurred_at}
            ),
        )
        confirm(promise, waiting.follow_up_id)
        assert promise.ticket_now.status is TicketStatus.OPEN
        assert promise.ticket_now.first_response.met_at is not None

    def test_a_machines_words_say_so_in_the_record_too(self, promise: Promise) -> None:
        waiting = unconfirmed(promise, by=Writer.MACHINE)
        confirm(promise, waiting.follow_up_id)
        ended = promise.standing
        assert ended.touchpoint_id is not None
        entry = promise.world.ledger.read(ended.touchpoint_id)
        assert entry is not None and isinstance(entry.touchpoint.content, Message)
        assert entry.touchpoint.content.written_by is Writer.MACHINE
        assert not entry.touchpoint.text.startswith("Elle part")

    def test_told_again_it_is_settled_once(self, promise: Promise) -> None:
        waiting = unconfirmed(promise)
        confirm(promise, waiting.follow_up_id)
        assert confirm(promise, waiting.follow_up_id) == "nothing"
        states = [e.state for e in promise.world.events if isinstance(e, FollowUpDone)]
        assert states == ["unconfirmed", "done"]

    def test_a_key_that_no_unconfirmed_one_has(self, promise: Promise) -> None:
        assert confirm(promise, "notice-of-something") == "nothing"
        promise.deliver()
        assert confirm(promise, promise.follow_up.follow_up_id) == "nothing"

    @pytest.mark.parametrize("gone", ["ticket", "words", "way back", "action"])
    def test_what_cannot_be_written_again_stays_for_a_person(
        self, promise: Promise, gone: str
    ) -> None:
        waiting = unconfirmed(promise)
        if gone == "ticket":
            del promise.world.tickets._tickets[waiting.ticket_id]
        if gone == "words":
            promise.world.ledger.forget(promise.wrote.touchpoint_id)
        if gone == "way back":
            nowhere = promise.wrote.model_copy(update={"endpoint": None})
            promise.world.ledger.change(promise.wrote.touchpoint_id, touchpoint=nowhere)
        if gone == "action":
            promise.world.tickets.put_follow_up(waiting.model_copy(update={"action": Escalate()}))
        assert confirm(promise, waiting.follow_up_id) == "nothing"

    def test_it_is_found_among_many(self, promise: Promise) -> None:
        waiting = unconfirmed(promise)
        for n in range(150):
            other = waiting.model_copy(update={"follow_up_id": f"other-{n}", "due_at": NOON - HOUR})
            promise.world.tickets.put_follow_up(other)
        assert confirm(promise, waiting.follow_up_id) == "done"

    def test_told_while_its_attempt_waits_for_an_answer_it_is_tried_again(
        self, promise: Promise
    ) -> None:
        waiting = unconfirmed(promise)
        sending = waiting.model_copy(update={"state": FollowUpState.SENDING})
        promise.world.tickets.put_follow_up(sending)
        with pytest.raises(Contention):
            confirm(promise, waiting.follow_up_id)
        promise.world.tickets.put_follow_up(waiting)
        assert confirm(promise, waiting.follow_up_id) == "done"

    def test_where_the_status_says_that_it_failed_its_ticket_waits_for_us(
        self, promise: Promise
    ) -> None:
        waiting = unconfirmed(promise)
        fail(promise, message_id=WAMID)
        assert confirm(promise, waiting.follow_up_id) == "refused"
        assert promise.standing.provider_code == "131026"
        assert promise.ticket_now.status is TicketStatus.OPEN

    def test_a_template_is_written_again_too(self, promise: Promise) -> None:
        promise.world.sender.fail_next(SendUnconfirmed("HTTP 500"))
        waiting = promise.deliver()
        assert confirm(promise, waiting.follow_up_id) == "done"
        assert promise.ticket_now == promise.ticket, "a rule's message moves no ticket"


class TestWhatFailed:
    def test_a_reply_that_did_not_arrive_stands_in_the_log_and_is_our_turn_again(
        self, promise: Promise
    ) -> None:
        ended = sent(promise)
        assert promise.ticket_now.status is TicketStatus.WAITING_CUSTOMER
        promise.world.clock.advance(HOUR)
        fail(promise)
        assert note(promise) == "refused"
        standing = promise.standing
        assert standing.result == "it left and did not arrive: 131026 Undeliverable"
        assert standing.provider_code == "131026"
        assert standing.touchpoint_id == ended.touchpoint_id, "it did leave"
        ticket = promise.ticket_now
        assert ticket.status is TicketStatus.OPEN
        assert (ticket.first_response.met_at, ticket.last_agent_at) == (None, None)
        assert ticket.resolution.paused_at is None
        line = promise.world.tickets.log(ticket.ticket_id)[-1]
        assert (line.what, line.by) == ("delivery_failed", "provider:whatsapp_cloud")
        assert line.detail["reason"] == standing.result
        changes = [e.change for e in promise.world.events if isinstance(e, TicketChanged)]
        assert changes == ["agent_replied", "delivery_failed"]

    def test_a_failure_that_is_told_before_the_reply_is_kept_counts_as_much(
        self, promise: Promise
    ) -> None:
        promise.make_reply("Elle part ce soir.")
        fail(promise)
        asked = {
            "ticket_id": promise.follow_up.ticket_id,
            "follow_up_id": promise.follow_up.follow_up_id,
        }
        for _ in range(2):
            assert fulfil(read_request(asked), promise.ports)["state"] == "refused"
        assert note(promise) == "refused", "told by its status as well"
        assert promise.standing.provider_code == "131026"
        ticket = promise.ticket_now
        assert (ticket.status, ticket.last_agent_at) == (TicketStatus.OPEN, None)
        changes = [e.change for e in promise.world.events if isinstance(e, TicketChanged)]
        assert changes == ["agent_replied", "delivery_failed"]
        assert len(promise.world.sender) == 1

    @pytest.mark.parametrize("status", ["sent", "delivered", "read"])
    def test_any_other_status_before_the_reply_is_kept_changes_nothing(
        self, promise: Promise, status: str
    ) -> None:
        promise.make_reply("Elle part ce soir.")
        fail(promise, status)
        asked = {
            "ticket_id": promise.follow_up.ticket_id,
            "follow_up_id": promise.follow_up.follow_up_id,
        }
        assert fulfil(read_request(asked), promise.ports)["state"] == "done"
        assert promise.ticket_now.status is TicketStatus.WAITING_CUSTOMER

    def test_told_twice_it_is_noted_once(self, promise: Promise) -> None:
        sent(promise)
        fail(promise)
        note(promise)
        before = promise.ticket_now
        assert note(promise) == "refused"
        assert promise.ticket_now == before

    def test_an_answer_given_since_stands(self, promise: Promise) -> None:
        sent(promise)
        fail(promise)
        later = promise.world.clock.now() + HOUR
        promise.edit_ticket(last_agent_at=later)
        note(promise)
        ticket = promise.ticket_now
        assert (ticket.status, ticket.last_agent_at) == (TicketStatus.WAITING_CUSTOMER, later)

    def test_a_machines_reply_leaves_only_a_line(self, promise: Promise) -> None:
        sent(promise, by=Writer.MACHINE)
        fail(promise, reason=None)
        note(promise)
        assert promise.ticket_now.status is TicketStatus.NEW
        assert promise.standing.provider_code is None
        assert promise.standing.result == (
            "it left and did not arrive: the provider does not say why"
        )

    @pytest.mark.parametrize("status", ["delivered", "read"])
    def test_what_did_arrive_is_no_failure(self, promise: Promise, status: str) -> None:
        sent(promise)
        fail(promise, status)
        assert note(promise) == "done"
        assert promise.ticket_now.status is TicketStatus.WAITING_CUSTOMER

    def test_what_is_gone(self, promise: Promise) -> None:
        ended = sent(promise)
        fail(promise)
        assert ended.touchpoint_id is not None
        promise.world.ledger.forget(TouchpointId(ended.touchpoint_id))
        with pytest.raises(NotFound):
            note(promise)
