"""A call is the same, in whatever order and however often its parts were told."""

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.call import goes_round, grown, is_known
from shared.domain.identity import Proof
from shared.domain.touchpoint import (
    Attachment,
    Call,
    CallState,
    Direction,
    Heard,
    Touchpoint,
)
from tests.builders import NOON, PHONE, SMS_LINE, call_part, identifier

TRANSCRIPT = Heard(source="transcript", key="TR1", text="My parcel 4512 never came.")


def part(name: str, *, who: bool = True, **told: Any) -> Touchpoint:
    """`who` says that it names both ends."""
    return call_part(name, phone=PHONE if who else None, **told)


def call_of(touchpoint: Touchpoint) -> Call:
    assert isinstance(touchpoint.content, Call)
    return touchpoint.content


def all_of(parts: Sequence[Touchpoint]) -> Touchpoint:
    return reduce(grown, parts)


RINGING = part("incoming", state=CallState.RINGING)
ANSWERED = part("status", at=5, state=CallState.IN_PROGRESS, answered_at=NOON)
MACHINE = part("machine", state=CallState.RINGING, reached_person=False)
TAKEN = part("dial", at=40, reached_person=True)
ENDED = part("ended", at=60, state=CallState.COMPLETED, ended_at=NOON, duration=55)
GIVEN_UP = part("no answer", at=30, state=CallState.NO_ANSWER)
RECORDED = part("recording", at=61, who=False, attachments=(Attachment(provider_reference="RE1"),))
WRITTEN = part("transcription", at=90, who=False, heard=(TRANSCRIPT,))

names = st.sampled_from("abcdef")
moments = st.integers(0, 300).map(lambda n: NOON + timedelta(seconds=n))
heard = st.builds(
    Heard,
    source=st.sampled_from(["speech", "live", "transcript"]),
    key=names,
    text=st.sampled_from(["", "yes", "my parcel", "my parcel never came"]),
)
recordings = st.builds(
    Attachment, provider_reference=names, size=st.none() | st.integers(1, 3), form=st.just("voice")
)
parts = st.builds(
    part,
    names,
    at=st.integers(0, 300),
    who=st.booleans(),
    state=st.sampled_from(list(CallState)),
    answered_at=st.none() | moments,
    ended_at=st.none() | moments,
    duration=st.none() | st.integers(0, 300),
    reached_person=st.none() | st.booleans(),
    digits=st.sets(names, max_size=2).map(lambda some: tuple(sorted(some))),
    attachments=recordings.map(lambda one: (one,)) | st.just(()),
    heard=heard.map(lambda one: (one,)) | st.just(()),
    is_heard_out=st.booleans(),
)


@given(told=st.lists(parts, min_size=1, max_size=6), data=st.data())
def test_any_order_and_any_repetition_make_the_same_call(
    told: list[Touchpoint], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(told), max_size=6))
    shuffled = data.draw(st.permutations([*told, *again]))
    assert all_of(shuffled) == all_of(told)


@given(one=parts, other=parts, third=parts)
def test_parts_may_be_put_together_in_any_groups(
    one: Touchpoint, other: Touchpoint, third: Touchpoint
) -> None:
    assert grown(grown(one, other), third) == grown(one, grown(other, third))


def test_a_call_that_a_person_took_is_over_when_it_ends() -> None:
    whole = all_of([RINGING, ANSWERED, TAKEN, ENDED])
    assert call_of(whole).state is CallState.COMPLETED
    assert call_of(whole).duration == 55
    assert call_of(whole).answered_at == NOON
    assert not call_of(whole).is_missed
    assert not whole.needs_understanding
    assert not grown(whole, WRITTEN).needs_understanding
    assert grown(whole, WRITTEN).text == TRANSCRIPT.text


@pytest.mark.parametrize(
    "told",
    [
        [RINGING, GIVEN_UP],
        [part("busy", state=CallState.BUSY)],
        [part("canceled", state=CallState.CANCELED)],
        [part("failed", state=CallState.FAILED)],
        [MACHINE, ENDED],
    ],
)
def test_a_call_that_nobody_took_waits_for_somebody(told: list[Touchpoint]) -> None:
    assert call_of(all_of(told)).is_missed
    assert all_of(told).needs_understanding


@pytest.mark.parametrize("told", [[RINGING], [RINGING, ANSWERED], [MACHINE], [RINGING, ENDED]])
def test_a_call_waits_for_nobody_while_it_lasts_or_where_nobody_tells(
    told: list[Touchpoint],
) -> None:
    assert not call_of(all_of(told)).is_missed
    assert not all_of(told).needs_understanding


def test_words_count_when_they_are_all_there() -> None:
    live = [
        part(f"live {n}", heard=(Heard(source="live", key=f"GT1:{n:06}", text=text),))
        for n, text in enumerate(["My parcel", "4512", "never came."])
    ]
    talking = all_of([RINGING, *reversed(live)])
    assert talking.text == "My parcel 4512 never came."
    assert not talking.needs_understanding
    assert grown(talking, part("stopped", is_heard_out=True)).needs_understanding
    assert grown(talking, ENDED).needs_understanding


def test_a_transcript_stands_for_the_sentences_and_beside_what_was_asked() -> None:
    asked = part("gather", heard=(Heard(source="speech", key="1", text="Orders"),))
    live = part("live", heard=(Heard(source="live", key="1", text="my parsel"),))
    assert all_of([asked, live, RECORDED, WRITTEN]).text == f"Orders\n{TRANSCRIPT.text}"
    assert all_of([asked, live]).needs_understanding


def test_a_sentence_that_was_told_again_is_the_longer_one() -> None:
    short, long = (
        part(name, heard=(Heard(source="live", key="1", text=text),))
        for name, text in (("a", "my"), ("b", "my parcel"))
    )
    assert grown(long, short).text == grown(short, long).text == "my parcel"


def test_what_one_part_knows_of_the_caller_the_call_knows() -> None:
    vouched = RINGING.model_copy(update={"proof": Proof.ATTESTED, "name": "AWA DIOP"})
    whole = all_of([RECORDED, WRITTEN, vouched, ENDED])
    assert (whole.account, whole.identifiers) == (SMS_LINE, (identifier(),))
    assert whole.endpoint == RINGING.endpoint
    assert (whole.proof, whole.name) == (Proof.ATTESTED, "AWA DIOP")
    assert whole.direction is Direction.INBOUND
    assert whole.occurred_at == NOON
    assert whole.touchpoint_id == WRITTEN.touchpoint_id == RINGING.touchpoint_id


def test_the_same_part_again_is_known() -> None:
    whole = all_of([RINGING, ENDED])
    assert is_known(whole, ENDED)
    assert not is_known(whole, WRITTEN)


@pytest.mark.parametrize(
    ("before", "told", "is_round"),
    [
        ([RINGING], ANSWERED, False),
        ([RINGING], TAKEN, False),
        ([RINGING, TAKEN], ENDED, False),
        ([RINGING], GIVEN_UP, True),
        ([MACHINE], ENDED, True),
        ([MACHINE, ENDED], RECORDED, False),
        ([MACHINE, ENDED, RECORDED], WRITTEN, True),
        ([RECORDED], RINGING, True),  # now it names somebody
        ([RINGING, GIVEN_UP], part("again", state=CallState.NO_ANSWER), False),
    ],
)
def test_only_what_somebody_should_think_about_sends_it_round_again(
    before: list[Touchpoint], told: Touchpoint, is_round: bool
) -> None:
    known = all_of(before)
    assert goes_round(known, grown(known, told)) is is_round
