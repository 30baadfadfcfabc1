"""The base of every event and the form in which it travels.

A write carries its event: the item it changes gets an attribute `event` of {"type", "data"}; the
table's stream shows it, and `event_publishing` puts it on the bus. So an event leaves exactly when
its write happened.
"""

from typing import Any

from pydantic import Field

from shared.domain.model import Instant, Model

SOURCE = "passerelle"
VERSION = "1"


class Event(Model):
    """One fact, past tense.

    Ids and small facts: never a text, a name, a phone or a mail address.
    """

    @classmethod
    def event_pattern(cls, **facts: list[str | bool]) -> dict[str, Any]:
        """The EventBridge pattern of this event, narrowed to the given values of its fields."""
        unknown = set(facts) - set(cls.model_fields)
        if unknown:
            raise ValueError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
        pattern: dict[str, Any] = {"source": [SOURCE], "detail-type": [cls.__name__]}
        if facts:
            pattern["detail"] = {"data": facts}
        return pattern

    def carried(self) -> dict[str, Any]:
        """The value of the item's `event` attribute."""
        return {
            "type": type(self).__name__,
            "data": self.model_dump(mode="json", exclude_none=True),
        }


class Metadata(Model):
    """`event_id` derives from the write: an event that is delivered twice carries the same id
    twice.
    """

    event_id: str
    at: Instant
    version: str = VERSION


class Envelope(Model):
    """The `detail` of an EventBridge event."""

    metadata: Metadata
    data: dict[str, Any] = Field(description="The event's own fields")
