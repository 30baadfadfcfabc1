from datetime import timedelta
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.learning import Learned
from shared.domain.model import TouchpointId
from shared.domain.profile import MOST_MOODS, LearnedLanguage, Mood
from tests.builders import NOON


def mood(number: int, score: float = -0.5) -> Mood:
    at = NOON + timedelta(minutes=number // 2)
    return Mood(
        touchpoint_id=TouchpointId(f"id-{number:03}"), at=at, score=score, sentiment="negative"
    )


def language(code: str, minutes: int) -> LearnedLanguage:
    return LearnedLanguage(language=code, at=NOON + timedelta(minutes=minutes))


lessons = st.lists(
    st.tuples(
        st.none() | st.builds(language, st.sampled_from(["fr", "it"]), st.integers(0, 2)),
        st.none() | st.builds(mood, st.integers(0, 40)),
    ),
    max_size=30,
)


@given(lessons, st.randoms())
def test_messages_teach_the_same_in_any_order(told: list[Any], random: Any) -> None:
    shuffled = told + told[:3]
    random.shuffle(shuffled)
    learned = [
        reduce(lambda known, lesson: known.after(*lesson), some, Learned())
        for some in (told, shuffled)
    ]
    assert learned[0] == learned[1]


def test_the_newest_moods_are_kept() -> None:
    learned = Learned()
    for number in range(MOST_MOODS + 5):
        learned = learned.after(None, mood(number))
    assert learned.moods == tuple(mood(number) for number in reversed(range(5, MOST_MOODS + 5)))
    assert learned.after(None, mood(0)) == learned


def test_the_language_of_the_latest_message_stays() -> None:
    learned = Learned().after(language("fr", 5), None)
    assert learned.after(language("it", 4), None) == learned
    assert learned.after(None, None) == learned
    assert learned.after(language("it", 6), None).language == language("it", 6)


def test_a_message_understood_anew_counts_once() -> None:
    assert Learned().after(None, mood(1)).after(None, mood(1, 0.5)).moods == (mood(1, 0.5),)
