"""Claimed, asked, kept: whatever breaks in between, a message leaves at most once."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.follow_up_delivery.logic.state import CLAIM_LASTS
from functions.follow_up_delivery.logic.transmission import MOST_FAILURES, WRITE_ATTEMPTS
from shared.domain.errors import (
    Contention,
    PasserelleError,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
)
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.ticket import TicketStatus
from shared.domain.touchpoint import Channel, DeliveryStatus
from shared.events.catalogue import FollowUpDone
from shared.providers.base import Outgoing
from tests.builders import NOON, endpoint, sms, touchpoint
from tests.fakes import FakeSender
from tests.unit.follow_up_delivery.conftest import Overtaken, Promise

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def done(promise: Promise) -> list[str]:
    return [one.state for one in promise.world.events if isinstance(one, FollowUpDone)]


class Watching(FakeSender):
    """Keeps how the follow-up stood when the provider was asked."""

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        self._promise = promise
        self.stood: list[FollowUp] = []

    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        self.stood.append(self._promise.standing)
        return super().transmit(provider, outgoing)


class Breaking(FakeSender):
    """Takes the message and dies: the function ran out of time."""

    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        super().transmit(provider, outgoing)
        raise TimeoutError


class TestTheClaim:
    def test_it_is_durable_before_the_provider_is_asked(self, promise: Promise) -> None:
        watching = Watching(promise)
        promise.world.sender = watching
        promise.deliver()
        (stood,) = watching.stood
        assert stood.state is FollowUpState.SENDING
        assert stood.claimed_at == promise.world.clock.now()

    def test_ma_11763_of_two_deliveries_at_once_one_sends(self, promise: Promise) -> None:
        other: list[FollowUp] = []

        def other_delivery() -> None:
            other.append(promise.deliver())

        Overtaken(promise, "move", other_delivery)
        with pytest.raises(Contention):
            promise.deliver()
        (ended,) = other
        assert ended.state is FollowUpState.DONE
        assert len(promise.world.sender) == 1
        assert promise.standing == ended

    def test_an_attempt_that_dies_after_the_send_is_never_repeated(self, promise: Promise) -> None:
        promise.world.sender = Breaking()
        with pytest.raises(TimeoutError):
            promise.deliver()
        with pytest.raises(Contention):
            promise.deliver(at=promise.world.clock.now() + CLAIM_LASTS - MINUTE)
        assert promise.deliver(at=promise.world.clock.now() + MINUTE).state == "unconfirmed"
        assert len(promise.world.sender) == 1
        assert done(promise) == ["unconfirmed"]


class TestWhatTheProviderSays:
    def test_a_refusal_is_kept_with_the_providers_own_code(self, promise: Promise) -> None:
        promise.world.sender.fail_next(
            SendRefused("WhatsApp refused: code 131026", code="131026", reason="invalid_recipient")
        )
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == ("the provider refused it (131026): WhatsApp refused: code 131026")
        assert [one.passed for one in refused.gate] == [True] * 7
        assert refused.touchpoint_id is None
        assert (refused.refusal_reason, refused.provider_code) == ("invalid_recipient", "131026")
        (event,) = promise.world.happened(FollowUpDone)
        assert isinstance(event, FollowUpDone)
        assert (event.state, event.refusal_reason, event.provider_code) == (
            "refused",
            "invalid_recipient",
            "131026",
        )

    def test_cw_15131_not_knowing_is_shown_and_not_tried_again(self, promise: Promise) -> None:
        promise.world.sender.fail_next(SendUnconfirmed("the connection broke"))
        ended = promise.deliver()
        assert (ended.state, ended.result) == (
            FollowUpState.UNCONFIRMED,
            "the connection broke",
        )
        assert promise.deliver() == ended
        assert len(promise.world.sender) == 0

    def test_busy_is_tried_again_later_and_later(self, promise: Promise) -> None:
        delays = []
        for _ in range(MOST_FAILURES):
            promise.world.sender.fail_next(SendDelayed("busy"))
            waiting = promise.deliver()
            assert waiting.state is FollowUpState.SCHEDULED
            delays.append((waiting.due_at - promise.world.clock.now()) / MINUTE)
            assert waiting.schedule_name in promise.world.timer
            promise.world.clock.advance(waiting.due_at - promise.world.clock.now())
        assert delays == [1, 2, 4, 8, 16, 32]
        assert len(promise.world.timer) == MOST_FAILURES, "each attempt has a schedule of its own"
        assert promise.deliver().state is FollowUpState.DONE
        assert len(promise.world.sender) == 1

    @pytest.mark.parametrize(
        ("asked", "waited"),
        [
            (timedelta(seconds=5), MINUTE),
            (timedelta(minutes=17), timedelta(minutes=17)),
            (timedelta(days=9), timedelta(days=1)),
        ],
    )
    def test_it_waits_as_long_as_the_provider_asks_for(
        self, promise: Promise, asked: timedelta, waited: timedelta
    ) -> None:
        promise.world.sender.fail_next(SendDelayed("busy", retry_after=asked))
        assert promise.deliver().due_at == promise.world.clock.now() + waited

    def test_after_the_last_attempt_it_is_given_up_with_the_reason(self, promise: Promise) -> None:
        for _ in range(MOST_FAILURES):
            promise.world.sender.fail_next(SendDelayed("busy"))
            promise.deliver(at=promise.deliver_at())
        promise.world.sender.fail_next(SendDelayed("the provider cannot be reached"))
        ended = promise.deliver(at=promise.deliver_at())
        assert (ended.state, ended.result) == (
            FollowUpState.REFUSED,
            "given up: the provider cannot be reached",
        )
        assert (ended.refusal_reason, ended.provider_code) == ("unreachable", None)
        assert done(promise) == ["refused"]

    def test_what_happens_while_it_waits_cancels_it(self, promise: Promise) -> None:
        promise.world.sender.fail_next(SendDelayed("busy"))
        waiting = promise.deliver()
        assert waiting.claimed_at is None
        promise.edit_ticket(status=TicketStatus.RESOLVED, resolved_at=promise.world.clock.now())
        assert promise.deliver(at=waiting.due_at).state is FollowUpState.CANCELLED


class TestWhatCannotBePrepared:
    """It is refused before it is claimed, and says why."""

    def test_a_missing_secret_is_named(self, promise: Promise) -> None:
        promise.world.secrets.secrets.clear()
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "there is no secret for whatsapp_cloud"
        assert refused.refusal_reason == "unauthorized"
        assert refused.claimed_at is None

    def test_a_provider_that_is_gone(self, promise: Promise) -> None:
        way = endpoint(Channel.PAPER, provider="pigeon_post")
        seen = touchpoint(key="by pigeon", endpoint=way, at=NOON + HOUR)
        promise.speak_of(promise.hear(seen))
        refused = promise.deliver()
        assert refused.result == "there is no such provider"
        assert refused.refusal_reason == "not_supported"

    def test_a_text_the_channel_cannot_carry(self, promise: Promise) -> None:
        seen = promise.hear(sms(at=NOON + HOUR))
        promise.make_reply("é" * 1601, to=seen.touchpoint_id)
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "a text has 1 to 1600 characters at Twilio"
        assert refused.provider_code == "21617"


class TestKeepingWhatLeft:
    def test_a_reply_moves_the_ticket_as_it_stands_when_it_has_left(self, promise: Promise) -> None:
        promise.make_reply()
        Overtaken(promise, "end", lambda: promise.edit_ticket(assignee="lea"))
        assert promise.deliver().state is FollowUpState.DONE
        ticket = promise.ticket_now
        assert (ticket.assignee, ticket.status) == ("lea", TicketStatus.WAITING_CUSTOMER)
        assert len(promise.world.sender) == 1

    def test_a_write_that_never_gets_through_sends_nothing_twice(self, promise: Promise) -> None:
        promise.make_reply()
        edits = iter(range(100))
        Overtaken(
            promise,
            "end",
            lambda: promise.edit_ticket(assignee=f"agent {next(edits)}"),
            times=WRITE_ATTEMPTS,
        )
        with pytest.raises(Contention):
            promise.deliver()
        assert next(edits) == WRITE_ATTEMPTS
        assert promise.standing.state is FollowUpState.SENDING
        ended = promise.deliver(at=promise.world.clock.now() + CLAIM_LASTS)
        assert ended.state is FollowUpState.UNCONFIRMED
        assert len(promise.world.sender) == 1

    def test_a_ticket_that_ended_meanwhile_stays_ended(self, promise: Promise) -> None:
        promise.make_reply()
        now = promise.world.clock.now()
        Overtaken(
            promise,
            "end",
            lambda: promise.edit_ticket(status=TicketStatus.RESOLVED, resolved_at=now),
        )
        promise.deliver()
        assert promise.ticket_now.status is TicketStatus.RESOLVED
        assert promise.ticket_now.last_agent_at == now

    def test_a_delivery_status_that_was_faster_than_us_finds_its_message(
        self, promise: Promise
    ) -> None:
        told = DeliveryStatus(status="delivered", message_id="whatsapp_cloud-message-1")
        promise.world.ledger.advance_delivery(touchpoint(told), told)
        ended = promise.deliver()
        assert ended.touchpoint_id is not None
        entry = promise.world.ledger.read(ended.touchpoint_id)
        assert entry is not None and entry.delivery == told


FAILURES: list[Any] = [
    SendDelayed("busy"),
    SendRefused("no", code="1"),
    SendUnconfirmed("lost"),
]


@settings(max_examples=40, deadline=None)
@given(
    failures=st.lists(st.sampled_from(FAILURES), max_size=4),
    minutes=st.lists(st.integers(0, 70), min_size=1, max_size=10),
)
def test_however_often_it_fires_and_whatever_fails_it_leaves_once_at_most_and_ends_once(
    failures: list[PasserelleError], minutes: list[int]
) -> None:
    """R15: a send key, and the second attempt is a recorded no-op."""
    promise = Promise()
    promise.world.sender.fail_next(*failures)
    for minute in minutes:
        promise.deliver(at=promise.world.clock.now() + minute * MINUTE)
    assert len(promise.world.sender) <= 1
    assert len(done(promise)) <= 1
    left = promise.standing.state is FollowUpState.DONE
    assert left is (len(promise.world.sender) == 1)
