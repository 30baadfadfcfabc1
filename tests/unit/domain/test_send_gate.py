from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from shared.domain.send_gate import pass_gate
from shared.domain.sending import (
    GateResult,
    MessageClass,
    SendContext,
    SendingPolicy,
    Verdict,
)
from shared.domain.touchpoint import Channel
from tests.builders import NOON, endpoint
from tests.unit.domain.strategies import moments

POLICY = SendingPolicy.model_validate(
    {
        "consent_required": ["marketing"],
        "purposes": {"marketing": "marketing"},
        "quiet_hours": {"begins": "21:00", "until": "08:00"},
        "disturbs": ["service", "marketing"],
        "default_time_zone": "Europe/Paris",
        "frequency_caps": {"service": {"most": 2, "per": "P1D"}},
        "reply_windows": {
            "whatsapp": {"free": "PT24H"},
            "messenger": {"free": "PT24H", "human_agent": "P7D"},
        },
        "monthly_budget": {"sms": "100 EUR"},
    }
)


def ask(**facts: Any) -> GateResult:
    context = {
        "now": NOON,
        "endpoint": endpoint(),
        "message_class": MessageClass.SERVICE,
        "last_inbound_at": NOON - timedelta(hours=1),
    }
    policy = facts.pop("policy", POLICY)
    return pass_gate(SendContext.model_validate(context | facts), policy)


def reasons(result: GateResult) -> dict[str, str]:
    return {step.name: step.reason for step in result.steps}


def test_all_seven_questions_are_answered_in_order() -> None:
    result = ask()
    assert result.verdict is Verdict.SEND_TEXT
    assert [step.name for step in result.steps] == [
        "suppression",
        "consent",
        "message_class",
        "quiet_hours",
        "frequency_cap",
        "reply_window",
        "budget",
    ]
    assert all(step.passed and step.reason for step in result.steps)
    assert result.reason == ""


@pytest.mark.parametrize(
    ("is_answer", "verdict"), [(True, Verdict.SEND_TEXT), (False, Verdict.REFUSE)]
)
def test_nobody_is_rung_up_by_a_rule(is_answer: bool, verdict: Verdict) -> None:
    policy = POLICY.model_copy(update={"only_answers": frozenset({Channel.VOICE})})
    way = endpoint(Channel.VOICE, provider="twilio_voice", account="+33755500000")
    result = ask(policy=policy, endpoint=way, is_answer=is_answer)
    assert result.verdict is verdict
    if verdict is Verdict.REFUSE:
        assert result.reason == "message_class: over voice only an answer leaves"
    assert ask(policy=policy, is_answer=is_answer).verdict is Verdict.SEND_TEXT


@pytest.mark.parametrize(("on", "verdict"), [(True, Verdict.SEND_TEXT), (False, Verdict.REFUSE)])
def test_what_a_machine_wrote_leaves_only_while_its_switch_is_on(
    on: bool, verdict: Verdict
) -> None:
    result = ask(machine_may_write=on)
    assert result.verdict is verdict
    assert result.steps[0].name == "ai_use"
    assert "machine_written_messages" in result.steps[0].reason
    assert len(result.steps) == (8 if on else 1)


def test_a_suppressed_endpoint_gets_nothing() -> None:
    result = ask(suppressed_because="they wrote STOP")
    assert result.verdict is Verdict.REFUSE
    assert result.reason == "suppression: they wrote STOP"
    assert len(result.steps) == 1


@pytest.mark.parametrize(
    ("consented", "verdict", "reason"),
    [
        (None, Verdict.REFUSE, "no consent is recorded"),
        (False, Verdict.REFUSE, "consent was withdrawn"),
        (True, Verdict.SEND_TEXT, "consent is recorded"),
    ],
)
def test_marketing_needs_consent(consented: bool | None, verdict: Verdict, reason: str) -> None:
    result = ask(message_class=MessageClass.MARKETING, consented=consented)
    assert result.verdict is verdict
    assert reasons(result)["consent"] == reason
    assert "no cap" in reasons(result).get("frequency_cap", "no cap")


def test_the_reason_names_the_purpose() -> None:
    result = ask(message_class=MessageClass.MARKETING, purpose="marketing", consented=True)
    assert reasons(result)["consent"] == "consent to marketing is recorded"


def test_a_withdrawn_consent_stops_what_needs_none() -> None:
    result = ask(purpose="surveys", consented=False)
    assert (result.verdict, result.reason) == (
        Verdict.REFUSE,
        "consent: consent to surveys was withdrawn",
    )


def test_silence_is_enough_for_what_needs_no_consent() -> None:
    result = ask(purpose="surveys", consented=None)
    assert reasons(result)["consent"] == "a service message needs no consent"


def test_a_class_that_needs_consent_says_to_what() -> None:
    nameless = POLICY.model_dump(mode="json") | {"purposes": {}}
    with pytest.raises(ValueError, match="marketing needs consent, to what is not said"):
        SendingPolicy.model_validate(nameless)


def test_a_message_s_own_purpose_comes_before_that_of_its_class() -> None:
    assert POLICY.purpose_of(MessageClass.MARKETING, None) == "marketing"
    assert POLICY.purpose_of(MessageClass.MARKETING, "surveys") == "surveys"
    assert POLICY.purpose_of(MessageClass.SERVICE, None) is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 11, 23, 20, 0, tzinfo=UTC), datetime(2026, 11, 24, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 1, 0, tzinfo=UTC), datetime(2026, 11, 24, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 7, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 23, 19, 59, tzinfo=UTC), None),
        # Over the night in which the clocks go back, eight o'clock is an hour later in UTC.
        (datetime(2026, 10, 24, 20, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 0, tzinfo=UTC)),
    ],
)
def test_quiet_hours_put_a_message_off(now: datetime, until: datetime | None) -> None:
    result = ask(now=now, last_inbound_at=now)
    assert result.until == until
    assert result.verdict is (Verdict.DEFER if until else Verdict.SEND_TEXT)


def test_quiet_hours_are_the_customers() -> None:
    tokyo = ask(time_zone="Asia/Tokyo")  # 21:00 there
    assert tokyo.until == datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    assert "quiet until" in tokyo.reason
    london = ask(time_zone="Europe/London")
    assert reasons(london)["quiet_hours"] == "outside quiet hours (their time zone)"
    assert "Europe/Paris" in reasons(ask())["quiet_hours"]


def test_a_time_zone_nobody_knows_falls_back() -> None:
    assert ask(time_zone="Europe/Atlantis").verdict is Verdict.SEND_TEXT


def test_quiet_hours_may_lie_within_a_day() -> None:
    siesta = POLICY.model_copy(
        update={
            "quiet_hours": POLICY.quiet_hours.model_validate({"begins": "12:00", "until": "14:00"})
        }
    )
    assert ask(policy=siesta).until == NOON + timedelta(hours=1)
    assert ask(policy=siesta, now=NOON + timedelta(hours=1)).until is None


@given(now=moments)
def test_what_is_put_off_may_leave_then(now: datetime) -> None:
    result = ask(now=now, last_inbound_at=now)
    if result.until is not None:
        assert result.until > now
        assert result.until - now <= timedelta(hours=12)
        again = ask(now=result.until, last_inbound_at=result.until)
        assert again.verdict is Verdict.SEND_TEXT


@pytest.mark.parametrize("message_class", [MessageClass.TRANSACTIONAL, MessageClass.LEGAL])
def test_some_messages_may_come_at_any_hour(message_class: MessageClass) -> None:
    night = NOON + timedelta(hours=12)
    result = ask(now=night, last_inbound_at=night, message_class=message_class)
    assert result.verdict is Verdict.SEND_TEXT
    assert reasons(result)["quiet_hours"].endswith("may come at any hour")


def test_the_frequency_cap_counts_what_is_recent() -> None:
    day = timedelta(days=1)
    assert ask(sent_at=(NOON - day, NOON)).verdict is Verdict.SEND_TEXT
    result = ask(sent_at=(NOON - day / 2, NOON))
    assert result.verdict is Verdict.REFUSE
    assert "2 of at most 2" in result.reason


@pytest.mark.parametrize(
    ("last", "template", "verdict", "reason"),
    [
        (NOON - timedelta(hours=24), False, Verdict.SEND_TEXT, "open until"),
        (NOON - timedelta(hours=25), False, Verdict.REFUSE, "closed; no approved template"),
        (NOON - timedelta(hours=25), True, Verdict.SEND_TEMPLATE, "closed; an approved template"),
        (None, False, Verdict.REFUSE, "never opened; no approved template"),
        (None, True, Verdict.SEND_TEMPLATE, "never opened; an approved template"),
    ],
)
def test_cw_9516_the_reply_window_is_known_before_the_provider_refuses(
    last: datetime | None, template: bool, verdict: Verdict, reason: str
) -> None:
    result = ask(last_inbound_at=last, template_ready=template)
    assert result.verdict is verdict
    assert reasons(result)["reply_window"].startswith(reason)


@pytest.mark.parametrize(
    ("hours", "by_person", "verdict", "reason"),
    [
        (23, True, Verdict.SEND_TEXT, "open until"),
        (25, True, Verdict.SEND_AS_HUMAN_AGENT, "open for people until"),
        (25, False, Verdict.REFUSE, "open to a person's own answer alone; no approved"),
        (24 * 7 + 1, True, Verdict.REFUSE, "closed; no approved template"),
    ],
)
def test_cw_14800_a_person_has_longer_to_answer_than_a_machine_or_a_rule(
    hours: int, by_person: bool, verdict: Verdict, reason: str
) -> None:
    result = ask(
        endpoint=endpoint(Channel.MESSENGER, provider="messenger"),
        last_inbound_at=NOON - timedelta(hours=hours),
        by_person=by_person,
    )
    assert result.verdict is verdict
    assert reasons(result)["reply_window"].startswith(reason)


def test_a_channel_without_a_window_is_always_open() -> None:
    by_sms = ask(endpoint=endpoint(Channel.SMS, provider="twilio"), last_inbound_at=None)
    assert by_sms.verdict is Verdict.SEND_TEXT
    assert reasons(by_sms)["reply_window"] == "sms has no reply window"
    assert "100 EUR" in reasons(by_sms)["budget"]
