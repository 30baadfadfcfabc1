"""How providers are told to behave, over real HTTP: what callers meet, and what is refused."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from infra.local.behaviour import Behaviour
from infra.local.cloud import LocalCloud
from shared.adapters.sender import ProviderSender
from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed
from shared.domain.touchpoint import Channel
from shared.providers.base import MailRequest, PushRequest, find_provider
from shared.runtime import wiring
from tests.integration.local import standins
from tests.integration.local.conftest import TEMPLATE
from tests.unit.providers.sending import message_to, prepared

PROVIDERS = ("whatsapp_cloud", "twilio", "telegram", "slack", "postmark", "email_ses", "push_sns")


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    standins.given.clear()
    standins.answers.clear()
    with LocalCloud(TEMPLATE, pace=0.001) as alive:
        yield alive


@pytest.fixture(autouse=True)
def calm(cloud: LocalCloud) -> Iterator[None]:
    yield
    for name in PROVIDERS:
        tell(cloud, name, behaviour="normal")
    cloud.callbacks.always = False


def tell(cloud: LocalCloud, provider: str, **told: Any) -> tuple[int, dict[str, Any]]:
    answer = cloud.post(f"/_local/providers/{provider}", json.dumps(told))
    return answer.status, json.loads(answer.body)


def shown(cloud: LocalCloud) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cloud.get("/_local/providers").body)
    return found


@pytest.fixture
def sender(cloud: LocalCloud) -> ProviderSender:
    gateway = f"{cloud.url}/_local/simulators"
    return ProviderSender(
        lambda: wiring.client("sesv2"),
        lambda: wiring.client("sns", attempts=1),
        gateway=gateway,
    )


def whatsapp(sender: ProviderSender, text: str = "We are on it.") -> str:
    provider = find_provider("whatsapp_cloud")
    message = message_to(
        Channel.WHATSAPP, "whatsapp_cloud", "106540352242922", "33612345678", text=text
    )
    return sender.transmit("whatsapp_cloud", prepared(provider, message))


def mail(sender: ProviderSender) -> str:
    request = MailRequest(
        sender="support@boutique.example",
        recipient="awa@example.org",
        mime=b"From: support@boutique.example\r\nTo: awa@example.org\r\n\r\nHello\r\n",
    )
    return sender.transmit("email_ses", request)


def push(sender: ProviderSender) -> str:
    request = PushRequest(
        endpoint_arn="arn:aws:sns:us-east-1:123456789012:endpoint/GCM/Boutique/ce14083e",
        message=json.dumps({"default": "Hello", "GCM": "{}"}),
        attributes={},
    )
    return sender.transmit("push_sns", request)


WAYS = {"whatsapp_cloud": whatsapp, "email_ses": mail, "push_sns": push}


@pytest.mark.parametrize("name", WAYS)
def test_what_a_sender_meets(cloud: LocalCloud, sender: ProviderSender, name: str) -> None:
    send = WAYS[name]
    before = len(cloud.outbox.all())
    for behaviour, met in (
        ("throttle", SendDelayed),
        ("fail", SendUnconfirmed),
        ("refuse", SendRefused),
        ("disconnect", SendUnconfirmed),
    ):
        assert tell(cloud, name, behaviour=behaviour, requests=1)[0] == 200
        with pytest.raises(met):
            send(sender)
        # It was told so for one request.
        assert send(sender)
    tell(cloud, name, behaviour="slow", seconds=10)
    assert send(sender)
    sent = [one.behaviour for one in cloud.outbox.all()[before:]]
    normal = Behaviour.NORMAL
    assert sent == [
        Behaviour.THROTTLE, normal, Behaviour.FAIL, normal,
        Behaviour.REFUSE, normal, Behaviour.DISCONNECT, normal,
        Behaviour.SLOW,
    ]  # fmt: skip


def test_what_a_provider_refuses_by_itself_it_refuses_however_it_behaves(
    cloud: LocalCloud, sender: ProviderSender
) -> None:
    tell(cloud, "whatsapp_cloud", behaviour="throttle", requests=1)
    provider = find_provider("whatsapp_cloud")
    message = message_to(Channel.WHATSAPP, "whatsapp_cloud", "106540352242922", "33612345678")
    wrong = prepared(provider, message, access_token="somebody else's")
    with pytest.raises(SendRefused) as refused:
        sender.transmit("whatsapp_cloud", wrong)
    assert refused.value.code == "190"
    with pytest.raises(SendDelayed):
        whatsapp(sender)


def test_callbacks_wait_on_the_clock_and_are_shown(
    cloud: LocalCloud, sender: ProviderSender
) -> None:
    """The small template has no webhooks, so each is answered 404."""
    assert cloud.post("/_local/providers", '{"statuses": true}').status == 200
    before = len(shown(cloud)["callbacks"])
    whatsapp(sender, "with statuses")
    waiting = json.loads(cloud.get("/_local/clock").body)["waiting"]
    assert [one["input"]["status"] for one in waiting] == ["sent", "delivered", "read"]
    cloud.advance(timedelta(seconds=10))
    told = shown(cloud)["callbacks"][before:]
    assert [(one["status"], one["answered"]) for one in told] == [("sent", 404), ("delivered", 404)]
    cloud.advance(timedelta(minutes=1))
    assert shown(cloud)["callbacks"][-1]["status"] == "read"
    cloud.post("/_local/providers", '{"statuses": false}')
    whatsapp(sender, "without")
    cloud.settle()
    assert cloud.timers.waiting() == []


def test_what_could_be_told_is_shown(cloud: LocalCloud) -> None:
    tell(cloud, "whatsapp_cloud", behaviour=["refuse", "redeliver"], code="131047", copies=3)
    found = shown(cloud)
    assert found["known"] == list(Behaviour)
    whatsapp_cloud = found["providers"]["whatsapp_cloud"]
    assert whatsapp_cloud["behaviour"] == ["refuse", "redeliver"]
    assert (whatsapp_cloud["code"], whatsapp_cloud["copies"]) == ("131047", 3)
    assert "131030" in whatsapp_cloud["refusals"] and "131026" in whatsapp_cloud["failures"]
    assert not found["providers"]["slack"]["calls_back"]


@pytest.mark.parametrize(
    ("provider", "told", "field", "says"),
    [
        ("whatsapp", {"behaviour": "slow"}, "provider", "whatsapp_cloud"),
        ("twilio", {}, "behaviour", "throttle"),
        ("twilio", {"behaviour": "asleep"}, "behaviour", "throttle"),
        ("twilio", {"behaviour": []}, "behaviour", "throttle"),
        ("twilio", {"behaviour": ["slow", "fail"]}, "behaviour", "beside it any of"),
        ("twilio", {"behaviour": ["normal", "reorder"]}, "behaviour", "normal alone"),
        ("twilio", {"behaviour": "throttle", "retry_after": 0}, "retry_after", "greater"),
        ("twilio", {"behaviour": "slow", "seconds": "soon"}, "seconds", "number"),
        ("twilio", {"behaviour": "redeliver", "copies": 1}, "copies", "greater"),
        ("twilio", {"behaviour": "reorder", "requests": 2}, "requests", "answers so"),
        ("twilio", {"behaviour": "fail", "colour": "red"}, "colour", "not permitted"),
        ("twilio", {"behaviour": "refuse", "code": "1"}, "code", "21610"),
        ("twilio", {"behaviour": "status_failed", "code": "21610"}, "code", "30003"),
        ("twilio", {"behaviour": "fail", "code": "30003"}, "code", "only refuse and"),
        ("slack", {"behaviour": "redeliver"}, "behaviour", "never tells what became"),
        ("messenger", {"behaviour": "status_failed"}, "behaviour", "did not arrive"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    cloud: LocalCloud, provider: str, told: dict[str, Any], field: str, says: str
) -> None:
    before = shown(cloud)
    status, problem = tell(cloud, provider, **told)
    assert status == 400
    (wrong,) = problem["errors"]
    assert wrong["field"] == field
    assert says in wrong["reason"]
    assert shown(cloud) == before


@pytest.mark.parametrize("body", ["{}", '{"statuses": 1}', '{"statuses": true, "more": 1}', "[]"])
def test_one_switch_for_all_takes_nothing_else(cloud: LocalCloud, body: str) -> None:
    assert cloud.post("/_local/providers", body).status == 400
    assert shown(cloud)["statuses"] is False


def test_nobody_hears_of_what_was_taken_before_the_connection_ended(cloud: LocalCloud) -> None:
    tell(cloud, "telegram", behaviour="disconnect")
    token = cloud.secrets["telegram"]["bots"][0]["token"]
    with urllib3.PoolManager(retries=False) as pool:
        url = f"{cloud.url}/_local/simulators/api.telegram.org/bot{token}/sendMessage"
        with pytest.raises(urllib3.exceptions.ProtocolError):
            pool.request("POST", url, json={"chat_id": 4711, "text": "Hello"})
        # The server answers the next one.
        assert pool.request("GET", f"{cloud.url}/_local/clock").status == 200
    last = cloud.outbox.all()[-1]
    assert (last.status, last.behaviour) == (200, Behaviour.DISCONNECT)
