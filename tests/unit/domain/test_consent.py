from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.consent import Consent, ConsentState, consent_stated, standing, stopped_by_word
from shared.domain.model import isoformat
from shared.domain.touchpoint import Channel, ConsentStatement, Direction
from tests.builders import NOON, touchpoint

LATER = NOON + timedelta(days=30)


def consent(state: ConsentState = ConsentState.GRANTED, **fields: object) -> Consent:
    usual = {"purpose": "marketing", "state": state, "source": "agent:1", "at": NOON}
    return Consent.model_validate(usual | fields)


# Few moments, so that many statements meet at the same one, or within its second.
moments = st.builds(
    lambda hours, milliseconds: NOON + timedelta(hours=hours, milliseconds=milliseconds),
    st.integers(0, 4),
    st.sampled_from([0, 870]),
)
consents = st.builds(
    Consent,
    purpose=st.sampled_from(["marketing", "surveys"]),
    channel=st.sampled_from([None, Channel.SMS, Channel.EMAIL]),
    state=st.sampled_from([ConsentState.GRANTED, ConsentState.WITHDRAWN]),
    source=st.sampled_from(["agent:1", "word:opt_out_keyword"]),
    proof=st.none(),
    at=moments,
    expires_at=st.sampled_from([None, NOON + timedelta(hours=3), LATER + timedelta(days=1)]),
)
asked = st.tuples(
    st.sampled_from(["marketing", "surveys"]), st.sampled_from([None, Channel.SMS, Channel.EMAIL])
)


restorations = st.builds(
    Consent,
    purpose=st.just("marketing"),
    channel=st.sampled_from([Channel.SMS, Channel.EMAIL]),
    state=st.just(ConsentState.RESTORED),
    source=st.just("word:opt_in_keyword"),
    proof=st.none(),
    at=moments,
    expires_at=st.none(),
)


def second(one: Consent) -> datetime:
    return one.at.replace(microsecond=0)


@given(st.lists(consents | restorations, max_size=8), asked, st.randoms())
def test_what_stands_does_not_depend_on_the_order_of_arrival(
    said: list[Consent], question: tuple[str, Channel | None], random: Random
) -> None:
    shuffled = random.sample(said, len(said))
    assert standing(said, *question, LATER) == standing(shuffled, *question, LATER)


@given(st.lists(consents, max_size=8), asked)
def test_what_stands_is_the_latest_that_applies_and_a_withdrawal_within_its_second_wins(
    said: list[Consent], question: tuple[str, Channel | None]
) -> None:
    purpose, channel = question
    found = standing(said, purpose, channel, LATER)
    applying = [one for one in said if one.purpose == purpose and one.channel in {None, channel}]
    newest = max((second(one) for one in applying), default=None)
    if found is None:
        last = [one for one in applying if second(one) == newest]
        assert not last or any(one.expires_at and one.expires_at <= LATER for one in last)
        return
    assert found in applying
    assert second(found) == newest
    if found.state is ConsentState.GRANTED:
        meeting = [one for one in applying if second(one) == newest]
        assert all(one.state is ConsentState.GRANTED for one in meeting)


@given(st.lists(consents, max_size=8), asked, consents)
def test_a_statement_older_than_what_stands_changes_nothing(
    said: list[Consent], question: tuple[str, Channel | None], late: Consent
) -> None:
    before = standing(said, *question, LATER)
    if before is not None and second(late) < second(before):
        assert standing([*said, late], *question, LATER) == before


def test_a_stop_told_in_whole_seconds_wins_over_what_was_granted_within_its_second() -> None:
    stopped = consent(ConsentState.WITHDRAWN, **STOP)
    granted = consent(at=NOON + timedelta(milliseconds=870))
    a_second_later = consent(at=NOON + timedelta(seconds=1))
    assert standing([stopped, granted], "marketing", Channel.SMS, LATER) == stopped
    assert standing([stopped, a_second_later], "marketing", Channel.SMS, LATER) == a_second_later


def test_nothing_said_is_nothing() -> None:
    assert standing([], "marketing", Channel.SMS, NOON) is None


def test_a_statement_about_every_channel_holds_on_each() -> None:
    everywhere = consent()
    assert standing([everywhere], "marketing", Channel.SMS, NOON) == everywhere
    assert standing([everywhere], "surveys", Channel.SMS, NOON) is None


def test_a_later_word_on_every_channel_silences_the_channel_that_was_allowed() -> None:
    allowed = consent(channel=Channel.SMS)
    silenced = consent(ConsentState.WITHDRAWN, at=NOON + timedelta(hours=1))
    opened = consent(channel=Channel.SMS, at=NOON + timedelta(hours=2))
    assert standing([allowed, silenced], "marketing", Channel.SMS, LATER) == silenced
    assert standing([allowed, silenced, opened], "marketing", Channel.SMS, LATER) == opened
    assert standing([allowed, silenced, opened], "marketing", Channel.EMAIL, LATER) == silenced


def test_of_all_channels_together_only_what_was_said_of_all_counts() -> None:
    assert standing([consent(channel=Channel.SMS)], "marketing", None, NOON) is None


def test_what_has_expired_says_nothing_and_brings_nothing_back() -> None:
    forever = consent()
    for_a_day = consent(at=NOON + timedelta(hours=1), expires_at=NOON + timedelta(days=1))
    assert standing([forever, for_a_day], "marketing", None, NOON + timedelta(hours=2)) == for_a_day
    assert standing([forever, for_a_day], "marketing", None, NOON + timedelta(days=1)) is None


def hours(number: int) -> dict[str, object]:
    return {"at": NOON + timedelta(hours=number)}


STOP: dict[str, object] = {"channel": Channel.SMS, "source": "word:opt_out_keyword"}


def start(number: int) -> Consent:
    restored = {"channel": Channel.SMS, "source": "word:opt_in_keyword"}
    return consent(ConsentState.RESTORED, **restored, **hours(number))


def test_what_a_word_stopped_only_a_word_lifts() -> None:
    stopped = consent(ConsentState.WITHDRAWN, **STOP, **hours(1))
    granted = consent(
        ConsentState.GRANTED, channel=Channel.SMS, source="preference_page", **hours(2)
    )
    said = [consent(), granted, stopped]
    assert stopped_by_word(said, "marketing", Channel.SMS)
    assert not stopped_by_word(said, "marketing", Channel.WHATSAPP)
    assert not stopped_by_word(said, "surveys", Channel.SMS)
    assert not stopped_by_word([start(3), *said], "marketing", Channel.SMS)
    assert not stopped_by_word([granted], "marketing", Channel.SMS)
    by_page = consent(ConsentState.WITHDRAWN, channel=Channel.SMS, source="preference_page")
    assert not stopped_by_word([by_page], "marketing", Channel.SMS)


def test_the_word_that_opts_in_gives_back_what_a_word_took() -> None:
    given_ = consent()
    stopped = consent(ConsentState.WITHDRAWN, **STOP, **hours(1))
    assert standing([given_, stopped], "marketing", Channel.SMS, LATER) == stopped
    assert standing([given_, stopped, start(2)], "marketing", Channel.SMS, LATER) == given_
    again = consent(ConsentState.WITHDRAWN, **STOP, **hours(3))
    assert standing([given_, stopped, start(2), again], "marketing", Channel.SMS, LATER) == again


@pytest.mark.parametrize(
    "known",
    [
        [],
        [consent(ConsentState.WITHDRAWN, **STOP, **hours(1))],
        [consent(), consent(ConsentState.WITHDRAWN, **hours(1))],
        [
            consent(),
            consent(ConsentState.WITHDRAWN, **STOP, **hours(1)),
            consent(ConsentState.WITHDRAWN, source="preference_page", **hours(2)),
        ],
        [consent(expires_at=NOON + timedelta(hours=1))],
    ],
    ids=["nothing said", "never given", "withdrawn before", "withdrawn otherwise", "expired"],
)
def test_it_gives_nothing_that_no_word_took(known: list[Consent]) -> None:
    found = standing([*known, start(5)], "marketing", Channel.SMS, LATER)
    assert found is None or found.state is ConsentState.WITHDRAWN


@given(consents, consents)
def test_the_same_statement_has_the_same_key_and_keys_sort_by_time(
    one: Consent, other: Consent
) -> None:
    assert (one.key == other.key) == (one == other)
    if one.at < other.at:
        assert one.key < other.key


def test_a_touchpoint_states_a_consent() -> None:
    said = touchpoint(
        ConsentStatement(
            purpose="marketing", channel=Channel.EMAIL, state="granted", wording="terms of May"
        ),
        direction=Direction.PASSIVE,
    )
    stated = consent_stated(said)
    assert stated is not None
    assert stated.model_dump() == {
        "purpose": "marketing",
        "channel": Channel.EMAIL,
        "state": ConsentState.GRANTED,
        "source": f"touchpoint:{said.touchpoint_id}",
        "proof": "terms of May",
        "at": NOON,
        "expires_at": None,
    }
    assert stated.key.startswith(isoformat(NOON))


def test_a_message_states_none() -> None:
    assert consent_stated(touchpoint()) is None


@pytest.mark.parametrize("purpose", ["", "Marketing", "a b", "x" * 51])
def test_a_purpose_is_a_name(purpose: str) -> None:
    with pytest.raises(ValueError, match="purpose"):
        consent(purpose=purpose)
