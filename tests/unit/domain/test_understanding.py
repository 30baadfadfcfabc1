import pytest
from pydantic import ValidationError

from shared.domain.classification import Urgency
from shared.domain.touchpoint import Message, Review, SurveyAnswer
from shared.domain.understanding import UrgencyReason
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
