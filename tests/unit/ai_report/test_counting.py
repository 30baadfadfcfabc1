"""What of an entry is counted, and what must never be."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.bedrock_classifier import BedrockClassifier, ModelUnavailable
from shared.domain.ai_use import AiUseName, Refusal, Unavailable
from shared.domain.classification import FellBack, Sentiment, Urgency
from shared.domain.override import Override, Released
from shared.domain.touchpoint import Automation, Channel, Direction, Message
from shared.operations.ai_report.counting import UNLISTED
from shared.operations.ai_report.tally import Correction, Counts, Slice
from shared.operations.ai_report.uses import BECAUSE
from shared.ports.ledger import LedgerEntry
from tests.builders import NOON
from tests.unit.ai_report.records import LISTS, POLICIES, counted, entry, override

UNREAD = FellBack(ai_use=AiUseName.BEDROCK_CLASSIFICATION, why=Unavailable.BUDGET_UNREAD)


def test_the_machine_and_the_person_are_kept_apart() -> None:
    one = entry(
        override(intent="refund", sentiment=Sentiment.NEGATIVE),
        intent="order_status",
        sentiment=Sentiment.NEUTRAL,
    )
    counts = counted(one)
    assert counts.tallies.keys() == {Slice("embedded", "fr", "whatsapp")}
    assert counts.values["intent", "order_status"] == 1
    assert counts.corrections == {
        Correction("intent", "order_status", "refund"): 1,
        Correction("sentiment", "neutral", "negative"): 1,
    }
    assert counts.changed == {("embedded", "intent"): 1, ("embedded", "sentiment"): 1}
    assert (counts.person, counts.confirmed, counts.of(["embedded"]).changed) == (1, 0, 1)


def test_who_says_what_the_machine_said_confirms_it() -> None:
    counts = counted(entry(override(intent="order_status"), intent="order_status"))
    assert (counts.person, counts.confirmed, counts.of(["embedded"]).changed) == (1, 1, 0)
    assert not counts.corrections


def test_a_released_override_counts_no_more() -> None:
    released = override(intent="refund", released=Released(by="agent:7", at=NOON))
    counts = counted(entry(released))
    assert (counts.person, counts.of(["embedded"]).changed) == (0, 0)


def test_an_override_counts_before_its_round_has_ended() -> None:
    waiting = entry().model_copy(update={"overrides": (override(intent="refund"),)})
    assert counted(waiting).of(["embedded"]).changed == 1


@pytest.mark.parametrize(
    ("seen", "waiting"),
    [
        ({}, 1),
        ({"direction": Direction.OUTBOUND}, 0),
        ({"automation": Automation.AUTO_REPLY}, 0),
    ],
)
def test_what_nothing_understood_waits_where_somebody_spoke(
    seen: dict[str, Any], waiting: int
) -> None:
    one = entry(seen=seen).model_copy(update={"outcome": None})
    counts = counted(one)
    assert (counts.looked_at, counts.understood, counts.waiting) == (1, 0, waiting)


def test_confidence_falls_into_tenths_and_one_into_the_last() -> None:
    given_ = (0.0, 0.0999, 0.1, 0.95, 1.0)
    counts = counted(*(entry(intent_confidence=one) for one in given_))
    assert counts.of(["embedded"]).deciles == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]


def test_without_a_threshold_nothing_is_below_it() -> None:
    thresholds = (0.5, None)
    counts = counted(*(entry(intent_confidence=0.2, threshold=one) for one in thresholds))
    assert counts.of(["embedded"]).below == 1


def test_the_fallback_is_the_one_the_policy_names() -> None:
    fallback = POLICIES.understanding.fallback_intent
    assert counted(entry(intent=fallback), entry()).of(["embedded"]).fallback == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intent", "awa_diop"),
        ("language", "awa@example.com"),
        ("version", "+33 6 12 34 56 78"),
        ("version", "embedded-awa@example.com"),
    ],
)
def test_what_is_on_no_list_is_counted_as_unlisted(field: str, value: str) -> None:
    meant: dict[str, Any] = {field: value}
    counts = counted(entry(**meant))
    names = {name for pair in (*counts.values, *counts.versions) for name in pair}
    assert UNLISTED in names
    assert value not in names


class Writer(StrEnum):
    MACHINE = "machine"


class Written(Message):
    """A message that says who wrote it."""

    written_by: Any = Writer.MACHINE


@pytest.mark.parametrize(
    ("content", "direction", "written"),
    [
        (Written(), Direction.OUTBOUND, {"machine": 1}),
        (Written(), Direction.INBOUND, {}),
        (Written(written_by=None), Direction.OUTBOUND, {}),
        (Written(written_by="Awa Diop"), Direction.OUTBOUND, {}),
        (Message(), Direction.OUTBOUND, {}),
    ],
)
def test_messages_that_left_are_counted_by_who_wrote_them(
    content: Message, direction: Direction, written: dict[str, int]
) -> None:
    one = entry(seen={"direction": direction}).model_copy(update={"outcome": None})
    left = one.touchpoint.model_copy(update={"content": content})
    assert counted(one.model_copy(update={"touchpoint": left})).written == written


# Why another answered instead: the recorded words are those of the adapters.


class Client:
    """A bedrock-runtime client that does one thing."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def converse(self, **_: Any) -> Any:
        return self._act()


def throttled() -> Any:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "Converse")


def silent() -> Any:
    raise ReadTimeoutError(endpoint_url="https://bedrock.example")


def talking() -> Any:
    return {"output": {"message": {"content": [{"text": "I am Awa"}]}}}


@pytest.mark.parametrize(
    ("act", "counted_as"),
    [
        (throttled, Unavailable.SERVICE_REFUSED),
        (silent, Unavailable.NO_ANSWER),
        (talking, Unavailable.ANSWER_REFUSED),
    ],
)
def test_what_bedrock_failed_with_is_counted_by_kind(
    act: Callable[[], Any], counted_as: Unavailable
) -> None:
    model = BedrockClassifier(
        lambda: Client(act), "a.model", POLICIES.understanding, POLICIES.intents
    )
    with pytest.raises(ModelUnavailable) as failed:
        model.ask(model.question("Where is it?"))
    assert failed.value.why is counted_as


def test_every_refusal_is_counted_as_what_it_is() -> None:
    assert {one.name for one in Refusal} <= {one.name for one in Unavailable}
    assert set(BECAUSE) == set(Unavailable)


@pytest.mark.parametrize("decider", ["rules", "embedded"])
def test_what_could_not_be_had_is_counted_under_the_use_that_was_wanted(decider: str) -> None:
    """Also where a mark decided instead of what Bedrock could not say; words are not read."""
    one = entry(decided_by=decider, fell_back=UNREAD, fell_back_because="Awa Diop, +33612345678")
    assert counted(one).fell_back == {(UNREAD.ai_use, UNREAD.why): 1}
    assert not counted(entry(fell_back_because="the budget could not be asked")).fell_back


# Laws

OVERRIDES: st.SearchStrategy[tuple[Override, ...]] = st.sampled_from(
    [
        (),
        (override(intent="refund"),),
        (override(urgency=Urgency.HIGH, language="wo"),),
        (override(intent="complaint", sentiment=Sentiment.NEGATIVE),),
    ]
)


@st.composite
def entries(draw: st.DrawFn) -> LedgerEntry:
    one = entry(
        *draw(OVERRIDES),
        channel=draw(st.sampled_from([Channel.SMS, Channel.EMAIL])),
        language=draw(st.sampled_from(["fr", "en", "Awa Diop"])),
        intent=draw(st.sampled_from([*sorted(LISTS.intents)[:3], "gone"])),
        intent_confidence=draw(st.floats(0, 1)),
        sentiment=draw(st.sampled_from(Sentiment)),
        decided_by=draw(st.sampled_from(["rules", "embedded", "bedrock"])),
        fell_back=draw(st.sampled_from([None, UNREAD])),
    )
    is_understood = draw(st.booleans())
    return one if is_understood else one.model_copy(update={"outcome": None})


@settings(max_examples=60, deadline=None)
@given(st.lists(entries(), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_ledger_says_nothing(ledger: list[LedgerEntry], random: Any) -> None:
    shuffled = list(ledger)
    random.shuffle(shuffled)
    assert counted(*shuffled) == counted(*ledger)


@settings(max_examples=60, deadline=None)
@given(st.lists(entries(), max_size=12), st.integers(0, 12))
def test_two_halves_counted_apart_make_the_whole(ledger: list[LedgerEntry], at: int) -> None:
    whole = counted(*ledger)
    assert counted(*ledger[:at]) + counted(*ledger[at:]) == whole
    assert whole + Counts() == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(entries(), max_size=12))
def test_nothing_is_counted_twice_or_lost(ledger: list[LedgerEntry]) -> None:
    counts = counted(*ledger)
    everything = counts.of(["rules", "embedded", "bedrock"])
    assert counts.looked_at == len(ledger) == counts.understood + counts.waiting
    assert everything.n == counts.understood == sum(everything.deciles)
    assert sum(counts.values.values()) == 4 * counts.understood
    assert everything.changed + counts.confirmed == counts.person
    assert sum(counts.corrections.values()) == sum(counts.changed.values())
