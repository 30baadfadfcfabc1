"""How long what we hold is kept, by class: a pure function of what it is and when it happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from shared.domain.model import Model

# Every function's settings import this module.
if TYPE_CHECKING:
    from shared.domain.touchpoint import Touchpoint

Span = Annotated[timedelta, Field(ge=timedelta(days=1))]
"""ISO 8601. Years are 365 days and months 30, as pydantic reads them: a plain number of days needs
no calendar, and what is counted so ends a few days before the calendar would allow, never after.
"""


class RetentionPolicy(Model):
    """`policies/retention.yaml`; each function that writes gets it as the variable RETENTION."""

    message: Span
    """What somebody said, and what we answered."""
    passive: Span
    """Seen without a word: page views, events, identifications."""
    transaction: Span
    """Orders, purchases, appointments, contracts, returns, warranty claims."""
    consent: Span
    """What a person allowed or forbade: the proof must outlive the sending it allowed."""
    record: Span
    """The newest of what is known of an order, a contract, an appointment, a return, a claim."""
    delivery_status: Span
    quarantined: Span
    ticket: Span
    """With its log and its follow-ups, counted from the latest thing that happened to it."""
    upload: Span
    """What an agent uploaded to send along, where it lies until a reply names it and has its own
    copy.
    """
    export: Span
    """The files and the request of an export."""
    erased: Span
    """The mark that a profile was erased. It bears the profile's id, so it does not stay."""
    proof: Span
    """Of an erasure. It names nobody."""


CLASS_OF_KIND = {
    "message": "message",
    "message_edit": "message",
    "message_deletion": "message",
    "reaction": "message",
    "call": "message",
    "review": "message",
    "survey_answer": "message",
    "page_view": "passive",
    "tracked_event": "passive",
    "identification": "passive",
    "unsupported": "passive",
    "purchase": "transaction",
    "order": "transaction",
    "appointment": "transaction",
    "contract": "transaction",
    "return": "transaction",
    "warranty_claim": "transaction",
    "consent": "consent",
    "delivery_status": "delivery_status",
    "delivery_watermark": "delivery_status",
}
"""Which span holds for which kind of content."""


def epoch(moment: datetime) -> int:
    """Whole seconds, as the tables' time to live wants them."""
    return int(moment.timestamp())


def end_of(moment: datetime, kept: timedelta) -> int:
    """In epoch seconds. Some systems write `9999-12-31` for what never ends, and no calendar holds
    what comes after.
    """
    return epoch(moment) + int(kept.total_seconds())


def expires_at(touchpoint: Touchpoint, policy: RetentionPolicy) -> int:
    """When a touchpoint is deleted, in epoch seconds.

    Counted from when it happened; a provider's clock that runs ahead of ours gains it nothing.
    """
    kept: timedelta = getattr(policy, CLASS_OF_KIND[touchpoint.content.kind])
    return epoch(min(touchpoint.occurred_at, touchpoint.received_at) + kept)
