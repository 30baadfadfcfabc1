"""Meta's Graph API, as far as a message is sent through it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, TypeGuard

from infra.local.simulators import _graph
from infra.local.simulators._graph import Refused, as_json, read, refusal, text, trace_of
from infra.local.simulators.base import (
    DELIVERED,
    READ,
    SENT,
    Callback,
    Fault,
    Faults,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
)

HOST = "graph.facebook.com"

_PATH = re.compile(r"/v\d{2}\.0/\d{5,20}/messages")
_PHONE = re.compile(r"\+?[0-9]{7,15}")
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,3})?")
_UNFOLDED = re.compile(r"[\n\t]| {5}")


FAULTS = Faults(
    throttled=Fault(status=429, code="130429", message="Rate limit hit"),
    broken=Fault(status=500, code="131000", message="Something went wrong"),
    refusals=(
        Fault(status=400, code="131047", message="Re-engagement message"),
        Fault(status=400, code="131030", message="Recipient phone number not in allowed list"),
        Fault(status=400, code="131026", message="Message undeliverable"),
        Fault(status=400, code="131021", message="Recipient cannot be sender"),
        Fault(status=404, code="132001", message="Template name does not exist in the translation"),
        Fault(status=403, code="131031", message="Account has been locked"),
        Fault(status=401, code="190", message="Error validating access token"),
    ),
    failures={
        "131026": "Message undeliverable",
        "131047": "Re-engagement message",
        "131049": "This message was not delivered to maintain healthy ecosystem engagement.",
        "131053": "Media upload error",
    },
)


def tell(fault: Fault, wait: int | None) -> SimulatedResponse:
    data = {"messaging_product": "whatsapp", "details": fault.message}
    return _graph.tell(fault, wait, error_data=data)


def callbacks(taken: Taken) -> list[Callback]:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status

    An answer within the customer's window is free; a template is charged as what it is for.
    """
    asked, answered = json.loads(taken.request.body), json.loads(taken.response.body)
    contact = answered["contacts"][0]
    person = {
        name: contact[known]
        for name, known in (("recipient_id", "wa_id"), ("recipient_user_id", "user_id"))
        if known in contact
    }
    is_template = asked.get("type") == "template"
    pricing = {
        "billable": is_template,
        "pricing_model": "PMP",
        "type": "regular" if is_template else "free_customer_service",
        "category": "utility" if is_template else "service",
    }
    key = {
        name: asked[name] for name in ("biz_opaque_callback_data",) if asked.get(name) is not None
    }
    stages: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("sent", SENT, {"pricing": pricing}),
        ("delivered", DELIVERED, {"pricing": pricing}),
        ("read", READ, {}),
    )
    if taken.failure is not None:
        title = FAULTS.failures[taken.failure]
        error = {
            "code": int(taken.failure),
            "title": title,
            "message": title,
            "error_data": {"details": title},
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        }
        stages = (("failed", DELIVERED, {"errors": [error]}),)
    line = taken.request.path.split("/")[2]
    metadata = {"display_phone_number": "15550783881", "phone_number_id": line}
    told = []
    for status, after, more in stages:
        one = {
            "id": answered["messages"][0]["id"],
            "status": status,
            "timestamp": str(int((taken.at + after).timestamp())),
            **person,
            **key,
            **more,
        }
        value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [one]}
        change = {"value": value, "field": "messages"}
        entry = {"id": "102290129340398", "changes": [change]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        call = taken.post(body, "application/json")
        told.append(Callback(after=after, status=status, call=call))
    return told


def answer(request: SimulatedRequest, secret: Mapping[str, Any]) -> SimulatedResponse:
    trace = trace_of(request)
    try:
        recipient = _accept(request, secret)
    except Refused as refused:
        data = {"messaging_product": "whatsapp", "details": str(refused)}
        return refusal(refused, trace, error_data=data)
    digits = recipient.lstrip("+")
    known = {"wa_id": digits} if digits.isdigit() else {"user_id": recipient}
    message_id = "wamid." + b64encode(bytes.fromhex(trace)).decode()
    return as_json(
        200,
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": recipient, **known}],
            "messages": [{"id": message_id}],
        },
    )


def _accept(request: SimulatedRequest, secret: Mapping[str, Any]) -> str:
    """The recipient. Raises Refused where Meta would refuse."""
    if not _PATH.fullmatch(request.path):
        raise Refused(100, "Unsupported request: unknown path")
    body = read(request, secret["access_token"])
    if body.get("messaging_product") != "whatsapp":
        raise Refused(100, "The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise Refused(131009, "Parameter value is not valid: recipient_type")
    if len(str(body.get("biz_opaque_callback_data", ""))) > 512:
        raise Refused(131009, "Parameter value is not valid: biz_opaque_callback_data")
    if "context" in body and not text(body["context"], "message_id", 512):
        raise Refused(131009, "Parameter value is not valid: context.message_id")
    _CONTENTS.get(str(body.get("type", "text")), _other)(body)
    return _recipient(body)


def _recipient(body: dict[str, Any]) -> str:
    """A phone number in `to`, or a business-scoped user id in `recipient`; `to` goes before."""
    for name, shape in (("to", _PHONE), ("recipient", _USER_ID)):
        if name in body:
            if not isinstance(body[name], str) or not shape.fullmatch(body[name]):
                raise Refused(131009, f"Parameter value is not valid: {name}")
            return str(body[name])
    raise Refused(131008, "Required parameter is missing: to")


def _check_text(body: dict[str, Any]) -> None:
    if not text(body.get("text"), "body", 4096):
        raise Refused(100, "Param text['body'] must be 1 to 4096 characters long.")


def _check_template(body: dict[str, Any]) -> None:
    template = body.get("template")
    if not isinstance(template, dict) or not _TEMPLATE_NAME.fullmatch(str(template.get("name"))):
        raise Refused(131008, "Required parameter is missing: template.name")
    language = template.get("language")
    if not isinstance(language, dict) or not _LANGUAGE.fullmatch(str(language.get("code"))):
        raise Refused(131008, "Required parameter is missing: template.language.code")
    for component in template.get("components", []):
        if component.get("type") not in {"header", "body", "button"}:
            raise Refused(131009, "Parameter value is not valid: components.type")
        for parameter in component.get("parameters", []):
            if parameter.get("type") == "text" and not text(parameter, "text", 1024):
                raise Refused(131008, "Required parameter is missing: parameters.text")
            if _UNFOLDED.search(str(parameter.get("text", ""))):
                raise Refused(132018, "Param text cannot have new-line/tab or 5 spaces in a row")


def _other(body: dict[str, Any]) -> None:
    raise Refused(131009, "Parameter value is not valid: type")


def _check_medium(body: dict[str, Any]) -> None:
    kind = body["type"]
    medium = body.get(kind)
    if not _is_linked(medium):
        raise Refused(131009, f"Parameter value is not valid: {kind}.link")
    if "caption" in medium and (kind == "audio" or not text(medium, "caption", 1024)):
        raise Refused(131009, f"Parameter value is not valid: {kind}.caption")


def _is_linked(medium: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(medium, dict)
        and text(medium, "link", 2048)
        and str(medium["link"]).startswith("https://")
    )


def _check_interactive(body: dict[str, Any]) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-reply-buttons-messages
    and .../interactive-list-messages
    """
    asked = body.get("interactive")
    action = asked.get("action") if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(action, dict):
        raise Refused(131008, "Required parameter is missing: interactive.action")
    match asked.get("type"):
        case "button":
            options = [one.get("reply") for one in action.get("buttons", [])]
            most, longest, longest_id, longest_body = 3, 20, 256, 1024
        case "list":
            options = [row for part in action.get("sections", []) for row in part.get("rows", [])]
            most, longest, longest_id, longest_body = 10, 24, 200, 4096
            if not text(action, "button", 20):
                raise Refused(131008, "Required parameter is missing: action.button")
        case _:
            raise Refused(131009, "Parameter value is not valid: interactive.type")
    if not text(asked.get("body"), "text", longest_body):
        raise Refused(131009, "Parameter value is not valid: interactive.body")
    if not 0 < len(options) <= most:
        raise Refused(131009, f"There must be 1 to {most} options")
    if not all(text(one, "title", longest) and text(one, "id", longest_id) for one in options):
        raise Refused(131009, "Parameter value is not valid: title or id of an option")
    if len({one["id"] for one in options}) < len(options):
        raise Refused(131009, "Duplicate id of an option")
    header = asked.get("header")
    if header is not None and not _is_linked(header.get(header.get("type"))):
        raise Refused(131009, "Parameter value is not valid: interactive.header")


_CONTENTS = {
    "text": _check_text,
    "template": _check_template,
    "interactive": _check_interactive,
    **dict.fromkeys(("image", "video", "audio", "document"), _check_medium),
}
"""What we send. Meta takes more; whoever sends more adds its check here."""
