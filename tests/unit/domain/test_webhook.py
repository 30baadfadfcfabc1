"""What an attempt makes of a delivery, and which secrets sign."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from shared.domain.errors import MissingSecret
from shared.domain.webhook import (
    LONGEST_WAIT,
    OVERLAP,
    WAITS,
    Answer,
    Subscription,
    WebhookDelivery,
    after,
    begun_anew,
    delivery_id,
    headers,
    signing_secrets,
)
from tests.builders import NOON

CRM = Subscription(name="crm", url="https://crm.example", made_by="agent:a", made_at=NOON)
KEY = {"key": "k" * 64}
NEW = WebhookDelivery(subscription="crm", delivery_id="d", event="TicketOpened", body="{}")

answers = st.builds(
    Answer,
    status=st.none() | st.integers(100, 599),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
)


def run(*given: Answer) -> WebhookDelivery:
    """As long as it is pending, each attempt when it is due."""
    delivery, now = NEW, NOON
    for answer in given:
        if delivery.state != "pending":
            break
        now = delivery.next_at or now
        delivery = after(delivery, answer, now)
    return delivery


@given(st.lists(answers, min_size=1, max_size=len(WAITS) + 1))
def test_it_ends_after_a_day_at_the_latest_unless_asked_to_wait(given: list[Answer]) -> None:
    delivery = run(*given)
    assert len(delivery.attempts) <= len(WAITS) + 1
    assert (delivery.state == "pending") == (delivery.next_at is not None)
    if delivery.state == "delivered":
        assert delivery.attempts[-1].status in range(200, 300)
    if not any(one.retry_after for one in given):
        assert delivery.attempts[-1].at - NOON <= timedelta(days=1)


def test_a_receiver_that_never_answers_is_tried_for_almost_a_day() -> None:
    delivery = run(*[Answer(None, error="it took too long")] * 20)
    assert delivery.state == "failed"
    assert len(delivery.attempts) == 8
    assert timedelta(hours=23) < delivery.attempts[-1].at - NOON < timedelta(days=1)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 502, 503, 504])
def test_whatever_may_pass_is_tried_again(status: int) -> None:
    assert run(Answer(status)).state == "pending"


def test_gone_is_gone() -> None:
    delivery = run(Answer(410))
    assert (delivery.state, delivery.next_at) == ("failed", None)


def test_a_receiver_is_given_the_time_it_asks_for_within_reason() -> None:
    assert run(Answer(429, timedelta(minutes=20))).next_at == NOON + timedelta(minutes=20)
    assert run(Answer(429, timedelta(seconds=2))).next_at == NOON + WAITS[0]
    assert run(Answer(503, timedelta(days=7))).next_at == NOON + LONGEST_WAIT


def test_a_replay_keeps_its_id_and_its_past() -> None:
    failed = run(*[Answer(500)] * 8)
    again = begun_anew(failed)
    assert again.state == "pending"
    assert (again.delivery_id, again.attempts) == (failed.delivery_id, failed.attempts)
    assert len(after(again, Answer(204), NOON).attempts) == 9


def test_the_same_attempt_has_the_same_name_and_the_next_one_another() -> None:
    first = run(Answer(500))
    assert first.cause == run(Answer(502)).cause != run(Answer(500), Answer(500)).cause


def test_what_was_replayed_so_often_that_attempts_fell_out_has_a_name_of_its_own_too() -> None:
    delivery = run(*[Answer(500)] * 8)
    names = set()
    for _ in range(40):
        delivery = after(begun_anew(delivery), Answer(500), NOON)
        names.add(delivery.cause)
    assert len(names) == 40


def test_ids_sort_by_when_the_event_happened_and_derive_from_it() -> None:
    later = NOON + timedelta(microseconds=1)
    assert delivery_id("crm", "e", NOON) == delivery_id("crm", "e", NOON)
    assert delivery_id("crm", "e", NOON) != delivery_id("till", "e", NOON)
    assert delivery_id("crm", "e", NOON) < delivery_id("crm", "a", later)


@given(st.text(max_size=50))
def test_the_official_library_signs_alike(body: str) -> None:
    (secret,) = signing_secrets(KEY, CRM, NOON)
    ours = headers([secret], "msg_1", NOON, body.encode())
    assert ours["webhook-signature"] == Webhook(secret).sign("msg_1", NOON, body)


def test_during_a_rotation_both_secrets_sign_and_then_the_new_one_alone() -> None:
    (old,) = signing_secrets(KEY, CRM, NOON)
    rotated = CRM.model_copy(update={"key_version": 2, "rotated_at": NOON})
    new, beside = signing_secrets(KEY, rotated, NOON + OVERLAP - timedelta(seconds=1))
    assert beside == old != new
    assert signing_secrets(KEY, rotated, NOON + OVERLAP) == [new]
    assert headers([new, old], "m", NOON, b"")["webhook-signature"].count("v1,") == 2


def test_a_subscription_made_anew_under_the_same_name_has_another_secret() -> None:
    later = CRM.model_copy(update={"made_at": NOON + timedelta(seconds=1)})
    assert signing_secrets(KEY, CRM, NOON) != signing_secrets(KEY, later, NOON)


@pytest.mark.parametrize("content", [None, {}, {"key": ""}])
def test_without_a_key_nothing_is_signed(content: dict[str, str] | None) -> None:
    with pytest.raises(MissingSecret):
        signing_secrets(content, CRM, NOON)
