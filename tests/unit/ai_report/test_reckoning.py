"""Intervals, distances and verdicts: what a number may be called, and from how many."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.ai_use import (
    MEASURES,
    AiUseName,
    AiUseState,
    Kpi,
    Measure,
    Switch,
    Unavailable,
)
from shared.domain.classification import FellBack, Sentiment
from shared.domain.disclosure import disclosed
from shared.domain.touchpoint import Channel, Direction, Message, Writer
from shared.operations.ai_report.drift import drifts, versions
from shared.operations.ai_report.slices import slices
from shared.operations.ai_report.statistics import (
    FEWEST,
    Share,
    distance,
    mean_confidence,
    share,
)
from shared.operations.ai_report.uses import judged, use_reports
from shared.ports.ledger import LedgerEntry
from tests.builders import NOON
from tests.unit.ai_report.records import LISTS, POLICIES, counted, entry, many, override

EMBEDDED = AiUseName.EMBEDDED_CLASSIFICATION
BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
REGISTER = POLICIES.ai_register


# Shares and means


def test_wilsons_interval_by_a_worked_example() -> None:
    """10 of 100, by hand: the middle is 0.1148, and 0.0596 lie on either side."""
    found = share(10, 100)
    assert found.low == pytest.approx(0.1148 - 0.0596, abs=1e-4)
    assert found.high == pytest.approx(0.1148 + 0.0596, abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_lies_in_its_interval(count: int, more: int) -> None:
    found = share(count, count + more)
    assert found.low is not None and found.value is not None and found.high is not None
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


def test_nothing_has_no_share_and_no_mean() -> None:
    assert share(0, 0) == Share(count=0, of=0)
    assert mean_confidence(counted().of(["embedded"])).value is None


def test_a_mean_of_equal_confidences_is_sure() -> None:
    found = mean_confidence(counted(*many(40, intent_confidence=0.7)).of(["embedded"]))
    assert (found.low, found.value, found.high) == (0.7, 0.7, 0.7)
    assert mean_confidence(counted(entry()).of(["embedded"])).low is None


# Distances


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 60), min_size=1), st.integers(1, 4))
def test_the_same_shares_are_no_distance_apart(counts: dict[str, int], times: int) -> None:
    more = {name: n * times for name, n in counts.items()}
    assert distance(counts, more).value == pytest.approx(0, abs=1e-7)


def test_a_distance_is_the_same_every_time_and_from_both_sides() -> None:
    one, two = {"a": 40, "b": 60}, {"b": 90, "a": 10, "c": 0}
    found = distance(one, two)
    assert found == distance(dict(reversed(one.items())), two)
    assert found.value == pytest.approx(distance(two, one).value)
    assert 0 < found.chance < found.value < 1


def test_nothing_in_common_is_one() -> None:
    assert distance({"a": 50}, {"b": 50}).value == pytest.approx(1)


# Drift


def drift(about: str, now: list[Any], before: list[Any]) -> Any:
    found = {one.about: one for one in drifts(counted(*now), counted(*before))}
    return found[about]


def mixed(orders: int, deliveries: int, **given_: Any) -> list[Any]:
    return [
        *many(orders, intent="order_status", **given_),
        *many(deliveries, intent="delivery_problem", **given_),
    ]


def test_more_of_one_intent_is_said_in_words() -> None:
    found = drift("intent", mixed(60, 40), mixed(90, 10))
    assert found.outcome == "shifted"
    assert "more delivery_problem (40%, was 10%)" in found.words
    assert "less order_status (60%, was 90%)" in found.words


def test_one_intent_among_many_that_moves_alone_is_found_and_named() -> None:
    names = sorted(POLICIES.intents)
    steady = [entry(intent=name) for name in names for _ in range(40)]
    found = drift("intent", [*steady, *many(50, intent=names[3])], steady)
    # The distance of the whole alone would have passed for chance.
    assert found.distance.value < found.distance.chance
    assert found.distance.moved == (names[3],)
    assert found.words == f"shifted: more {names[3]} (12%, was 6%)"


def test_a_small_difference_in_small_numbers_is_like_before() -> None:
    found = drift("intent", mixed(27, 9), mixed(30, 5))
    assert (found.outcome, found.words) == ("alike", "like the period before")


def test_a_tiny_difference_in_large_numbers_is_like_before() -> None:
    found = drift("intent", mixed(9_000, 1_000), mixed(9_200, 800))
    assert found.distance.value > found.distance.chance
    assert found.outcome == "alike"


@pytest.mark.parametrize("sizes", [(FEWEST - 1, 500), (500, FEWEST - 1), (0, 0), (500, 0)])
def test_of_too_few_nothing_is_said(sizes: tuple[int, int]) -> None:
    now, before = (many(n, intent="order_status") for n in sizes)
    for found in drifts(counted(*now), counted(*before)):
        assert (found.outcome, found.distance) == ("too_few", None)


def test_less_sure_answers_are_a_shift_of_what_models_say() -> None:
    found = drift("confidence", many(40, intent_confidence=0.45), many(40, intent_confidence=0.93))
    assert found.words == "shifted: less sure, 0.45 on average, was 0.93"
    ruled = many(500, decided_by="rules", intent_confidence=1.0)
    same = many(40, intent_confidence=0.9)
    assert drift("confidence", [*ruled, *same], same).outcome == "alike"


def test_what_is_rare_is_shown_as_one() -> None:
    now = [entry(language=f"a{letter}") for letter in "abcdefghijklmnop" for _ in range(3)]
    found = drift("language", now, now)
    assert found.parts[-1].name == "4 others"
    assert sum(one.now for one in found.parts) == len(now)


def test_a_new_model_is_marked_and_the_first_one_is_not() -> None:
    old, new = counted(*many(2, version="embedded-1")), counted(*many(3, version="embedded-2"))
    assert [(one.version, one.news) for one in versions(new, old)] == [
        ("embedded-1", "gone"),
        ("embedded-2", "new"),
    ]
    assert [one.news for one in versions(new, counted())] == [""]


# Slices


def test_a_language_that_does_worse_is_marked_and_by_what() -> None:
    good = many(300, language="fr", intent_confidence=0.9)
    bad = many(40, language="wo", intent_confidence=0.4, sentiment=Sentiment.NEGATIVE)
    found = slices(counted(*good, *bad))
    assert [(one.name, one.n) for one in found.by_language] == [("fr", 300), ("wo", 40)]
    fr, wo = found.by_language
    assert wo.worse == ("confidence", "below", "negative")
    assert fr.worse == ()
    assert [one.name for one in found.by_both] == ["fr, whatsapp", "wo, whatsapp"]


def test_overrides_are_compared_between_channels() -> None:
    good = many(300, channel=Channel.EMAIL)
    bad = [entry(override(intent="refund"), channel=Channel.SMS)] * 40
    (sms,) = [one for one in slices(counted(*good, *bad)).by_channel if one.name == "sms"]
    assert sms.worse == ("overridden",)


def test_a_slice_of_too_few_is_never_marked_and_stands_in_no_product() -> None:
    good = many(300, language="fr", intent_confidence=0.9)
    bad = many(FEWEST - 1, language="wo", intent_confidence=0.1, sentiment=Sentiment.NEGATIVE)
    found = slices(counted(*good, *bad))
    assert [one.worse for one in found.by_language] == [(), ()]
    assert [one.name for one in found.by_both] == ["fr, whatsapp"]


def test_what_rules_decide_is_no_models_merit() -> None:
    ruled = many(50, decided_by="rules", intent_confidence=1.0)
    assert slices(counted(*ruled, entry())).whole.n == 1
    assert slices(counted()).by_language == ()


# The register


def judge(count: int, of: int, **bound: float) -> tuple[str, bool]:
    found = judged(Kpi(measure=Measure.OVERRIDE_RATE, **bound), share(count, of))
    return found.verdict, found.is_close


def test_a_verdict_says_whether_it_may_be_chance() -> None:
    assert judge(5, 500, at_most=0.15) == ("ok", False)
    assert judge(200, 500, at_most=0.15) == ("missed", False)
    assert judge(8, 50, at_most=0.15) == ("missed", True)
    assert judge(7, 50, at_most=0.15) == ("ok", True)
    assert judge(490, 500, at_least=0.7) == ("ok", False)
    assert judge(100, 500, at_least=0.7) == ("missed", False)


def test_of_too_few_a_kpi_is_neither_kept_nor_missed() -> None:
    assert judge(FEWEST - 1, FEWEST - 1, at_most=0.15) == ("too_few", False)
    assert judge(0, 0, at_least=0.7) == ("too_few", False)


def missed(ai_use: AiUseName, why: Unavailable) -> FellBack:
    return FellBack(ai_use=ai_use, why=why)


def test_each_use_stands_with_what_it_did() -> None:
    now = counted(
        *many(60, decided_by="embedded"),
        *[entry(override(intent="refund"), decided_by="bedrock")] * 40,
        *many(5, decided_by="embedded", fell_back=missed(BEDROCK, Unavailable.ANSWER_REFUSED)),
        *many(4, decided_by="embedded", fell_back=missed(BEDROCK, Unavailable.SERVICE_REFUSED)),
        # A mark decided.
        *many(1, decided_by="rules", fell_back=missed(BEDROCK, Unavailable.SERVICE_REFUSED)),
        *many(2, decided_by="rules", fell_back=missed(EMBEDDED, Unavailable.SWITCHED_OFF)),
    )
    uses = {one.ai_use: one for one in use_reports(REGISTER, None, now, counted(entry()), NOON)}
    assert list(uses) == list(AiUseName)
    embedded, bedrock = uses[EMBEDDED].answers, uses[BEDROCK].answers
    assert embedded is not None and bedrock is not None
    assert (embedded.decided, embedded.decided_before) == (69, 1)
    assert embedded.fell_back_because == {"switched off": 2}
    assert bedrock.fell_back_because == {
        "its answer was refused": 5,
        "the service refused": 5,
    }
    assert (bedrock.fell_back.count, bedrock.fell_back.of) == (10, 50)
    assert (bedrock.refused.count, bedrock.refused.of) == (5, 45)
    assert bedrock.overridden_by_aspect["intent"].count == 40
    verdicts = {name: one.kpi.verdict if one.kpi else None for name, one in uses.items()}
    assert (verdicts[EMBEDDED], verdicts[BEDROCK]) == ("ok", "missed")
    others = [uses[one] for one in AiUseName if one not in {EMBEDDED, BEDROCK}]
    assert {(one.answers, one.standing) for one in others} == {(None, None)}


def test_what_can_never_be_counted_is_no_kpi_and_says_why() -> None:
    for name, use in REGISTER.items():
        assert (use.kpi is None) == (not MEASURES[name])
    made = use_reports(REGISTER, None, counted(), counted(), NOON)
    (found,) = [one for one in made if one.kpi is None]
    assert found.ai_use is AiUseName.DUPLICATE_SUGGESTION
    assert found.not_measured_because


@pytest.mark.parametrize(("silent", "verdict"), [(0, "ok"), (1, "missed")])
def test_the_messages_of_a_machine_that_say_so_are_counted_from_the_record(
    silent: int, verdict: str
) -> None:
    counts = counted(
        *[written("Votre colis part ce soir.", discloses=True)] * (40 - silent),
        *[written("Votre colis part ce soir.", discloses=False)] * silent,
        *[written("Bonjour", by=Writer.PERSON)] * 3,
    )
    uses = {one.ai_use: one for one in use_reports(REGISTER, None, counts, counted(), NOON)}
    kpi = uses[AiUseName.MACHINE_WRITTEN_MESSAGES].kpi
    assert kpi is not None
    assert (kpi.share.count, kpi.share.of) == (40 - silent, 40)
    assert (kpi.verdict, kpi.is_close) == (verdict, False)


def written(text: str, *, by: Writer = Writer.MACHINE, discloses: bool = False) -> LedgerEntry:
    """A message that left."""
    said = disclosed(text, sorted(LISTS.disclosures)[0]) if discloses else text
    content = Message(text=said, written_by=by)
    one = entry(seen={"direction": Direction.OUTBOUND, "content": content})
    return one.model_copy(update={"outcome": None})


def test_how_a_use_stands_names_nobody() -> None:
    switch = Switch(on=False, by="agent:awa", at=NOON, because="Awa said so")
    states = {one: AiUseState(ai_use=one) for one in REGISTER}
    states[BEDROCK] = AiUseState(ai_use=BEDROCK, switch=switch, day=NOON.date(), spent=1_500_000)
    uses = {one.ai_use: one for one in use_reports(REGISTER, states, counted(), counted(), NOON)}
    standing = uses[BEDROCK].standing
    assert standing is not None and standing.spending is not None
    assert (standing.on, standing.switched_at, standing.spending.spent) == (False, NOON, 1.5)
    assert "awa" not in uses[BEDROCK].model_dump_json().lower()
    embedded = uses[EMBEDDED].standing
    assert embedded is not None and embedded.on and embedded.spending is None
