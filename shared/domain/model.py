"""The base of every domain object, and how ids are derived."""

from datetime import UTC, datetime
from typing import Annotated, NewType
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

TouchpointId = NewType("TouchpointId", str)
ProfileId = NewType("ProfileId", str)
TicketId = NewType("TicketId", str)
FollowUpId = NewType("FollowUpId", str)

_NAMESPACE = UUID("5c8a7d52-9f0e-5d0b-8a39-0c6f6ec0f4b1")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment, always held in UTC; a datetime without a zone does not construct."""


class Model(BaseModel):
    """A value: immutable, closed to unknown fields, built when first used (which keeps imports
    cheap).

    Its errors name fields and quote no content: what rises ends in a log.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,  # JSON has no word for them: what holds one is not read again
        defer_build=True,
        hide_input_in_errors=True,
    )


class Misplaced(ValueError):
    """A part of a model contradicts another; `where` leads to it from the model that found it."""

    def __init__(self, where: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.where = where


def derived_id(kind: str, *causes: str) -> str:
    """The id of the `kind` that these causes bring about: the same causes always give the same id.

    Ids are never drawn, so a redelivery, a retry or a replay finds what it made before.
    """
    return str(uuid5(_NAMESPACE, "\x1f".join((kind, *causes))))


def isoformat(moment: datetime) -> str:
    """UTC with microseconds and a trailing Z: sorts as text in the order of time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
