"""/v1/uploads"""

from http import HTTPStatus
from secrets import token_urlsafe
from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.depends import Depends
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.agent_api.logic import uploads as logic
from functions.agent_api.logic.uploads import NewUpload, OfferedUpload
from functions.agent_api.ports import ClockPort, CompanyPolicies, MediaFilesPort

router = Router()
TAGS = ["uploads"]


def drawn_upload_id() -> str:
    """Whoever knows it may send the file, so it cannot be guessed."""
    return token_urlsafe(24)


DrawnUploadId = Annotated[str, Depends(drawn_upload_id)]
UploadBody = Annotated[
    NewUpload,
    Body(
        openapi_examples={
            "a bill": {
                "value": {
                    "name": "facture 4512.pdf",
                    "content_type": "application/pdf",
                    "size": 48213,
                }
            }
        }
    ),
]


@router.post(
    "/v1/uploads",
    tags=TAGS,
    operation_id="offer_upload",
    summary="Where to put a file that a reply is to send along",
    status_code=HTTPStatus.CREATED,
)
def offer_upload(
    wanted: UploadBody,
    upload_id: DrawnUploadId,
    media_files: MediaFilesPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> OfferedUpload:
    return logic.offer_upload(
        wanted, upload_id=upload_id, media_files=media_files, policy=policies.media, clock=clock
    )
