"""A write carries its event; here it is lifted out of the stream and published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.domain.model import derived_id
from shared.events.envelope import Envelope, Metadata

# Publishing knows nothing of what the other ports speak of.
if TYPE_CHECKING:
    from shared.ports.webhooks import Bus


class Change(NamedTuple):
    """One change of one item, as a table's stream shows it: its `event` before and after."""

    change_id: str
    sequence_number: str
    at: datetime
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def publish_events(changes: Iterable[Change], *, bus: Bus) -> list[str]:
    """Publish what is new. Returns the sequence numbers of what the bus did not take.

    A write that leaves the item's event as it was states no new fact. When a batch is tried again,
    an event that was published already comes again with the same id.
    """
    stating = [change for change in changes if change.after and change.after != change.before]
    taken = bus.publish([_envelope(change) for change in stating])
    return [
        change.sequence_number
        for change, is_taken in zip(stating, taken, strict=True)
        if not is_taken
    ]


def _envelope(change: Change) -> tuple[str, dict[str, Any]]:
    metadata = Metadata(event_id=derived_id("event", change.change_id), at=change.at)
    envelope = Envelope(metadata=metadata, data=dict(change.after["data"]))
    return change.after["type"], envelope.model_dump(mode="json")
