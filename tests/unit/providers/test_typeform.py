"""Typeform: what only this provider does. The contract suite has the rest."""

import json
from typing import Any

import pytest

from shared.domain.touchpoint import Attachment, Message, SurveyAnswer, Touchpoint, TrackedEvent
from shared.providers.base import WebhookRequest
from shared.providers.typeform import PROVIDER
from tests.unit.providers.hostile import NOON

SECRET = PROVIDER.read_secret(
    {"signing_secrets": ["a-typeform-secret"], "metrics": {"stars": "nps", "Q9": "ces"}}
)


def read(*answers: dict[str, Any] | None, **response: Any) -> list[Touchpoint]:
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


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        ({"customerId": "C-1"}, "customer_number"),
        ({"Customer-Number": "C-1"}, "customer_number"),
        ({"EMAIL": "lea@example.com"}, "email"),
        ({"phone_number": "+33612345678"}, "phone"),
        ({"phone": " ", "Phone": "+33612345678"}, "phone"),
        ({"orderID": "4711"}, "order_number"),
    ],
)
def test_a_hidden_field_is_known_however_it_is_written(hidden: dict[str, str], kind: str) -> None:
    (one,) = read(hidden=hidden)
    assert [known.type for known in one.identifiers] == [kind]


@pytest.mark.parametrize(
    ("hidden", "name"),
    [
        ({"name": "Léa D.", "first_name": "Léa"}, "Léa D."),
        ({"firstName": "Léa", "lastName": "Dupont"}, "Léa Dupont"),
        ({"last_name": "Dupont"}, "Dupont"),
    ],
)
def test_a_name_may_come_in_parts(hidden: dict[str, str], name: str) -> None:
    (one,) = read(hidden=hidden)
    assert one.name == name


def test_an_answer_without_its_question_still_says_who_it_is() -> None:
    (one,) = read(
        {"type": "email", "email": "lea@example.com"}, {"type": "boolean", "boolean": True}
    )
    assert [known.value for known in one.identifiers] == ["lea@example.com"]
    assert one.content == TrackedEvent(name="form_submitted")


def test_two_scores_whose_questions_have_no_id_are_two() -> None:
    first, second = read(scored(4, id=""), scored(5, id=""))
    assert first.provider_event_id != second.provider_event_id


def test_what_was_picked_and_handed_in_is_told_by_its_question() -> None:
    (one,) = read(
        {"choice": {"label": "Blue"}, "field": {"id": "1", "ref": "colour"}},
        {"choice": {"other": "Beige"}, "field": {"id": "2"}},
        {"choices": {"labels": ["A", None], "other": "B"}, "field": {"id": "3"}},
        {"choices": {"labels": None}, "field": {"id": "4"}},
        {"boolean": False, "field": {"id": "5"}},
        {"file_url": "https://api.typeform.com/forms/F1/a.pdf", "field": {"id": "6"}},
        {"payment": {"amount": "10.00", "last4": "4242"}, "field": {"id": "7"}},
    )
    assert isinstance(one.content, TrackedEvent)
    assert one.content.properties == {
        "colour": "Blue",
        "2": "Beige",
        "3": ["A", "B"],
        "5": False,
        "6": "https://api.typeform.com/forms/F1/a.pdf",
        "7": "10.00",
    }


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("name", None),
        ("first_name", "Who are you?"),
        (None, "First name"),
        (None, "*Last name*"),
        (None, "Hello, what's your name?"),
        (None, "What is your full name?"),
        (None, "Prénom"),
    ],
)
def test_who_is_asked_for_a_name_has_said_nothing_by_it(
    reference: str | None, title: str | None
) -> None:
    field = {"id": "Q1", "ref": reference, "type": "short_text"}
    (one,) = read(
        {"type": "text", "text": " Léa ", "field": field},
        definition={"fields": [{"id": "Q0", "title": "Name"}, {"id": "Q1", "title": title}]},
    )
    assert one.name == "Léa"
    assert one.content.kind == "tracked_event"


@pytest.mark.parametrize("title", ["What is your dog's name?", "Name of your dog", "Surnames"])
def test_not_every_name_is_the_persons(title: str) -> None:
    (one,) = read(
        {"text": "Rex", "field": {"id": "Q1", "type": "short_text"}},
        definition={"fields": [None, {"id": "Q1", "title": title}]},
    )
    assert one.content == Message(text="Rex")
    assert one.name is None


def test_a_name_is_whole_in_whichever_order_it_was_asked() -> None:
    (one,) = read(
        {"text": "Dupont", "field": {"ref": "last_name", "type": "short_text"}},
        {"text": "Léa", "field": {"ref": "first_name", "type": "short_text"}},
        {"text": "Where is it?", "field": {"ref": "message", "type": "short_text"}},
    )
    assert one.name == "Léa Dupont"
    assert one.content == Message(text="Where is it?")


def test_the_address_says_the_name_before_the_form_does() -> None:
    (one,) = read(
        {"text": "Somebody", "field": {"ref": "name", "type": "short_text"}},
        hidden={"name": "Léa Dupont"},
    )
    assert one.name == "Léa Dupont"


@pytest.mark.parametrize("value", ["xxxxx", " xxxxx ", "undefined", "null"])
def test_what_stands_for_nobody_names_nobody(value: str) -> None:
    fields = ("email", "phone", "user_id", "customer_number", "order_id", "name")
    (one,) = read(hidden=dict.fromkeys(fields, value))
    assert one.identifiers == ()
    assert one.name is None


@pytest.mark.parametrize("type_", ["long_text", "multi_format", "short_text", None])
def test_words_are_words_whatever_asked_for_them(type_: str | None) -> None:
    (one,) = read({"text": "Where is it?", "field": {"id": "Q1", "type": type_}})
    assert one.content == Message(text="Where is it?")


def test_what_older_and_newer_forms_tell_of_a_pick() -> None:
    (one,) = read(
        {"text": "Rolls-Royce", "field": {"id": "1", "type": "dropdown"}},
        {"choices": [{"id": "a", "label": "I accept"}, None], "field": {"id": "2"}},
    )
    assert isinstance(one.content, TrackedEvent)
    assert one.content.properties == {"1": "Rolls-Royce", "2": ["I accept"]}


def test_who_left_contact_details_has_asked_for_nothing() -> None:
    titles = ("First name", "Last name", "Company")
    (one,) = read(
        *(
            {"text": text, "field": {"id": title, "type": "short_text", "ref": f"ref {title}"}}
            for title, text in zip(titles, ("Léa", "Dupont", "Boutique"), strict=True)
        ),
        {"email": "lea@example.com", "field": {"id": "Email", "type": "email"}},
        definition={"fields": [{"id": title, "title": title} for title in titles]},
    )
    assert one.name == "Léa Dupont"
    assert one.content == TrackedEvent(
        name="form_submitted", properties={"ref Company": "Boutique"}
    )


PHOTO = "https://api.typeform.com/responses/files/e111598e/the%20roof.jpg"


def test_what_was_handed_in_comes_with_the_words() -> None:
    (one,) = read(
        {"text": "A cow fell on my roof.", "field": {"id": "1", "type": "long_text"}},
        {"file_url": PHOTO, "field": {"id": "2", "type": "file_upload"}},
        None,
    )
    assert one.content == Message(
        text="A cow fell on my roof.",
        attachments=(Attachment(name="the roof.jpg", provider_reference=PHOTO),),
    )


@pytest.mark.parametrize(
    ("told", "headers"),
    [
        ({}, {}),
        ({"access_token": "tfp_a_token"}, {"authorization": "Bearer tfp_a_token"}),
    ],
    ids=["from whoever asks, where the form allows it", "with the token of its owner"],
)
def test_a_file_is_fetched(told: dict[str, str], headers: dict[str, str]) -> None:
    secret = PROVIDER.read_secret({"signing_secrets": ["a-typeform-secret"]} | told)
    request = PROVIDER.media(Attachment(provider_reference=PHOTO), secret)
    assert request is not None
    assert (request.method, request.url, request.headers) == ("GET", PHOTO, headers)


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "https://admin.typeform.com/form/results/file/download/a.jpg",
        "https://api.typeform.com.evil.example/a.jpg",
        "https://api.typeform.com@evil.example/a.jpg",
        "http://api.typeform.com/a.jpg",
    ],
)
def test_no_token_is_shown_elsewhere(elsewhere: str | None) -> None:
    assert PROVIDER.media(Attachment(provider_reference=elsewhere), SECRET) is None
