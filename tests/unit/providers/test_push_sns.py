"""Push through Amazon SNS: what only this provider does. The contract suite has the rest."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.simulators import push_sns as simulator
from infra.local.simulators.base import SimulatedRequest
from shared.domain.errors import NotFound, SendRefused, Unauthentic
from shared.domain.sending import OutboundMessage, TemplateUse
from shared.domain.touchpoint import Channel, Direction, Unsupported, touchpoint_id
from shared.providers.base import PushRequest, find_provider
from shared.providers.push_sns import (
    LARGEST_PAYLOAD,
    LONGEST_TEXT,
    LONGEST_TITLE,
    PROVIDER,
    STOPS,
)
from tests.unit.providers.fixtures import FIXTURES, NOW, SECRETS, read_case
from tests.unit.providers.sending import message_of, message_to

SECRET = PROVIDER.read_secret(SECRETS["push_sns"])
ARN = "arn:aws:sns:us-east-1:123456789012"
LONGEST_KEY = "k" * 64
PUBLISHED = "4e658b3c-8738-5a67-a13b-d86089f45074"
"""What Publish answered, in the fixtures."""


def message(platform: str = "GCM", **given: Any) -> OutboundMessage:
    line = f"{ARN}:app/{platform}/Boutique"
    device = f"{ARN}:endpoint/{platform}/Boutique/ce14083e-402f-3b72-8520-9608fe54f5fd"
    return message_to(Channel.PUSH, "push_sns", line, device, **given)


def payload(request: PushRequest, platform: str) -> dict[str, Any]:
    told = json.loads(request.message)
    assert set(told) == {"default", platform}
    assert all(isinstance(one, str) for one in told.values()), "SNS wants JSON within JSON"
    found = json.loads(told[platform])
    assert isinstance(found, dict)
    return found


def test_an_android_gets_a_notification_that_takes_the_place_of_its_own_double() -> None:
    request = PROVIDER.prepare(message(subject="Votre commande"), SECRET)
    assert request.endpoint_arn == message().endpoint.address
    assert request.attributes == {}
    assert payload(request, "GCM") == {
        "fcmV1Message": {
            "validate_only": False,
            "message": {
                "notification": {"title": "Votre commande", "body": "We are on it."},
                "data": {"send_key": "send-key-1"},
                "android": {
                    "priority": "high",
                    "collapse_key": "send-key-1",
                    "notification": {"tag": "send-key-1"},
                },
            },
        }
    }


def test_an_iphone_does_too() -> None:
    request = PROVIDER.prepare(message("APNS"), SECRET)
    assert payload(request, "APNS") == {
        "aps": {"alert": {"title": "Boutique", "body": "We are on it."}, "sound": "default"},
        "send_key": "send-key-1",
    }
    assert request.attributes == {
        "AWS.SNS.MOBILE.APNS.PUSH_TYPE": "alert",
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": "send-key-1",
    }


@pytest.mark.parametrize("platform", ["GCM", "APNS"])
def test_without_any_title_there_is_none(platform: str) -> None:
    untitled = PROVIDER.read_secret(SECRETS["push_sns"] | {"title": ""})
    request = PROVIDER.prepare(message(platform), untitled)
    assert "title" not in request.message


@pytest.mark.parametrize("platform", ["GCM", "APNS"])
@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=LONGEST_TEXT), subject=st.text(max_size=200))
def test_whatever_the_door_lets_in_fits(platform: str, text: str, subject: str) -> None:
    for words in (text, "\U0001f600" * LONGEST_TEXT):
        sent = message(platform, text=words, subject=subject or None, send_key=LONGEST_KEY)
        try:
            request = PROVIDER.prepare(sent, SECRET)
        except SendRefused as error:
            # Only control characters grow to six bytes each.
            assert error.code == "too_large"
            assert len(json.dumps(words, ensure_ascii=False).encode()) > LONGEST_TEXT * 4
            continue
        told = json.loads(request.message)
        assert len(told[platform].encode()) <= LARGEST_PAYLOAD
        assert told["default"] == words


def test_a_long_subject_is_cut_as_a_screen_would() -> None:
    request = PROVIDER.prepare(message(subject="a" * 500), SECRET)
    shown = payload(request, "GCM")["fcmV1Message"]["message"]["notification"]
    assert shown["title"] == "a" * LONGEST_TITLE


def test_what_is_too_large_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(SendRefused, match="4096 bytes") as raised:
        PROVIDER.prepare(message(text="é" * LARGEST_PAYLOAD), SECRET)
    assert (raised.value.code, raised.value.reason) == ("too_large", "content")


@pytest.mark.parametrize(
    ("account", "address"),
    [
        (f"{ARN}:app/GCM/Other", f"{ARN}:endpoint/GCM/Other/1"),
        (f"{ARN}:app/GCM/Boutique", f"{ARN}:endpoint/APNS/Boutique/1"),
        (f"{ARN}:app/GCM/Boutique", f"{ARN}:endpoint/GCM/Boutique2/1"),
        (f"{ARN}:app/GCM/Boutique", f"{ARN}:push-events"),
    ],
)
def test_only_devices_of_our_applications_are_written_to(account: str, address: str) -> None:
    """A source that names another topic or application of the AWS account reaches nothing there."""
    with pytest.raises(SendRefused) as raised:
        PROVIDER.prepare(message_to(Channel.PUSH, "push_sns", account, address), SECRET)
    assert raised.value.reason == "unauthorized"


def test_there_are_no_templates() -> None:
    template = TemplateUse(name="hello", language="fr")
    with pytest.raises(SendRefused) as raised:
        PROVIDER.prepare(message(template=template), SECRET)
    assert raised.value.reason == "not_supported"


@pytest.mark.parametrize(
    "application",
    [f"{ARN}:app/SMS/Boutique", f"{ARN}:endpoint/GCM/Boutique", f"{ARN}:app/GCM/{'x' * 101}", ""],
)
def test_a_secret_names_applications_by_their_arn(application: str) -> None:
    with pytest.raises(Exception, match=r"applications\.0"):
        PROVIDER.read_secret(SECRETS["push_sns"] | {"applications": [application]})


def test_a_failure_is_tied_to_the_message_it_is_about() -> None:
    case = read_case("push_sns", FIXTURES / "push_sns" / "token_is_not_valid.json")
    [observed] = PROVIDER.parse(case.request, SECRET, NOW)
    sent = touchpoint_id("push_sns", message().endpoint.account, PUBLISHED)
    assert message_of(observed.touchpoint) == sent
    assert observed.touchpoint.of_message(PUBLISHED) == sent


def test_a_device_that_is_gone_is_asked_no_more_whoever_says_so() -> None:
    """SNS itself when it is asked, or its event later."""
    assert set(STOPS) <= set(PROVIDER.refusals)
    assert find_provider("push_sns").stops["EndpointDisabled"].kind == "bounce"
    assert "InvalidParameter" not in STOPS, "it may be our mistake"


@pytest.mark.parametrize("kind", [[["DeliveryFailure"]], {"a": 1}, 7, None, True])
def test_an_event_whose_name_is_none_is_kept_and_shown(kind: object) -> None:
    request = read_case("push_sns", FIXTURES / "push_sns/endpoint_is_disabled.json").request
    envelope = json.loads(request.body)
    envelope["Message"] = json.dumps(json.loads(envelope["Message"]) | {"EventType": kind})
    (seen,) = PROVIDER.parse(replace(request, body=json.dumps(envelope).encode()), SECRET, NOW)
    assert isinstance(seen.touchpoint.content, Unsupported)
    assert seen.touchpoint.direction is Direction.PASSIVE


def test_without_a_pinned_certificate_it_is_fetched_from_sns_and_nowhere_else() -> None:
    case = read_case("push_sns", FIXTURES / "push_sns" / "token_is_not_valid.json")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        raise NotFound("there is no such page")

    fetching = PROVIDER.read_secret(SECRETS["push_sns"] | {"pinned_certificates": []})
    with pytest.raises(Unauthentic):
        PROVIDER.verify(case.request, fetching, fetch)
    [url] = asked
    assert url.startswith("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-")
    elsewhere = case.request.body.replace(b"sns.us-east-1.amazonaws.com/S", b"evil.example/S")
    with pytest.raises(Unauthentic):
        PROVIDER.verify(replace(case.request, body=elsewhere), fetching, fetch)
    assert len(asked) == 1


def published(**changes: Any) -> tuple[int, dict[str, str]]:
    """What the simulator answers to what we prepare, with these changes."""
    request = PROVIDER.prepare(message(), SECRET)
    form = {
        "TargetArn": request.endpoint_arn,
        "MessageStructure": "json",
        "Message": request.message,
    }
    body = urlencode(form | changes).encode()
    asked = SimulatedRequest(
        method="POST", host=simulator.HOST, path="/", query="", headers={}, body=body
    )
    answer = simulator.answer(asked, SECRETS["push_sns"])
    return answer.status, json.loads(answer.body)


def test_the_simulator_takes_what_we_prepare_and_gives_the_same_the_same_id() -> None:
    assert published() == published()
    assert published()[0] == 200
    other = json.dumps({"default": "Bonsoir"})
    assert published(Message=other)[1] != published()[1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TargetArn": ""}, "InvalidParameter"),
        ({"TargetArn": f"{ARN}:endpoint/GCM/Other/1"}, "InvalidParameter"),
        ({"TargetArn": f"{ARN}:endpoint/GCM/Boutique/"}, "InvalidParameter"),
        ({"TargetArn": f"{ARN}:endpoint/GCM/Boutique/{simulator.DISABLED}"}, "EndpointDisabled"),
        ({"MessageStructure": ""}, "InvalidParameter"),
        ({"Message": "Bonjour"}, "InvalidParameter"),
        ({"Message": "[]"}, "InvalidParameter"),
        ({"Message": json.dumps({"GCM": "{}"})}, "InvalidParameter"),
        ({"Message": json.dumps({"default": "x", "GCM": {}})}, "InvalidParameter"),
        ({"Message": json.dumps({"default": "x", "GCM": "Bonjour"})}, "InvalidParameter"),
        (
            {"Message": json.dumps({"default": "x", "GCM": json.dumps({"a": "x" * 4096})})},
            "InvalidParameter",
        ),
    ],
)
def test_what_sns_does_not_take_the_simulator_refuses(changes: dict[str, Any], code: str) -> None:
    status, told = published(**changes)
    assert (status, told["Code"]) == (400, code)
    assert code in PROVIDER.refusals
