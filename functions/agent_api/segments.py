"""/v1/segments, and those of a profile"""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from functions.agent_api.logic import segments as logic
from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.segments import (
    ExportFormat,
    MembershipView,
    MemberView,
    SegmentView,
)
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Limit, PathId
from functions.agent_api.ports import CompanyPolicies, ProfilesPort, SegmentsPort
from shared.domain.model import ProfileId

router = Router()
TAGS = ["segments"]
NEXT_CURSOR = "x-next-cursor"

SegmentPath = Annotated[str, Path(max_length=50)]
ExportLimit = Annotated[int, Query(ge=1, le=1000, description="The most lines of one part.")]
Form = Annotated[ExportFormat, Query(alias="format", description="How the lines are written.")]
EXPORTED: dict[int, Any] = {
    200: {
        "description": f"One member a line. The header `{NEXT_CURSOR}` holds the cursor of the "
        "next part; without it this is the last.",
        "content": {
            kind: {"schema": {"type": "string"}} for kind in ("application/jsonl", "text/csv")
        },
    }
}


@router.get(
    "/v1/segments",
    tags=TAGS,
    operation_id="list_segments",
    summary="The segments there are",
)
def list_segments(policies: CompanyPolicies) -> Listing[SegmentView]:
    return logic.list_segments(policy=policies.segments)


@router.get(
    "/v1/segments/<name>/members",
    tags=TAGS,
    operation_id="list_members",
    summary="Who is in a segment now",
)
def list_members(
    name: SegmentPath,
    policies: CompanyPolicies,
    segments: SegmentsPort,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[MemberView]:
    return logic.list_members(
        name, limit=limit, cursor=cursor, policy=policies.segments, segments=segments
    )


@router.get(
    "/v1/segments/<name>/export",
    tags=TAGS,
    operation_id="export_members",
    summary="Who is in a segment now, as a file of lines, part by part",
    responses=EXPORTED,
)
def export_members(
    name: SegmentPath,
    policies: CompanyPolicies,
    segments: SegmentsPort,
    form: Form = ExportFormat.JSON_LINES,
    limit: ExportLimit = 1000,
    cursor: Cursor = None,
) -> Response[str]:
    export = logic.export_members(
        name, form, limit=limit, cursor=cursor, policy=policies.segments, segments=segments
    )
    return Response(
        status_code=200,
        content_type=export.content_type,
        body=export.body,
        headers={NEXT_CURSOR: export.cursor} if export.cursor is not None else {},
    )


@router.get(
    "/v1/profiles/<profile_id>/segments",
    tags=TAGS,
    operation_id="read_memberships",
    summary="The segments a person is in, since when and why",
)
def read_memberships(
    profile_id: PathId,
    policies: CompanyPolicies,
    profiles: ProfilesPort,
    segments: SegmentsPort,
) -> Listing[MembershipView]:
    return logic.read_memberships(
        ProfileId(profile_id), policy=policies.segments, profiles=profiles, segments=segments
    )
