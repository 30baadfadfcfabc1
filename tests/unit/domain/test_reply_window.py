"""The window as an object: who opens it, how long it is open, and to whom."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.reply_window import (
    ReplyWindow,
    WindowKind,
    WindowLengths,
    WindowState,
    open_window,
    opened_at,
    windows_of,
)
from shared.domain.touchpoint import (
    Channel,
    Content,
    DeliveryStatus,
    Direction,
    Message,
    MessageEdit,
    PageView,
    Reaction,
)
from tests.builders import NOON, endpoint, sms, touchpoint, whatsapp_message

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
PAGE = endpoint(Channel.MESSENGER, provider="messenger")
LENGTHS = WindowLengths(free=DAY, human_agent=7 * DAY)


def windows(spoken_at: datetime | None = NOON) -> tuple[ReplyWindow, ReplyWindow]:
    free, people = windows_of(PAGE, spoken_at, LENGTHS)
    return free, people


class TestHowLong:
    def test_zm_5224_it_counts_down_to_its_end_and_not_a_second_longer(self) -> None:
        free, _ = windows()
        assert (free.opened_at, free.open_until) == (NOON, NOON + DAY)
        assert free.remaining(NOON + DAY - SECOND) == SECOND
        assert free.state(NOON + DAY) is WindowState.OPEN
        assert free.state(NOON + DAY + SECOND) is WindowState.CLOSED
        assert free.remaining(NOON + 2 * DAY) == timedelta(0)

    def test_whoever_never_wrote_opened_nothing(self) -> None:
        free, people = windows(None)
        assert {free.state(NOON), people.state(NOON)} == {WindowState.NEVER_OPENED}
        assert free.remaining(NOON) == timedelta(0)

    def test_a_channel_without_a_length_is_always_open(self) -> None:
        (always,) = windows_of(endpoint(Channel.SMS, provider="twilio"), None, None)
        assert always.kind is WindowKind.ALWAYS
        assert always.state(NOON + 900 * DAY) is WindowState.OPEN
        assert always.remaining(NOON) is None

    def test_where_people_have_no_longer_one_there_is_one_window(self) -> None:
        (free,) = windows_of(endpoint(), NOON, WindowLengths(free=DAY))
        assert free.kind is WindowKind.FREE

    @pytest.mark.parametrize("wrong", [{"free": "PT0S"}, {"free": "P1D", "human_agent": "P1D"}])
    def test_lengths_that_make_no_sense(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            WindowLengths.model_validate(wrong)

    def test_the_longest(self) -> None:
        assert (LENGTHS.longest, WindowLengths(free=DAY).longest) == (7 * DAY, DAY)


class TestToWhom:
    @given(spoken=st.none() | st.integers(0, 60 * 24 * 9), by_person=st.booleans())
    def test_what_leaves_leaves_by_an_open_window_and_only_people_by_the_longer_one(
        self, spoken: int | None, by_person: bool
    ) -> None:
        spoken_at = NOON - timedelta(minutes=spoken) if spoken is not None else None
        found = open_window(windows(spoken_at), NOON, by_person=by_person)
        if found is None:
            most = 7 * DAY if by_person else DAY
            assert spoken_at is None or NOON - spoken_at > most
        else:
            assert found.state(NOON) is WindowState.OPEN
            assert by_person or found.kind is WindowKind.FREE


class TestWhoOpensIt:
    def test_cw_9516_the_customers_latest_words_on_that_way(self) -> None:
        words = [whatsapp_message(at=NOON), whatsapp_message("Alors ?", at=NOON + SECOND)]
        assert opened_at(endpoint(), words) == NOON + SECOND

    def test_words_on_another_way_do_not(self) -> None:
        assert opened_at(endpoint(), [sms()]) is None

    @pytest.mark.parametrize(
        ("direction", "content"),
        [
            (Direction.OUTBOUND, Message(text="Bonjour")),
            (Direction.PASSIVE, Reaction(message_id="wamid.1", emoji="👍")),
            (Direction.PASSIVE, MessageEdit(message_id="wamid.1", text="Bonsoir")),
            (Direction.PASSIVE, DeliveryStatus(status="read", message_id="wamid.1")),
            (Direction.PASSIVE, PageView(url="https://shop.example/")),
        ],
    )
    def test_neither_we_nor_a_sign_a_click_or_a_receipt(
        self, direction: Direction, content: Content
    ) -> None:
        seen = touchpoint(content, direction=direction)
        assert opened_at(endpoint(), [seen]) is None
