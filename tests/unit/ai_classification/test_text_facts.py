"""The line for the person who takes over, and that nothing in a classification names anybody."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.training import evaluation
from shared.adapters.classifier import build_classifier
from shared.adapters.personal_data_finder import MASKS, PersonalDataFinder
from shared.adapters.summary import LONGEST, cut, summarise
from shared.adapters.text_facts import TextFacts
from shared.adapters.words_classifier import WordsClassifier
from shared.domain.classification import Classification, Evidence, PersonalDataKind
from shared.domain.journey import ClassificationStep
from shared.domain.touchpoint import Channel
from shared.domain.understanding import EntityPolicy
from shared.policies.reader import read_policies
from shared.ports.understanding import Classifier
from tests import builders
from tests.personal_data_cases import Case, cases

POLICIES = read_policies()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return build_classifier(None, "", POLICIES)


def intent(*words: str) -> tuple[Evidence, ...]:
    return (Evidence(aspect="intent", words=words, weight=0.5),)


class TestTheSummary:
    @pytest.mark.parametrize("text", ["Où est ma commande 4512 ?", "👍", "", "Ciao, dov'è?"])
    def test_a_short_message_is_its_own(self, text: str) -> None:
        assert summarise(text) == text

    MAIL = (
        "Lamp broken\nHello,\nI hope you are well. I have been a customer of yours for many years "
        "and always liked your shop, the people in it and the coffee. The lamp I bought in May "
        "stopped working yesterday. It was a present from my mother.\n\n"
        "Kind regards,\nSarah\nACME Ltd, Fifth Floor"
    )

    def test_of_a_long_one_the_sentence_with_the_words_that_decided(self) -> None:
        said = summarise(self.MAIL, intent("stopped", "working"))
        assert said == (
            "The lamp I bought in May stopped working yesterday. It was a present from my mother."
        )

    def test_a_mails_subject_stands_before_it(self) -> None:
        said = summarise(self.MAIL, intent("stopped", "working"), has_subject=True)
        assert said.startswith("Lamp broken: The lamp I bought in May stopped working")

    @pytest.mark.parametrize("first", ["Hello Sir", "Where is it?", "x" * 120])
    def test_a_first_line_that_is_no_subject_is_a_sentence(self, first: str) -> None:
        assert ": " not in summarise(f"{first}\nThe lamp broke.", has_subject=True)

    def test_a_subject_that_is_said_again_is_said_once(self) -> None:
        text = "Lampe cassée\nMa lampe cassée attend un échange."
        assert summarise(text, has_subject=True) == "Ma lampe cassée attend un échange."

    def test_quoted_lines_signature_and_greetings_are_no_news(self) -> None:
        text = "Bonjour Madame,\nLa lampe est cassée.\n> ancien message\nCordialement\nAwa\nParis"
        assert summarise(text) == "La lampe est cassée."
        assert summarise("La lampe est cassée.\n--\nAwa") == "La lampe est cassée."

    @pytest.mark.parametrize(
        "text", ["Bonjour,\nMerci", "Hello,\n\n", ">quoted\n>only", "Merci\nAwa"]
    )
    def test_where_nothing_is_left_something_is_said(self, text: str) -> None:
        assert summarise(text)

    def test_it_is_cut_at_a_words_end(self) -> None:
        said = summarise("word " * 60)
        assert len(said) <= LONGEST
        assert said.endswith("word…")

    @pytest.mark.parametrize("mask", MASKS.values())
    @pytest.mark.parametrize("at", range(140, 162))
    def test_no_mask_is_cut(self, mask: str, at: int) -> None:
        said = cut("x" * (at - 1) + " " + mask + " and more words")
        assert len(said) <= LONGEST
        assert "[" not in said.replace(mask, "")

    @settings(deadline=None)
    @given(st.text(max_size=600), st.booleans())
    def test_whatever_the_text_it_is_one_short_line(self, text: str, has_subject: bool) -> None:
        said = summarise(text, has_subject=has_subject)
        assert len(said) <= LONGEST
        assert "\n" not in said
        assert summarise(text, has_subject=has_subject) == said


class TestNothingPersonal:
    @pytest.mark.parametrize("case", [one for one in cases() if one.held], ids=lambda one: one.text)
    def test_in_summary_entities_and_evidence(self, classifier: Classifier, case: Case) -> None:
        told = classifier.classify(case.text, names=case.names, at=builders.NOON)
        assert set(told.personal_data) == {one.kind for one in case.held}
        written = [told.summary, *(one.text for one in told.entities)]
        words = [word for one in told.evidence for word in one.words]
        for one in case.held:
            personal = case.text[one.start : one.end]
            assert not [text for text in written if personal in text]
            assert personal.casefold() not in [word.casefold() for word in words]

    def test_a_name_that_moved_the_meaning_is_not_quoted(self) -> None:
        given = builders.classification(
            evidence=(
                Evidence(aspect="intent", words=("Moreau", "parcel"), weight=0.2),
                Evidence(aspect="urgency", words=("called lea moreau 06 times",), reason="again"),
                Evidence(aspect="weak_signal", words=("moreau",), reason="x"),
            )
        )
        text = "Léa Moreau here, called Léa Moreau 06 times"
        told = TextFacts(EntityPolicy()).complete(given, text, names=["Léa Moreau"])
        assert [one.words for one in told.evidence] == [
            ("parcel",),
            ("called … … 06 times",),
            (),
        ]
        assert told.personal_data == (PersonalDataKind.NAME,)

    def test_what_the_cut_makes_look_like_a_number_is_hidden_as_well(self) -> None:
        text = "x" * 138 + " 0034 0434 1610 9401 2345 6789 and so on"
        told = TextFacts(EntityPolicy()).complete(builders.classification(), text)
        assert PersonalDataFinder().find(told.summary) == []
        assert len(told.summary) <= LONGEST


class TestInTheClassifiers:
    def test_a_rule_fills_the_facts_too(self, classifier: Classifier) -> None:
        told = classifier.classify("Please unsubscribe me", channel=Channel.EMAIL)
        assert told.decided_by == "rules"
        assert told.summary == "Please unsubscribe me"
        assert told.entities == ()

    def test_so_do_the_companys_words_while_no_model_may_be_asked(self) -> None:
        words = WordsClassifier(POLICIES.understanding, POLICIES.intents)
        told = words.classify("Où est ma commande 4512 ? 06 12 34 56 78", at=builders.NOON)
        assert told.summary == "Où est ma commande 4512 ? [phone]"
        assert [one.text for one in told.entities] == ["4512"]
        assert told.personal_data == (PersonalDataKind.PHONE,)

    def test_a_message_without_words_has_no_facts(self, classifier: Classifier) -> None:
        told = classifier.classify("  ")
        assert (told.summary, told.entities, told.personal_data) == ("", (), ())

    def test_dates_are_counted_from_the_touchpoint(self, classifier: Classifier) -> None:
        told = classifier.classify(
            "Bonjour, ma commande 4512 arrive-t-elle demain ?", at=builders.NOON
        )
        assert [(one.kind.value, one.value) for one in told.entities] == [
            ("order_number", "4512"),
            ("date", "2026-11-24"),
        ]

    @pytest.mark.parametrize(
        ("text", "signal"),
        [
            ("Thanks anyway, I'll manage.", "reluctant_thanks"),
            ("Comme indiqué dans mon mail, le colis contient deux articles.", "repeated_politely"),
            ("Schöne Lampe, schade nur, dass sie flackert.", "conditional_praise"),
        ],
    )
    def test_a_polite_sign_makes_it_slightly_negative(
        self, classifier: Classifier, text: str, signal: str
    ) -> None:
        told = classifier.classify(text)
        assert told.weak_signals == (signal,)
        assert told.sentiment == "negative"
        assert -0.6 < told.sentiment_score <= -0.2
        shown = [one for one in told.evidence if one.aspect == "weak_signal"]
        assert shown[0].reason == signal and shown[0].words
        assert "strong_dissatisfaction" not in told.urgency_reasons

    def test_who_is_furious_stays_so(self, classifier: Classifier) -> None:
        text = "This is outrageous, you are thieves! As I wrote already: refund me!"
        told = classifier.classify(text)
        assert told.weak_signals == ("repeated_politely",)
        assert told.sentiment == "negative"
        assert told.sentiment_score < -0.6

    def test_a_text_without_a_sign_feels_as_the_model_says(self, classifier: Classifier) -> None:
        told = classifier.classify("Thank you so much, everything is perfect!")
        assert (told.weak_signals, told.sentiment) == ((), "positive")

    def test_summaries_of_all_known_texts_are_bounded_and_masked(
        self, classifier: Classifier
    ) -> None:
        finder = PersonalDataFinder()
        for one in evaluation.cases("held_out"):
            told = classifier.classify(one.text)
            assert 0 < len(told.summary) <= LONGEST
            assert finder.find(told.summary) == []


def test_facts_that_are_not_there_cost_no_byte() -> None:
    def handed(**facts: Any) -> dict[str, Any]:
        step = ClassificationStep(
            classification=builders.classification(**facts), next_step="nothing"
        )
        given: dict[str, Any] = step.handed_on()["classification"]
        assert Classification.model_validate(given) == step.classification
        return given

    empty = handed()
    assert not {"summary", "entities", "personal_data", "weak_signals"} & set(empty)
    told = handed(summary="x", weak_signals=("hint_to_leave",), personal_data=("phone",))
    assert set(told) - set(empty) == {"summary", "weak_signals", "personal_data"}
    assert told["personal_data"] == ["phone"]
