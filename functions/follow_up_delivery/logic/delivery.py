"""Whether a promise is still to be kept, and which way."""

from datetime import datetime, timedelta

from functions.follow_up_delivery.logic.announcement import announce
from functions.follow_up_delivery.logic.gate import ask_gate
from functions.follow_up_delivery.logic.links import preference_link
from functions.follow_up_delivery.logic.message import write
from functions.follow_up_delivery.logic.state import (
    CLAIM_LASTS,
    Ports,
    Refusal,
    end,
    put_off,
    set_timer,
    ticket_change,
)
from functions.follow_up_delivery.logic.transmission import transmit
from shared.domain.errors import Contention, MissingSecret, NotFound
from shared.domain.follow_up import (
    Announce,
    Escalate,
    FollowUp,
    FollowUpState,
    SendReply,
    SendTemplate,
)
from shared.domain.journey import DeliveryRequest
from shared.domain.model import TouchpointId
from shared.domain.sending import Verdict
from shared.domain.ticket import Ticket, change_priority

_GATE_REFUSALS = {"reply_window": Refusal("window_closed")}
"""The steps of the gate that say what the provider would have said."""
EARLY = timedelta(seconds=5)
"""By so much clocks may differ. A schedule that has fired is gone: what comes this early is due."""


def deliver(request: DeliveryRequest, ports: Ports) -> FollowUp:
    """Do what was promised, if it still makes sense and may be done now. Returns how it stands.

    Raises Contention while another delivery of the same follow-up is under way.
    """
    follow_up = ports.tickets.read_follow_up(request.ticket_id, request.follow_up_id)
    ticket = ports.tickets.read(request.ticket_id)
    if follow_up is None or ticket is None:
        raise NotFound("there is no such follow-up")
    now = ports.clock.now()
    if follow_up.state is FollowUpState.SENDING:
        return _after_broken_attempt(follow_up, ports, now)
    if follow_up.state is not FollowUpState.SCHEDULED:
        return follow_up
    if follow_up.due_at > now + EARLY:
        return set_timer(follow_up, ports)
    if (reason := follow_up.cancelled(ticket)) is not None:
        return end(follow_up, FollowUpState.CANCELLED, reason, ports)
    if isinstance(follow_up.action, Escalate):
        return _escalate(follow_up, ticket, ports)
    if isinstance(follow_up.action, Announce):
        return announce(follow_up, follow_up.action, ticket, ports)
    return _send(follow_up, follow_up.action, ticket, ports)


def _after_broken_attempt(follow_up: FollowUp, ports: Ports, now: datetime) -> FollowUp:
    if follow_up.claimed_at is not None and now < follow_up.claimed_at + CLAIM_LASTS:
        raise Contention("another delivery of this follow-up is under way")
    reason = "the attempt broke off: the provider may or may not have it"
    return end(follow_up, FollowUpState.UNCONFIRMED, reason, ports)


def _escalate(follow_up: FollowUp, ticket: Ticket, ports: Ports) -> FollowUp:
    policies = ports.policies
    priority = ticket.priority.raised()
    calendar = policies.calendar_of(ticket.first)
    raised = change_priority(ticket, priority, sla=policies.sla, calendar=calendar)
    reason = (
        f"priority {ticket.priority} became {priority}"
        if priority is not ticket.priority
        else f"it is {priority} already"
    )
    now = ports.clock.now()
    change = ticket_change(
        raised, ticket, "escalated", by=f"follow_up:{follow_up.name}", at=now, reason=reason
    )
    return end(follow_up, FollowUpState.DONE, reason, ports, ticket=change)


def answered_by(
    follow_up: FollowUp, action: SendTemplate | SendReply, ticket: Ticket
) -> TouchpointId:
    """Which touchpoint a message answers, and so the way it takes.

    A promise made when the ticket opened answers what opened it, a later one what was said last.
    Where the first has no way back, a public review, the last may have one.
    """
    if isinstance(action, SendReply):
        return action.answers
    made_at_opening = follow_up.since <= ticket.first.at
    if made_at_opening and ticket.first.endpoint is not None:
        return ticket.first.touchpoint_id
    return ticket.answerable.touchpoint_id


def _send(
    follow_up: FollowUp, action: SendTemplate | SendReply, ticket: Ticket, ports: Ports
) -> FollowUp:
    answered = ports.ledger.read(answered_by(follow_up, action, ticket))
    if answered is None or answered.touchpoint.endpoint is None:
        reason = "the touchpoint it answers has no way back"
        return end(follow_up, FollowUpState.REFUSED, reason, ports)
    # Who reads it: their message may have joined another's ticket before the two were separated.
    whose = answered.profile_id or follow_up.profile_id
    profile = ports.profiles.read(whose)

    def link() -> str:
        return preference_link(whose, ports)

    try:
        draft = write(action, ticket, answered.touchpoint, profile, ports.policies, link)
    except MissingSecret as error:
        return end(follow_up, FollowUpState.REFUSED, str(error), ports)
    gate = ask_gate(draft, answered.touchpoint, whose, profile, ports)
    follow_up = follow_up.model_copy(update={"gate": gate.steps})
    if gate.verdict is Verdict.REFUSE:
        refusal = _GATE_REFUSALS.get(gate.steps[-1].name)
        return end(follow_up, FollowUpState.REFUSED, gate.reason, ports, refusal=refusal)
    if gate.verdict is Verdict.DEFER:
        assert gate.until is not None
        return put_off(follow_up, gate.until, FollowUpState.SCHEDULED, ports)
    return transmit(follow_up, draft, ports, verdict=gate.verdict)
