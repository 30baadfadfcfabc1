"""A person's orders, contracts, appointments, returns and claims as the API shows them."""

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.profiles import existing
from shared.domain.model import Instant, Model, ProfileId, TouchpointId
from shared.domain.records import Record, RecordKind, is_open
from shared.ports.profiles import ProfileStore


class RecordView(Model):
    kind: RecordKind
    number: str
    status: str
    open: bool = Field(description="Whether somebody still has to do something.")
    version_at: Instant = Field(description="Of the newest version, whenever it arrived.")
    touchpoint_id: TouchpointId = Field(description="Of the newest version; it holds all of it.")
    details: dict[str, str] = Field(description="Of each fact the newest that was told.")


def read_records(
    profile_id: ProfileId,
    *,
    kind: RecordKind | None,
    limit: int,
    cursor: str | None,
    profiles: ProfileStore,
) -> Listing[RecordView]:
    """By kind and number. Raises NotFound, and InvalidInput for a strange cursor."""
    person = existing(profile_id, profiles)
    page = profiles.records(person.profile_ids, kind, limit=limit, cursor=cursor)
    return Listing(items=tuple(map(_view, page.items)), cursor=page.cursor)


def _view(record: Record) -> RecordView:
    return RecordView(
        kind=record.kind,
        number=record.number,
        status=record.status,
        open=is_open(record),
        version_at=record.version_at,
        touchpoint_id=record.touchpoint_id,
        details={name: detail.value for name, detail in record.details.items()},
    )
