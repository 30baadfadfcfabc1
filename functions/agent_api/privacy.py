"""/v1/exports, /v1/erasures, and what is asked for on a profile."""

from http import HTTPStatus
from typing import Annotated
from uuid import uuid4

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.agent_api.logic import privacy as logic
from functions.agent_api.logic.privacy import (
    ErasureRequest,
    ErasureView,
    ExportRequest,
    ExportView,
    Rectification,
    Rectified,
)
from functions.agent_api.parameters import PathId
from functions.agent_api.ports import (
    Agent,
    ClockPort,
    CompanyPolicies,
    LedgerPort,
    PrivacyPort,
    ProfilesPort,
)
from shared.domain.model import ProfileId
from shared.domain.privacy import ErasureId, ExportId

router = Router()
TAGS = ["privacy"]


def drawn() -> str:
    """An id that says nothing of the person (docs/decisions.md)."""
    return str(uuid4())


Drawn = Annotated[str, Depends(drawn)]
RectificationBody = Annotated[
    Rectification,
    Body(
        openapi_examples={
            "married": {"value": {"traits": {"last_name": "Diallo"}}},
            "wrong mail": {
                "value": {"not_theirs": [{"type": "email", "value": "another@example.com"}]}
            },
        }
    ),
]
ErasureBody = Annotated[
    ErasureRequest,
    Body(
        openapi_examples={
            "withdrawn": {
                "value": {
                    "reason": "consent_withdrawn",
                    "confirm": "0e8333f2-6f53-5b0e-9f5e-0d6d3b0a3b11",
                }
            }
        }
    ),
]


@router.post(
    "/v1/profiles/<profile_id>/exports",
    tags=TAGS,
    operation_id="request_export",
    summary="Collect everything known of a person into one archive",
    status_code=HTTPStatus.ACCEPTED,
)
def request_export(
    profile_id: PathId,
    request: ExportRequest,
    agent: Agent,
    profiles: ProfilesPort,
    requests: PrivacyPort,
    policies: CompanyPolicies,
    clock: ClockPort,
    export_id: Drawn,
) -> ExportView:
    return logic.request_export(
        ProfileId(profile_id),
        request,
        export_id=ExportId(export_id),
        agent=agent,
        profiles=profiles,
        requests=requests,
        retention=policies.retention,
        clock=clock,
    )


@router.get(
    "/v1/exports/<export_id>",
    tags=TAGS,
    operation_id="read_export",
    summary="How far an export is, and where to fetch it",
)
def read_export(export_id: PathId, requests: PrivacyPort, clock: ClockPort) -> ExportView:
    return logic.read_export(ExportId(export_id), requests=requests, clock=clock)


@router.patch(
    "/v1/profiles/<profile_id>",
    tags=TAGS,
    operation_id="rectify_profile",
    summary="Correct what is wrong about a person",
    status_code=HTTPStatus.ACCEPTED,
)
def rectify_profile(
    profile_id: PathId,
    wrong: RectificationBody,
    agent: Agent,
    ledger: LedgerPort,
    profiles: ProfilesPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> Rectified:
    return logic.rectify(
        ProfileId(profile_id),
        wrong,
        agent=agent,
        ledger=ledger,
        profiles=profiles,
        policy=policies.identity,
        clock=clock,
    )


@router.post(
    "/v1/profiles/<profile_id>/erasures",
    tags=TAGS,
    operation_id="request_erasure",
    summary="Forget a person, in every store",
    status_code=HTTPStatus.ACCEPTED,
)
def request_erasure(
    profile_id: PathId,
    request: ErasureBody,
    agent: Agent,
    profiles: ProfilesPort,
    requests: PrivacyPort,
    clock: ClockPort,
    erasure_id: Drawn,
) -> ErasureView:
    return logic.request_erasure(
        ProfileId(profile_id),
        request,
        erasure_id=ErasureId(erasure_id),
        agent=agent,
        profiles=profiles,
        requests=requests,
        clock=clock,
    )


@router.get(
    "/v1/erasures/<erasure_id>",
    tags=TAGS,
    operation_id="read_erasure",
    summary="How far an erasure is; at its end, the proof",
)
def read_erasure(erasure_id: PathId, requests: PrivacyPort) -> ErasureView:
    return logic.read_erasure(ErasureId(erasure_id), requests=requests)
