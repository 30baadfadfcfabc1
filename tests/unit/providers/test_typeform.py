"""Typeform: what only this provider does. The contract suite has the rest."""

import json
from typing import Any

import pytest

from shared.domain.touchpoint import SurveyAnswer, Touchpoint
from shared.providers.base import WebhookRequest
from shared.providers.typeform import PROVIDER
from tests.unit.providers.hostile import NOON

SECRET = PROVIDER.read_secret(
    {"signing_secrets": ["a-typeform-secret"], "metrics": {"stars": "nps", "Q9": "ces"}}
)


def read(*answers: dict[str, Any], **response: Any) -> list[Touchpoint]:
    body = {
        "event_id": "E1",
        "event_type": "form_response",
        "form_response": {"form_id": "F1", "token": "T1", "answers": answers} | response,
    }
    request = WebhookRequest(
        method="POST",
        url="https://example.com/webhooks/typeform",
        path="",
        headers={"content-type": "application/json; charset=utf-8"},
        query=(),
        body=json.dumps(body).encode(),
        arrived_at=NOON,
    )
    return [one.touchpoint for one in PROVIDER.parse(request, SECRET, NOON)]


def scored(number: float, **field: str) -> dict[str, Any]:
    return {"type": "number", "number": number, "field": {"id": "Q1", "type": "rating"} | field}


@pytest.mark.parametrize(
    ("field", "number", "metric"),
    [
        ({}, 5, "csat"),
        ({"type": "nps"}, 0, "nps"),
        ({"type": "opinion_scale"}, 10, "nps"),
        ({"ref": "stars"}, 9, "nps"),
        ({"id": "Q9", "type": "number"}, 7, "ces"),
    ],
)
def test_what_the_company_says_of_a_question_counts_before_its_type(
    field: dict[str, str], number: int, metric: str
) -> None:
    (one,) = read(scored(number, **field))
    assert isinstance(one.content, SurveyAnswer)
    assert (one.content.metric, one.content.score) == (metric, number)


@pytest.mark.parametrize(
    "answer", [scored(0), scored(6), scored(3.5), scored(4, type="number"), scored(-1, type="nps")]
)
def test_no_score_is_bent_to_fit_a_scale(answer: dict[str, Any]) -> None:
    (one,) = read(answer)
    assert one.content.kind == "tracked_event"


def test_a_time_without_a_zone_or_none_at_all_is_the_time_of_arrival() -> None:
    for stated in ("2026-11-20T10:00:00", "", "soon"):
        (one,) = read(submitted_at=stated)
        assert one.occurred_at == NOON


def test_a_hidden_field_that_is_no_text_or_too_long_says_nothing() -> None:
    (one,) = read(hidden={"customer_number": 7, "user_id": "x" * 400, "email": " ", "name": None})
    assert one.identifiers == ()
    assert one.name is None


def test_nothing_stated_in_a_form_proves_who_somebody_is() -> None:
    (one,) = read(hidden={"customer_number": "C-1"})
    assert one.proof is None
