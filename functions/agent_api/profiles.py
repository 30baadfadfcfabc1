"""/v1/profiles"""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from functions.agent_api.logic import merges, records
from functions.agent_api.logic import profiles as logic
from functions.agent_api.logic.merges import MergeRequest, SeparationRequest, TieView
from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.profiles import ProfileView
from functions.agent_api.logic.records import RecordView
from functions.agent_api.logic.touchpoints import TouchpointView
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Limit, PathId, Since
from functions.agent_api.ports import (
    Agent,
    ClockPort,
    CompanyPolicies,
    IdentifierFormsPort,
    LedgerPort,
    ProfilesPort,
)
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion
from shared.domain.records import RecordKind

router = Router()
TAGS = ["profiles"]

IdentifierQuery = Annotated[
    str,
    Query(
        min_length=3,
        max_length=600,
        description="`type:value` or `type:scope:value`. A phone may be written in any way people "
        "write it, a mail address in any case.",
        openapi_examples={
            "phone": {"value": "phone:+33612345678"},
            "mail": {"value": "email:awa@example.com"},
            "scoped": {"value": "whatsapp_user:106540352242922:FR.13491208655302741918"},
        },
    ),
]


@router.get(
    "/v1/profiles",
    tags=TAGS,
    operation_id="find_profiles",
    summary="The profile an identifier points to",
)
def find_profiles(
    identifier: IdentifierQuery,
    policies: CompanyPolicies,
    forms: IdentifierFormsPort,
    profiles: ProfilesPort,
    clock: ClockPort,
) -> Listing[ProfileView]:
    return logic.find_profiles(
        identifier,
        policy=policies.identity,
        forms=forms,
        profiles=profiles,
        clock=clock,
    )


@router.get(
    "/v1/profiles/<profile_id>",
    tags=TAGS,
    operation_id="read_profile",
    summary="A profile: identifiers, traits, contacts, computed attributes, merge suggestions",
)
def read_profile(profile_id: PathId, profiles: ProfilesPort, clock: ClockPort) -> ProfileView:
    return logic.read_profile(ProfileId(profile_id), profiles=profiles, clock=clock)


@router.get(
    "/v1/profiles/<profile_id>/records",
    tags=TAGS,
    operation_id="read_records",
    summary="Orders, contracts, appointments, returns and claims, each as its newest version says",
)
def read_records(
    profile_id: PathId,
    profiles: ProfilesPort,
    kind: Annotated[RecordKind | None, Query(description="Only these.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[RecordView]:
    return records.read_records(
        ProfileId(profile_id), kind=kind, limit=limit, cursor=cursor, profiles=profiles
    )


@router.get(
    "/v1/profiles/<profile_id>/timeline",
    tags=TAGS,
    operation_id="read_timeline",
    summary="Every contact across all channels, newest first",
)
def read_timeline(
    profile_id: PathId,
    profiles: ProfilesPort,
    ledger: LedgerPort,
    since: Since = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[TouchpointView]:
    return logic.read_timeline(
        ProfileId(profile_id),
        since=since,
        limit=limit,
        cursor=cursor,
        profiles=profiles,
        ledger=ledger,
    )


@router.get(
    "/v1/profiles/<profile_id>/merges",
    tags=TAGS,
    operation_id="read_merges",
    summary="What ties this person's identifiers together, and to others'",
)
def read_merges(profile_id: PathId, profiles: ProfilesPort) -> Listing[TieView]:
    return merges.read_merges(ProfileId(profile_id), profiles=profiles)


@router.get(
    "/v1/merge-suggestions",
    tags=TAGS,
    operation_id="list_merge_suggestions",
    summary="Profiles that may be one person's, the most probable first",
)
def list_suggestions(
    profiles: ProfilesPort, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Listing[MergeSuggestion]:
    return merges.list_suggestions(limit=limit, cursor=cursor, profiles=profiles)


@router.post(
    "/v1/merges",
    tags=TAGS,
    operation_id="merge_profiles",
    summary="Make two profiles one person's; nothing is moved, and it can be undone",
)
def merge_profiles(
    asked: Annotated[MergeRequest, Body()],
    agent: Agent,
    profiles: ProfilesPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> TieView:
    return merges.merge_profiles(
        asked, agent=agent, profiles=profiles, policy=policies.identity, clock=clock
    )


@router.post(
    "/v1/separations",
    tags=TAGS,
    operation_id="separate_profiles",
    summary="Undo a merge, or refuse a suggestion: two profiles are two people's",
)
def separate_profiles(
    asked: Annotated[SeparationRequest, Body()],
    agent: Agent,
    profiles: ProfilesPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> TieView:
    return merges.separate_profiles(
        asked, agent=agent, profiles=profiles, policy=policies.identity, clock=clock
    )
