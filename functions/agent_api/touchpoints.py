"""/v1/touchpoints"""

from aws_lambda_powertools.event_handler.api_gateway import Router

from functions.agent_api.logic import touchpoints as logic
from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.touchpoints import QuarantinedView, TouchpointView
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Limit, PathId, Since, State
from functions.agent_api.ports import LedgerPort, MediaFilesPort
from shared.domain.model import TouchpointId

router = Router()
TAGS = ["touchpoints"]


@router.get(
    "/v1/touchpoints",
    tags=TAGS,
    operation_id="list_touchpoints",
    summary="Touchpoints in one state, oldest first",
)
def list_touchpoints(
    ledger: LedgerPort,
    state: State,
    since: Since = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[TouchpointView | QuarantinedView]:
    return logic.list_touchpoints(state, since=since, limit=limit, cursor=cursor, ledger=ledger)


@router.get(
    "/v1/touchpoints/<touchpoint_id>",
    tags=TAGS,
    operation_id="read_touchpoint",
    summary="A touchpoint: what it says, what was decided, what became of it",
)
def read_touchpoint(
    touchpoint_id: PathId, ledger: LedgerPort, media_files: MediaFilesPort
) -> TouchpointView | QuarantinedView:
    return logic.read_touchpoint(
        TouchpointId(touchpoint_id), ledger=ledger, media_files=media_files
    )
