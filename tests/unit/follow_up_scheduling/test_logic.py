"""What the policy promises becomes dated, once, and keeps the earlier of two dates."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.follow_up_scheduling.logic import SOONEST, schedule_follow_ups
from shared.domain.errors import NotFound
from shared.domain.follow_up import FollowUp, FollowUpRule, FollowUpState
from shared.domain.journey import DeliveryRequest, SchedulingRequest
from shared.domain.model import FollowUpId, TicketId
from shared.domain.ticket import Ticket, record_agent_reply
from shared.events.catalogue import FollowUpScheduled
from shared.events.envelope import Event
from shared.policies.reader import Policies
from tests.builders import NOON, policies, sms, ticket, whatsapp_message, word
from tests.fake_tickets import FakeTicketStore, FakeTimer
from tests.fakes import World

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def world() -> World:
    return World()


def schedule(
    world: World, of: Ticket, when: str = "ticket_opened", rules: Policies | None = None
) -> list[FollowUpId]:
    return schedule_follow_ups(
        SchedulingRequest.model_validate({"ticket_id": of.ticket_id, "when": when}),
        tickets=world.tickets,
        timer=world.timer,
        policies=rules or policies(),
        clock=world.clock,
    )


def rule(**overrides: Any) -> Policies:
    """The company's policies with this one follow-up rule."""
    fields: dict[str, Any] = {
        "name": "ask",
        "when": "ticket_opened",
        "if_no": "agent_replied",
        "within": DAY,
        "then": {"do": "send", "template": "still_working_on_it"},
    }
    return policies()._replace(follow_ups=(FollowUpRule.model_validate(fields | overrides),))


def promised(world: World, of: Ticket) -> dict[str, FollowUp]:
    return {one.name: one for one in world.tickets.follow_ups_of_ticket(of.ticket_id)}


def dates(world: World) -> dict[str, datetime]:
    return {name: at for name, (at, _) in world.timer.scheduled.items()}


def earlier(of: Ticket, by: timedelta) -> Ticket:
    """The ticket after an earlier message came late."""
    first = of.first.model_copy(update={"at": of.first.at - by})
    return of.model_copy(update={"first": first})


class TestWhatIsPromised:
    def test_cw_6861_a_new_ticket_gets_what_the_policy_promises_on_it(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        ids = schedule(world, opened)
        made = promised(world, opened)
        assert set(made) == {"nobody_has_answered", "still_working_on_it", "window_closing_soon"}
        assert set(ids) == {one.follow_up_id for one in made.values()}
        assert all(one.state is FollowUpState.SCHEDULED for one in made.values())
        assert all(one.profile_id == opened.profile_id for one in made.values())

    def test_each_has_a_one_time_schedule_that_says_which_it_is(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened)
        for one in promised(world, opened).values():
            at, payload = world.timer.scheduled[one.schedule_name]
            assert at == one.due_at
            assert DeliveryRequest.model_validate(payload) == DeliveryRequest(
                ticket_id=opened.ticket_id, follow_up_id=one.follow_up_id
            )

    def test_it_is_told(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule())
        (made,) = promised(world, opened).values()
        assert world.happened(FollowUpScheduled) == [
            FollowUpScheduled(
                follow_up_id=made.follow_up_id,
                ticket_id=opened.ticket_id,
                profile_id=opened.profile_id,
                name="ask",
                due_at=made.due_at,
            )
        ]

    def test_clock_time_runs_through_the_night(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule(within=DAY))
        assert promised(world, opened)["ask"].due_at == NOON + DAY

    def test_working_time_stands_still_when_nobody_works(self, world: World) -> None:
        """From 13:00 in Paris, at lunch: four hours from 13:30 end at 17:30, five end tomorrow."""
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule(within=4 * HOUR, counted_in="working_time"))
        assert promised(world, opened)["ask"].due_at == NOON + timedelta(hours=4, minutes=30)

    def test_working_time_goes_on_the_next_morning(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule(within=6 * HOUR, counted_in="working_time"))
        tomorrow_at_nine_thirty_in_paris = NOON + timedelta(hours=20, minutes=30)
        assert promised(world, opened)["ask"].due_at == tomorrow_at_nine_thirty_in_paris

    @pytest.mark.parametrize(("queue", "number"), [("orders", 1), ("billing", 0)])
    def test_a_rule_of_some_queues_holds_in_those(
        self, world: World, queue: str, number: int
    ) -> None:
        opened = world.tickets.put(ticket(queue=queue))
        assert len(schedule(world, opened, rules=rule(queues=["orders", "care"]))) == number
        assert len(world.timer) == number

    def test_what_makes_it_pointless_goes_with_it(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule(cancelled_by=["ticket_resolved"]))
        assert promised(world, opened)["ask"].cancelled_by == {"agent_replied", "ticket_resolved"}

    def test_a_time_that_has_passed_is_scheduled_as_soon_as_possible(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        world.clock.advance(3 * DAY)
        schedule(world, opened, rules=rule())
        assert promised(world, opened)["ask"].due_at == NOON + DAY
        assert list(dates(world).values()) == [NOON + 3 * DAY + SOONEST]

    def test_a_ticket_that_is_not_there(self, world: World) -> None:
        request = SchedulingRequest(ticket_id=TicketId("none"), when="ticket_opened")
        with pytest.raises(NotFound):
            schedule_follow_ups(
                request,
                tickets=world.tickets,
                timer=world.timer,
                policies=policies(),
                clock=world.clock,
            )


class TestWhenTheCustomerWrites:
    CLOSES = timedelta(hours=23, minutes=50)

    def test_zm_5224_the_end_of_the_reply_window_is_announced_ahead(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened)
        due_at = promised(world, opened)["window_closing_soon"].due_at
        assert due_at == NOON + self.CLOSES - 2 * HOUR

    def test_only_once_while_nobody_has_answered(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened)
        again = opened.model_copy(update={"last": word(whatsapp_message("?", at=NOON + HOUR))})
        made = promised(world, world.tickets.put(again))
        schedule(world, again, "customer_wrote")
        assert promised(world, again) == made

    def test_and_again_after_an_answer(self, world: World) -> None:
        replied = record_agent_reply(ticket(), NOON + HOUR)
        words = word(whatsapp_message("Et ?", at=NOON + 2 * HOUR))
        back = world.tickets.put(replied.model_copy(update={"last": words}))
        schedule(world, back, "customer_wrote")
        (made,) = promised(world, back).values()
        assert (made.name, made.since) == ("window_closing_soon", NOON + 2 * HOUR)
        assert made.due_at == NOON + 2 * HOUR + self.CLOSES - 2 * HOUR

    @pytest.mark.parametrize("no_window", ["sms", "no way back"])
    def test_a_way_without_a_window_promises_nothing_of_it(
        self, world: World, no_window: str
    ) -> None:
        said = sms() if no_window == "sms" else whatsapp_message(endpoint=None)
        opened = world.tickets.put(ticket(first=word(said)))
        assert schedule(world, opened, "customer_wrote") == []


class TestAfterAnAgentsReply:
    def test_it_counts_from_the_reply(self, world: World) -> None:
        answered = world.tickets.put(record_agent_reply(ticket(), NOON + HOUR))
        schedule(world, answered, "agent_replied")
        (made,) = promised(world, answered).values()
        assert (made.name, made.due_at) == ("did_that_help", NOON + HOUR + 2 * DAY)

    def test_before_any_reply_nothing_is_promised(self, world: World) -> None:
        assert schedule(world, world.tickets.put(ticket()), "agent_replied") == []

    def test_ma_11763_of_two_replies_only_the_last_one_is_asked_about(self, world: World) -> None:
        first = world.tickets.put(record_agent_reply(ticket(), NOON + HOUR))
        schedule(world, first, "agent_replied")
        second = world.tickets.put(record_agent_reply(first, NOON + 2 * HOUR))
        schedule(world, second, "agent_replied")
        made = world.tickets.follow_ups_of_ticket(second.ticket_id)
        assert [one.since for one in made] == [NOON + HOUR, NOON + 2 * HOUR]
        assert [one.cancelled(second) for one in made] == ["agent_replied after it was made", None]


class TestTwice:
    def test_the_step_again_changes_nothing(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        ids = schedule(world, opened)
        made, at, told = promised(world, opened), dates(world), list(world.events)
        world.clock.advance(MINUTE)
        assert schedule(world, opened) == ids
        assert (promised(world, opened), dates(world), world.events) == (made, at, told)

    def test_broken_off_before_the_schedule_it_is_made_up_for(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        world.timer = Interrupted()
        with pytest.raises(TimeoutError):
            schedule(world, opened, rules=rule())
        assert len(world.timer) == 0
        world.timer = FakeTimer()
        schedule(world, opened, rules=rule())
        assert list(dates(world).values()) == [NOON + DAY]
        assert len(world.happened(FollowUpScheduled)) == 1

    @pytest.mark.parametrize("state", [one for one in FollowUpState if one != "scheduled"])
    def test_what_is_over_or_under_way_gets_no_new_schedule(
        self, world: World, state: FollowUpState
    ) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule())
        made = promised(world, opened)["ask"]
        world.timer.fire(made.due_at)
        world.tickets.put_follow_up(made.model_copy(update={"state": state}))
        assert schedule(world, opened, rules=rule()) == [made.follow_up_id]
        assert len(world.timer) == 0

    def test_one_that_was_put_off_keeps_its_later_date(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule())
        made = promised(world, opened)["ask"]
        later = made.model_copy(update={"attempt": 1, "due_at": NOON + 2 * DAY})
        world.timer.fire(made.due_at)
        world.tickets.put_follow_up(later)
        world.tickets.put(ticket())
        schedule(world, opened, rules=rule(within=3 * DAY))
        assert dates(world) == {later.schedule_name: later.due_at}


class TestAnEarlierBeginning:
    def test_it_moves_the_promise_and_its_schedule(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        schedule(world, opened, rules=rule())
        schedule(world, world.tickets.put(earlier(opened, HOUR)), rules=rule())
        (made,) = promised(world, opened).values()
        assert made.due_at == NOON + DAY - HOUR
        assert dates(world) == {made.schedule_name: made.due_at}
        told = [one.due_at for one in world.events if isinstance(one, FollowUpScheduled)]
        assert told == [NOON + DAY, NOON + DAY - HOUR]

    @pytest.mark.parametrize("overtaken_at", ["the store", "the timer"])
    @pytest.mark.parametrize("hours", [1, -1])
    def test_of_two_journeys_at_once_the_earlier_date_stands_in_store_and_timer(
        self, world: World, overtaken_at: str, hours: int
    ) -> None:
        """The other journey runs whole while this one is between two of its writes."""
        opened = world.tickets.put(ticket())
        mine, theirs = (earlier(opened, by) for by in (timedelta(0), hours * HOUR))

        def overtake() -> None:
            world.tickets, world.timer = plain_tickets, plain_timer
            schedule(world, plain_tickets.put(theirs), rules=rule())

        plain_tickets, plain_timer = world.tickets, world.timer
        world.tickets = Overtaken(plain_tickets, overtake if overtaken_at == "the store" else None)
        world.timer = SlowTimer(plain_timer, overtake if overtaken_at == "the timer" else None)
        schedule(world, mine, rules=rule())
        (made,) = promised(world, opened).values()
        assert made.due_at == NOON + DAY - max(timedelta(0), hours * HOUR)
        assert {name: at for name, (at, _) in plain_timer.scheduled.items()} == {
            made.schedule_name: made.due_at
        }

    def test_what_was_delivered_in_between_is_not_scheduled_again(self, world: World) -> None:
        opened = world.tickets.put(ticket())
        tickets, plain = world.tickets, world.timer

        def deliver() -> None:
            (made,) = promised(world, opened).values()
            plain.schedule(made.schedule_name, made.due_at, {})
            tickets.put_follow_up(made.model_copy(update={"state": FollowUpState.DONE}))

        world.timer = SlowTimer(plain, deliver)
        schedule(world, opened, rules=rule())
        ((_, payload),) = plain.scheduled.values()
        assert payload == {}


class Interrupted(FakeTimer):
    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        raise TimeoutError


class Overtaken(FakeTicketStore):
    """Another journey comes in between before this one writes its promise."""

    def __init__(self, real: FakeTicketStore, overtake: Callable[[], None] | None) -> None:
        self.__dict__.update(real.__dict__)
        self._overtake = overtake

    def promise(self, follow_up: FollowUp, event: Event) -> FollowUp:
        if (overtake := self._overtake) is not None:
            self._overtake = None
            overtake()
        return super().promise(follow_up, event)


class SlowTimer(FakeTimer):
    """Another comes in between after this one wrote its promise, before it sets the timer."""

    def __init__(self, real: FakeTimer, overtake: Callable[[], None] | None) -> None:
        self.scheduled = real.scheduled
        self._overtake = overtake

    def schedule(self, name: str, at: datetime, payload: Mapping[str, Any]) -> bool:
        if (overtake := self._overtake) is not None:
            self._overtake = None
            overtake()
        return super().schedule(name, at, payload)


def test_the_builders_ticket_begins_at_noon() -> None:
    assert ticket().first == word(whatsapp_message())
    assert ticket().first.at == NOON
