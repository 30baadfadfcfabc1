from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.template import Templates, Wording

FRENCH = {"text": "Bonjour, votre demande {ticket_number}"}
ENGLISH = {"text": "Hello, your request {ticket_number}"}


def templates(**wordings: Any) -> Templates:
    return Templates.model_validate(
        {
            "fallback_language": "en",
            "templates": {"hello": wordings or {"fr": FRENCH, "en": ENGLISH}},
        }
    )


def test_the_longest_wording_is_that_of_any_language() -> None:
    assert templates().longest("hello") == len(FRENCH["text"])


@pytest.mark.parametrize(
    ("asked", "language"), [("fr", "fr"), ("en", "en"), ("it", "en"), (None, "en")]
)
def test_a_person_gets_their_language_or_the_fallback(asked: str | None, language: str) -> None:
    chosen, wording = templates().wording("hello", asked)
    assert chosen == language
    assert wording.text.startswith("Bonjour" if language == "fr" else "Hello")


def test_variables_in_the_order_they_appear_each_once() -> None:
    wording = Wording(text="{name}, {ticket_number}, {name}")
    assert wording.variables == ("name", "ticket_number")
    filled = wording.filled({"name": "Awa", "ticket_number": "4512"})
    assert filled == "Awa, 4512, Awa"


@given(value=st.text())
def test_what_a_value_holds_is_never_read_as_a_variable(value: str) -> None:
    assert Wording(text="{name}").filled({"name": "{name}" + value}) == "{name}" + value


@pytest.mark.parametrize(
    ("wordings", "reason"),
    [
        ({"fr": FRENCH}, "hello has no en, the fallback language"),
        ({"en": {"text": "{password}"}}, "hello.en uses an unknown variable {password}"),
        ({"en": {"text": ""}}, "at least 1 character"),
    ],
)
def test_templates_that_make_no_sense(wordings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        templates(**wordings)
    assert reason in str(refused.value)


def test_a_wording_says_whether_it_shows_the_way_to_the_preferences() -> None:
    assert Wording(text="Your choices: {preference_url}").asks_for_link
    assert not Wording(text="Your request {ticket_number}").asks_for_link
