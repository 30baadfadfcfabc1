"""The follow-up: a dated commitment. "If no X within T then Y, cancelled by Z" is one primitive."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

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
from shared.domain.reply_window import WindowLengths
from shared.domain.sending import GateStep, MessageClass, OutboundFile
from shared.domain.sla import Calendar, add_working_time
from shared.domain.ticket import CustomerWord, Milestone, Ticket
from shared.domain.touchpoint import Channel, Choice, Writer


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


class Announce(Model):
    """Tell the company that a customer's reply window closes soon, with nobody having answered.

    Nothing is sent: ReplyWindowClosingSoon and the ticket's log tell it.
    """

    do: Literal["announce"] = "announce"
    ahead: timedelta = Field(gt=timedelta(0))
    """By how much before it closes."""


class SendReply(Model):
    """What an agent answers, due at once. Bound to the touchpoint it answers.

    `text` is without the disclosure that precedes what a machine wrote.
    """

    do: Literal["reply"] = "reply"
    text: str = Field(default="", max_length=4096)
    template: str | None = None
    """Of the company's templates, in place of words of the agent's own."""
    choices: tuple[Choice, ...] = ()
    """Answers to pick from; `text` asks the question."""
    files: tuple[OutboundFile, ...] = ()
    answers: TouchpointId
    agent: str
    written_by: Writer = Writer.PERSON
    """Replies that were kept before this was asked are people's."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.template is not None and (self.text or self.choices or self.files):
            raise ValueError("template: it is sent alone")
        if self.template is None and not self.text and not self.files:
            raise ValueError("text: there is nothing to send")
        if self.choices and not self.text:
            raise ValueError("text: it must ask what the choices answer")
        return self


Action = Annotated[SendTemplate | Escalate | Announce | SendReply, Field(discriminator="do")]


ReplyWindows = Mapping[Channel, WindowLengths]
"""By channel; one that is not there never closes."""


class FollowUpRule(Model):
    """When `when` happens: if no `if_no` within `within`, then `then`, unless one of `cancelled_by`
    comes first. What announces the end of a reply window is due by that, and has no `within`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    when: Literal[Milestone.TICKET_OPENED, Milestone.CUSTOMER_WROTE, Milestone.AGENT_REPLIED]
    queues: frozenset[str] | None = None
    if_no: Milestone
    within: timedelta | None = Field(default=None, gt=timedelta(0))
    counted_in: Literal["clock_time", "working_time"] = "clock_time"
    then: Annotated[SendTemplate | Escalate | Announce, Field(discriminator="do")]
    cancelled_by: frozenset[Milestone] = frozenset()

    @model_validator(mode="after")
    def _is_dated(self) -> Self:
        if isinstance(self.then, Announce) is (self.within is not None):
            raise ValueError("within: every rule has it but one that announces, which has none")
        if isinstance(self.then, Announce) and self.when is not Milestone.CUSTOMER_WROTE:
            raise ValueError("when: a reply window opens when customer_wrote")
        return self

    def due_at(
        self, since: datetime, calendar: Calendar, window: timedelta | None = None
    ) -> datetime:
        """`window` is how long the way back stays open, for what announces its end."""
        if isinstance(self.then, Announce):
            assert window is not None, "only of words that open a window"
            return since + window - self.then.ahead
        assert self.within is not None, "the rule was validated"
        if self.counted_in == "working_time":
            return add_working_time(since, self.within, calendar)
        return since + self.within

    def turn(self, ticket: Ticket, windows: ReplyWindows) -> "Turn | None":
        """From when on it is our turn to answer, as this rule counts it.

        Before any answer that is the customer's first word, whatever order their words were
        processed in; of what announces the end of a window, the first that opens one.
        """
        words = [Turn.of(ticket.first), Turn.of(ticket.last)]
        words += [Turn(at, channel) for channel, at in ticket.spoken_on.items()]
        if ticket.last_agent_at is not None:
            words = [Turn.of(ticket.last)] if ticket.last.at > ticket.last_agent_at else []
        if isinstance(self.then, Announce):
            words = [one for one in words if one.channel in windows]
        return min(words, key=lambda one: (one.at, one.channel or ""), default=None)


class Turn(NamedTuple):
    """When the customer spoke, and on which channel that can be answered."""

    at: datetime
    channel: Channel | None

    @classmethod
    def of(cls, word: CustomerWord) -> "Turn":
        return cls(word.at, word.endpoint.channel if word.endpoint else None)


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
    rule: FollowUpRule, ticket: Ticket, calendar: Calendar, windows: ReplyWindows
) -> FollowUp | None:
    """What a rule promises on a ticket as it stands, or None.

    One per rule and occasion: the opening, each agent reply, each time it is our turn to answer,
    however often the customer goes on writing then.
    """
    replied_at = ticket.last_agent_at
    replied = replied_at.isoformat() if replied_at is not None else ""
    since, occasion, window = replied_at, replied, None
    if rule.when is Milestone.TICKET_OPENED:
        since, occasion = ticket.first.at, ""
    elif rule.when is Milestone.CUSTOMER_WROTE:
        turn = rule.turn(ticket, windows)
        since = turn.at if turn else None
        lengths = windows.get(turn.channel) if turn and turn.channel else None
        window = lengths.longest if lengths else None
    if since is None:
        return None
    return FollowUp(
        follow_up_id=FollowUpId(derived_id("follow_up", ticket.ticket_id, rule.name, occasion)),
        ticket_id=ticket.ticket_id,
        profile_id=ticket.profile_id,
        name=rule.name,
        since=since,
        due_at=rule.due_at(since, calendar, window),
        action=rule.then,
        cancelled_by=rule.cancelled_by | {rule.if_no},
    )
