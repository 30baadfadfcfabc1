import pytest
from pydantic import ValidationError

from shared.domain.classification import Sentiment, Urgency
from shared.domain.touchpoint import Message, Review, SurveyAnswer
from shared.domain.understanding import EntityPolicy, UrgencyReason, WeakSignal, WeakSignals
from tests.builders import policies


def test_an_urgency_reason_needs_something_that_shows_it() -> None:
    with pytest.raises(ValidationError, match="needs phrases or score_at_most"):
        UrgencyReason(level=Urgency.HIGH)


def test_a_mark_speaks_by_itself() -> None:
    marks = policies().understanding.marks
    worst = marks.rule_for(Review(rating=1))
    assert worst is not None
    assert worst.sentiment == "negative"
    promoter = marks.rule_for(SurveyAnswer(survey="s", metric="nps", score=10))
    assert promoter is not None
    assert promoter.sentiment == "positive"
    assert marks.rule_for(Message(text="5/5")) is None


SIGNS = WeakSignals(
    lowers=0.3, to_at_most=-0.2, to_at_least=-0.5, negative_to=-0.15, positive_from=0.15
)


@pytest.mark.parametrize(
    ("before", "after"),
    [(0.9, -0.2), (0.0, -0.3), (-0.1, -0.4), (-0.4, -0.5), (-0.9, -0.9)],
)
def test_a_weak_signal_makes_a_score_slightly_negative(before: float, after: float) -> None:
    assert SIGNS.lowered(before) == pytest.approx(after)
    assert SIGNS.feeling(SIGNS.lowered(before)) is Sentiment.NEGATIVE


def test_a_feeling_follows_from_the_bounds() -> None:
    felt = [SIGNS.feeling(score) for score in (-0.15, -0.1, 0.14, 0.15)]
    assert felt == [
        Sentiment.NEGATIVE,
        Sentiment.NEUTRAL,
        Sentiment.NEUTRAL,
        Sentiment.POSITIVE,
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"to_at_least": 0.1, "to_at_most": 0}, {"negative_to": 0.2, "positive_from": 0.1}],
)
def test_bounds_in_the_wrong_order_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        WeakSignals.model_validate(wrong)


def test_a_signal_without_words_is_refused() -> None:
    with pytest.raises(ValidationError):
        WeakSignal(phrases={})


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no regular expression"):
        EntityPolicy(order_patterns=("[A-Z",))


def test_a_currency_is_a_code() -> None:
    with pytest.raises(ValidationError):
        EntityPolicy(currencies={"€": "euro"})
