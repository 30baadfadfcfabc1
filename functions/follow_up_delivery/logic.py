"""What happens when a follow-up is due.

It is claimed before the provider is asked and ended after, so it leaves once: an attempt that broke
off in between ends as `unconfirmed`, for a person to look at, and is never repeated.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from functions.follow_up_delivery.message import Draft, outbound_touchpoint, send_context, write
from shared.domain.errors import (
    Contention,
    MissingSecret,
    NotFound,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    UnknownProvider,
)
from shared.domain.follow_up import Escalate, FollowUp, FollowUpState, SendReply, SendTemplate
from shared.domain.journey import DeliveryRequest
from shared.domain.send_gate import pass_gate
from shared.domain.sending import GateResult, Verdict
from shared.domain.ticket import Ticket, record_agent_reply
from shared.domain.touchpoint import Touchpoint
from shared.events.catalogue import FollowUpDone, TicketChanged
from shared.policies.reader import Policies
from shared.ports import Clock, Ledger, LogEntry, ProfileStore, Secrets, Sender, TicketStore, Timer
from shared.providers.base import Outgoing, find_provider

CLAIM_LASTS = timedelta(minutes=2)
"""Longer than the function may run: an older claim belongs to an attempt that broke off."""
MOST_FAILURES = 6
FIRST_DELAY = timedelta(minutes=1)
"""Doubled with each failure: 1, 2, 4, 8, 16 and 32 minutes."""
WRITE_ATTEMPTS = 5


class Ports(NamedTuple):
    ledger: Ledger
    profiles: ProfileStore
    tickets: TicketStore
    timer: Timer
    secrets: Secrets
    sender: Sender
    policies: Policies
    clock: Clock


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
    if follow_up.due_at > now:
        return _set_timer(follow_up, ports)
    if (reason := follow_up.cancelled(ticket)) is not None:
        return _end(follow_up, FollowUpState.CANCELLED, reason, ports)
    if isinstance(follow_up.action, Escalate):
        return _escalate(follow_up, ticket, ports)
    return _send(follow_up, follow_up.action, ticket, ports)


def _after_broken_attempt(follow_up: FollowUp, ports: Ports, now: datetime) -> FollowUp:
    if follow_up.claimed_at is not None and now < follow_up.claimed_at + CLAIM_LASTS:
        raise Contention("another delivery of this follow-up is under way")
    reason = "the attempt broke off: the provider may or may not have it"
    return _end(follow_up, FollowUpState.UNCONFIRMED, reason, ports)


def _escalate(follow_up: FollowUp, ticket: Ticket, ports: Ports) -> FollowUp:
    raised = ticket.model_copy(update={"priority": ticket.priority.raised()})
    reason = f"priority {ticket.priority} became {raised.priority}"
    change = _ticket_change(raised, ticket, "escalated", follow_up.name, reason, ports)
    return _end(follow_up, FollowUpState.DONE, reason, ports, ticket=change)


def _send(
    follow_up: FollowUp, action: SendTemplate | SendReply, ticket: Ticket, ports: Ports
) -> FollowUp:
    answered_id = action.answers if isinstance(action, SendReply) else ticket.last.touchpoint_id
    answered = ports.ledger.read(answered_id)
    if answered is None or answered.touchpoint.endpoint is None:
        reason = "the touchpoint it answers has no way back"
        return _end(follow_up, FollowUpState.REFUSED, reason, ports)
    profile = ports.profiles.read(follow_up.profile_id)
    draft = write(action, ticket, answered.touchpoint, profile, ports.policies)
    gate = pass_gate(
        send_context(
            draft,
            profile_id=follow_up.profile_id,
            time_zone=profile.time_zone if profile else None,
            ledger=ports.ledger,
            profiles=ports.profiles,
            policy=ports.policies.sending,
            now=ports.clock.now(),
        ),
        ports.policies.sending,
    )
    follow_up = follow_up.model_copy(update={"gate": gate.steps})
    if gate.verdict is Verdict.REFUSE:
        return _end(follow_up, FollowUpState.REFUSED, gate.reason, ports)
    if gate.verdict is Verdict.DEFER:
        assert gate.until is not None
        return _put_off(follow_up, gate.until, FollowUpState.SCHEDULED, ports)
    return _transmit(follow_up, draft, gate, ports)


def _transmit(follow_up: FollowUp, draft: Draft, gate: GateResult, ports: Ports) -> FollowUp:
    try:
        outgoing = _prepare(follow_up, draft, gate, ports)
    except (SendRefused, MissingSecret, UnknownProvider) as error:
        return _end(follow_up, FollowUpState.REFUSED, str(error), ports)
    claimed = follow_up.model_copy(
        update={"state": FollowUpState.SENDING, "claimed_at": ports.clock.now()}
    )
    ports.tickets.move(claimed, FollowUpState.SCHEDULED)
    try:
        message_id = ports.sender.transmit(draft.endpoint.provider, outgoing)
    except SendRefused as error:
        reason = f"the provider refused it ({error.code}): {error}"
        return _end(claimed, FollowUpState.REFUSED, reason, ports)
    except SendUnconfirmed as error:
        return _end(claimed, FollowUpState.UNCONFIRMED, str(error), ports)
    except SendDelayed as error:
        return _try_later(claimed, str(error), ports)
    sent = outbound_touchpoint(draft, message_id, ports.clock.now())
    return _sent(claimed, sent, ports)


def _prepare(follow_up: FollowUp, draft: Draft, gate: GateResult, ports: Ports) -> Outgoing:
    provider = find_provider(draft.endpoint.provider)
    secret = provider.read_secret(ports.secrets.read(provider.name))
    as_template = gate.verdict is Verdict.SEND_TEMPLATE
    return provider.prepare(draft.message(follow_up.follow_up_id, as_template=as_template), secret)


def _sent(follow_up: FollowUp, sent: Touchpoint, ports: Ports) -> FollowUp:
    """Keep what left. An agent's reply also moves its ticket, as it stands at that moment."""
    reply = follow_up.action if isinstance(follow_up.action, SendReply) else None
    for attempt in range(WRITE_ATTEMPTS):
        change = None
        if reply is not None:
            ticket = ports.tickets.read(follow_up.ticket_id)
            assert ticket is not None, "nothing removes a ticket while a reply to it leaves"
            replied = record_agent_reply(ticket, sent.occurred_at)
            change = _ticket_change(
                replied, ticket, "agent_replied", f"agent:{reply.agent}", "", ports
            )
        try:
            return _end(follow_up, FollowUpState.DONE, "sent", ports, sent=sent, ticket=change)
        except Contention:
            if attempt == WRITE_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _try_later(follow_up: FollowUp, reason: str, ports: Ports) -> FollowUp:
    if follow_up.failures >= MOST_FAILURES:
        return _end(follow_up, FollowUpState.REFUSED, f"given up: {reason}", ports)
    until = ports.clock.now() + FIRST_DELAY * 2**follow_up.failures
    failed = follow_up.model_copy(update={"failures": follow_up.failures + 1, "claimed_at": None})
    return _put_off(failed, until, FollowUpState.SENDING, ports)


def _put_off(
    follow_up: FollowUp, until: datetime, expected: FollowUpState, ports: Ports
) -> FollowUp:
    later = follow_up.model_copy(
        update={
            "due_at": until,
            "attempt": follow_up.attempt + 1,
            "state": FollowUpState.SCHEDULED,
        }
    )
    ports.tickets.move(later, expected)
    return _set_timer(later, ports)


def _set_timer(follow_up: FollowUp, ports: Ports) -> FollowUp:
    """After the write; if this fails the delivery is tried again and finds it not due yet."""
    payload = {"ticket_id": follow_up.ticket_id, "follow_up_id": follow_up.follow_up_id}
    ports.timer.schedule(follow_up.schedule_name, follow_up.due_at, payload)
    return follow_up


TicketChange = tuple[Ticket, Ticket, TicketChanged, LogEntry]


def _ticket_change(
    after: Ticket, before: Ticket, change: str, by: str, detail: str, ports: Ports
) -> TicketChange:
    event = TicketChanged.model_validate(
        {
            "ticket_id": after.ticket_id,
            "profile_id": after.profile_id,
            "queue": after.queue,
            "status": after.status,
            "priority": after.priority,
            "change": change,
            "version": before.version + 1,
        }
    )
    log = LogEntry(
        at=ports.clock.now(), what=change, by=by, detail={"detail": detail} if detail else {}
    )
    return after, before, event, log


def _end(
    follow_up: FollowUp,
    state: FollowUpState,
    result: str,
    ports: Ports,
    *,
    sent: Touchpoint | None = None,
    ticket: TicketChange | None = None,
) -> FollowUp:
    ended = follow_up.model_copy(
        update={
            "state": state,
            "result": result,
            "ended_at": ports.clock.now(),
            "touchpoint_id": sent.touchpoint_id if sent else None,
        }
    )
    event = FollowUpDone(
        follow_up_id=ended.follow_up_id,
        ticket_id=ended.ticket_id,
        profile_id=ended.profile_id,
        name=ended.name,
        state=state,
    )
    ports.tickets.end(ended, follow_up.state, event, sent=sent, ticket=ticket)
    return ended
