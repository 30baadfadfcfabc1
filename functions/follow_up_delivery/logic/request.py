"""What is asked of this function: a follow-up of a ticket, or a notice that a word calls for."""

from typing import Any

from functions.follow_up_delivery.logic.delivery import deliver
from functions.follow_up_delivery.logic.notice import send_notice
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.journey import DeliveryRequest, NoticeRequest


def read_request(event: dict[str, Any]) -> DeliveryRequest | NoticeRequest:
    if "follow_up_id" in event:
        return DeliveryRequest.model_validate(event)
    return NoticeRequest.model_validate(event)


def fulfil(request: DeliveryRequest | NoticeRequest, ports: Ports) -> dict[str, Any]:
    """The ids asked for, and the state in which it stands now."""
    if isinstance(request, NoticeRequest):
        notice = send_notice(request, ports)
        return {**request.model_dump(), "state": notice.state if notice else "superseded"}
    return {"follow_up_id": request.follow_up_id, "state": deliver(request, ports).state}
