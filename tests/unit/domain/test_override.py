"""What people say wins, the latest of each aspect, until it is released."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.ai_use import AiUseName, Unavailable
from shared.domain.classification import Classification, Evidence, FellBack, Sentiment, Urgency
from shared.domain.model import TouchpointId
from shared.domain.override import (
    ASPECTS,
    Meant,
    Override,
    OverrideId,
    Released,
    next_override,
    overridden,
    released,
    standing,
)
from tests.builders import NOON, classification

ID = TouchpointId("touchpoint-1")
MACHINE = classification(
    urgency=Urgency.HIGH,
    urgency_reasons=("deadline",),
    fell_back_because="Bedrock did not answer",
    fell_back=FellBack(ai_use=AiUseName.BEDROCK_CLASSIFICATION, why=Unavailable.NO_ANSWER),
    evidence=(
        Evidence(aspect="intent", words=("commande",), weight=0.4),
        Evidence(aspect="urgency", words=("demain",), reason="deadline"),
        Evidence(aspect="urgency", words=("vite",), reason="asks_for_haste"),
        Evidence(aspect="sentiment", words=("bof",), weight=0.1),
    ),
)


def made(number: int = 1, *, gone: bool = False, **fields: Any) -> Override:
    at = NOON + timedelta(minutes=number)
    said = {"intent": "refund"} if not set(fields) & set(ASPECTS) else {}
    return Override.model_validate(
        {
            "override_id": f"override-{number}",
            "by": "agent:7",
            "at": at,
            "reason": f"reason {number}",
            "released": Released(by="agent:8", at=at + timedelta(hours=1)) if gone else None,
            **said,
            **fields,
        }
    )


classifications = st.builds(
    classification,
    intent=st.sampled_from(["refund", "order_status"]),
    sentiment=st.sampled_from(Sentiment),
    sentiment_score=st.floats(-1, 1),
    urgency=st.sampled_from(Urgency),
    urgency_reasons=st.sampled_from([(), ("deadline",)]),
    evidence=st.lists(
        st.builds(
            Evidence,
            aspect=st.sampled_from([*ASPECTS, "weak_signal"]),
            words=st.just(("word",)),
        ),
        max_size=5,
    ).map(tuple),
    decided_by=st.sampled_from(["rules", "embedded", "bedrock"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Override]:
    """Up to five overrides, each at a moment of its own."""
    found = []
    for number in range(draw(st.integers(0, 5))):
        fields = {
            "intent": draw(st.none() | st.sampled_from(["refund", "billing_or_payment"])),
            "sentiment": draw(st.none() | st.sampled_from(Sentiment)),
            "urgency": draw(st.none() | st.sampled_from(Urgency)),
            "language": draw(st.none() | st.sampled_from(["fr", "it"])),
        }
        if any(fields.values()):
            found.append(made(number, gone=draw(st.booleans()), **fields))
    return found


@given(classifications, histories())
def test_applied_twice_is_applied_once(meant: Classification, history: list[Override]) -> None:
    once = overridden(meant, history)
    assert overridden(once, history) == once


@given(classifications, histories(), st.randoms(use_true_random=False))
def test_time_decides_and_not_the_order_they_are_read_in(
    meant: Classification, history: list[Override], chance: Any
) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)
    assert overridden(meant, shuffled) == overridden(meant, history)


@given(classifications, histories())
def test_released_the_machine_s_answer_is_back_to_the_letter(
    meant: Classification, history: list[Override]
) -> None:
    later = NOON + timedelta(days=1)
    for one in history:
        history = list(released(history, one.override_id, by="agent:8", at=later))
    assert overridden(meant, history) == meant


@given(classifications, histories())
def test_of_an_overridden_aspect_no_word_of_the_machine_is_left(
    meant: Classification, history: list[Override]
) -> None:
    wins = standing(history)
    found = overridden(meant, history)
    for aspect, one in wins.items():
        assert getattr(found, aspect) == getattr(one, aspect)
        (evidence,) = (each for each in found.evidence if each.aspect == aspect)
        assert (evidence.words, evidence.weight, evidence.reason) == ((), None, one.reason)
    untouched = [one for one in meant.evidence if one.aspect not in wins]
    assert [one for one in found.evidence if one.aspect not in wins] == untouched
    assert found.decided_by == ("person" if wins else meant.decided_by)


def test_each_aspect_is_sure_and_says_who_and_why() -> None:
    said = made(
        intent="refund", sentiment=Sentiment.NEGATIVE, urgency=Urgency.CRITICAL, language="it"
    )
    found = overridden(MACHINE, [said])
    assert (found.intent, found.intent_confidence) == ("refund", 1.0)
    assert (found.runner_up, found.runner_up_confidence) == (None, None)
    assert (found.fell_back_because, found.fell_back) == (None, None)
    assert (found.sentiment, found.sentiment_score) == (Sentiment.NEGATIVE, -1.0)
    assert (found.language, found.language_confidence) == ("it", 1.0)
    assert (found.urgency, found.urgency_reasons) == (Urgency.CRITICAL, ())
    assert (found.decided_by, found.version) == ("person", "agent:7")


def test_of_each_aspect_the_latest_counts() -> None:
    first = made(1, intent="refund", urgency=Urgency.LOW)
    second = made(2, intent="billing_or_payment", by="agent:9")
    found = overridden(MACHINE, [first, second])
    assert (found.intent, found.urgency) == ("billing_or_payment", Urgency.LOW)
    assert found.version == "agent:9"
    back = overridden(MACHINE, released([first, second], second.override_id, by="x", at=NOON))
    assert (back.intent, back.version) == ("refund", "agent:7")


def test_an_intent_that_left_the_list_is_no_answer_for_people_either() -> None:
    said = made(intent="refund", urgency=Urgency.LOW)
    found = overridden(MACHINE, [said], ["order_status"])
    assert (found.intent, found.urgency) == (MACHINE.intent, Urgency.LOW)
    assert overridden(MACHINE, [made(intent="refund")], ["order_status"]) == MACHINE


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"intent": ""},
        {"language": "French"},
        {"urgency": "very"},
        {"intent": "x", "reason": ""},
    ],
)
def test_what_says_nothing_is_no_override(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Meant.model_validate({"reason": "because", **fields})


def make(before: Sequence[Override], *, by: str = "agent:7", **said: Any) -> Override:
    meant = Meant.model_validate({"intent": "refund", "reason": "because", **said})
    return next_override(ID, meant, before, by=by, now=NOON)


def test_the_same_again_is_the_one_that_stands() -> None:
    first = make([])
    assert first.at == NOON
    assert make([first]) == first
    assert make([]) == first, "its id derives from what it says, so two requests at once agree"


@pytest.mark.parametrize("other", [{"by": "agent:8"}, {"reason": "b"}, {"intent": "other"}])
def test_another_one_comes_after_it_whatever_the_clocks_say(other: dict[str, Any]) -> None:
    first = make([])
    second = make([first], **other)
    assert second.override_id != first.override_id
    assert second.at > first.at


def test_the_same_again_is_a_new_one_once_it_stands_no_more() -> None:
    first = make([])
    gone = released([first], first.override_id, by="agent:8", at=NOON + timedelta(hours=1))
    again = make(gone)
    assert again.override_id != first.override_id
    assert again.at > NOON + timedelta(hours=1)
    contradicted = [first, make([first], intent="other")]
    assert make(contradicted) not in contradicted


def test_a_release_is_kept_as_it_was_first_said() -> None:
    first = make([])
    once = released([first], first.override_id, by="agent:8", at=NOON)
    later = released(once, first.override_id, by="agent:9", at=NOON + timedelta(hours=1))
    assert later == once
    assert once[0].changed_at == NOON
    assert released(once, OverrideId("another"), by="agent:8", at=NOON) == once
