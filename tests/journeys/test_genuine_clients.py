"""The providers' own libraries on the other side, over real HTTP to the local cloud: they sign what
we verify, verify what we sign, and send what our simulators take. One cloud for all.
"""

import asyncio
import hashlib
import hmac
import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
import stripe
import urllib3
from africastalking.SMS import SMSService
from pywa.client import WhatsApp
from pywa.errors import InvalidParameter
from pywa.utils import webhook_updates_validator
from segment.analytics.client import Client
from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import (
    EventWebhook,
)
from sendgrid.helpers.mail import (
    Attachment,
    Disposition,
    FileContent,
    FileName,
    FileType,
    Mail,
)
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import Forbidden
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client as Twilio

from infra.local.cloud import LocalCloud
from infra.local.simulators._media import PDF
from infra.local.simulators.telegram import HAS_BLOCKED
from infra.local.synthesis import synthesised_template
from infra.npm import BUILD, node
from tests.journeys.agent import Agent, outbox
from tests.journeys.webhooks import SMS_LINE, STORY, WHATSAPP_LINE, whatsapp
from tests.receiver import Receiver

PHONE = "+33612345678"
WORDS = "We are on it."
BILL = b64encode(PDF).decode()
LIBRARIES = BUILD / "clients"
"""Of Node."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(synthesised_template(print), pace=0.01) as alive:
        yield alive


@pytest.fixture
def http() -> Any:
    with urllib3.PoolManager() as pool:
        yield pool


def post(http: Any, url: str, body: str, headers: dict[str, str]) -> int:
    answer = http.request("POST", url, body=body.encode(), headers=headers)
    return int(answer.status)


Received = Callable[[], int]


@pytest.fixture
def received(cloud: LocalCloud) -> Received:
    """How many touchpoints came in since the test began."""
    before = cloud.stories.balance()["received"]

    def number() -> int:
        cloud.settle()
        balance = cloud.stories.balance()
        assert balance["received"] == balance["processed"]
        return int(balance["received"] - before)

    return number


def test_twilio_signs_and_we_accept(cloud: LocalCloud, http: Any, received: Received) -> None:
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
    assert received() == 1


def test_standard_webhooks_signs_and_we_accept(
    cloud: LocalCloud, http: Any, received: Received
) -> None:
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
    assert received() == 1


def test_what_pywa_accepts_from_meta_we_accept(
    cloud: LocalCloud, http: Any, received: Received
) -> None:
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
    assert received() == 1


def test_metas_handshake(cloud: LocalCloud, http: Any) -> None:
    token = cloud.secrets["whatsapp_cloud"]["verify_token"]
    url = f"{cloud.url}/webhooks/whatsapp_cloud"
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": token}
    answer = http.request("GET", url, fields=asked)
    assert (answer.status, answer.data) == (200, b"1158201444")
    assert http.request("GET", url, fields=asked | {"hub.verify_token": "guess"}).status == 403


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_library_sends_and_we_accept(
    cloud: LocalCloud, received: Received, gzip: bool
) -> None:
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
    assert received() == 3


CHARGED = {
    "id": "evt_genuine",
    "object": "event",
    "api_version": "2026-06-30.basil",
    "created": 1795168800,
    "livemode": False,
    "pending_webhooks": 1,
    "type": "charge.refunded",
    "data": {
        "object": {
            "id": "ch_genuine",
            "object": "charge",
            "amount": 1500,
            "amount_refunded": 500,
            "billing_details": {"email": "awa@example.com", "name": "Awa Koné"},
            "currency": "eur",
            "status": "succeeded",
        }
    },
}


def test_stripe_signs_and_we_accept(cloud: LocalCloud, http: Any, received: Received) -> None:
    url, secret = f"{cloud.url}/webhooks/stripe", cloud.secrets["stripe"]["signing_secrets"][0]
    body, stamp = json.dumps(CHARGED), int(datetime.now(UTC).timestamp())
    signed = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=stamp)
    headers = {"content-type": "application/json", "stripe-signature": signed}
    assert post(http, url, body, headers) == 200
    assert post(http, url, f"{body} ", headers) == 401
    assert received() == 1


def test_sendgrid_and_slack_verify_what_our_clients_sign(cloud: LocalCloud) -> None:
    """So what the simulators call back with is signed as they would."""
    secret = cloud.secrets["sendgrid"]["event_keys"][0]
    signed = cloud.signed("sendgrid", "[]", {"content-type": "application/json"})
    reader = EventWebhook(secret)
    name = "X-Twilio-Email-Event-Webhook"
    given = signed.headers[f"{name}-Signature"], signed.headers[f"{name}-Timestamp"]
    assert reader.verify_signature("[]", *given)
    assert not reader.verify_signature("[ ]", *given)
    signed = cloud.signed("slack", "{}", {"content-type": "application/json"})
    verifier = SignatureVerifier(cloud.secrets["slack"]["signing_secrets"][0])
    assert verifier.is_valid_request("{}", signed.headers)
    assert not verifier.is_valid_request("{ }", signed.headers)


class Rewritten(httpx.HTTPTransport):
    """To the simulator of the host that was meant."""

    def __init__(self, simulators: str) -> None:
        super().__init__()
        self._simulators = simulators

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        meant = request.url
        request.url = httpx.URL(f"{self._simulators}/{meant.host}{meant.raw_path.decode()}")
        return super().handle_request(request)


class TwiliosHttp(TwilioHttpClient):  # type: ignore[misc]  # it has no types
    """Twilio's own client, told where its host is."""

    def __init__(self, simulators: str) -> None:
        super().__init__()
        self._simulators = simulators

    def request(self, method: str, url: str, *arguments: Any, **named: Any) -> Any:
        url = url.replace("https://", f"{self._simulators}/")
        return super().request(method, url, *arguments, **named)


@pytest.fixture
def simulators(cloud: LocalCloud) -> str:
    return f"{cloud.url}/_local/simulators"


def taken(cloud: LocalCloud, provider: str) -> dict[str, Any]:
    """What that provider got last."""
    return outbox(cloud, provider)[-1]


def test_twilios_client_sends(cloud: LocalCloud, simulators: str) -> None:
    secret, http = cloud.secrets["twilio"], TwiliosHttp(simulators)
    client = Twilio(secret["account_sid"], secret["auth_tokens"][0], http_client=http)
    sent = client.messages.create(to=PHONE, from_=SMS_LINE, body=WORDS)
    assert (sent.status, taken(cloud, "twilio")["parsed"]["Body"]) == ("queued", WORDS)
    for token, to, code in (
        ("wrong", PHONE, 20003),
        (secret["auth_tokens"][0], "0612345678", 21211),
    ):
        client = Twilio(secret["account_sid"], token, http_client=http)
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=to, from_=SMS_LINE, body=WORDS)
        assert refused.value.code == code
    assert http.session is not None
    http.session.close()


def test_pywa_sends(cloud: LocalCloud, simulators: str) -> None:
    token = cloud.secrets["whatsapp_cloud"]["access_token"]
    with httpx.Client(transport=Rewritten(simulators)) as session:
        client = WhatsApp(phone_id=WHATSAPP_LINE, token=token, session=session)
        sent = client.send_message(to=PHONE, text=WORDS)
        assert sent.id.startswith("wamid.")
        assert taken(cloud, "whatsapp_cloud")["parsed"]["text"]["body"] == WORDS
        with pytest.raises(InvalidParameter):
            client.send_message(to="nobody", text=WORDS)


def test_python_telegram_bot_sends(cloud: LocalCloud, simulators: str) -> None:
    token = cloud.secrets["telegram"]["bots"][0]["token"]

    async def send() -> int:
        buttons = InlineKeyboardMarkup([[InlineKeyboardButton("Oui", callback_data="yes")]])
        async with Bot(token, base_url=f"{simulators}/api.telegram.org/bot") as bot:
            sent = await bot.send_message(4711, WORDS, reply_markup=buttons)
            with pytest.raises(Forbidden):
                await bot.send_message(HAS_BLOCKED, WORDS)
            return sent.message_id

    assert asyncio.run(send()) > 0


def test_slacks_client_sends(cloud: LocalCloud, simulators: str) -> None:
    token = next(iter(cloud.secrets["slack"]["bot_tokens"].values()))
    client = WebClient(token, base_url=f"{simulators}/slack.com/api/")
    sent = client.chat_postMessage(channel="C0123456789", text=WORDS)
    assert sent["ok"] and taken(cloud, "slack")["parsed"]["text"] == WORDS
    with pytest.raises(SlackApiError, match="channel_not_found"):
        client.chat_postMessage(channel="nowhere", text=WORDS)


def test_sendgrids_client_sends(cloud: LocalCloud, simulators: str) -> None:
    key = cloud.secrets["sendgrid"]["api_key"]
    mail = Mail("support@boutique.example", "awa@example.org", "Your parcel", WORDS)
    bill = (FileContent(BILL), FileName("bill.pdf"), FileType("application/pdf"))
    mail.attachment = Attachment(*bill, Disposition("attachment"))
    sent = SendGridAPIClient(key, host=f"{simulators}/api.sendgrid.com").send(mail)
    assert sent.status_code == 202 and sent.headers["X-Message-Id"]


def test_africas_talkings_client_sends(cloud: LocalCloud, simulators: str) -> None:
    (line,) = cloud.secrets["africas_talking_sms"]["lines"]
    client = SMSService(line["username"], line["api_key"])
    client._baseUrl = f"{simulators}/api.africastalking.com/version1"
    answer = client.send(WORDS, ["+254711000111"], sender_id=line["account"])
    (recipient,) = answer["SMSMessageData"]["Recipients"]
    assert recipient["status"] == "Success"


def test_libraries_for_node(cloud: LocalCloud, received: Received) -> None:
    """Segment, Stripe and Standard Webhooks call us; Postmark and Mailgun are called; and what we
    tell the company's own systems is verified. One process for all: Node takes its time to begin.
    """
    if not (LIBRARIES / "installed.lock").exists():
        pytest.skip("NOT PROVEN HERE: `python -m infra.npm clients` has not been run")
    agent, receiver = Agent(cloud), Receiver()
    agent.send("PUT", "/v1/webhook-subscriptions/node", url=receiver.url, events=["TicketOpened"])
    path = "/v1/webhook-subscriptions/node/secrets"
    (signs,) = agent.get(path)["signing_secrets"]
    cloud.receive(whatsapp(cloud, STORY, phone="+33612345099", key="n", at=cloud.clock.now()))
    assert received() == 1
    receiver.close()
    deliveries = [{"headers": told, "body": body.decode()} for _, told, body in receiver.heard]
    purchase = {"number": "R-2", "total": "9.90", "currency": "EUR", "customer": {"phone": PHONE}}
    now = datetime.now(UTC).isoformat()
    body = json.dumps({"type": "purchase.completed", "timestamp": now, "data": purchase})
    secrets, ours = cloud.secrets, "support@boutique.example"
    host = cloud.url.removeprefix("http://")
    todo = {
        "segment": {"key": secrets["segment"]["write_keys"][0]["key"]},
        "stripe": {
            "secret": secrets["stripe"]["signing_secrets"][0],
            "event": {**CHARGED, "id": "evt_node"},
        },
        "standardWebhooks": {
            "secret": secrets["standard_webhooks"]["sources"][0]["signing_secrets"][0],
            "body": body,
        },
        "told": {"secret": signs, "deliveries": deliveries},
        "postmark": {
            "token": secrets["postmark"]["server_token"],
            "host": f"{host}/_local/simulators/api.postmarkapp.com",
            "mail": {
                "From": ours,
                "To": "awa@example.org",
                "Subject": "Hi",
                "TextBody": WORDS,
                "Attachments": [
                    {"Name": "bill.pdf", "Content": BILL, "ContentType": "application/pdf"}
                ],
            },
        },
        "mailgun": {
            "key": secrets["mailgun"]["api_key"],
            "base": f"{cloud.url}/_local/simulators/api.mailgun.net",
            "domain": secrets["mailgun"]["domain"],
            "mail": {
                "from": ours,
                "to": ["awa@example.org"],
                "subject": "Hi",
                "text": WORDS,
                "attachment": {"filename": "bill.pdf", "data": BILL},
            },
        },
    }
    script = Path(__file__).with_name("clients.cjs")
    asked = json.dumps({"url": cloud.url, "folder": str(LIBRARIES), "todo": todo})
    ended = subprocess.run(
        [str(node()), str(script)], input=asked, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert done["segment"] == []
    assert done["stripe"] == done["standardWebhooks"] == [200, 401]
    assert done["told"] == ["TicketOpened"]
    assert (done["postmark"]["code"], done["postmark"]["refused"][1]) == (0, 10)
    assert (done["mailgun"]["message"], done["mailgun"]["refused"]) == ("Queued. Thank you.", 401)
    assert taken(cloud, "mailgun")["response"]["status"] == 401
    assert 'filename="bill.pdf"' in taken(cloud, "mailgun")["body"]
    assert taken(cloud, "postmark")["parsed"]["Attachments"][0]["Content"] == BILL
    # The message, three of Segment's, one payment, one purchase.
    assert received() == 6
