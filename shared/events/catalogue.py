"""Every event of the house.

The bus rules, docs/events.md and the tests are built from these classes.
"""

from typing import Literal

from shared.domain.errors import RefusalReason
from shared.domain.model import FollowUpId, Instant, ProfileId, TicketId, TouchpointId
from shared.events.envelope import Event


class TouchpointReceived(Event):
    """A touchpoint is durable in the ledger: for the first time, again after `redrive`, or with
    more of a call.
    """

    touchpoint_id: TouchpointId
    provider: str
    channel: str
    kind: str
    attempt: int = 1
    has_media: bool = False
    """Whether files came along; `media_fetching` sees to them."""


class TouchpointsReceived(Event):
    """Touchpoints of one request that nobody has to think about are durable in the ledger, each for
    the first time. They have no TouchpointReceived of their own.
    """

    touchpoint_ids: tuple[TouchpointId, ...]
    provider: str
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    """Of all of them, each once."""


class MediaReceived(Event):
    """A touchpoint that was known already brought a file: a call's recording is ready."""

    touchpoint_id: TouchpointId


class MediaStored(Event):
    """What became of the files of a touchpoint is known: how many are in which state."""

    touchpoint_id: TouchpointId
    stored: int
    refused: int
    """We do not keep such files."""
    gone: int = 0
    """The provider no longer has them."""
    unauthorized: int = 0
    """Our access is wrong; once it is mended they are fetched, and counted anew."""


class ProfileUpdated(Event):
    """A profile was created, learned an identifier, a trait or another language, or did what a
    segment asks for; or what a message taught of it was corrected.

    Counting one more contact is not an update.
    """

    profile_id: ProfileId
    touchpoint_id: TouchpointId
    change: Literal["created", "identified", "traits", "language", "activity", "corrected"]
    has_facts: bool = False
    """Whether the company's systems stated facts by which people are compared."""


class ProfilesMerged(Event):
    """Profiles became one person's, by what was proven or by a person's decision.

    `profile_id` is the one they are known by from now on.
    """

    profile_id: ProfileId
    profile_ids: tuple[ProfileId, ...]
    by: str


class ProfilesSeparated(Event):
    """Profiles that were one person's are no longer: each of `profile_ids` is known by itself."""

    profile_ids: tuple[ProfileId, ...]
    by: str


class TouchpointClassified(Event):
    """A message was understood, and its journey ended."""

    touchpoint_id: TouchpointId
    profile_id: ProfileId
    language: str
    intent: str
    sentiment: str
    urgency: str
    decided_by: str


class ClassificationOverridden(Event):
    """A person said what a touchpoint is; its journey goes round again with that.

    Absent is what they did not speak of.
    """

    touchpoint_id: TouchpointId
    profile_id: ProfileId | None = None
    attempt: int
    override_id: str
    intent: str | None = None
    sentiment: str | None = None
    urgency: str | None = None
    language: str | None = None
    by: str


class OverrideReleased(Event):
    """An override counts no more; the journey of its touchpoint goes round again without it."""

    touchpoint_id: TouchpointId
    profile_id: ProfileId | None = None
    attempt: int
    override_id: str
    by: str


class TicketOpened(Event):
    ticket_id: TicketId
    profile_id: ProfileId
    touchpoint_id: TouchpointId
    queue: str
    intent: str
    priority: str
    first_response_due_at: Instant
    resolution_due_at: Instant


class TicketChanged(Event):
    """`version` counts the ticket's changes, so two equal changes are two events.

    After `machine_replied` nothing else is different: the customer still waits for a person.
    """

    ticket_id: TicketId
    profile_id: ProfileId
    queue: str
    status: str
    priority: str
    change: Literal[
        "customer_wrote",
        "agent_replied",
        "machine_replied",
        "delivery_failed",
        "escalated",
        "edited",
        "resolved",
        "overridden",
        "call_went_on",
    ]
    version: int


class FollowUpScheduled(Event):
    """`immediate` ones are not given to the scheduler: the bus hands them to `follow_up_delivery`
    at once.
    """

    follow_up_id: FollowUpId
    ticket_id: TicketId
    profile_id: ProfileId
    name: str
    due_at: Instant
    immediate: bool = False


class FollowUpDone(Event):
    """A follow-up is over: done, cancelled, refused or unconfirmed.

    A refused one tells why in the terms of the house, and by which code of the provider.
    """

    follow_up_id: FollowUpId
    ticket_id: TicketId
    profile_id: ProfileId
    name: str
    state: str
    refusal_reason: RefusalReason | None = None
    provider_code: str | None = None


class SendConfirmed(Event):
    """A provider speaks of a message that the ledger does not hold, by the key it was sent with:
    where that send was unconfirmed, it did leave.
    """

    send_key: str
    message_id: str


class DeliveryFailed(Event):
    """A message left for a ticket, and the provider says that it did not arrive."""

    touchpoint_id: TouchpointId
    ticket_id: TicketId
    follow_up_id: FollowUpId
    channel: str


class ReplyWindowClosingSoon(Event):
    """A customer still waits for an answer, and soon none can be written freely on their way any
    more.
    """

    ticket_id: TicketId
    profile_id: ProfileId
    queue: str
    assignee: str | None = None
    channel: str
    closes_at: Instant


class AccountSuspended(Event):
    """An account at a provider failed so often in a row that nothing is sent by it until then;
    one message then tries. What waits, waits.
    """

    provider: str
    account: str
    until: Instant


class AccountResumed(Event):
    """An account that was suspended takes messages again."""

    provider: str
    account: str


class StepFailed(Event):
    """A step of a journey gave up after its retries; the touchpoint is `failed` until `redrive`."""

    touchpoint_id: TouchpointId
    step: str
    error: str


class ExportRequested(Event):
    """A person's data are to be collected; the state machine `export` acts on it."""

    export_id: str
    attempt: int = 1


class ExportReady(Event):
    """The archive can be fetched until it expires."""

    export_id: str


class ErasureRequested(Event):
    """A person is to be forgotten; the state machine `erasure` acts on it."""

    erasure_id: str
    attempt: int = 1


class ErasureDone(Event):
    """Nothing of a person is left, and the proof says so without saying who it was."""

    erasure_id: str


class ProfileErased(Event):
    """This profile is no more. Whoever copied its data elsewhere deletes them there."""

    profile_id: ProfileId


class ConsentStated(Event):
    """Somebody allowed or forbade a purpose; the ledger of consents tells what stands."""

    profile_id: ProfileId
    purpose: str
    channel: str | None = None
    state: str


class EndpointSuppressed(Event):
    """Nothing, or no marketing, may be sent any more to an endpoint, an address or a person.

    `touchpoint_id` is what said so; `confirm` asks that its sender be told.
    """

    kind: str
    classes: str
    channel: str | None = None
    touchpoint_id: TouchpointId | None = None
    profile_id: ProfileId | None = None
    confirm: bool = False


class EndpointReleased(Event):
    """What stopped messages to an endpoint, an address or a person was lifted."""

    kind: str
    channel: str | None = None
    touchpoint_id: TouchpointId | None = None
    profile_id: ProfileId | None = None
    confirm: bool = False


class HelpRequested(Event):
    """Somebody sent the word that asks what this number is for; the carriers want it answered."""

    touchpoint_id: TouchpointId
    channel: str


class SegmentEntered(Event):
    """A person belongs to a segment from now on, under the profile they are known by."""

    profile_id: ProfileId
    segment: str


class SegmentExited(Event):
    """A person belongs to a segment no longer.

    `because`: its rule no longer holds for them, the segment was removed, or they are now known by
    another profile (`merged`), which then holds their memberships.
    """

    profile_id: ProfileId
    segment: str
    because: Literal["rule", "removed", "merged"]


class AiUseSwitched(Event):
    """Somebody turned the kill switch of an AI use. `by` is `agent:<id>`."""

    ai_use: str
    on: bool
    by: str


class WebhookSubscriptionDisabled(Event):
    """A system of the company answered 410: nothing more is sent there."""

    subscription: str


class WebhookReplayRequested(Event):
    """Somebody asked for a delivery to be made again, under the id it had."""

    subscription: str
    delivery_id: str


EVENTS: tuple[type[Event], ...] = tuple(Event.__subclasses__())
