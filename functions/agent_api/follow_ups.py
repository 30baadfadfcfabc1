"""/v1/follow-ups"""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from functions.agent_api.logic import follow_ups as logic
from functions.agent_api.logic.follow_ups import FollowUpView
from functions.agent_api.logic.paging import Listing
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Id, Limit
from functions.agent_api.ports import ProfilesPort, TicketsPort
from shared.domain.follow_up import FollowUpState
from shared.domain.model import ProfileId, TicketId

router = Router()


@router.get(
    "/v1/follow-ups",
    tags=["follow-ups"],
    operation_id="list_follow_ups",
    summary="Follow-ups of a ticket, of a profile, or in one state",
)
def list_follow_ups(
    tickets: TicketsPort,
    profiles: ProfilesPort,
    ticket: Id = None,
    profile: Id = None,
    state: Annotated[FollowUpState | None, Query(description="How it stands.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[FollowUpView]:
    return logic.list_follow_ups(
        ticket=TicketId(ticket) if ticket is not None else None,
        profile=ProfileId(profile) if profile is not None else None,
        state=state,
        limit=limit,
        cursor=cursor,
        tickets=tickets,
        profiles=profiles,
    )
