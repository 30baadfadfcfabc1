"""Somebody owes a customer something: one ticket holds it, whatever comes twice or late."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.ticket_creation.logic.creation import create_ticket
from shared.domain.classification import Classification, Sentiment, Urgency
from shared.domain.decision import Decision
from shared.domain.errors import Conflict, Contention, NotFound
from shared.domain.journey import (
    ClassificationStep,
    JourneyState,
    ProfileStep,
    TicketOutcome,
    TicketStep,
)
from shared.domain.model import ProfileId, TicketId
from shared.domain.ticket import Priority, Ticket, TicketStatus, record_agent_reply
from shared.domain.touchpoint import Message, Review, Touchpoint
from shared.events.catalogue import TicketChanged, TicketOpened
from shared.events.envelope import Event
from shared.ports.tickets import LogEntry
from tests.builders import (
    NOON,
    classification,
    observed,
    policies,
    profile_id,
    sms,
    touchpoint,
    whatsapp_message,
)
from tests.fake_tickets import FakeTicketStore
from tests.fakes import World

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    return World()


def meaning(intent: str = "order_status", **overrides: Any) -> Classification:
    return classification(intent=intent, **overrides)


def create(
    world: World,
    seen: Touchpoint,
    meant: Classification | None = None,
    *,
    whose: ProfileId | None = None,
    decisions: tuple[Decision, ...] = (),
) -> TicketStep:
    """The step for a touchpoint, which is put in the ledger unless it is there."""
    if seen not in world.ledger:
        world.ledger.record([observed(seen)])
    state = JourneyState(
        touchpoint_id=seen.touchpoint_id,
        profile_update=ProfileStep(
            profile_id=profile_id() if whose is None else whose,
            next_step="ai_classification",
            why="somebody wrote",
        ),
        ai_classification=ClassificationStep(
            classification=meant or meaning(), next_step="ticket_creation", decisions=decisions
        ),
    )
    return create_ticket(
        state,
        ledger=world.ledger,
        tickets=world.tickets,
        policies=policies(),
        clock=world.clock,
    )


def said(number: int, *, at: int = 0, **overrides: Any) -> Touchpoint:
    """One more WhatsApp message, `at` minutes after noon."""
    return whatsapp_message(f"message {number}", at=NOON + timedelta(minutes=at), **overrides)


def read(world: World, ticket_id: TicketId | None) -> Ticket:
    ticket = world.tickets.read(ticket_id) if ticket_id else None
    assert ticket is not None
    return ticket


def reasons(step: TicketStep) -> dict[str, tuple[str, str]]:
    return {one.about: (one.outcome, one.reason) for one in step.decisions}


class TestOpening:
    def test_what_is_owed_opens_a_ticket_in_the_queue_of_its_intent(self, world: World) -> None:
        seen = whatsapp_message()
        step = create(world, seen)
        assert (step.outcome, step.queue) == (TicketOutcome.OPENED, "orders")
        assert step.next_step == "follow_up_scheduling"
        ticket = read(world, step.ticket_id)
        assert (ticket.status, ticket.priority) == (TicketStatus.NEW, Priority.NORMAL)
        assert ticket.first == ticket.last
        assert ticket.first.touchpoint_id == seen.touchpoint_id
        assert ticket.first.endpoint == seen.endpoint

    def test_zm_5177_it_is_due_in_working_time(self, world: World) -> None:
        """Noon UTC on a Monday is 13:00 in Paris, in the lunch break: work goes on at 13:30."""
        ticket = read(world, create(world, whatsapp_message()).ticket_id)
        assert ticket.first_response.due_at == NOON + timedelta(hours=4, minutes=30)

    def test_it_is_told_once_and_logged(self, world: World) -> None:
        step = create(world, whatsapp_message())
        ticket = read(world, step.ticket_id)
        (event,) = world.happened(TicketOpened)
        assert event == TicketOpened(
            ticket_id=ticket.ticket_id,
            profile_id=profile_id(),
            touchpoint_id=ticket.first.touchpoint_id,
            queue="orders",
            intent="order_status",
            priority="normal",
            first_response_due_at=ticket.first_response.due_at,
            resolution_due_at=ticket.resolution.due_at,
        )
        (logged,) = world.tickets.log(ticket.ticket_id)
        assert (logged.what, logged.by, logged.at) == ("opened", "policy", NOON)

    def test_each_choice_is_a_record_that_says_why(self, world: World) -> None:
        step = create(world, whatsapp_message(), meaning("refund", urgency=Urgency.HIGH))
        assert reasons(step) == {
            "priority": ("high", "rule 2 of priorities.yaml"),
            "routing": ("orders", "the queue of refund"),
            "sla": ("2026-11-23T14:30:00.000000Z", "the targets of high in working time"),
        }
        assert {one.at for one in step.decisions} == {world.clock.now()}

    @pytest.mark.parametrize(
        ("intent", "outcome", "opens"),
        [("opt_out", "owed", True), ("order_status", "nothing_owed", False)],
    )
    def test_what_the_step_before_decided_is_owed_and_not_what_the_intent_says(
        self, world: World, intent: str, outcome: str, opens: bool
    ) -> None:
        """An opt-out that nothing proves is not acted upon: a person looks."""
        decided = Decision(
            about="obligation", outcome=outcome, reason="because", by="policy:consent", at=NOON
        )
        step = create(world, whatsapp_message(), meaning(intent), decisions=(decided,))
        assert (step.outcome is TicketOutcome.OPENED) is opens
        assert len(world.tickets) == opens

    @pytest.mark.parametrize(
        ("meant", "priority"),
        [
            (meaning(urgency=Urgency.CRITICAL), Priority.URGENT),
            (meaning("refund", sentiment=Sentiment.NEGATIVE), Priority.HIGH),
            (meaning("product_question", sentiment=Sentiment.NEGATIVE), Priority.NORMAL),
            (meaning(urgency=Urgency.LOW), Priority.LOW),
        ],
    )
    def test_the_first_priority_rule_that_holds_decides(
        self, world: World, meant: Classification, priority: Priority
    ) -> None:
        step = create(world, whatsapp_message(), meant)
        assert read(world, step.ticket_id).priority is priority

    def test_a_review_without_a_way_back_opens_one_too(self, world: World) -> None:
        seen = touchpoint(Review(rating=1, text="Jamais livré"), endpoint=None)
        step = create(world, seen, meaning("complaint"))
        assert read(world, step.ticket_id).first.endpoint is None

    def test_after_the_ticket_ended_the_next_message_opens_the_next_one(self, world: World) -> None:
        first = read(world, create(world, said(1)).ticket_id)
        ended = first.model_copy(update={"status": TicketStatus.RESOLVED, "resolved_at": NOON})
        world.tickets.save(ended, first, None)
        second = read(world, create(world, said(2, at=60)).ticket_id)
        assert (second.ticket_id, second.sequence) != (first.ticket_id, first.sequence)
        assert second.sequence == 2

    def test_a_redriven_message_that_was_answered_meanwhile_opens_no_other(
        self, world: World
    ) -> None:
        first = read(world, create(world, said(1)).ticket_id)
        ended = first.model_copy(update={"status": TicketStatus.RESOLVED, "resolved_at": NOON})
        world.tickets.save(ended, first, None)
        world.ledger.change(said(1).touchpoint_id, attempt=2)
        assert create(world, said(1)).outcome is TicketOutcome.NOTHING
        world.ledger.record([observed(said(2, at=1))])
        world.ledger.change(said(2, at=1).touchpoint_id, attempt=2)
        assert create(world, said(2, at=1)).outcome is TicketOutcome.OPENED

    def test_a_redriven_first_message_opens_its_ticket(self, world: World) -> None:
        world.ledger.record([observed(said(1))])
        world.ledger.change(said(1).touchpoint_id, attempt=2)
        assert create(world, said(1)).outcome is TicketOutcome.OPENED


class TestNothingIsOwed:
    def test_praise_opens_none(self, world: World) -> None:
        step = create(world, whatsapp_message("Merci !"), meaning("praise"))
        assert step == TicketStep(outcome=TicketOutcome.NOTHING, next_step="nothing")
        assert len(world.tickets) == 0

    def test_praise_joins_what_is_open(self, world: World) -> None:
        opened = create(world, said(1))
        step = create(world, said(2, at=5), meaning("praise"))
        assert (step.outcome, step.ticket_id) == (TicketOutcome.JOINED, opened.ticket_id)
        assert step.next_step == "nothing"

    def test_an_opt_out_joins_nothing(self, world: World) -> None:
        """It goes to the fallback queue, where nothing is open, and continues nothing."""
        create(world, said(1))
        step = create(world, said(2, at=5), meaning("opt_out"))
        assert step.outcome is TicketOutcome.NOTHING

    def test_words_of_nobody_open_none(self, world: World) -> None:
        step = create(world, whatsapp_message(), whose=ProfileId(""))
        assert step.outcome is TicketOutcome.NOTHING
        assert len(world.tickets) == 0

    def test_a_touchpoint_that_is_not_there(self, world: World) -> None:
        absent = JourneyState(
            touchpoint_id=whatsapp_message().touchpoint_id,
            profile_update=ProfileStep(
                profile_id=profile_id(), next_step="ai_classification", why=""
            ),
            ai_classification=ClassificationStep(
                classification=meaning(), next_step="ticket_creation"
            ),
        )
        with pytest.raises(NotFound):
            create_ticket(
                absent,
                ledger=world.ledger,
                tickets=world.tickets,
                policies=policies(),
                clock=world.clock,
            )


class TestJoining:
    def test_cw_13261_a_second_message_joins_from_whichever_channel(self, world: World) -> None:
        opened = create(world, said(1))
        step = create(world, sms(at=NOON + HOUR), meaning("delivery_problem"))
        assert (step.outcome, step.ticket_id) == (TicketOutcome.JOINED, opened.ticket_id)
        ticket = read(world, step.ticket_id)
        assert ticket.last.touchpoint_id == sms(at=NOON + HOUR).touchpoint_id
        assert ticket.first.touchpoint_id == said(1).touchpoint_id
        assert len(world.tickets) == 1

    def test_the_queue_is_told(self, world: World) -> None:
        opened = create(world, said(1))
        create(world, said(2, at=5), meaning(urgency=Urgency.CRITICAL))
        (event,) = world.happened(TicketChanged)
        assert event == TicketChanged(
            ticket_id=read(world, opened.ticket_id).ticket_id,
            profile_id=profile_id(),
            queue="orders",
            status="new",
            priority="urgent",
            change="customer_wrote",
            version=2,
        )

    def test_a_more_urgent_message_brings_the_due_times_closer(self, world: World) -> None:
        opened = create(world, said(1))
        before = read(world, opened.ticket_id)
        create(world, said(2, at=5), meaning(urgency=Urgency.CRITICAL))
        after = read(world, opened.ticket_id)
        assert after.priority is Priority.URGENT
        assert after.first_response.due_at < before.first_response.due_at
        assert after.resolution.due_at < before.resolution.due_at

    def test_a_calmer_message_calms_nothing(self, world: World) -> None:
        opened = create(world, said(1), meaning(urgency=Urgency.HIGH))
        before = read(world, opened.ticket_id)
        create(world, said(2, at=5), meaning(urgency=Urgency.LOW))
        after = read(world, opened.ticket_id)
        assert (after.priority, after.due_at) == (before.priority, before.due_at)

    def test_another_matter_opens_a_second_ticket_in_its_own_queue(self, world: World) -> None:
        orders = create(world, said(1), meaning("order_status"))
        billing = create(world, said(2, at=5), meaning("billing_or_payment"))
        assert (orders.queue, billing.queue) == ("orders", "billing")
        assert billing.outcome is TicketOutcome.OPENED
        assert len(world.tickets) == 2

    def test_what_says_little_continues_the_ticket_spoken_of_last(self, world: World) -> None:
        create(world, said(1, at=0), meaning("order_status"))
        billing = create(world, said(2, at=5), meaning("billing_or_payment"))
        step = create(world, said(3, at=10), meaning("complaint"))
        assert (step.outcome, step.ticket_id) == (TicketOutcome.JOINED, billing.ticket_id)
        assert reasons(step)["routing"] == (
            "billing",
            "complaint continues the ticket spoken of last",
        )

    def test_with_a_ticket_in_its_own_queue_it_goes_there(self, world: World) -> None:
        care = create(world, said(1, at=0), meaning("product_question"))
        create(world, said(2, at=5), meaning("order_status"))
        step = create(world, said(3, at=10), meaning("complaint"))
        assert step.ticket_id == care.ticket_id
        assert reasons(step)["routing"] == ("care", "the queue of complaint")

    def test_with_nothing_open_it_opens_its_own(self, world: World) -> None:
        step = create(world, said(1), meaning("complaint"))
        assert (step.outcome, step.queue) == (TicketOutcome.OPENED, "care")

    def test_an_answer_of_the_customer_wakes_a_waiting_ticket(self, world: World) -> None:
        opened = read(world, create(world, said(1)).ticket_id)
        world.tickets.save(record_agent_reply(opened, NOON + HOUR), opened, None)
        create(world, said(2, at=120))
        ticket = read(world, opened.ticket_id)
        assert ticket.status is TicketStatus.OPEN
        assert ticket.resolution.paused_at is None

    def test_nobody_joins_anothers_ticket(self, world: World) -> None:
        mine = create(world, said(1))
        other = "+33687654321"
        theirs = create(world, said(2, phone=other), whose=profile_id(other))
        assert theirs.outcome is TicketOutcome.OPENED
        assert theirs.ticket_id != mine.ticket_id


class TestLateAndRepeated:
    def test_an_earlier_message_that_comes_late_moves_the_beginning_and_the_due_times(
        self, world: World
    ) -> None:
        opened = create(world, said(2, at=60))
        before = read(world, opened.ticket_id)
        step = create(world, said(1, at=30))
        after = read(world, opened.ticket_id)
        assert step.outcome is TicketOutcome.JOINED
        assert after.first.touchpoint_id == said(1, at=30).touchpoint_id
        assert after.last == before.last
        half_an_hour = timedelta(minutes=30)
        assert after.first_response.due_at == before.first_response.due_at - half_an_hour
        # What was promised counts from the new beginning.
        assert step.next_step == "follow_up_scheduling"

    def test_one_between_two_others_leaves_the_ticket_as_it_is(self, world: World) -> None:
        opened = create(world, said(1, at=0))
        create(world, said(3, at=10))
        before = read(world, opened.ticket_id)
        step = create(world, said(2, at=5))
        assert (step.outcome, step.ticket_id) == (TicketOutcome.HELD, opened.ticket_id)
        assert read(world, opened.ticket_id) == before

    def test_zm_1662_the_step_again_opens_no_second_ticket_and_still_schedules(
        self, world: World
    ) -> None:
        """It may have broken off between the ticket and its follow-ups."""
        seen = whatsapp_message()
        first, again = create(world, seen), create(world, seen)
        assert (again.outcome, again.ticket_id) == (TicketOutcome.HELD, first.ticket_id)
        assert again.next_step == "follow_up_scheduling"
        assert len(world.tickets) == 1
        assert len(world.happened(TicketOpened)) == 1
        assert world.happened(TicketChanged) == []

    def test_the_step_of_a_later_message_again_schedules_nothing(self, world: World) -> None:
        create(world, said(1))
        create(world, said(2, at=5))
        again = create(world, said(2, at=5))
        assert (again.outcome, again.next_step) == (TicketOutcome.HELD, "nothing")
        assert len(world.happened(TicketChanged)) == 1

    def test_after_its_journey_ended_nothing_is_opened(self, world: World) -> None:
        """Events are delivered at least once: another execution came through in the meantime."""
        seen = whatsapp_message()
        world.ledger.record([observed(seen)])
        world.ledger.record_outcome(JourneyState(touchpoint_id=seen.touchpoint_id))
        assert create(world, seen).outcome is TicketOutcome.NOTHING
        assert len(world.tickets) == 0

    def test_cw_11987_a_journey_that_failed_elsewhere_is_not_passed_off_as_done(
        self, world: World
    ) -> None:
        seen = whatsapp_message()
        world.ledger.record([observed(seen)])
        world.ledger.record_failure(seen.touchpoint_id, "ticket_creation", "Timeout")
        with pytest.raises(Conflict):
            create(world, seen)

    def test_contention_rises_so_that_the_step_is_tried_again(self, world: World) -> None:
        world.tickets = Raced(world)
        seen, other = said(1), said(2, at=5)
        with pytest.raises(Contention):
            create(world, other)
        step = create(world, seen)
        assert step.outcome is TicketOutcome.JOINED
        assert len(world.tickets) == 1


class Raced(FakeTicketStore):
    """Another journey of the same person opens the ticket between reading and writing, once."""

    def __init__(self, world: World) -> None:
        super().__init__(world.ledger, world.events, world.profiles)
        self._raced = False

    def open(
        self, ticket: Ticket, event: Event, log: LogEntry, *, attempt: int | None = None
    ) -> None:
        if not self._raced:
            self._raced = True
            super().open(ticket, event, log, attempt=attempt)
        super().open(ticket, event, log, attempt=attempt)


INTENTS = ("order_status", "refund", "delivery_problem", "billing_or_payment", "appointment")
"""Each says enough by itself. What merely continues depends on what came before it."""

one_said = st.tuples(
    st.integers(0, 10_000),
    st.sampled_from(INTENTS),
    st.sampled_from(list(Urgency)),
    st.sampled_from(list(Sentiment)),
)


@settings(max_examples=60, deadline=None)
@given(
    everything=st.lists(one_said, min_size=1, max_size=6),
    chance=st.randoms(use_true_random=False),
)
def test_any_order_and_any_repetition_gives_the_same_tickets(
    everything: Sequence[tuple[int, str, Urgency, Sentiment]], chance: Any
) -> None:
    """R3: what the customer said decides, not how it got here."""
    feed = [
        (
            said(number, at=minute),
            meaning(intent, urgency=urgency, sentiment=sentiment),
        )
        for number, (minute, intent, urgency, sentiment) in enumerate(everything)
    ]
    doubled = feed + chance.sample(feed, chance.randint(0, len(feed)))
    chance.shuffle(doubled)
    calm, wild = World(), World()
    for seen, meant in feed:
        create(calm, seen, meant)
    for seen, meant in doubled:
        create(wild, seen, meant)
    assert tickets(wild) == tickets(calm)


def tickets(world: World) -> dict[str, Ticket]:
    """By id, without the count of changes, which says how and not what."""
    return {
        one.ticket_id: one.model_copy(update={"version": 0})
        for one in world.tickets.by_profiles([profile_id()]).items
    }


def test_the_messages_of_this_file_are_all_different() -> None:
    seen = [said(1), said(2), said(1, phone="+33687654321"), sms()]
    assert len({one.touchpoint_id for one in seen}) == len(seen)
    assert all(isinstance(one.content, Message) for one in seen)
