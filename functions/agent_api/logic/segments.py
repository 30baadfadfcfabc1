"""Segments as the API shows them: which there are, who is in one, which hold a person."""

import csv
from collections.abc import Callable, Sequence
from enum import StrEnum
from io import StringIO
from typing import NamedTuple

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.profiles import existing
from shared.domain.errors import NotFound
from shared.domain.model import Instant, Model, ProfileId
from shared.domain.segment import Membership, SegmentPolicy
from shared.ports.profiles import ProfileStore
from shared.ports.segments import SegmentStore


class SegmentView(Model):
    """A live set of people, defined by a rule."""

    name: str
    description: str


class MemberView(Model):
    profile_id: ProfileId = Field(description="The one they are known by.")
    since: Instant


class MembershipView(Model):
    """A segment that holds a person."""

    segment: str
    description: str
    since: Instant
    reasons: tuple[str, ...] = Field(description="Why they came in, as it was then.")


class ExportFormat(StrEnum):
    JSON_LINES = "jsonl"
    CSV = "csv"


class Export(NamedTuple):
    """A part of a file. All parts one after the other are the whole."""

    body: str
    content_type: str
    cursor: str | None


def list_segments(*, policy: SegmentPolicy) -> Listing[SegmentView]:
    return Listing(
        items=tuple(
            SegmentView(name=name, description=one.description)
            for name, one in sorted(policy.segments.items())
        )
    )


def list_members(
    name: str, *, limit: int, cursor: str | None, policy: SegmentPolicy, segments: SegmentStore
) -> Listing[MemberView]:
    _refuse_unknown(name, policy)
    page = segments.members(name, limit=limit, cursor=cursor)
    return Listing(items=tuple(map(_member, page.items)), cursor=page.cursor)


def _refuse_unknown(name: str, policy: SegmentPolicy) -> None:
    if name not in policy.segments:
        raise NotFound("there is no such segment")


def _member(membership: Membership) -> MemberView:
    return MemberView(profile_id=membership.profile_id, since=membership.since)


def export_members(
    name: str,
    form: ExportFormat,
    *,
    limit: int,
    cursor: str | None,
    policy: SegmentPolicy,
    segments: SegmentStore,
) -> Export:
    """One page of the members as lines."""
    page = list_members(name, limit=limit, cursor=cursor, policy=policy, segments=segments)
    content_type, write = _FORMS[form]
    return Export(write(page.items, cursor is None), content_type, page.cursor)


def _json_lines(members: Sequence[MemberView], is_first: bool) -> str:
    return "".join(f"{one.model_dump_json()}\n" for one in members)


def _csv(members: Sequence[MemberView], is_first: bool) -> str:
    """RFC 4180; only the first page has a line of names."""
    text = StringIO()
    writer = csv.writer(text)
    if is_first:
        writer.writerow(MemberView.model_fields)
    writer.writerows(one.model_dump(mode="json").values() for one in members)
    return text.getvalue()


_FORMS: dict[ExportFormat, tuple[str, Callable[[Sequence[MemberView], bool], str]]] = {
    ExportFormat.JSON_LINES: ("application/jsonl", _json_lines),
    ExportFormat.CSV: ("text/csv", _csv),
}


def read_memberships(
    profile_id: ProfileId,
    *,
    policy: SegmentPolicy,
    profiles: ProfileStore,
    segments: SegmentStore,
) -> Listing[MembershipView]:
    person = existing(profile_id, profiles)
    return Listing(
        items=tuple(
            MembershipView(
                segment=one.segment,
                description=policy.segments[one.segment].description,
                since=one.since,
                reasons=one.reasons,
            )
            for one in segments.memberships(person.profile_id)
            if one.segment in policy.segments
        )
    )
