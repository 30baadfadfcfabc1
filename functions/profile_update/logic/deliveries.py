"""What became of messages we sent: told of one by its id, or of all until a moment."""

from datetime import timedelta

from functions.profile_update.logic.step import step_of
from shared.domain.identity import Identifier
from shared.domain.journey import ProfileStep
from shared.domain.touchpoint import DeliveryStatus, DeliveryWatermark, Direction, Touchpoint
from shared.events.catalogue import DeliveryFailed, SendConfirmed
from shared.ports.ledger import Delivery, Ledger, LedgerEntry
from shared.ports.profiles import ProfileStore

WATERMARK_REACHES = timedelta(days=8)
"""A week is the longest after their last words that somebody is written to on a channel that tells
watermarks.
"""
WATERMARK_LOOKS_AT = 50
"""Of the newest touchpoints of a person: one page of one query, whatever was said."""


def _told_by(
    status: DeliveryStatus, told: Touchpoint, delivery: Delivery
) -> DeliveryFailed | SendConfirmed | None:
    """What a status tells beyond the message's own record. The step again tells it again, which is
    harmless to whoever acts on it.
    """
    if not delivery.is_known and status.send_key is not None:
        return SendConfirmed(send_key=status.send_key, message_id=status.message_id)
    failed = status.status == delivery.status.status == "failed"
    if not failed or delivery.ticket_id is None or delivery.follow_up_id is None:
        return None
    return DeliveryFailed(
        touchpoint_id=told.of_message(status.message_id),
        ticket_id=delivery.ticket_id,
        follow_up_id=delivery.follow_up_id,
        channel=told.channel,
    )


def advance_delivery(
    entry: LedgerEntry, status: DeliveryStatus, *, ledger: Ledger, profiles: ProfileStore
) -> ProfileStep:
    """A delivery status belongs to the message it speaks of, not to a person's timeline."""
    delivery = ledger.advance_delivery(entry.touchpoint, status)
    event = _told_by(status, entry.touchpoint, delivery)
    profiles.finish(entry.touchpoint.touchpoint_id, entry.attempt, event)
    return step_of(entry.touchpoint, (), f"the message is {status.status}")


def advance_until(
    entry: LedgerEntry,
    watermark: DeliveryWatermark,
    home: Identifier | None,
    *,
    ledger: Ledger,
    profiles: ProfileStore,
) -> ProfileStep:
    """Of all that left to this endpoint until then, in whatever order watermarks are told.

    Where it is faster than the index, or a message is older than what is looked at, that message
    waits for the next one: each tells of all before it.
    """
    told = entry.touchpoint
    person = profiles.read(home.profile_id) if home is not None else None
    since = watermark.until - WATERMARK_REACHES
    moved = 0
    if person is not None:
        page = ledger.timeline(person.profile_ids, since=since, limit=WATERMARK_LOOKS_AT)
        for one in page.items:
            if _is_news(told, watermark, one):
                message_id = one.touchpoint.provider_event_id
                status = DeliveryStatus(status=watermark.status, message_id=message_id)
                ledger.advance_delivery(told, status)
                moved += 1
    profiles.finish(told.touchpoint_id, entry.attempt)
    return step_of(told, (), f"messages that are {watermark.status} now: {moved}")


def _is_news(told: Touchpoint, watermark: DeliveryWatermark, entry: LedgerEntry) -> bool:
    sent = entry.touchpoint
    if sent.direction is not Direction.OUTBOUND or sent.endpoint != told.endpoint:
        return False
    known_at = entry.delivery_times.get(watermark.status)
    return sent.occurred_at <= watermark.until and (known_at is None or told.occurred_at < known_at)
