"""A file that somebody sent is fetched, looked at, kept, linked, and goes with the person."""

import json
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import pytest

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud
from infra.local.gateway import Response
from infra.local.provision import client
from infra.local.simulators._media import PDF, PNG, VOICE
from tests.journeys.agent import PHONE, Agent
from tests.journeys.webhooks import SMS_LINE, WHATSAPP_LINE

IMAGE, BILL, SPOKEN, VIRUS, PAGE, GONE = "1", "2", "3", "4", "5", "0"
"""The last letter of a file's id says which one it is (`infra/local/simulators/_media.py`)."""


class Sent(Protocol):
    def __call__(self, cloud: LocalCloud, which: str, /) -> Call: ...


def telegram(cloud: LocalCloud, which: str, *, number: int = 1) -> Call:
    sender = {"id": 5012345678, "is_bot": False, "first_name": "Awa"}
    document = {"file_id": f"BQACAgIAAx{number}{which}", "file_unique_id": "u", "file_size": 7}
    message = {
        "message_id": number,
        "from": sender,
        "chat": {"id": sender["id"], "first_name": "Awa", "type": "private"},
        "date": int(cloud.clock.now().timestamp()),
        "caption": "Ma commande 4512 est arrivée cassée",
        "document": {**document, "mime_type": "image/jpeg", "file_name": "photo.jpg"},
    }
    body = json.dumps({"update_id": 900000000 + number, "message": message})
    return cloud.signed("telegram", body, {"content-type": "application/json"})


def mms(cloud: LocalCloud, which: str, *, number: int = 1) -> Call:
    account = cloud.secrets["twilio"]["account_sid"]
    message, medium = f"MM{number:0>32}", f"ME{which:0>32}"
    url = f"https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/{message}/Media/{medium}"
    form = {
        "MessageSid": message,
        "AccountSid": account,
        "From": PHONE,
        "To": SMS_LINE,
        "Body": "Ma commande 4512 est arrivée cassée",
        "NumMedia": "1",
        "MediaUrl0": url,
        "MediaContentType0": "image/jpeg",
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return cloud.signed("twilio", urlencode(form), headers)


def whatsapp(cloud: LocalCloud, which: str, *, number: int = 1) -> Call:
    document = {
        "id": f"10655{number:08}{which}",
        "mime_type": "image/jpeg",
        "filename": "photo.jpg",
        "sha256": "h",
        "caption": "Ma commande 4512 est arrivée cassée",
    }
    message = {
        "from": PHONE.removeprefix("+"),
        "id": f"wamid.{number}",
        "timestamp": str(int(cloud.clock.now().timestamp())),
        "type": "document",
        "document": document,
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "33755500001", "phone_number_id": WHATSAPP_LINE},
        "contacts": [{"profile": {"name": "Léa"}, "wa_id": PHONE.removeprefix("+")}],
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]})
    return cloud.signed("whatsapp_cloud", body, {"content-type": "application/json"})


def received(cloud: LocalCloud, agent: Agent, call: Call) -> dict[str, Any]:
    """The touchpoint as the API shows it, when all is done."""
    assert cloud.receive(call).status == 200
    cloud.settle()
    events = [one["detail"]["data"] for one in cloud.events if one["detail-type"] == RECEIVED]
    return agent.get(f"/v1/touchpoints/{events[-1]['touchpoint_id']}")


RECEIVED = "TouchpointReceived"


def saved(cloud: LocalCloud, url: str) -> Response:
    parts = urlsplit(url)
    return cloud.get(f"{parts.path}?{parts.query}")


@pytest.mark.parametrize("sent", [telegram, mms, whatsapp])
@pytest.mark.parametrize(
    ("which", "content", "type_"),
    [
        (IMAGE, PNG, "image/png"),
        (BILL, PDF, "application/pdf"),
        (SPOKEN, VOICE, "audio/ogg"),
    ],
)
def test_it_can_be_saved_as_what_it_is(
    cloud: LocalCloud, agent: Agent, sent: Sent, which: str, content: bytes, type_: str
) -> None:
    (medium,) = received(cloud, agent, sent(cloud, which))["media"]
    assert (medium["state"], medium["content_type"]) == ("stored", type_)
    file = saved(cloud, medium["url"])
    assert (file.status, file.body) == (200, content)
    name = medium["name"] or "attachment"
    assert file.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert file.headers["content-type"] == type_


@pytest.mark.parametrize("sent", [telegram, mms, whatsapp])
@pytest.mark.parametrize(
    ("which", "state", "because"),
    [(VIRUS, "refused", "type"), (PAGE, "refused", "type"), (GONE, "gone", None)],
)
def test_what_runs_is_not_kept_and_what_is_gone_is_told(
    cloud: LocalCloud, agent: Agent, sent: Sent, which: str, state: str, because: str | None
) -> None:
    seen = received(cloud, agent, sent(cloud, which))
    (medium,) = seen["media"]
    assert (medium["state"], medium["because"], medium["url"]) == (state, because, None)
    assert seen["content"]["attachments"][0]["object_key"] is None
    assert seen["text"] == "Ma commande 4512 est arrivée cassée"


def test_a_message_without_files_wakes_nobody(cloud: LocalCloud) -> None:
    body = json.loads(telegram(cloud, IMAGE).body)
    del body["message"]["document"], body["message"]["caption"]
    body["message"]["text"] = "Bonjour"
    call = cloud.signed("telegram", json.dumps(body), {"content-type": "application/json"})
    assert cloud.receive(call).status == 200
    cloud.settle()
    assert not any(name.endswith("media_fetching") for name in cloud.meter.invocations)


def test_a_redelivery_changes_nothing(cloud: LocalCloud, agent: Agent) -> None:
    call = telegram(cloud, IMAGE)
    first = received(cloud, agent, call)
    assert cloud.receive(call).status == 200
    cloud.settle()
    again = agent.get(f"/v1/touchpoints/{first['touchpoint_id']}")
    keys = ("state", "size", "content_type")
    assert [[one[key] for key in keys] for one in again["media"]] == [
        [one[key] for key in keys] for one in first["media"]
    ]
    assert sum(one["detail-type"] == "MediaStored" for one in cloud.events) >= 1
    assert not cloud.dead_letters


def test_where_our_access_is_wrong_somebody_is_told_and_it_is_fetched_once_it_is_mended(
    template: dict[str, Any],
) -> None:
    with LocalCloud(template, pace=0.001) as cloud:
        right = cloud.secrets["telegram"]
        (bot,) = right["bots"]
        wrong = {"bots": [{**bot, "token": f"{bot['token'][:-1]}9"}]}
        put(wrong)
        seen = received(cloud, Agent(cloud), telegram(cloud, IMAGE))
        assert [one["state"] for one in seen["media"]] == ["unauthorized"]
        (letter,) = cloud.dead_letters
        assert letter.message == {"touchpoint_id": seen["touchpoint_id"]}
        put(right)
        cloud.advance(timedelta(minutes=5))
        (arn,) = (one.arn for one in cloud.lambdas.all() if one.name.endswith("-media_fetching"))
        fetched = cloud.lambdas.invoke(arn, letter.message)["media"]
        assert list(fetched.values()) == ["stored"]


def put(secret: Any) -> None:
    client("secretsmanager").put_secret_value(
        SecretId="passerelle/telegram", SecretString=json.dumps(secret)
    )
