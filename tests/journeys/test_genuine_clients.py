"""The providers' own libraries on the other side, over real HTTP to the local cloud."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import urllib3
from pywa.utils import webhook_updates_validator
from segment.analytics.client import Client  # type: ignore[import-untyped]  # it has no types
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from infra.local.cloud import LocalCloud
from tests.journeys.webhooks import SMS_LINE, WHATSAPP_LINE

PHONE = "+33612345678"


@pytest.fixture
def http() -> Any:
    with urllib3.PoolManager() as pool:
        yield pool


def post(http: Any, url: str, body: str, headers: dict[str, str]) -> int:
    answer = http.request("POST", url, body=body.encode(), headers=headers)
    return int(answer.status)


def received(cloud: LocalCloud) -> int:
    cloud.settle()
    balance = cloud.stories.balance()
    assert balance["received"] == balance["processed"]
    return int(balance["received"])


def test_twilio_signs_and_we_accept(cloud: LocalCloud, http: Any) -> None:
    url = f"{cloud.url}/webhooks/twilio"
    form = {
        "MessageSid": f"SM{uuid4().hex}",
        "AccountSid": cloud.secrets["twilio"]["account_sid"],
        "From": PHONE,
        "To": SMS_LINE,
        "Body": "Où est ma commande ? 1 + 1 & plus",
    }
    validator = RequestValidator(cloud.secrets["twilio"]["auth_tokens"][0])
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": validator.compute_signature(url, form),
    }
    assert post(http, url, urlencode(form), headers) == 200
    assert post(http, url, urlencode(form | {"Body": "forged"}), headers) == 401
    assert received(cloud) == 1


def test_standard_webhooks_signs_and_we_accept(cloud: LocalCloud, http: Any) -> None:
    source = cloud.secrets["standard_webhooks"]["sources"][0]
    url = f"{cloud.url}/webhooks/standard_webhooks/{source['name']}"
    now = datetime.now(UTC)
    data = {"number": "R-1", "total": "9.90", "currency": "EUR", "customer": {"phone": PHONE}}
    body = json.dumps({"type": "purchase.completed", "timestamp": now.isoformat(), "data": data})
    signature = Webhook(source["signing_secrets"][0]).sign("msg_1", now, body)
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    assert post(http, url, body, headers) == 200
    assert post(http, url, body, headers | {"webhook-id": "msg_2"}) == 401
    assert received(cloud) == 1


def test_what_pywa_accepts_from_meta_we_accept(cloud: LocalCloud, http: Any) -> None:
    url = f"{cloud.url}/webhooks/whatsapp_cloud"
    message = {
        "from": PHONE.removeprefix("+"),
        "id": "wamid.1",
        "timestamp": str(int(datetime.now(UTC).timestamp())),
        "type": "text",
        "text": {"body": "Ma commande n'est pas arrivée 😡"},
    }
    metadata = {"display_phone_number": "33755500001", "phone_number_id": WHATSAPP_LINE}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "messages": [message]}
    entry = [{"id": "1", "changes": [{"field": "messages", "value": value}]}]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entry})
    secret = cloud.secrets["whatsapp_cloud"]["app_secrets"][0]
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    assert webhook_updates_validator(
        app_secret=secret, request_body=body.encode(), x_hub_signature=f"sha256={signature}"
    )
    headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"}
    assert post(http, url, body, headers) == 200
    assert post(http, url, f"{body} ", headers) == 401
    assert received(cloud) == 1


def test_metas_handshake(cloud: LocalCloud, http: Any) -> None:
    token = cloud.secrets["whatsapp_cloud"]["verify_token"]
    url = f"{cloud.url}/webhooks/whatsapp_cloud"
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": token}
    answer = http.request("GET", url, fields=asked)
    assert (answer.status, answer.data) == (200, b"1158201444")
    assert http.request("GET", url, fields=asked | {"hub.verify_token": "guess"}).status == 403


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_library_sends_and_we_accept(cloud: LocalCloud, gzip: bool) -> None:
    failures: list[object] = []
    client = Client(
        cloud.secrets["segment"]["write_keys"][0]["key"],
        host=f"{cloud.url}/webhooks/segment",
        on_error=lambda error, items: failures.append(error),
        gzip=gzip,
    )
    client.identify(user_id="u-1", traits={"email": "lea@example.com"})
    client.track(user_id="u-1", event="Product Viewed", properties={"sku": "kettle-17"})
    client.page(user_id="u-1", name="Panier")
    client.flush()
    client.join()
    assert failures == []
    assert received(cloud) == 3
