"""Touchpoints as the API shows them."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from shared.domain.classification import Classification
from shared.domain.decision import Decision
from shared.domain.errors import NotFound
from shared.domain.identity import Identifier
from shared.domain.journey import JourneyState, TicketOutcome
from shared.domain.media import MediumState, attachments_of, medium_name
from shared.domain.model import Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.override import Override, overridden
from shared.domain.touchpoint import (
    Automation,
    Channel,
    Content,
    DeliveryStatus,
    Direction,
    Endpoint,
    TouchpointState,
)
from shared.ports.ledger import Ledger, LedgerEntry, MediaFiles, Quarantined


class OutcomeView(Model):
    """What the journey made of a touchpoint. Null while it is in flight."""

    ticket: TicketOutcome | None = None
    ticket_id: TicketId | None = None
    queue: str | None = None
    profile: str | None = None
    """Why it is this profile's."""


class MediumView(Model):
    """What became of one of its files."""

    position: int = Field(description="Of the attachment.")
    name: str
    state: MediumState
    because: str | None = Field(
        description="Refused: too large (`size`), not kept (`type`), lying elsewhere (`place`), "
        "an answer without sense (`answer`), one more than a message may bring (`number`), or no "
        "bytes of a file (`content`)."
    )
    content_type: str | None = Field(description="By its content; null where nobody knows.")
    size: int | None
    url: str | None = Field(
        default=None, description="Saves the file, for five minutes; not in lists."
    )


class TouchpointView(Model):
    """One contact, what it was understood as, and what became of it."""

    touchpoint_id: TouchpointId
    state: Literal["received", "processed", "failed"]
    provider: str
    account: str
    channel: Channel
    direction: Direction
    occurred_at: Instant
    received_at: Instant
    profile_id: ProfileId | None = None
    name: str | None = None
    text: str = Field(description="The person's own words, if this touchpoint holds any.")
    content: Content
    language: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    endpoint: Endpoint | None = Field(
        default=None, description="Where a reply goes; null where there is no way back."
    )
    automation: Automation | None = None
    classification: Classification | None = Field(
        default=None, description="What counts: with what people said instead, where they did."
    )
    machine_classification: Classification | None = Field(
        default=None, description="What the classifiers said, where a person said otherwise."
    )
    overrides: tuple[Override, ...] = Field(
        default=(), description="What people said it is, oldest first; the released ones too."
    )
    decisions: tuple[Decision, ...] = ()
    outcome: OutcomeView | None = None
    delivery: DeliveryStatus | None = Field(
        default=None, description="The furthest the provider told us of a message we sent."
    )
    delivery_times: dict[str, Instant] = Field(
        default={}, description="When it reached each stage, by status."
    )
    media: tuple[MediumView, ...] = Field(
        default=(), description="Its files, as far as they were fetched and looked at."
    )
    deliveries: int = Field(description="How often the provider sent it.")
    attempt: int
    failed_step: str | None = None
    error: str | None = None


class QuarantinedView(Model):
    """An authentic request that nobody could read; `redrive` tries it again."""

    touchpoint_id: TouchpointId
    state: Literal["quarantined"] = "quarantined"
    provider: str
    reason: str
    received_at: Instant
    deliveries: int


def touchpoint_view(entry: LedgerEntry) -> TouchpointView:
    touchpoint = entry.touchpoint
    journey = JourneyState.model_validate(entry.outcome) if entry.outcome is not None else None
    return TouchpointView.model_validate(
        {
            "touchpoint_id": touchpoint.touchpoint_id,
            "state": entry.state.value,
            "provider": touchpoint.provider,
            "account": touchpoint.account,
            "channel": touchpoint.channel,
            "direction": touchpoint.direction,
            "occurred_at": touchpoint.occurred_at,
            "received_at": touchpoint.received_at,
            "profile_id": entry.profile_id,
            "name": touchpoint.name,
            "text": touchpoint.text,
            "content": touchpoint.content,
            "language": touchpoint.language,
            "identifiers": touchpoint.identifiers,
            "endpoint": touchpoint.endpoint,
            "automation": touchpoint.automation,
            **_classifications(entry, journey),
            "overrides": entry.overrides,
            "decisions": _decisions(journey),
            "outcome": _outcome(journey),
            "delivery": entry.delivery,
            "delivery_times": entry.delivery_times,
            "media": _media(entry),
            "deliveries": entry.deliveries,
            "attempt": entry.attempt,
            "failed_step": entry.failed_step,
            "error": entry.error,
        }
    )


def _media(
    entry: LedgerEntry, link: Callable[[str, str], str] | None = None
) -> tuple[MediumView, ...]:
    """With an address for each file that is kept, where `link` makes one."""
    return tuple(
        MediumView(
            position=position,
            name=attachment.name,
            state=one.state,
            because=one.because,
            content_type=one.content_type,
            size=one.size,
            url=link(one.object_key, attachment.name) if link and one.object_key else None,
        )
        for position, attachment in enumerate(attachments_of(entry.touchpoint))
        if (one := entry.media.get(medium_name(attachment, position))) is not None
    )


def _classifications(
    entry: LedgerEntry, journey: JourneyState | None
) -> dict[str, Classification | None]:
    """As its journey ended. Until a round that people asked for has ended, as it will."""
    understood = journey.ai_classification if journey is not None else None
    if understood is None:
        return {}
    counts, machine = understood.classification, understood.machine_classification
    if entry.state is not TouchpointState.PROCESSED:
        answer = machine or counts
        counts = overridden(answer, entry.overrides)
        machine = answer if counts != answer else None
    return {"classification": counts, "machine_classification": machine}


def _decisions(journey: JourneyState | None) -> tuple[Decision, ...]:
    """Of all steps, in the order of the journey."""
    steps = (journey.ai_classification, journey.ticket_creation) if journey is not None else ()
    return tuple(decision for step in steps if step is not None for decision in step.decisions)


def _outcome(journey: JourneyState | None) -> OutcomeView | None:
    if journey is None:
        return None
    ticket, profile = journey.ticket_creation, journey.profile_update
    return OutcomeView(
        ticket=ticket.outcome if ticket is not None else None,
        ticket_id=ticket.ticket_id if ticket is not None else None,
        queue=ticket.queue if ticket is not None else None,
        profile=profile.why if profile is not None else None,
    )


def read_touchpoint(
    touchpoint_id: TouchpointId, *, ledger: Ledger, media_files: MediaFiles
) -> TouchpointView | QuarantinedView:
    found = ledger.read(touchpoint_id) or ledger.read_quarantined(touchpoint_id)
    if found is None:
        raise NotFound("there is no such touchpoint")
    if isinstance(found, Quarantined):
        return _either(found)
    return touchpoint_view(found).model_copy(update={"media": _media(found, media_files.link)})


def list_touchpoints(
    state: TouchpointState,
    *,
    since: datetime | None,
    limit: int,
    cursor: str | None,
    ledger: Ledger,
) -> Listing[TouchpointView | QuarantinedView]:
    page = ledger.in_state(state, since=since, limit=limit, cursor=cursor)
    return Listing(items=tuple(map(_either, page.items)), cursor=page.cursor)


def _either(one: LedgerEntry | Quarantined) -> TouchpointView | QuarantinedView:
    if isinstance(one, Quarantined):
        return QuarantinedView.model_validate(one.model_dump())
    return touchpoint_view(one)
