"""Outgoing webhooks on real tables, a real bus, and a receiver that listens on this machine."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from socket import create_server

import boto3
import pytest
from moto import mock_aws
from standardwebhooks import Webhook

from shared.adapters.public_hosts import is_public
from shared.adapters.webhook_receivers import HttpWebhookReceivers
from shared.adapters.webhooks import DynamoWebhooks, EventBridgeRules
from shared.domain.errors import Contention, InvalidInput
from shared.domain.webhook import Answer, Attempt, Subscription, WebhookDelivery, begun_anew
from shared.events.catalogue import WebhookReplayRequested
from tests.builders import NOON
from tests.integration.conftest import Stores
from tests.receiver import Receiver

CRM = Subscription(name="crm", url="https://crm.example", made_by="agent:a", made_at=NOON)


@pytest.fixture
def webhooks(stores: Stores) -> DynamoWebhooks:
    return DynamoWebhooks(stores.client, stores.names["webhooks"])


def delivery(number: int) -> WebhookDelivery:
    return WebhookDelivery(
        subscription="crm",
        delivery_id=f"2026-{number}",
        event="TicketOpened",
        body="{}",
        attempts=(Attempt(at=NOON, status=500),),
        version=1,
    )


def test_subscriptions_are_kept_changed_and_removed(webhooks: DynamoWebhooks) -> None:
    assert webhooks.subscriptions() == []
    webhooks.save(CRM)
    till = CRM.model_copy(update={"name": "till"})
    webhooks.save(till)
    changed = CRM.model_copy(update={"url": "https://new.example", "version": 2})
    webhooks.save(changed)
    assert webhooks.subscriptions() == [changed, till]
    assert webhooks.subscription("crm") == changed
    webhooks.remove("crm")
    webhooks.remove("crm")
    assert webhooks.subscription("crm") is None


def test_two_writers_do_not_undo_each_other(webhooks: DynamoWebhooks) -> None:
    webhooks.save(CRM)
    for late in (CRM, CRM.model_copy(update={"version": 3})):
        with pytest.raises(Contention):
            webhooks.save(late)
    webhooks.keep(delivery(1))
    with pytest.raises(Contention):
        webhooks.keep(delivery(1))


def test_the_log_pages_backwards_and_a_replay_carries_its_event(
    webhooks: DynamoWebhooks, stores: Stores
) -> None:
    for number in range(5):
        webhooks.keep(delivery(number))
    first = webhooks.deliveries("crm", limit=3)
    rest = webhooks.deliveries("crm", limit=3, cursor=first.cursor)
    ids = [one.delivery_id for one in (*first.items, *rest.items)]
    assert ids == [f"2026-{number}" for number in (4, 3, 2, 1, 0)]
    with pytest.raises(InvalidInput):
        webhooks.deliveries("till", limit=3, cursor=first.cursor)
    asked = WebhookReplayRequested(subscription="crm", delivery_id="2026-0")
    webhooks.keep(begun_anew(delivery(0)), asked)
    item = stores.client.get_item(
        TableName=stores.names["webhooks"],
        Key={"pk": {"S": "delivery#crm"}, "sk": {"S": "2026-0"}},
    )["Item"]
    assert item["event"]["M"]["type"] == {"S": "WebhookReplayRequested"}
    assert int(item["expires_at"]["N"]) == int((NOON + timedelta(days=30)).timestamp())


def test_a_rule_is_made_changed_and_taken_away() -> None:
    with mock_aws():
        client = boto3.client("events", region_name="eu-west-1")
        client.create_event_bus(Name="house")
        rules = EventBridgeRules(
            client,
            bus="house",
            prefix="house-webhook-",
            target_arn="arn:aws:lambda:eu-west-1:123456789012:function:house-webhook_delivery",
            dead_letter_arn="arn:aws:sqs:eu-west-1:123456789012:unrouted",
        )
        rules.listen("crm", [])
        rules.listen("crm", ["TicketOpened"])
        (rule,) = client.list_rules(EventBusName="house")["Rules"]
        assert rule["Name"] == "house-webhook-crm"
        assert json.loads(rule["EventPattern"]) == {
            "source": ["passerelle"],
            "detail-type": ["TicketOpened"],
        }
        (target,) = client.list_targets_by_rule(Rule=rule["Name"], EventBusName="house")["Targets"]
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86_400
        rules.stop("crm")
        rules.stop("crm")
        assert client.list_rules(EventBusName="house")["Rules"] == []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LAPTOP = HttpWebhookReceivers(loopback=True)


def test_what_arrives_the_official_library_verifies(receiver: Receiver) -> None:
    body = '{"type":"TicketOpened","data":{"queue":"commandes é"}}'
    assert LAPTOP.post(receiver.url, "d-1", body.encode(), [SECRET]) == Answer(200)
    ((path, headers, heard),) = receiver.heard
    assert path == "/in?tenant=7"
    assert headers["webhook-id"] == "d-1"
    assert Webhook(SECRET).verify(heard, headers) == json.loads(body)
    stamp = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=5)


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"location": receiver.url, "retry-after": "120"}
    assert LAPTOP.post(receiver.url, "d", b"{}", [SECRET]) == Answer(307, timedelta(minutes=2))
    assert len(receiver.heard) == 1


def test_one_that_answers_for_ever_is_not_waited_for() -> None:
    """Byte by byte, each within the time of one read: the function would end before it could keep
    the attempt, and nothing would be tried again.
    """
    impatient = HttpWebhookReceivers(loopback=True, longest=0.05)
    with create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert impatient.post(url, "d", b"{}", [SECRET]).error == "it took too long"


def test_a_machine_of_this_network_is_never_asked(receiver: Receiver) -> None:
    deployed = HttpWebhookReceivers()
    for host in ("127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1", "[::ffff:127.0.0.1]"):
        answer = deployed.post(f"https://{host}/", "d", b"{}", [SECRET])
        assert answer == Answer(None, error="its address is not public")
    assert receiver.heard == []


def test_a_name_nobody_has_and_a_port_nobody_listens_on_are_failures_like_others() -> None:
    nobody = HttpWebhookReceivers().post("https://nobody.invalid/", "d", b"{}", [SECRET])
    assert nobody.status is None
    closed = LAPTOP.post("http://127.0.0.1:9/", "d", b"{}", [SECRET])
    assert (closed.status, closed.error) == (None, "nobody listens there")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("0.0.0.0", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public
