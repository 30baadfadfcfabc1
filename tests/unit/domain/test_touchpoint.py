from typing import Any

import pytest

from shared.domain.touchpoint import (
    Automation,
    Channel,
    DeliveryStatus,
    Direction,
    Endpoint,
    Message,
    PageView,
    Review,
    SurveyAnswer,
    touchpoint_id,
)
from tests import builders


def test_a_redelivery_finds_the_same_touchpoint() -> None:
    one, other = builders.touchpoint(key="wamid.1"), builders.touchpoint(key="wamid.1")
    assert one.touchpoint_id == other.touchpoint_id
    assert one.touchpoint_id == touchpoint_id(one.provider, one.account, "wamid.1")
    assert builders.touchpoint(key="wamid.2").touchpoint_id != one.touchpoint_id
    assert builders.touchpoint(account="another").touchpoint_id != one.touchpoint_id


@pytest.mark.parametrize(
    ("content", "overrides", "needs"),
    [
        (Message(text="Bonjour"), {}, True),
        (Review(rating=1), {}, True),
        (SurveyAnswer(survey="s", metric="nps", score=3), {}, True),
        (PageView(), {}, False),
        (DeliveryStatus(status="read", message_id="m"), {}, False),
        (Message(text="Bonjour"), {"direction": Direction.OUTBOUND}, False),
        (Message(text="Bonjour"), {"direction": Direction.PASSIVE}, False),
        (Message(text="Absent"), {"automation": Automation.AUTO_REPLY}, False),
    ],
)
def test_only_what_a_person_said_needs_understanding(
    content: Any, overrides: dict[str, Any], needs: bool
) -> None:
    assert builders.touchpoint(content, **overrides).needs_understanding is needs


def test_the_words_of_a_touchpoint() -> None:
    assert builders.touchpoint(Message(text="Bonjour")).text == "Bonjour"
    assert builders.touchpoint(Review(rating=1, text="Jamais plus")).text == "Jamais plus"
    assert builders.touchpoint(PageView()).text == ""


def test_an_endpoint_is_one_line_and_one_address() -> None:
    one = builders.endpoint()
    assert one.key == "whatsapp|whatsapp_cloud|106540352242922|33612345678"
    by_sms = Endpoint(
        channel=Channel.SMS, provider=one.provider, account=one.account, address=one.address
    )
    assert by_sms.key != one.key
