"""The menu: what an input leads to, and which menus are none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.touchpoint import Choice
from shared.domain.ussd import SEPTETS, UssdMenu, too_long
from tests.builders import policies

LINE = "*384*1#"
MENU: dict[str, Any] = {
    "fallback_language": "en",
    "languages": {"en": "English", "fr": "Francais"},
    "lines": {"*384*33#": "fr"},
    "notes": {
        "invalid": {"en": "No.", "fr": "Non."},
        "not_recorded": {"en": "Dial again.", "fr": "Rappelez."},
    },
    "first": "main",
    "screens": {
        "main": {
            "kind": "menu",
            "says": {"en": "Hello", "fr": "Bonjour"},
            "options": [
                {"label": {"en": "Order", "fr": "Commande"}, "goes_to": "number"},
                {"label": {"en": "Bye"}, "goes_to": "bye", "key": "0"},
            ],
        },
        "number": {
            "kind": "question",
            "takes": "digits",
            "says": {"en": "Number?"},
            "goes_to": "trouble",
        },
        "trouble": {"kind": "question", "says": {"en": "What is wrong?"}, "goes_to": "thanks"},
        "thanks": {
            "kind": "end",
            "says": {"en": "Thanks.", "fr": "Merci."},
            "records": {"en": "Order {number}: {trouble}", "fr": "Commande {number} : {trouble}"},
        },
        "bye": {"kind": "end", "says": {"en": "Bye."}},
    },
}


def menu(**changes: Any) -> UssdMenu:
    return UssdMenu.model_validate(MENU | changes)


def screens(**changes: Any) -> dict[str, Any]:
    return {"screens": {**MENU["screens"], **changes}}


def shown(text: str, line: str = LINE) -> str:
    return menu().step(text, line).shown


class TestTheWay:
    def test_the_first_screen_asks_for_a_language(self) -> None:
        step = menu().step("", LINE)
        assert (step.shown, step.ends) == ("1. English\n2. Francais", False)
        assert (step.said, step.choice, step.records) == ("", None, None)

    def test_from_then_on_it_is_spoken(self) -> None:
        step = menu().step("2", LINE)
        assert (step.language, step.shown) == ("fr", "Bonjour\n1. Commande\n0. Bye")
        assert (step.said, step.choice) == ("Francais", Choice(id="2", title="Francais"))

    def test_on_a_line_of_one_language_nobody_is_asked(self) -> None:
        assert menu().step("", "*384*33#").shown.startswith("Bonjour")
        one = {"languages": {"en": "English"}, "lines": {}}
        plain = {
            "notes": {"invalid": {"en": "No."}, "not_recorded": {"en": "Again."}},
            "screens": {"main": {"kind": "end", "says": {"en": "Closed."}}},
        }
        assert menu(**one, **plain).step("", LINE).shown == "Closed."

    def test_an_option_says_what_stood_beside_it(self) -> None:
        step = menu().step("1*1", LINE)
        assert (step.said, step.choice) == ("Order", Choice(id="1", title="Order"))
        assert step.shown == "Number?"

    def test_what_has_no_words_in_a_language_is_read_in_the_fallbacks(self) -> None:
        assert shown("2*1") == "Number?"

    def test_an_end_completes_a_message(self) -> None:
        step = menu().step("2*1* 4411 *perdu", LINE)
        assert (step.ends, step.shown) == (True, "Merci.")
        assert step.records == "Commande 4411 : perdu"

    def test_an_end_may_record_nothing(self) -> None:
        step = menu().step("1*0", LINE)
        assert (step.ends, step.shown, step.records) == (True, "Bye.", None)

    def test_what_an_answer_holds_is_no_variable(self) -> None:
        assert menu().step("1*1*1*{number}", LINE).records == "Order 1: {number}"

    def test_a_star_in_the_last_answer_belongs_to_it(self) -> None:
        step = menu().step("1*1*1*it leaks*a lot*!", LINE)
        assert step.records == "Order 1: it leaks*a lot*!"
        assert step.said == "it leaks*a lot*!"

    def test_what_comes_after_an_end_without_a_question_changes_nothing(self) -> None:
        assert menu().step("1*0*7", LINE).shown == "Bye."


class TestInVain:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("7", "No.\n1. English\n2. Francais"),
            ("*", "No.\n1. English\n2. Francais"),
            ("2*9", "Non.\nBonjour\n1. Commande\n0. Bye"),
            ("1*", "No.\nHello\n1. Order\n0. Bye"),
            ("1*1*44x", "No.\nNumber?"),
            ("1*1*44* ", "No.\nWhat is wrong?"),
            (f"1*1*44*{'x' * 183}", "No.\nWhat is wrong?"),
        ],
    )
    def test_the_screen_comes_again(self, text: str, expected: str) -> None:
        step = menu().step(text, LINE)
        assert (step.shown, step.ends, step.choice) == (expected, False, None)

    def test_and_the_session_goes_on(self) -> None:
        assert menu().step("9*1*5*1*x*44*y", LINE).records == "Order 44: y"

    def test_a_choice_may_have_blanks_around_it(self) -> None:
        assert shown("1\x1f* 1 ") == "Number?"


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters() | st.sampled_from("*0123456789"), max_size=60))
def test_whatever_is_typed_there_is_one_screen_that_fits(text: str) -> None:
    """And the same again: nothing but the inputs decides."""
    ours = policies().ussd
    step = ours.step(text, LINE)
    assert step == ours.step(text, LINE)
    assert step.shown and too_long(step.shown) is None
    assert step.records is None or step.ends


def wrong(**changes: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        menu(**changes)
    (problem,) = raised.value.errors()
    where = ".".join(map(str, problem["ctx"]["error"].where))
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def main(**changes: Any) -> dict[str, Any]:
    return screens(main=MENU["screens"]["main"] | changes)


class TestWhatIsNoMenu:
    def test_a_language_that_is_not_one_of_them(self) -> None:
        assert wrong(fallback_language="de") == "fallback_language: it is not one of the languages"
        assert wrong(lines={LINE: "de"}) == f"lines.{LINE}: de is not one of the languages"
        assert wrong(**main(says={"en": "Hello", "de": "Hallo"})) == (
            "screens.main.says.de: de is not one of the languages"
        )

    def test_words_without_the_fallback(self) -> None:
        options = [{"label": {"fr": "Au revoir"}, "goes_to": "bye"}]
        assert wrong(**main(options=options)) == (
            "screens.main.options.0.label: it is missing in en, the fallback language"
        )

    def test_a_way_into_nothing(self) -> None:
        assert wrong(first="start") == "first: there is no screen 'start'"
        ending = MENU["screens"]["number"] | {"goes_to": "nowhere"}
        assert wrong(**screens(number=ending)) == (
            "screens.number: it goes to 'nowhere', which is no screen"
        )

    def test_a_screen_nobody_comes_to(self) -> None:
        lost = {"kind": "end", "says": {"en": "Hidden"}}
        assert wrong(**screens(lost=lost)) == "screens.lost: nothing leads to it"

    def test_a_way_without_an_end(self) -> None:
        round_ = {"kind": "question", "says": {"en": "Again?"}, "goes_to": "number"}
        assert wrong(**screens(trouble=round_)).endswith("no way from it comes to an end")

    def test_two_options_with_one_key(self) -> None:
        options = [*MENU["screens"]["main"]["options"], MENU["screens"]["main"]["options"][1]]
        assert wrong(**main(options=options)) == (
            "screens.main.options: two options have the same key"
        )

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{main}", "{main} is no question of this menu"),
            ("{number}", "somebody can come here without being asked 'number'"),
        ],
    )
    def test_a_record_of_what_was_not_asked(self, text: str, reason: str) -> None:
        bye = {"kind": "end", "says": {"en": "Bye."}, "records": {"en": text}}
        assert wrong(**screens(bye=bye)) == f"screens.bye.records.en: {reason}"


class TestTheRoomOnAScreen:
    @pytest.mark.parametrize(
        ("shown", "reason"),
        [
            ("x" * SEPTETS, None),
            ("x" * (SEPTETS + 1), "183 characters, a screen has 182"),
            ("é" * SEPTETS, None),
            ("€" * 91, None),
            ("€" * 92, "184 characters, a screen has 182"),
            ("ç" * 80, None),
            ("ç" * 81, "81 characters; with 'ç', which is not GSM 7-bit, a screen has 80"),
            ("😊" * 41, "82 characters; with '😊', which is not GSM 7-bit, a screen has 80"),
        ],
    )
    def test_is_counted_as_the_network_does(self, shown: str, reason: str | None) -> None:
        assert too_long(shown) == reason

    def test_a_screen_must_fit_with_the_note_above_it(self) -> None:
        says = "x" * (SEPTETS - len("\n1. Order\n0. Bye"))
        assert wrong(**main(says={"en": says})) == (
            "screens.main: en: 186 characters, a screen has 182"
        )

    def test_an_end_has_all_the_room(self) -> None:
        bye = {"kind": "end", "says": {"en": "x" * SEPTETS}}
        assert menu(**screens(bye=bye)).step("1*0", LINE).shown == "x" * SEPTETS

    def test_notes_and_languages_must_fit_too(self) -> None:
        notes = MENU["notes"] | {"not_recorded": {"en": "x" * 183}}
        assert wrong(notes=notes).startswith("notes.not_recorded.en: 183")
        names = {"en": "E" * 90, "fr": "F" * 90}
        assert wrong(languages=names).startswith("languages: 191")
