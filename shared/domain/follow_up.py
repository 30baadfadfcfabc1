"""The follow-up: a dated commitment. "If no X within T then Y, cancelled by Z" is one primitive."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.domain.errors import RefusalReason
from shared.domain.model import (
    FollowUpId,
    Instant,
    Model,
    ProfileId,
    TicketId,
    TouchpointId,
    derived_id,
)
from shared.domain.sending import GateStep, MessageClass
from shared.domain.sla import Calendar, add_working_time
from shared.domain.ticket import Milestone, Ticket
from shared.domain.touchpoint import Writer


class SendTemplate(Model):
    """Write to the customer, in their language, on the way the promise belongs to (decision 22)."""

    do: Literal["send"] = "send"
    template: str
    message_class: MessageClass = MessageClass.SERVICE
    purpose: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,49}$")
    """What it is for, where that is not what its class says (`policies/consent.yaml`)."""


class Escalate(Model):
    """Raise the ticket's priority by one step, which TicketChanged tells."""

    do: Literal["escalate"] = "escalate"


class SendReply(Model):
    """An agent's own words, due at once. Bound to the touchpoint it answers.

    `text` is without the disclosure that precedes what a machine wrote.
    """

    do: Literal["reply"] = "reply"
    text: str = Field(min_length=1, max_length=4096)
    answers: TouchpointId
    agent: str
    written_by: Writer = Writer.PERSON
    """Replies that were kept before this was asked are people's."""


Action = Annotated[SendTemplate | Escalate | SendReply, Field(discriminator="do")]


class FollowUpRule(Model):
    """When `when` happens: if no `if_no` within `within`, then `then`, unless one of `cancelled_by`
    comes first.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    when: Literal[Milestone.TICKET_OPENED, Milestone.AGENT_REPLIED]
    queues: frozenset[str] | None = None
    if_no: Milestone
    within: timedelta = Field(gt=timedelta(0))
    counted_in: Literal["clock_time", "working_time"] = "clock_time"
    then: Annotated[SendTemplate | Escalate, Field(discriminator="do")]
    cancelled_by: frozenset[Milestone] = frozenset()

    def due_at(self, since: datetime, calendar: Calendar) -> datetime:
        if self.counted_in == "working_time":
            return add_working_time(since, self.within, calendar)
        return since + self.within


class FollowUpState(StrEnum):
    SCHEDULED = "scheduled"
    SENDING = "sending"
    """Claimed by one delivery, which is talking to the provider."""
    DONE = "done"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """By the send gate or by the provider, with the reason."""
    UNCONFIRMED = "unconfirmed"
    """The provider may or may not have it. It is never sent twice: a person decides."""


class FollowUp(Model):
    follow_up_id: FollowUpId
    ticket_id: TicketId
    profile_id: ProfileId
    name: str
    """The rule's name, or `reply`."""
    since: Instant
    """What happened when; milestones count only after this."""
    due_at: Instant
    action: Action
    cancelled_by: frozenset[Milestone] = frozenset()
    """The rule's `if_no` and `cancelled_by` together: each makes this follow-up pointless."""
    state: FollowUpState = FollowUpState.SCHEDULED
    result: str | None = None
    """In plain words, once it is over."""
    gate: tuple[GateStep, ...] = ()
    refusal_reason: RefusalReason | None = None
    """Why it was refused, in the terms of the house: so that a caller need not read `result`."""
    provider_code: str | None = None
    """The code with which the provider, or our reading of its rules, refused it."""
    touchpoint_id: TouchpointId | None = None
    """The outbound touchpoint it became."""
    claimed_at: Instant | None = None
    """When the delivery that is talking to the provider began."""
    ended_at: Instant | None = None
    attempt: int = 0
    """How often it was put off; part of the schedule's name."""
    failures: int = 0
    """How often the provider could not be reached."""

    @property
    def schedule_name(self) -> str:
        """Of this attempt, at most 64 characters: the same cause gives the same schedule."""
        return f"{self.follow_up_id}-{self.attempt}"

    def cancelled(self, ticket: Ticket) -> str | None:
        """Why it has become pointless, or None."""
        for milestone in sorted(self.cancelled_by):
            if ticket.happened(milestone, self.since):
                return f"{milestone.value} after it was made"
        return None


def follow_up_from(
    rule: FollowUpRule, ticket: Ticket, since: datetime, calendar: Calendar
) -> FollowUp:
    """What a rule promises on a ticket.

    One per rule and occasion: the opening, or each agent reply.
    """
    occasion = "" if rule.when is Milestone.TICKET_OPENED else since.isoformat()
    return FollowUp(
        follow_up_id=FollowUpId(derived_id("follow_up", ticket.ticket_id, rule.name, occasion)),
        ticket_id=ticket.ticket_id,
        profile_id=ticket.profile_id,
        name=rule.name,
        since=since,
        due_at=rule.due_at(since, calendar),
        action=rule.then,
        cancelled_by=rule.cancelled_by | {rule.if_no},
    )
