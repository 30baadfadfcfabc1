"""Somebody dials, on the real template: answered at once, kept once, called back by SMS."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from threading import Event
from typing import Any
from urllib.parse import urlencode

import pytest

from infra.local.cloud import LocalCloud
from infra.local.gateway import Response
from infra.local.synthesis import synthesised_template
from shared.domain.touchpoint import Channel
from tests.unit.providers.fixtures import SECRETS

PROVIDER = "africas_talking_ussd"
NUMBER = "+254711000111"
THANKS = "END Thank you. We will tell you by SMS."
SORRY = "END Sorry, we could not note that. Please dial again in a moment."


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return synthesised_template(print)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> set[float]:
    """The limits, in seconds, that pass at once. All others never do: no clock decides here."""
    passing: set[float] = set()
    result = Future.result

    def without_a_clock(self: Future[Any], timeout: float | None = None) -> Any:
        return result(self, 0 if timeout in passing else None)

    monkeypatch.setattr(Future, "result", without_a_clock)
    return passing


@pytest.fixture
def cloud(template: dict[str, Any]) -> Iterator[LocalCloud]:
    with LocalCloud(template, pace=0.001) as alive:
        yield alive


def dial(cloud: LocalCloud, text: str, session: str = "ATUid_1") -> Response:
    fields = {"sessionId": session, "serviceCode": "*384*22384#", "phoneNumber": NUMBER}
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({**fields, "text": text, "networkCode": "63902"})
    answer = cloud.receive(cloud.signed(PROVIDER, body, form))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer


class Outage:
    """The calls of the intake to these services fail, as often as is said."""

    def __init__(self, **times: int) -> None:
        self.left = times

    def __call__(self, service: str, operation: str, when: str) -> None:
        if (operation, when) in {("UpdateItem", "before"), ("Invoke", "before")} and self.left.get(
            service
        ):
            self.left[service] -= 1
            raise ConnectionError


def test_who_asked_by_ussd_is_answered_by_sms(cloud: LocalCloud) -> None:
    assert dial(cloud, "").body.decode().startswith("CON 1. English\n2. Francais")
    assert dial(cloud, "1*1").body.decode() == "CON Please type your order number."
    assert dial(cloud, "1*1*4411").body.decode() == THANKS
    cloud.settle()
    stories = cloud.stories.read(cloud.stories.received())
    (asked,) = [one for one in stories if one.ticket is not None]
    assert asked.touchpoint.channel is Channel.USSD
    assert asked.touchpoint.text == "Order status: 4411"
    assert len({one.profile.profile_id for one in stories if one.profile}) == 1
    cloud.advance(timedelta(hours=72))
    sent = json.loads(cloud.get("/_local/outbox").body)
    assert sent[0]["url"] == "https://api.africastalking.com/version1/messaging"
    assert (sent[0]["parsed"]["to"], sent[0]["parsed"]["from"]) == (NUMBER, "22384")
    assert sent[0]["response"]["status"] == 201


def test_trap_11_twice_the_same_is_one(cloud: LocalCloud) -> None:
    first, again = dial(cloud, "1*3"), dial(cloud, "1*3")
    assert first.body == again.body
    cloud.settle()
    balance = cloud.stories.balance()
    assert (balance["received"], balance["processed"], balance["duplicate"]) == (2, 1, 1)


def test_what_the_store_refused_is_kept_all_the_same(cloud: LocalCloud) -> None:
    """The answer is the usual one, for Lambda has taken the request; it tries until it is kept."""
    cloud.wire.interfere = Outage(dynamodb=2)
    assert dial(cloud, "1*1*4411").body.decode() == THANKS
    cloud.settle()
    assert cloud.wire.interfere.left == {"dynamodb": 0}
    balance = cloud.stories.balance()
    assert (balance["received"], balance["processed"], balance["holds"]) == (1, 1, True)
    assert cloud.dead_letters == []


def test_what_is_never_kept_ends_where_somebody_sees_it(cloud: LocalCloud) -> None:
    cloud.wire.interfere = Outage(dynamodb=4)
    assert dial(cloud, "1*1*4411").body.decode() == THANKS
    cloud.settle()
    (lost,) = cloud.dead_letters
    assert lost.message["pathParameters"]["provider"] == PROVIDER
    assert SECRETS[PROVIDER]["path_secrets"][0] not in json.dumps(lost.message)
    # As docs/operations.md says: what lies there is sent to the function again.
    (intake,) = [one for one in cloud.lambdas.all() if one.name.endswith("webhook_intake")]
    cloud.lambdas.invoke(intake.arn, lost.message)
    cloud.settle()
    assert cloud.stories.balance()["processed"] == 1


def test_where_nothing_takes_it_nothing_is_promised(cloud: LocalCloud) -> None:
    cloud.wire.interfere = Outage(dynamodb=1, **{"lambda": 1})
    assert dial(cloud, "1*1*4411").body.decode() == SORRY
    cloud.settle()
    assert cloud.stories.balance()["received"] == 0


def test_a_store_that_hangs_does_not_keep_the_caller(cloud: LocalCloud, limits: set[float]) -> None:
    """The write never ends while somebody waits; time is not measured, it is given up on."""
    answered = Event()
    hung: list[str] = []

    def hang(service: str, operation: str, when: str) -> None:
        if (service, operation, when) == ("dynamodb", "UpdateItem", "before") and not hung:
            hung.append(operation)
            answered.wait(60)

    limits.add(0.7)
    cloud.wire.interfere = hang
    assert dial(cloud, "1*1*4411").body.decode() == THANKS
    answered.set()
    cloud.settle()
    balance = cloud.stories.balance()
    assert (balance["processed"], balance["holds"]) == (1, True)
