"""A promise is kept while it makes sense: once, by the right way, and never in silence."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.follow_up_delivery.logic.delivery import EARLY, deliver
from functions.follow_up_delivery.logic.state import CLAIM_LASTS
from shared.domain.errors import Contention, NotFound
from shared.domain.follow_up import Escalate, FollowUpState
from shared.domain.journey import DeliveryRequest
from shared.domain.model import FollowUpId, TicketId
from shared.domain.profile import Profile, Trait
from shared.domain.ticket import Milestone, Priority, TicketStatus
from shared.events.catalogue import FollowUpDone, TicketChanged
from tests.builders import NOON, follow_up, profile_id, ticket, whatsapp_message, word
from tests.fake_tickets import FakeTimer
from tests.unit.follow_up_delivery.conftest import Overtaken, Promise

HOUR = timedelta(hours=1)
OVER = [
    FollowUpState.DONE,
    FollowUpState.CANCELLED,
    FollowUpState.REFUSED,
    FollowUpState.UNCONFIRMED,
]


def done_events(promise: Promise) -> list[str]:
    return [one.state for one in promise.world.events if isinstance(one, FollowUpDone)]


class TestWhetherItIsToBeKept:
    @pytest.mark.parametrize("state", OVER)
    def test_pl_462_what_is_over_stays_over(self, promise: Promise, state: FollowUpState) -> None:
        """R15: the second delivery of one schedule does nothing."""
        ended = promise.make(state=state, result="before")
        assert promise.deliver() == ended
        assert len(promise.world.sender) == 0
        assert done_events(promise) == []

    def test_delivered_twice_it_leaves_once(self, promise: Promise) -> None:
        first = promise.deliver()
        assert first.state is FollowUpState.DONE
        assert promise.deliver() == first
        assert len(promise.world.sender) == 1
        assert done_events(promise) == ["done"]

    @pytest.mark.parametrize("missing", ["follow-up", "ticket"])
    def test_one_that_is_not_there(self, promise: Promise, missing: str) -> None:
        request = DeliveryRequest(
            ticket_id=promise.ticket.ticket_id, follow_up_id=FollowUpId("none")
        )
        if missing == "ticket":
            other = follow_up(ticket(queue="billing"))
            promise.world.tickets.put_follow_up(other)
            request = DeliveryRequest(
                ticket_id=TicketId(other.ticket_id), follow_up_id=other.follow_up_id
            )
        with pytest.raises(NotFound):
            deliver(request, promise.ports)

    def test_what_is_not_due_yet_is_scheduled_for_its_time(self, promise: Promise) -> None:
        made = promise.make(due_at=NOON + 5 * HOUR)
        assert promise.deliver() == made
        assert promise.world.timer.scheduled == {
            made.schedule_name: (
                made.due_at,
                {"ticket_id": made.ticket_id, "follow_up_id": made.follow_up_id},
            )
        }
        assert len(promise.world.sender) == 0

    def test_a_schedule_of_that_name_that_is_there_gets_the_right_time(
        self, promise: Promise
    ) -> None:
        made = promise.make(due_at=NOON + 5 * HOUR)
        promise.world.timer.schedule(made.schedule_name, NOON + 3 * HOUR, {})
        promise.deliver()
        assert promise.world.timer.scheduled[made.schedule_name][0] == made.due_at

    def test_a_moment_early_is_on_time(self, promise: Promise) -> None:
        """The schedule has fired and is gone: whoever waited for another would wait for ever."""
        promise.make(due_at=promise.world.clock.now() + EARLY)
        assert promise.deliver().state is FollowUpState.DONE

    @pytest.mark.parametrize(
        ("milestone", "happened"),
        [
            (Milestone.AGENT_REPLIED, {"last_agent_at": NOON + HOUR}),
            (Milestone.TICKET_RESOLVED, {"resolved_at": NOON + HOUR}),
            (Milestone.CUSTOMER_WROTE, {"last": word(whatsapp_message("bis", at=NOON + HOUR))}),
            (Milestone.TICKET_OPENED, {"first": word(whatsapp_message("bis", at=NOON + HOUR))}),
        ],
    )
    def test_what_it_waited_for_cancels_it(
        self, promise: Promise, milestone: Milestone, happened: dict[str, Any]
    ) -> None:
        promise.world.tickets.put(promise.ticket.model_copy(update=happened))
        promise.make(cancelled_by=frozenset({milestone}), due_at=NOON + 2 * HOUR)
        ended = promise.deliver()
        assert (ended.state, ended.result) == (
            FollowUpState.CANCELLED,
            f"{milestone.value} after it was made",
        )
        assert ended.ended_at == promise.world.clock.now()
        assert len(promise.world.sender) == 0
        assert done_events(promise) == ["cancelled"]

    def test_what_happened_before_it_was_made_cancels_nothing(self, promise: Promise) -> None:
        replied = {"last_agent_at": NOON - HOUR}
        promise.world.tickets.put(promise.ticket.model_copy(update=replied))
        assert promise.deliver().state is FollowUpState.DONE


class TestABrokenAttempt:
    def claim(self, promise: Promise, **overrides: Any) -> None:
        promise.make(state=FollowUpState.SENDING, **overrides)

    def test_while_another_delivery_is_under_way_this_one_waits(self, promise: Promise) -> None:
        self.claim(promise, claimed_at=promise.world.clock.now())
        with pytest.raises(Contention):
            promise.deliver()
        assert promise.standing.state is FollowUpState.SENDING

    @pytest.mark.parametrize("claimed", [True, False])
    def test_ma_11763_what_broke_off_is_shown_to_a_person_and_never_sent_again(
        self, promise: Promise, claimed: bool
    ) -> None:
        now = promise.world.clock.now()
        self.claim(promise, claimed_at=now - CLAIM_LASTS if claimed else None)
        ended = promise.deliver()
        assert ended.state is FollowUpState.UNCONFIRMED
        assert ended.result == "the attempt broke off: the provider may or may not have it"
        assert promise.deliver() == ended
        assert len(promise.world.sender) == 0
        assert done_events(promise) == ["unconfirmed"]


class TestEscalation:
    def escalate(self, promise: Promise) -> None:
        promise.make(name="nobody_has_answered", action=Escalate(), due_at=NOON + 2 * HOUR)

    def test_the_ticket_goes_up_one_step_and_its_queue_is_told(self, promise: Promise) -> None:
        self.escalate(promise)
        ended = promise.deliver()
        assert (ended.state, ended.result) == (
            FollowUpState.DONE,
            "priority normal became high",
        )
        ticket = promise.ticket_now
        assert ticket.priority is Priority.HIGH
        (event,) = promise.world.happened(TicketChanged)
        assert isinstance(event, TicketChanged)
        assert (event.change, event.priority, event.version) == ("escalated", "high", 2)
        (logged,) = promise.world.tickets.log(ticket.ticket_id)
        assert (logged.what, logged.by) == ("escalated", "follow_up:nobody_has_answered")
        assert logged.detail == {"reason": "priority normal became high"}
        assert len(promise.world.sender) == 0

    def test_it_becomes_due_like_any_other_of_its_new_priority(self, promise: Promise) -> None:
        self.escalate(promise)
        before = promise.ticket_now
        promise.deliver()
        assert promise.ticket_now.resolution.due_at < before.resolution.due_at
        assert promise.ticket_now.due_at < before.due_at

    def test_the_highest_stays_and_the_queue_is_told_all_the_same(self, promise: Promise) -> None:
        urgent = promise.ticket.model_copy(update={"priority": Priority.URGENT})
        promise.world.tickets.put(urgent)
        self.escalate(promise)
        assert promise.deliver().result == "it is urgent already"
        assert promise.ticket_now.priority is Priority.URGENT
        assert len(promise.world.happened(TicketChanged)) == 1

    def test_when_the_ticket_changed_meanwhile_nothing_is_written_and_it_is_tried_again(
        self, promise: Promise
    ) -> None:
        self.escalate(promise)
        Overtaken(promise, "end", lambda: promise.edit_ticket(assignee="lea"))
        with pytest.raises(Contention):
            promise.deliver()
        assert promise.standing.state is FollowUpState.SCHEDULED
        assert promise.ticket_now.priority is Priority.NORMAL
        assert promise.deliver().state is FollowUpState.DONE
        assert (promise.ticket_now.priority, promise.ticket_now.assignee) == ("high", "lea")


class TestQuietHours:
    """21:00 to 08:00 where the person is; a Monday in November, one hour ahead of UTC in Paris."""

    NIGHT = NOON + 10 * HOUR
    MORNING = datetime.fromisoformat("2026-11-24T08:00+01:00")

    def test_a_message_due_at_night_waits_for_the_morning(self, promise: Promise) -> None:
        waiting = promise.deliver(at=self.NIGHT)
        assert waiting.state is FollowUpState.SCHEDULED
        assert (waiting.due_at, waiting.attempt) == (self.MORNING, 1)
        assert waiting.schedule_name != promise.follow_up.schedule_name
        assert promise.world.timer.scheduled[waiting.schedule_name][0] == self.MORNING
        assert len(promise.world.sender) == 0
        assert done_events(promise) == []

    def test_in_the_morning_it_leaves(self, promise: Promise) -> None:
        promise.deliver(at=self.NIGHT)
        (payload,) = promise.world.timer.fire(self.MORNING)
        assert DeliveryRequest.model_validate(payload).follow_up_id == (
            promise.follow_up.follow_up_id
        )
        assert promise.deliver(at=self.MORNING).state is FollowUpState.DONE
        assert len(promise.world.sender) == 1

    def test_what_happened_in_the_night_cancels_it(self, promise: Promise) -> None:
        promise.deliver(at=self.NIGHT)
        resolved = {"status": TicketStatus.RESOLVED, "resolved_at": self.NIGHT + HOUR}
        promise.world.tickets.put(promise.ticket_now.model_copy(update=resolved))
        assert promise.deliver(at=self.MORNING).state is FollowUpState.CANCELLED

    def test_it_is_night_where_the_person_is(self, promise: Promise) -> None:
        promise.person(language="fr", timezone="America/Guadeloupe")
        assert promise.deliver(at=self.NIGHT).state is FollowUpState.DONE

    def test_where_what_was_stated_is_no_time_zone_the_learned_one_counts(
        self, promise: Promise
    ) -> None:
        stated = {"timezone": Trait(value="Antilles", at=NOON)}
        whose = Profile(
            profile_id=profile_id(),
            created_at=NOON,
            traits=stated,
            learned_time_zone="America/Guadeloupe",
        )
        promise.world.profiles.put(whose)
        assert promise.deliver(at=self.NIGHT).state is FollowUpState.DONE

    def test_an_agents_reply_waits_for_no_morning(self, promise: Promise) -> None:
        promise.make_reply()
        assert promise.deliver(at=self.NIGHT).state is FollowUpState.DONE

    def test_broken_off_before_the_new_schedule_it_is_made_up_for(self, promise: Promise) -> None:
        promise.world.timer = Interrupted()
        with pytest.raises(TimeoutError):
            promise.deliver(at=self.NIGHT)
        promise.world.timer = FakeTimer()
        assert promise.deliver().attempt == 1
        assert [at for at, _ in promise.world.timer.scheduled.values()] == [self.MORNING]


class Interrupted(FakeTimer):
    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        raise TimeoutError
