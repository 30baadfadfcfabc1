"""The ticket: a tracked obligation. What opens, joins and changes it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from pydantic import Field, model_validator

from shared.domain.classification import Classification, Sentiment, Urgency
from shared.domain.errors import Conflict
from shared.domain.model import Instant, Model, ProfileId, TicketId, TouchpointId, derived_id
from shared.domain.sla import Calendar, SlaClock, SlaTarget, add_working_time, working_time_between
from shared.domain.touchpoint import Channel, Endpoint


class TicketStatus(StrEnum):
    NEW = "new"
    OPEN = "open"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_THIRD_PARTY = "waiting_third_party"
    RESOLVED = "resolved"
    CLOSED = "closed"


ENDED = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED})
WAITING = frozenset({TicketStatus.WAITING_CUSTOMER, TicketStatus.WAITING_THIRD_PARTY})


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        return list(Priority).index(self)

    def raised(self) -> "Priority":
        """One step up; the highest stays."""
        return list(Priority)[min(self.rank + 1, len(Priority) - 1)]


class Milestone(StrEnum):
    """What can happen on a ticket that a follow-up waits for."""

    TICKET_OPENED = "ticket_opened"
    AGENT_REPLIED = "agent_replied"
    CUSTOMER_WROTE = "customer_wrote"
    TICKET_RESOLVED = "ticket_resolved"


class CustomerWord(Model):
    """One customer touchpoint as a ticket sees it."""

    touchpoint_id: TouchpointId
    at: Instant
    endpoint: Endpoint | None = None
    intent: str
    priority: Priority
    language: str | None = None
    calendar: str | None = None
    """Of the account it came to, where that has one of its own."""


class Ticket(Model):
    """Its customer side is a fold over the touchpoints it holds: the earliest opens it, the latest
    is answered,

    the highest priority counts. The order in which they were processed leaves no trace.
    """

    ticket_id: TicketId
    profile_id: ProfileId
    queue: str
    sequence: int = Field(ge=1)
    """The first, second, … ticket of this profile in this queue."""
    status: TicketStatus = TicketStatus.NEW
    priority: Priority
    first: CustomerWord
    last: CustomerWord
    spoken_on: dict[Channel, Instant] = {}
    """The channels with a way back that the customer came by, and when they first did."""
    first_response: SlaClock
    resolution: SlaClock
    last_agent_at: Instant | None = None
    resolved_at: Instant | None = None
    assignee: str | None = None
    version: int = 1

    @property
    def number(self) -> str:
        """What people call it: short, and safe to say on the phone."""
        return self.ticket_id[:8].upper()

    @property
    def answerable(self) -> CustomerWord:
        """The word an answer goes to: the latest that has a way back, else the latest."""
        return self.last if self.last.endpoint or not self.first.endpoint else self.first

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def due_at(self) -> datetime:
        """What is due next: the first response until it was given, then the resolution."""
        return self.resolution.due_at if self.first_response.met_at else self.first_response.due_at

    def happened(self, milestone: Milestone, since: datetime) -> datetime | None:
        """When that milestone was last reached, if that was after `since`."""
        at = {
            Milestone.TICKET_OPENED: self.first.at,
            Milestone.AGENT_REPLIED: self.last_agent_at,
            Milestone.CUSTOMER_WROTE: self.last.at,
            Milestone.TICKET_RESOLVED: self.resolved_at,
        }[milestone]
        return at if at is not None and at > since else None


def ticket_id_for(profile_id: ProfileId, queue: str, sequence: int) -> TicketId:
    """Derived from whose and which it is, not from the message that opened it: two first messages
    agree on it.
    """
    return TicketId(derived_id("ticket", profile_id, queue, str(sequence)))


class Routing(Model):
    """Which queue takes which intent, and when a message continues a ticket of another queue."""

    queues: dict[str, tuple[str, ...]]
    """Queue name to the intents it takes."""
    fallback: str
    continues: frozenset[str] = frozenset()
    """Intents that say little by themselves: with a ticket open anywhere they belong to the one
    spoken of last.
    """

    @model_validator(mode="after")
    def _consistent(self) -> "Routing":
        if self.fallback not in self.queues:
            raise ValueError(f"fallback: {self.fallback!r} is not one of the queues")
        seen: dict[str, str] = {}
        for queue, intents in self.queues.items():
            for intent in intents:
                if intent in seen:
                    raise ValueError(
                        f"queues: {intent!r} goes to both {seen[intent]!r} and {queue!r}"
                    )
                seen[intent] = queue
        return self

    def queue_for(self, intent: str) -> str:
        return next(
            (queue for queue, intents in self.queues.items() if intent in intents), self.fallback
        )


class PriorityRule(Model):
    """The first rule whose every condition holds decides."""

    priority: Priority
    urgency: Urgency | None = None
    intents: frozenset[str] | None = None
    sentiment: Sentiment | None = None

    def matches(self, classification: Classification) -> bool:
        return (
            (self.urgency is None or classification.urgency is self.urgency)
            and (self.intents is None or classification.intent in self.intents)
            and (self.sentiment is None or classification.sentiment is self.sentiment)
        )


class SlaPolicy(Model):
    """Targets per priority, counted in the working time of a calendar."""

    targets: Mapping[Priority, SlaTarget]
    calendar: str

    @model_validator(mode="after")
    def _complete(self) -> "SlaPolicy":
        missing = [priority.value for priority in Priority if priority not in self.targets]
        if missing:
            raise ValueError(f"targets: no target for {', '.join(missing)}")
        for lower, higher in pairwise(Priority):
            slow, quick = self.targets[lower], self.targets[higher]
            if quick.first_response > slow.first_response or quick.resolution > slow.resolution:
                raise ValueError(f"targets: {higher.value} must not wait longer than {lower.value}")
        return self


def open_ticket(
    profile_id: ProfileId,
    queue: str,
    sequence: int,
    word: CustomerWord,
    *,
    sla: SlaPolicy,
    calendar: Calendar,
) -> Ticket:
    target = sla.targets[word.priority]
    return Ticket(
        ticket_id=ticket_id_for(profile_id, queue, sequence),
        profile_id=profile_id,
        queue=queue,
        sequence=sequence,
        priority=word.priority,
        first=word,
        last=word,
        spoken_on=_spoken_on(word, {}),
        first_response=SlaClock(due_at=add_working_time(word.at, target.first_response, calendar)),
        resolution=SlaClock(due_at=add_working_time(word.at, target.resolution, calendar)),
    )


def _spoken_on(word: CustomerWord, before: Mapping[Channel, datetime]) -> dict[Channel, datetime]:
    if word.endpoint is None:
        return dict(before)
    channel = word.endpoint.channel
    known = {**before, channel: min(word.at, before.get(channel, word.at))}
    return {channel: known[channel] for channel in sorted(known)}


def begins(ticket: Ticket, word: CustomerWord) -> bool:
    """Whether a ticket begins with these words, or its talk on their channel does: then promises
    count from them.
    """
    if ticket.first.touchpoint_id == word.touchpoint_id:
        return True
    return word.endpoint is not None and ticket.spoken_on.get(word.endpoint.channel) == word.at


def join_ticket(
    ticket: Ticket, word: CustomerWord, *, sla: SlaPolicy, calendar: Calendar
) -> Ticket:
    """The ticket with one more customer touchpoint in it; `calendar` is the earliest word's.

    Joining twice, or in any order, gives the same ticket.
    """
    first = earliest(ticket.first, word)
    last = max(ticket.last, word, key=lambda one: (one.at, one.touchpoint_id))
    priority = max(ticket.priority, word.priority, key=lambda one: one.rank)
    joined = ticket.model_copy(
        update={
            "first": first,
            "last": last,
            "priority": priority,
            "spoken_on": _spoken_on(word, ticket.spoken_on),
        }
    )
    if last != ticket.last and ticket.status is TicketStatus.WAITING_CUSTOMER:
        joined = resume(joined, word.at, calendar).model_copy(update={"status": TicketStatus.OPEN})
    if first.calendar != ticket.first.calendar:
        # Counted in another working time, neither is closer by itself.
        return _with_targets(joined, sla=sla, calendar=calendar, keep=_as_due)
    if (first.at, priority) != (ticket.first.at, ticket.priority):
        joined = _with_targets(joined, sla=sla, calendar=calendar)
    return joined


def earliest(*words: CustomerWord) -> CustomerWord:
    return min(words, key=lambda one: (one.at, one.touchpoint_id))


def _no_later(clock: SlaClock, due_at: datetime) -> SlaClock:
    if clock.met_at is not None or clock.due_at <= due_at:
        return clock
    return clock.model_copy(update={"due_at": due_at})


def _as_due(clock: SlaClock, due_at: datetime) -> SlaClock:
    return clock if clock.met_at is not None else clock.model_copy(update={"due_at": due_at})


def _with_targets(
    ticket: Ticket,
    *,
    sla: SlaPolicy,
    calendar: Calendar,
    keep: Callable[[SlaClock, datetime], SlaClock] = _no_later,
) -> Ticket:
    """Due times anew for an earlier start or a higher priority; they only ever come closer.

    What was given keeps its time: nothing that comes later can make it late.
    """
    target = sla.targets[ticket.priority]
    response = add_working_time(ticket.first.at, target.first_response, calendar)
    granted = target.resolution + ticket.resolution.stood_still
    resolution = add_working_time(ticket.first.at, granted, calendar)
    return ticket.model_copy(
        update={
            "first_response": keep(ticket.first_response, response),
            "resolution": keep(ticket.resolution, resolution),
        }
    )


def change_priority(
    ticket: Ticket, priority: Priority, *, sla: SlaPolicy, calendar: Calendar
) -> Ticket:
    """Set the priority by hand.

    A higher one brings the due times closer, a lower one moves none.
    """
    changed = ticket.model_copy(update={"priority": priority})
    return _with_targets(changed, sla=sla, calendar=calendar)


def pause(ticket: Ticket, at: datetime) -> Ticket:
    """While somebody else has to move, the resolution clock stands still."""
    if ticket.resolution.paused_at is not None:
        return ticket
    return ticket.model_copy(
        update={"resolution": ticket.resolution.model_copy(update={"paused_at": at})}
    )


def resume(ticket: Ticket, at: datetime, calendar: Calendar) -> Ticket:
    """The resolution clock runs again; what it stood still in working time is added to what was
    left.
    """
    paused_at = ticket.resolution.paused_at
    if paused_at is None:
        return ticket
    clock = ticket.resolution
    stood_still = working_time_between(paused_at, at, calendar)
    due_at = add_working_time(clock.due_at, stood_still, calendar) if stood_still else clock.due_at
    running = clock.model_copy(
        update={
            "due_at": due_at,
            "paused_at": None,
            "stood_still": clock.stood_still + stood_still,
        }
    )
    return ticket.model_copy(update={"resolution": running})


def change_status(ticket: Ticket, status: TicketStatus, at: datetime, calendar: Calendar) -> Ticket:
    """Move a ticket by hand.

    A closed ticket stays closed; the customer's next message opens a new one.
    """
    if ticket.status is TicketStatus.CLOSED and status is not TicketStatus.CLOSED:
        raise Conflict("a closed ticket cannot change; the customer's next message opens a new one")
    if status is TicketStatus.NEW and ticket.status is not TicketStatus.NEW:
        raise Conflict("a ticket that was worked on cannot become new again")
    changed = pause(ticket, at) if status in WAITING else resume(ticket, at, calendar)
    if status in ENDED and not ticket.is_ended:
        resolution = changed.resolution.model_copy(update={"met_at": at})
        changed = changed.model_copy(update={"resolved_at": at, "resolution": resolution})
    if status not in ENDED and ticket.is_ended:
        resolution = changed.resolution.model_copy(update={"met_at": None})
        changed = changed.model_copy(update={"resolved_at": None, "resolution": resolution})
    return changed.model_copy(update={"status": status})


def record_agent_reply(ticket: Ticket, at: datetime) -> Ticket:
    """A human answered: the first response is met, and it is the customer's turn, unless they have
    written since.
    """
    response = ticket.first_response
    if response.met_at is None:
        response = response.model_copy(update={"met_at": at})
    latest = max(at, ticket.last_agent_at or at)
    replied = ticket.model_copy(update={"first_response": response, "last_agent_at": latest})
    if replied.is_ended or ticket.last.at > at:
        return replied
    return pause(replied, at).model_copy(update={"status": TicketStatus.WAITING_CUSTOMER})


def record_failed_reply(ticket: Ticket, at: datetime, now: datetime, calendar: Calendar) -> Ticket:
    """What a human answered at `at` did not arrive: where it was the last answer, it is our turn
    again, and where it was the first, the first response is still owed.
    """
    response = ticket.first_response
    if response.met_at == at:
        response = response.model_copy(update={"met_at": None})
    failed = ticket.model_copy(update={"first_response": response})
    if ticket.last_agent_at != at:
        return failed
    failed = failed.model_copy(update={"last_agent_at": response.met_at})
    if failed.status is not TicketStatus.WAITING_CUSTOMER:
        return failed
    return resume(failed, now, calendar).model_copy(update={"status": TicketStatus.OPEN})
