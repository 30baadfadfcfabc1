"""What is asked of this function: a follow-up of a ticket, or a notice that a word calls for."""

from collections.abc import Mapping
from typing import Any

from functions.follow_up_delivery.logic.aftermath import (
    confirm,
    note_early_failure,
    note_failure,
)
from functions.follow_up_delivery.logic.delivery import deliver
from functions.follow_up_delivery.logic.notice import send_notice
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.journey import (
    ConfirmationRequest,
    DeliveryRequest,
    FailureRequest,
    NoticeRequest,
)

Request = DeliveryRequest | FailureRequest | ConfirmationRequest | NoticeRequest

TOLD_BY: Mapping[str, type[Request]] = {
    "failed": FailureRequest,
    "follow_up_id": DeliveryRequest,
    "send_key": ConfirmationRequest,
}
"""The first field that is there tells what is asked."""


def read_request(event: dict[str, Any]) -> Request:
    kind = next((one for field, one in TOLD_BY.items() if field in event), NoticeRequest)
    return kind.model_validate(event)


def fulfil(request: Request, ports: Ports) -> dict[str, Any]:
    """The ids asked for, and the state in which it stands now."""
    if isinstance(request, ConfirmationRequest):
        confirmed = confirm(request, ports)
        return {**request.model_dump(), "state": confirmed.state if confirmed else "nothing"}
    if isinstance(request, FailureRequest):
        return {**request.model_dump(), "state": note_failure(request, ports).state}
    if isinstance(request, NoticeRequest):
        notice = send_notice(request, ports)
        return {**request.model_dump(), "state": notice.state if notice else "superseded"}
    delivered = note_early_failure(deliver(request, ports), ports)
    return {"follow_up_id": request.follow_up_id, "state": delivered.state}
