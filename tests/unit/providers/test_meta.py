"""What Meta's channels share. What each provider must keep is in test_contract.py."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pywa.utils import webhook_updates_validator

from infra.local.simulators.base import SimulatedRequest, simulator_of
from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
)
from shared.providers._meta import instant, lies_at, moment
from shared.providers.base import HttpResponse, PartlyMalformed, WebhookRequest, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases

META = ("whatsapp_cloud", "messenger", "instagram")
SIGNED = [one for one in cases() if one.provider in META and one.call.body]
each_channel = pytest.mark.parametrize("name", META)


def refusal(
    status: int,
    code: int,
    subcode: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    error = {"message": f"(#{code}) …", "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    return HttpResponse(
        status=status, headers=headers or {}, body=json.dumps({"error": error}).encode()
    )


@pytest.mark.parametrize("case", SIGNED, ids=[case.id for case in SIGNED])
def test_our_client_signs_as_metas_library_of_choice_verifies(case: Case) -> None:
    signature = case.request.header("x-hub-signature-256")
    app_secret = SECRETS[case.provider]["app_secrets"][0]
    assert webhook_updates_validator(app_secret, case.call.body, signature)


@each_channel
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(401, 190), SendRefused),
        (refusal(400, 100), SendRefused),
        (refusal(400, 4), SendDelayed),
        (refusal(429, 999), SendDelayed),
        (refusal(503, 2), SendDelayed),
        (refusal(500, 1), SendUnconfirmed),
        (HttpResponse(status=502, headers={}, body=b"<html>"), SendUnconfirmed),
        (HttpResponse(status=400, headers={}, body=b"<html>"), SendRefused),
        (HttpResponse(status=400, headers={}, body=b'{"error":"no"}'), SendRefused),
        (HttpResponse(status=200, headers={}, body=b"{}"), SendUnconfirmed),
        (HttpResponse(status=200, headers={}, body=b"not JSON"), SendUnconfirmed),
        (HttpResponse(status=302, headers={}, body=b""), SendUnconfirmed),
    ],
)
def test_tells_refused_from_delayed_from_unconfirmed(
    name: str, response: HttpResponse, error: type[Exception]
) -> None:
    with pytest.raises(error):
        find_provider(name).receipt(response)


@pytest.mark.parametrize(
    ("name", "code", "subcode", "told", "reason"),
    [
        ("whatsapp_cloud", 131047, 2494010, "131047", "window_closed"),
        ("whatsapp_cloud", 131026, None, "131026", "unreachable"),
        ("whatsapp_cloud", 131050, None, "131050", "opted_out"),
        ("whatsapp_cloud", 132001, None, "132001", "template"),
        ("whatsapp_cloud", 131049, None, "131049", "limit"),
        ("whatsapp_cloud", 131051, None, "131051", "not_supported"),
        ("whatsapp_cloud", 999999, None, "999999", "unknown"),
        ("messenger", 10, 2018278, "10/2018278", "window_closed"),
        ("messenger", 10, None, "10", "unauthorized"),
        ("messenger", 10, 1, "10", "unauthorized"),
        ("messenger", 551, 1545041, "551", "unreachable"),
        ("messenger", 100, 2018001, "100/2018001", "invalid_recipient"),
        ("messenger", 190, 463, "190", "unauthorized"),
        ("instagram", 10, 2534022, "10/2534022", "window_closed"),
        ("instagram", 100, 2534014, "100/2534014", "invalid_recipient"),
        ("instagram", 200, None, "200", "unauthorized"),
    ],
)
def test_a_refusal_says_why_in_the_terms_of_the_house(
    name: str, code: int, subcode: int | None, told: str, reason: str
) -> None:
    with pytest.raises(SendRefused) as refused:
        find_provider(name).receipt(refusal(400, code, subcode))
    assert (refused.value.code, refused.value.reason) == (told, reason)


USAGE = {"1": [{"type": "messenger", "call_count": 100, "estimated_time_to_regain_access": 7}]}


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "30"}, timedelta(seconds=30)),
        ({"X-Business-Use-Case-Usage": json.dumps(USAGE)}, timedelta(minutes=7)),
        ({"x-business-use-case-usage": "not JSON"}, None),
        ({"x-business-use-case-usage": "[]"}, None),
        ({"x-business-use-case-usage": '{"1": [1], "2": 3}'}, None),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({}, None),
    ],
)
def test_waits_as_long_as_meta_asks_for(headers: dict[str, str], wait: timedelta | None) -> None:
    with pytest.raises(SendDelayed) as delayed:
        find_provider("messenger").receipt(refusal(400, 613, headers=headers))
    assert delayed.value.retry_after == wait


AT = datetime(2025, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "stamp",
    [
        1763805600,
        1763805600000,
        "1763805600",
        "1763805600000",
        "2025-11-22T10:00:00+0000",
        "2025-11-22T11:00:00+01:00",
        "2025-11-22T10:00:00",
    ],
)
def test_a_time_is_read_however_meta_writes_it(stamp: int | str) -> None:
    assert moment(stamp, NOW) == AT


def test_without_a_time_it_is_the_time_of_arrival() -> None:
    assert moment(None, NOW) == NOW
    assert moment(9_999_999_999, NOW) == NOW, "what is yet to come has not happened"


@given(st.integers() | st.text(max_size=30))
def test_what_is_no_time_is_malformed(stamp: int | str) -> None:
    try:
        assert instant(stamp).tzinfo is not None
    except MalformedPayload:
        return


@pytest.mark.parametrize(
    ("url", "lies"),
    [
        ("https://scontent.xx.fbcdn.net/v/1.jpg?x=1", True),
        ("https://LOOKASIDE.fbsbx.com/ig_messaging_cdn/?asset_id=1", True),
        ("https://cdn.fbsbx.com:443/x", True),
        ("http://cdn.fbsbx.com/x", False),
        ("https://fbsbx.com.evil.example/x", False),
        ("https://evilfbcdn.net/x", False),
        ("https://fbcdn.net/x", False),
        ("https://cdn.fbsbx.com:8080/x", False),
        ("https://cdn.fbsbx.com@evil.example/x", False),
        ("https://me@cdn.fbsbx.com/x", False),
        ("https://[", False),
        ("https://cdn.fbsbx.com:port/x", False),
        ("", False),
    ],
)
def test_only_metas_hosts_hold_metas_media(url: str, lies: bool) -> None:
    assert lies_at(url, ("*.fbcdn.net", "*.fbsbx.com")) is lies


@each_channel
def test_every_part_that_is_read_keeps_its_own_raw(name: str) -> None:
    """And the raw of a part, read again, is that part: so a replay finds what was there."""
    provider = find_provider(name)
    secret = provider.read_secret(SECRETS[name])
    first = {"whatsapp_cloud": "whatsapp_business_account", "messenger": "page"}
    for case in cases():
        if case.provider != name or case.malformed or case.is_handshake:
            continue
        for one in provider.parse(case.request, secret, NOW):
            body = {"object": first.get(name, "instagram"), "entry": [json.loads(one.raw)]}
            if one.touchpoint.content.kind == "unsupported":
                continue
            again = provider.parse(
                replace(case.request, body=json.dumps(body).encode()), secret, NOW
            )
            assert one.touchpoint in [each.touchpoint for each in again]


@pytest.mark.parametrize("name", ["messenger", "instagram"])
def test_more_parts_than_meta_sends_are_not_read(name: str) -> None:
    provider = find_provider(name)
    secret = provider.read_secret(SECRETS[name])
    case = next(one for one in cases() if one.provider == name and one.name == "text")
    body = json.loads(case.request.body)
    [entry] = body["entry"]
    entry["messaging"] *= 2
    body["entry"] = [entry] * 500
    assert len(provider.parse(holding(body, case), secret, NOW)) == 1_000
    body["entry"] = [entry] * 501
    with pytest.raises(MalformedPayload, match="1000"):
        provider.parse(holding(body, case), secret, NOW)


@pytest.mark.parametrize("name", ["messenger", "instagram"])
def test_a_request_of_many_parts_that_cannot_be_read_waits_as_it_is(name: str) -> None:
    """It is quarantined whole, so what is not read now is read when that is mended."""
    provider = find_provider(name)
    secret = provider.read_secret(SECRETS[name])
    case = next(one for one in cases() if one.provider == name and one.name == "text")
    body = json.loads(case.request.body)
    [entry] = body["entry"]
    broken = [{"sender": {"id": "1"}, "timestamp": "never"}]
    for before, is_partly in ((99, True), (100, False)):
        body["entry"] = [entry | {"messaging": broken * before + entry["messaging"]}]
        with pytest.raises(MalformedPayload) as raised:
            provider.parse(holding(body, case), secret, NOW)
        assert isinstance(raised.value, PartlyMalformed) is is_partly


def holding(body: object, case: Case) -> WebhookRequest:
    return replace(case.request, body=json.dumps(body).encode())


def request_to(path: str, host: str = "graph.facebook.com") -> SimulatedRequest:
    return SimulatedRequest(method="POST", host=host, path=path, query="", headers={}, body=b"")


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (request_to("/v26.0/682498302938465/messages"), "messenger"),
        (request_to("/v26.0/106540352242922/messages"), "whatsapp_cloud"),
        (request_to("/v26.0/1003383421387256"), "whatsapp_cloud"),
        (request_to("/v26.0/me/messages", "graph.instagram.com"), "instagram"),
    ],
)
def test_two_providers_at_one_host_are_told_apart(request_: SimulatedRequest, name: str) -> None:
    found = simulator_of(request_, SECRETS)
    assert found is not None
    assert found[0] == name


def test_a_host_of_nobody_has_no_simulator() -> None:
    assert simulator_of(request_to("/", "evil.example"), SECRETS) is None
