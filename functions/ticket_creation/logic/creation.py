"""Open or join: one open ticket per profile and queue, whatever comes twice or at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from functions.ticket_creation.logic.correction import (
    Follows,
    correct,
    holding_ticket,
    override_log,
)
from shared.deciding import OF_ACCOUNT, OWED, Way, decide_priority, find_way
from shared.domain.classification import Classification
from shared.domain.decision import Decision
from shared.domain.errors import Conflict, NotFound
from shared.domain.journey import ClassificationStep, JourneyState, TicketOutcome, TicketStep
from shared.domain.model import ProfileId, isoformat
from shared.domain.override import Override
from shared.domain.ticket import (
    CustomerWord,
    Ticket,
    begins,
    join_ticket,
    open_ticket,
    ticket_id_for,
)
from shared.domain.touchpoint import Touchpoint, TouchpointState
from shared.events.catalogue import TicketChanged, TicketOpened
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.providers import Clock
from shared.ports.tickets import LogEntry, TicketStore

NOTHING = TicketStep(outcome=TicketOutcome.NOTHING, next_step="nothing")


def create_ticket(
    step: JourneyState, *, ledger: Ledger, tickets: TicketStore, policies: Policies, clock: Clock
) -> TicketStep:
    """Open a ticket for what was understood, or join the open one; correct the one that holds a
    touchpoint of which a person spoke, or a call of which more is known now.

    Raises Contention when another journey wrote the same ticket; the step is then tried again.
    """
    assert step.profile_update is not None and step.ai_classification is not None
    entry = ledger.read(step.touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    profile_id = step.profile_update.profile_id
    if not profile_id:
        return NOTHING
    if step.is_overtaken(entry.attempt):
        return NOTHING
    classification = step.ai_classification.classification
    now = clock.now()
    word, priority = _customer_word(entry.touchpoint, classification, policies, now)
    whose = step.profile_update.profile_ids or (profile_id,)
    sequences, open_tickets = tickets.of_profiles(whose)
    way = find_way(entry.touchpoint, classification.intent, policies)
    queue = way.queue
    owed = _is_owed(step.ai_classification, policies)
    is_anew = bool(entry.overrides) or entry.grown > 1
    held = holding_ticket(entry, open_tickets, tickets) if is_anew else None
    if held is not None:
        taken = {one.queue for one in open_tickets if one.profile_id == held.profile_id}
        follows = Follows(word, owed, way, queue in taken - {held.queue}, priority)
        return correct(held, follows, entry, tickets=tickets, policies=policies)
    ticket = _ticket_to_join(way, classification.intent, open_tickets, policies)
    decisions = (priority, _routing(classification.intent, way, ticket, now))
    if ticket is not None:
        return _join(ticket, word, decisions, entry.overrides, tickets=tickets, policies=policies)
    if not owed:
        return NOTHING
    if entry.attempt > 1 and _was_dealt_with(profile_id, queue, sequences, word, tickets):
        return NOTHING
    opened = open_ticket(
        profile_id,
        queue,
        sequences.get(queue, 0) + 1,
        word,
        sla=policies.sla,
        calendar=policies.calendar_of(word),
    )
    return _open(opened, decisions, entry, ledger=ledger, tickets=tickets, now=now)


def _is_owed(step: ClassificationStep, policies: Policies) -> bool:
    """As the step before decided."""
    decided = next((one.outcome for one in step.decisions if one.about == "obligation"), None)
    if decided is None:
        return policies.intents[step.classification.intent].owes
    return decided == OWED


def _was_dealt_with(
    profile_id: ProfileId,
    queue: str,
    sequences: Mapping[str, int],
    word: CustomerWord,
    tickets: TicketStore,
) -> bool:
    """Whether the queue's last ticket held a redriven word, and has ended since.

    Its journey then failed after this step, and a person answered without waiting for it.
    """
    last = tickets.read(ticket_id_for(profile_id, queue, sequences.get(queue, 0)))
    held = {last.first.touchpoint_id, last.last.touchpoint_id} if last else set()
    return word.touchpoint_id in held


def _customer_word(
    touchpoint: Touchpoint, classification: Classification, policies: Policies, now: datetime
) -> tuple[CustomerWord, Decision]:
    """What the ticket keeps of it, and why it is that urgent."""
    priority, decision = decide_priority(classification, policies, now)
    word = CustomerWord(
        touchpoint_id=touchpoint.touchpoint_id,
        at=touchpoint.occurred_at,
        endpoint=touchpoint.endpoint,
        intent=classification.intent,
        priority=priority,
        language=classification.language,
        calendar=policies.accounts.of(touchpoint.provider, touchpoint.account).calendar,
    )
    return word, decision


def _routing(intent: str, way: Way, ticket: Ticket | None, now: datetime) -> Decision:
    """Where it went: its way, unless it continues what was spoken of elsewhere."""
    if ticket is not None and ticket.queue != way.queue:
        reason = f"{intent} continues the ticket spoken of last"
        way = Way(ticket.queue, reason, "policy:routing")
    return Decision(about="routing", outcome=way.queue, reason=way.reason, by=way.by, at=now)


def _ticket_to_join(
    way: Way, intent: str, open_tickets: Sequence[Ticket], policies: Policies
) -> Ticket | None:
    """The open ticket of this queue; for words that say little, the one spoken of last. What comes
    to an account with a queue of its own stays there, however little it says.
    """
    in_queue = next((ticket for ticket in open_tickets if ticket.queue == way.queue), None)
    stays = way.by == OF_ACCOUNT or intent not in policies.routing.continues
    if in_queue is not None or stays:
        return in_queue
    return max(open_tickets, key=lambda ticket: (ticket.last.at, ticket.queue), default=None)


def _join(
    ticket: Ticket,
    word: CustomerWord,
    decisions: tuple[Decision, ...],
    overrides: Sequence[Override],
    *,
    tickets: TicketStore,
    policies: Policies,
) -> TicketStep:
    calendar = policies.calendar_of(ticket.first, word)
    joined = join_ticket(ticket, word, sla=policies.sla, calendar=calendar)
    if joined != ticket:
        event = TicketChanged(
            ticket_id=ticket.ticket_id,
            profile_id=ticket.profile_id,
            queue=joined.queue,
            status=joined.status,
            priority=joined.priority,
            change="customer_wrote",
            version=ticket.version + 1,
        )
        log = override_log(overrides, word.touchpoint_id) if overrides else None
        tickets.save(joined, ticket, event, log)
    # It may begin with these words, on their channel or at all: they came late, or this step is
    # tried again after it opened the ticket. Making the promises twice is harmless.
    begins_here = begins(joined, word)
    return TicketStep(
        outcome=TicketOutcome.JOINED if joined != ticket else TicketOutcome.HELD,
        ticket_id=ticket.ticket_id,
        queue=joined.queue,
        next_step="follow_up_scheduling" if begins_here else "nothing",
        decisions=decisions,
    )


def _open(
    ticket: Ticket,
    decisions: tuple[Decision, ...],
    entry: LedgerEntry,
    *,
    ledger: Ledger,
    tickets: TicketStore,
    now: datetime,
) -> TicketStep:
    event = TicketOpened(
        ticket_id=ticket.ticket_id,
        profile_id=ticket.profile_id,
        touchpoint_id=ticket.first.touchpoint_id,
        queue=ticket.queue,
        intent=ticket.first.intent,
        priority=ticket.priority,
        first_response_due_at=ticket.first_response.due_at,
        resolution_due_at=ticket.resolution.due_at,
    )
    reasons: dict[str, Any] = {decision.about: decision.reason for decision in decisions}
    if entry.overrides:
        reasons["override"] = override_log(entry.overrides, ticket.first.touchpoint_id).detail
    log = LogEntry(at=ticket.first.at, what="opened", by="policy", detail=reasons)
    try:
        tickets.open(ticket, event, log, attempt=entry.attempt)
    except Conflict:
        # Another execution of this journey came through: what was owed is done; or a person sent
        # the touchpoint round again. If it failed instead, so must this one: a journey that ends
        # well would hide it from `redrive`.
        now_is = ledger.read(ticket.first.touchpoint_id)
        if now_is is not None and (
            now_is.state is TouchpointState.PROCESSED or now_is.attempt > entry.attempt
        ):
            return NOTHING
        raise
    due = Decision(
        about="sla",
        outcome=isoformat(ticket.due_at),
        reason=f"the targets of {ticket.priority} in working time",
        by="policy:sla",
        at=now,
    )
    return TicketStep(
        outcome=TicketOutcome.OPENED,
        ticket_id=ticket.ticket_id,
        queue=ticket.queue,
        next_step="follow_up_scheduling",
        decisions=(*decisions, due),
    )
