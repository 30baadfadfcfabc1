"""/v1/touchpoints/{id}/overrides"""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.agent_api.logic import overrides as logic
from functions.agent_api.logic.overrides import ATTEMPT, NewOverride
from functions.agent_api.parameters import PathId
from functions.agent_api.ports import ClockPort, CompanyPolicies, LedgerPort, Person
from shared.domain.model import TouchpointId
from shared.domain.override import Override, OverrideId

router = Router()
TAGS = ["touchpoints"]

OverrideBody = Annotated[
    NewOverride,
    Body(
        openapi_examples={
            "another intent": {
                "value": {"intent": "refund", "reason": "they want their money, not the parcel"}
            },
            "more urgent": {"value": {"urgency": "critical", "reason": "the heating is off"}},
        }
    ),
]
OverridePath = Annotated[str, Path(max_length=64)]
Attempt = Annotated[int | None, Query(ge=1, description=ATTEMPT)]


@router.post(
    "/v1/touchpoints/<touchpoint_id>/overrides",
    tags=TAGS,
    operation_id="override",
    summary="Say what a touchpoint is, where the machine was wrong; it wins until it is released",
    status_code=HTTPStatus.CREATED,
    responses={
        200: {
            "description": "It stands already",
            "content": {"application/json": {"model": Override}},
        },
        201: {
            "description": "It stands from now on",
            "content": {"application/json": {"model": Override}},
        },
    },
)
def override(
    touchpoint_id: PathId,
    said: OverrideBody,
    person: Person,
    ledger: LedgerPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> Response[Override]:
    made = logic.override(
        TouchpointId(touchpoint_id),
        said,
        agent=person,
        ledger=ledger,
        policies=policies,
        clock=clock,
    )
    return Response(
        status_code=HTTPStatus.CREATED if made.is_new else HTTPStatus.OK,
        content_type="application/json",
        body=made.override,
    )


@router.delete(
    "/v1/touchpoints/<touchpoint_id>/overrides/<override_id>",
    tags=TAGS,
    operation_id="release_override",
    summary="Let what the machine said count again",
)
def release_override(
    touchpoint_id: PathId,
    override_id: OverridePath,
    person: Person,
    ledger: LedgerPort,
    clock: ClockPort,
    attempt: Attempt = None,
) -> Override:
    return logic.release(
        TouchpointId(touchpoint_id),
        OverrideId(override_id),
        attempt=attempt,
        agent=person,
        ledger=ledger,
        clock=clock,
    )
