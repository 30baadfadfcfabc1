from datetime import timedelta
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.learning import MOST_LANGUAGES, Learned
from shared.domain.model import TouchpointId
from shared.domain.profile import MOST_MOODS, LearnedLanguage, Mood
from tests.builders import NOON


def mood(number: int, score: float = -0.5) -> Mood:
    at = NOON + timedelta(minutes=number // 2)
    return Mood(
        touchpoint_id=TouchpointId(f"id-{number:03}"), at=at, score=score, sentiment="negative"
    )


def language(code: str, number: int) -> LearnedLanguage:
    felt = mood(number)
    return LearnedLanguage(touchpoint_id=felt.touchpoint_id, language=code, at=felt.at)


def taught(
    known: Learned, number: int, code: str | None = None, score: float | None = None
) -> Learned:
    """By the message of that number."""
    return known.after(
        mood(number).touchpoint_id,
        language(code, number) if code else None,
        mood(number, score) if score is not None else None,
    )


Round = tuple[int, str | None, float | None]
"""The message of a number, understood once more: what it teaches now."""


def rounds(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[Round]]:
    codes = st.none() | st.sampled_from(["fr", "it"])
    return st.lists(st.tuples(numbers, codes, st.none() | st.sampled_from([-0.5, 0.5])))


def learn(told: list[Round]) -> Learned:
    return reduce(lambda known, one: taught(known, *one), told, Learned())


def mixed(told: list[Round], random: Any) -> list[Round]:
    """Messages among each other in any order; the rounds of one in their own."""
    places = [number for number, _, _ in told]
    random.shuffle(places)
    left = {number: [one for one in told if one[0] == number] for number in places}
    return [left[number].pop(0) for number in places]


@given(rounds(st.integers(1, MOST_LANGUAGES)), st.randoms())
def test_messages_teach_the_same_in_any_order(told: list[Round], random: Any) -> None:
    assert learn(mixed(told, random)) == learn(told)


@given(rounds(st.integers(1, MOST_LANGUAGES)))
def test_what_was_taken_back_is_as_if_it_had_never_been_said(told: list[Round]) -> None:
    last = {number: (number, code, score) for number, code, score in told}
    assert learn(told) == learn(list(last.values()))


@given(rounds(st.integers(1, 30)), st.randoms())
def test_the_latest_language_that_stands_counts(told: list[Round], random: Any) -> None:
    """Of many messages too, where fewer were taken back than are kept."""
    back = {number for number, code, _ in told if code is None}
    told = [one for one in told if one[0] not in back or len(back) < MOST_LANGUAGES]
    learned = learn(mixed(told, random))
    standing = {number: code for number, code, _ in told}
    latest = max(
        (language(code, number) for number, code in standing.items() if code),
        key=lambda one: (one.at, one.touchpoint_id),
        default=None,
    )
    assert learned.language == latest
    assert len(learned.languages) <= MOST_LANGUAGES
    for one in told[-1:]:
        once = taught(learned, *one)
        assert taught(once, *one) == once, "twice is once"


def test_the_newest_moods_are_kept() -> None:
    learned = Learned()
    for number in range(MOST_MOODS + 5):
        learned = taught(learned, number, score=-0.5)
    assert learned.moods == tuple(mood(number) for number in reversed(range(5, MOST_MOODS + 5)))
    assert taught(learned, 0, score=-0.5) == learned


def test_the_language_of_the_latest_message_stays() -> None:
    learned = taught(Learned(), 10, "fr")
    assert taught(learned, 8, "it").language == language("fr", 10)
    assert taught(learned, 11) == learned, "a doubtful message teaches nothing"
    assert taught(learned, 12, "it").language == language("it", 12)


def test_who_takes_a_language_back_leaves_the_one_before() -> None:
    corrected = taught(taught(Learned(), 1, "fr"), 2, "it")
    assert taught(corrected, 2).language == language("fr", 1)
    assert taught(taught(corrected, 2), 1).language is None


def test_a_message_understood_anew_counts_once() -> None:
    known = taught(Learned(), 1, score=-0.5)
    assert taught(known, 1, score=0.5).moods == (mood(1, 0.5),)


def test_another_mood_of_a_known_message_is_a_correction_and_so_is_none() -> None:
    known = taught(taught(Learned(), 1, score=-0.5), 2, score=-0.5)
    assert not taught(known, 3, score=-0.5).corrects(known)
    assert taught(known, 2).corrects(known)
    happy = known.after(
        mood(2).touchpoint_id, None, mood(2).model_copy(update={"sentiment": "positive"})
    )
    assert happy.corrects(known)
    full = learn([(number, None, -0.5) for number in range(MOST_MOODS)])
    assert not taught(full, MOST_MOODS, score=-0.5).corrects(full)
