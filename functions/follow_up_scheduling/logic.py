"""Turn the rules for an occasion into follow-ups, each with its one-time schedule."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.domain.errors import NotFound
from shared.domain.follow_up import FollowUp, FollowUpState, follow_up_from
from shared.domain.journey import DeliveryRequest, SchedulingRequest
from shared.domain.model import FollowUpId
from shared.domain.ticket import Milestone
from shared.events.catalogue import FollowUpScheduled
from shared.policies.reader import Policies
from shared.ports.providers import Clock
from shared.ports.tickets import TicketStore, Timer

OCCASIONS: Mapping[str, tuple[Milestone, ...]] = {
    "ticket_opened": (Milestone.TICKET_OPENED, Milestone.CUSTOMER_WROTE),
    "customer_wrote": (Milestone.CUSTOMER_WROTE,),
    "agent_replied": (Milestone.AGENT_REPLIED,),
}
"""What has happened when this is asked: a ticket opens by a customer's words."""
SOONEST = timedelta(seconds=60)
"""The scheduler's precision; a due time that has passed is scheduled this far ahead."""


def schedule_follow_ups(
    request: SchedulingRequest,
    *,
    tickets: TicketStore,
    timer: Timer,
    policies: Policies,
    clock: Clock,
) -> list[FollowUpId]:
    """Make every promise the policy gives on this occasion.

    Two writes, each harmless when repeated: the follow-up first, then its schedule. If the second
    fails, the step is tried again and finds the first one done.
    """
    ticket = tickets.read(request.ticket_id)
    if ticket is None:
        raise NotFound("there is no such ticket")
    happened = OCCASIONS[request.when]
    promised = []
    for rule in policies.follow_ups:
        if rule.when in happened and (rule.queues is None or ticket.queue in rule.queues):
            calendar = policies.calendar_of(ticket.first)
            windows = policies.sending.reply_windows
            follow_up = follow_up_from(rule, ticket, calendar, windows)
            if follow_up is None:
                continue
            standing = tickets.promise(follow_up, _event(follow_up))
            if standing.state is FollowUpState.SCHEDULED:
                _set_timer(standing, tickets=tickets, timer=timer, now=clock.now())
            promised.append(follow_up.follow_up_id)
    return promised


def _set_timer(follow_up: FollowUp, *, tickets: TicketStore, timer: Timer, now: datetime) -> None:
    """Schedule it, or move its schedule to the time that stands in the store now.

    Of two journeys that race for one follow-up, both end with the store's, the earlier, time.
    """
    if timer.schedule(follow_up.schedule_name, _at(follow_up, now), _payload(follow_up)):
        return
    standing = tickets.read_follow_up(follow_up.ticket_id, follow_up.follow_up_id)
    if standing is not None and standing.state is FollowUpState.SCHEDULED:
        timer.move(standing.schedule_name, _at(standing, now), _payload(standing))


def _at(follow_up: FollowUp, now: datetime) -> datetime:
    return max(follow_up.due_at, now + SOONEST)


def _payload(follow_up: FollowUp) -> dict[str, str]:
    request = DeliveryRequest(ticket_id=follow_up.ticket_id, follow_up_id=follow_up.follow_up_id)
    return request.model_dump()


def _event(follow_up: FollowUp) -> FollowUpScheduled:
    return FollowUpScheduled(
        follow_up_id=follow_up.follow_up_id,
        ticket_id=follow_up.ticket_id,
        profile_id=follow_up.profile_id,
        name=follow_up.name,
        due_at=follow_up.due_at,
    )
