"""What providers send in the journeys: genuine shapes, signed by the local cloud's clients."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud

WHATSAPP_LINE = "106540352242922"
SMS_LINE = "+33755500000"
STORY = (
    "Bonjour, ma commande 4512 n'est toujours pas arrivée, c'est inadmissible, "
    "je veux un remboursement"
)


def whatsapp(cloud: LocalCloud, text: str, *, phone: str, key: str, at: datetime) -> Call:
    message = {
        "from": phone.removeprefix("+"),
        "id": f"wamid.{key}",
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": text},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "33755500001", "phone_number_id": WHATSAPP_LINE},
        "contacts": [{"profile": {"name": "Léa"}, "wa_id": phone.removeprefix("+")}],
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    body = {"object": "whatsapp_business_account", "entry": [entry]}
    return _json_call(cloud, "whatsapp_cloud", body)


def whatsapp_status(
    cloud: LocalCloud,
    status: str,
    message_id: str,
    *,
    phone: str,
    at: datetime,
    errors: Sequence[dict[str, Any]] = (),
) -> Call:
    """What became of a message of ours."""
    told = {
        "id": message_id,
        "status": status,
        "timestamp": str(int(at.timestamp())),
        "recipient_id": phone.removeprefix("+"),
        **({"errors": list(errors)} if errors else {}),
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "33755500001", "phone_number_id": WHATSAPP_LINE},
        "statuses": [told],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    body = {"object": "whatsapp_business_account", "entry": [entry]}
    return _json_call(cloud, "whatsapp_cloud", body)


def sms(cloud: LocalCloud, text: str, *, phone: str, key: str) -> Call:
    form = {
        "MessageSid": f"SM{key:0>32}",
        "AccountSid": cloud.secrets["twilio"]["account_sid"],
        "From": phone,
        "To": SMS_LINE,
        "Body": text,
        "NumMedia": "0",
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return cloud.signed("twilio", urlencode(form), headers)


def told(
    cloud: LocalCloud, type_: str, data: dict[str, Any], *, key: str, at: datetime, source: str
) -> Call:
    """What a system of the company says by Standard Webhooks."""
    body = {"type": type_, "timestamp": at.isoformat(), "data": data}
    headers = {"content-type": "application/json", "webhook-id": key}
    content = json.dumps(body)
    return cloud.signed("standard_webhooks", content, headers, path=f"/{source}")


def segment_batch(cloud: LocalCloud, messages: list[dict[str, Any]]) -> Call:
    body = {"batch": messages, "writeKey": cloud.secrets["segment"]["write_keys"][0]["key"]}
    return _json_call(cloud, "segment", body, path="/v1/batch")


def _json_call(cloud: LocalCloud, provider: str, body: dict[str, Any], *, path: str = "") -> Call:
    content = json.dumps(body, ensure_ascii=False)
    return cloud.signed(provider, content, {"content-type": "application/json"}, path=path)
