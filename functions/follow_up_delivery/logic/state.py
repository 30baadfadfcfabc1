"""How a follow-up moves from state to state: each move is one conditional write."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from shared.domain.errors import RefusalReason
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.journey import DeliveryRequest
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Touchpoint
from shared.events.catalogue import FollowUpDone, TicketChanged
from shared.events.envelope import Event
from shared.policies.reader import Policies
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger, MediaFiles
from shared.ports.profiles import ProfileStore
from shared.ports.providers import AccountBreakers, Clock, Secrets, Sender
from shared.ports.tickets import LogEntry, TicketStore, Timer
from shared.ports.understanding import AiUses

CLAIM_LASTS = timedelta(minutes=2)
"""Longer than the function may run: an older claim belongs to an attempt that broke off."""


class Ports(NamedTuple):
    ledger: Ledger
    profiles: ProfileStore
    consents: ConsentStore
    tickets: TicketStore
    timer: Timer
    secrets: Secrets
    media_files: MediaFiles
    sender: Sender
    breakers: AccountBreakers
    ai_uses: AiUses
    policies: Policies
    clock: Clock
    preferences_url: str
    """Where the preference page is."""


class Refusal(NamedTuple):
    """Why a message will never leave; `code` is the provider's, where it was asked."""

    reason: RefusalReason
    code: str | None = None


class TicketChange(NamedTuple):
    """What the end of a follow-up does to its ticket, in the same transaction."""

    after: Ticket
    before: Ticket
    event: Event
    log: LogEntry


def ticket_change(
    after: Ticket,
    before: Ticket,
    change: Literal["escalated", "agent_replied", "machine_replied", "delivery_failed"],
    *,
    by: str,
    at: datetime,
    reason: str = "",
) -> TicketChange:
    event = TicketChanged(
        ticket_id=after.ticket_id,
        profile_id=after.profile_id,
        queue=after.queue,
        status=after.status,
        priority=after.priority,
        change=change,
        version=before.version + 1,
    )
    log = LogEntry(at=at, what=change, by=by, detail={"reason": reason} if reason else {})
    return TicketChange(after, before, event, log)


def end(
    follow_up: FollowUp,
    state: FollowUpState,
    result: str,
    ports: Ports,
    *,
    refusal: Refusal | None = None,
    sent: Touchpoint | None = None,
    ticket: TicketChange | None = None,
) -> FollowUp:
    """Over, with what it did. Raises Contention when it is no longer where it was read."""
    ended = follow_up.model_copy(
        update={
            "state": state,
            "result": result,
            "ended_at": ports.clock.now(),
            "touchpoint_id": sent.touchpoint_id if sent else follow_up.touchpoint_id,
            "refusal_reason": refusal.reason if refusal else None,
            "provider_code": refusal.code if refusal else None,
        }
    )
    event = FollowUpDone(
        follow_up_id=ended.follow_up_id,
        ticket_id=ended.ticket_id,
        profile_id=ended.profile_id,
        name=ended.name,
        state=state,
        refusal_reason=ended.refusal_reason,
        provider_code=ended.provider_code,
    )
    ports.tickets.end(ended, follow_up.state, event, sent=sent, ticket=ticket)
    return ended


def put_off(
    follow_up: FollowUp, until: datetime, expected: FollowUpState, ports: Ports
) -> FollowUp:
    """Due again at `until`, by a schedule of its own."""
    later = follow_up.model_copy(
        update={
            "due_at": until,
            "attempt": follow_up.attempt + 1,
            "state": FollowUpState.SCHEDULED,
        }
    )
    ports.tickets.move(later, expected)
    return set_timer(later, ports)


def set_timer(follow_up: FollowUp, ports: Ports) -> FollowUp:
    """After the write; if this fails the delivery is tried again and finds it not due yet."""
    request = DeliveryRequest(ticket_id=follow_up.ticket_id, follow_up_id=follow_up.follow_up_id)
    schedule = (follow_up.schedule_name, follow_up.due_at, request.model_dump())
    if not ports.timer.schedule(*schedule):
        ports.timer.move(*schedule)
    return follow_up
