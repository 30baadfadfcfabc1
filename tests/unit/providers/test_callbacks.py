"""What the simulators tell of what we sent, and how they fail, read by the providers they play."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.clients.base import find_client
from infra.local.simulators.base import (
    DELIVERED,
    Fault,
    SimulatedRequest,
    SimulatedResponse,
    Taken,
    calls_back,
    fallible,
    simulators,
)
from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed
from shared.domain.model import TouchpointId
from shared.domain.sending import OutboundMessage
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    DeliveryWatermark,
    Direction,
    Touchpoint,
    touchpoint_id,
)
from shared.providers.base import HttpResponse, MailRequest, find_provider
from tests.unit.providers.fixtures import HOST, NOW, SECRETS, received
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

OURS = "support@boutique.example"
APPLICATION = "arn:aws:sns:us-east-1:123456789012:app/GCM/Boutique"
BY_AWS = {"email_ses", "push_sns"}
"""Whose answers botocore reads."""
MESSAGES: dict[str, OutboundMessage] = {
    provider: message_to(channel, provider, account, address)
    for provider, channel, account, address in (
        ("africas_talking_sms", Channel.SMS, "22384", "+254711000111"),
        ("email_ses", Channel.EMAIL, OURS, "awa@example.org"),
        ("instagram", Channel.INSTAGRAM, "17841405762564537", "1053467289912345"),
        ("mailgun", Channel.EMAIL, OURS, "awa@example.org"),
        ("messenger", Channel.MESSENGER, "682498302938465", "2573184936125874"),
        ("postmark", Channel.EMAIL, OURS, "awa@example.org"),
        ("push_sns", Channel.PUSH, APPLICATION, APPLICATION.replace(":app/", ":endpoint/") + "/1"),
        ("sendgrid", Channel.EMAIL, OURS, "awa@example.org"),
        ("slack", Channel.SLACK, "T123ABC456", "C0123456789"),
        ("telegram", Channel.TELEGRAM, "1234567890", "4711"),
        ("twilio", Channel.SMS, "+33755500000", "+33612345678"),
        ("twilio_voice", Channel.VOICE, "+15557122661", "+15558675310"),
        ("whatsapp_cloud", Channel.WHATSAPP, "106540352242922", "33612345678"),
    )
}
TELLS = [name for name in MESSAGES if calls_back(name)]
FAILS = [name for name in TELLS if fallible(name) and fallible(name).FAULTS.failures]  # type: ignore[union-attr]
GIVES_OUR_KEY_BACK = {"mailgun", "postmark", "sendgrid", "whatsapp_cloud"}


def test_every_simulator_is_here() -> None:
    assert set(MESSAGES) == set(simulators())


def taken(name: str, failure: str | None = None) -> Taken:
    """Our message, as its simulator took it."""
    provider, message = find_provider(name), MESSAGES[name]
    if name == "email_ses":
        made = provider.prepare(message, provider.read_secret(SECRETS[name]))
        assert isinstance(made, MailRequest)
        headers = {"x-ses-from": made.sender, "x-ses-to": made.recipient}
        request = SimulatedRequest(
            method="POST", host="", path="", query="", headers=headers, body=made.mime
        )
        answer = SimulatedResponse(status=200, headers={}, body=b'{"MessageId": "0102-ses"}')
    else:
        sent = prepared(provider, message)
        got = simulated(name, sent)
        answer = SimulatedResponse(status=got.status, headers=got.headers, body=got.body)
        request = SimulatedRequest(
            method="POST",
            host="",
            path=urlsplit(sent.url).path,
            query="",
            headers={key.lower(): value for key, value in sent.headers.items()},
            body=sent.body,
        )
    return Taken(
        request=request,
        response=answer,
        secret=SECRETS[name],
        webhook=f"{HOST}/webhooks/{name}",
        at=NOW - timedelta(minutes=5),
        failure=failure,
    )


def told(message: Taken, name: str) -> list[Touchpoint]:
    """What we understand of the callbacks, in their order; each proves itself."""
    simulator, provider = calls_back(name), find_provider(name)
    assert simulator is not None
    secret = provider.read_secret(SECRETS[name])
    touchpoints = []
    for callback in simulator.callbacks(message):
        signed = find_client(name).sign(callback.call, SECRETS[name], NOW)
        request = received(name, signed)

        def fetch(url: str) -> bytes:
            raise AssertionError("a proof of the local cloud needs nothing from outside")

        provider.verify(request, secret, fetch)
        (observed,) = provider.parse(request, secret, NOW)
        touchpoints.append(observed.touchpoint)
    return touchpoints


def our_id(name: str, message: Taken) -> TouchpointId:
    """Of the outbound touchpoint that the house keeps."""
    response = message.response
    given = (
        json.loads(response.body)["MessageId"]
        if name == "email_ses"
        else find_provider(name).receipt(
            HttpResponse(status=response.status, headers=response.headers, body=response.body)
        )
    )
    return touchpoint_id(name, MESSAGES[name].endpoint.account, given)


@pytest.mark.parametrize("name", TELLS)
def test_statuses_are_of_the_message_that_left(name: str) -> None:
    message = taken(name)
    touchpoints = told(message, name)
    assert {one.direction for one in touchpoints} == {Direction.PASSIVE}
    if name == "messenger":
        assert isinstance(touchpoints.pop().content, DeliveryWatermark)
    assert {message_of(one) for one in touchpoints} == {our_id(name, message)}
    statuses = [one.content for one in touchpoints if isinstance(one.content, DeliveryStatus)]
    assert statuses[-1].status in {"delivered", "read"}
    keys = {one.send_key for one in statuses}
    assert keys == ({MESSAGES[name].send_key} if name in GIVES_OUR_KEY_BACK else {None})


@pytest.mark.parametrize("name", FAILS)
def test_each_failure_is_told_with_its_reason(name: str) -> None:
    simulator = fallible(name)
    assert simulator is not None
    for code in simulator.FAULTS.failures:
        message = taken(name, code)
        last = told(message, name)[-1]
        assert isinstance(last.content, DeliveryStatus)
        assert last.content.status == "failed", code
        assert last.content.reason
        assert message_of(last) == our_id(name, message)


@pytest.mark.parametrize("name", TELLS)
def test_what_is_told_comes_after_it_was_taken_and_in_order(name: str) -> None:
    simulator = calls_back(name)
    assert simulator is not None
    times = [one.after for one in simulator.callbacks(taken(name))]
    assert times == sorted(times)
    assert timedelta(0) <= times[0] and times[-1] >= DELIVERED


def heard(name: str, fault: Fault, wait: int | None = None) -> Any:
    simulator = fallible(name)
    assert simulator is not None
    answer = simulator.tell(fault, wait)
    headers = {key.lower(): value for key, value in answer.headers.items()}
    return find_provider(name).receipt(
        HttpResponse(status=answer.status, headers=headers, body=answer.body)
    )


HTTP = [name for name in MESSAGES if name not in BY_AWS]


@pytest.mark.parametrize("name", HTTP)
def test_a_busy_provider_took_nothing_and_says_when_to_come_back(name: str) -> None:
    simulator = fallible(name)
    assert simulator is not None
    with pytest.raises(SendDelayed) as delayed:
        heard(name, simulator.FAULTS.throttled, 120)
    assert delayed.value.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize("name", HTTP)
def test_of_a_broken_one_nobody_knows(name: str) -> None:
    simulator = fallible(name)
    assert simulator is not None
    with pytest.raises(SendUnconfirmed):
        heard(name, simulator.FAULTS.broken)


@pytest.mark.parametrize("name", HTTP)
def test_each_refusal_has_a_reason(name: str) -> None:
    simulator = fallible(name)
    assert simulator is not None
    for fault in simulator.FAULTS.refusals:
        with pytest.raises(SendRefused) as refused:
            heard(name, fault)
        assert refused.value.reason != "unknown" or fault.code in {"400"}, fault


def test_twilio_calls_nobody_where_no_address_was_named() -> None:
    message = taken("twilio")
    body = message.request.body.split(b"&StatusCallback")[0]
    simulator = calls_back("twilio")
    assert simulator is not None
    request = replace(message.request, body=body)
    assert simulator.callbacks(replace(message, request=request)) == []


def test_whatsapp_tells_what_a_message_is_charged_as() -> None:
    free = [one.content for one in told(taken("whatsapp_cloud"), "whatsapp_cloud")]
    assert isinstance(free[0], DeliveryStatus)
    assert (free[0].price_category, free[0].billable) == ("service", False)
