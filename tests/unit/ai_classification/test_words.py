"""With the model switched off: what is said unmistakably, and nothing that was not said."""

import pytest

from shared.adapters.words_classifier import WordsClassifier
from shared.domain.classification import UNKNOWN_LANGUAGE, Sentiment, Urgency
from shared.policies.reader import read_policies

POLICIES = read_policies()
WORDS = WordsClassifier(POLICIES.understanding, POLICIES.intents)
CONFIDENCE = POLICIES.understanding.words.confidence


@pytest.mark.parametrize(
    ("text", "intent", "language"),
    [
        ("Hello, where is my order?", "order_status", "en"),
        ("I want my money back", "refund", "en"),
        ("Bonjour, je veux être remboursé", "refund", "fr"),
        ("Où en est ma commande ?", "order_status", "fr"),
        ("Je n'ai toujours pas reçu mon colis", "delivery_problem", "fr"),
        ("Vorrei annullare il mio ordine", "cancellation", "it"),
        ("Non ho ricevuto il mio pacco", "delivery_problem", "it"),
        ("Quiero cancelar mi pedido, por favor", "cancellation", "es"),
        ("¿Dónde está mi pedido?", "order_status", "es"),
        ("Onde está a minha encomenda?", "order_status", "pt"),
        ("Preciso da fatura, por favor", "billing_or_payment", "pt"),
        ("Wo ist meine Bestellung?", "order_status", "de"),
        ("Ich möchte mit einem Menschen sprechen", "contact_human", "de"),
    ],
)
def test_what_is_said_unmistakably(text: str, intent: str, language: str) -> None:
    found = WORDS.classify(text)
    assert (found.intent, found.language) == (intent, language)
    assert found.intent_confidence == found.language_confidence == CONFIDENCE
    assert found.decided_by == "rules"
    assert found.version == POLICIES.understanding.rules_version
    (reason,) = [one for one in found.evidence if one.aspect == "intent"]
    assert reason.words


@pytest.mark.parametrize("text", ["The thing about the other thing", "Hm", "12345", "🙂"])
def test_what_is_not_said_is_left_to_a_person(text: str) -> None:
    found = WORDS.classify(text)
    assert found.intent == POLICIES.understanding.fallback_intent
    assert POLICIES.intents[found.intent].owes
    assert found.intent_confidence == 0


def test_a_message_learns_a_profile_nothing() -> None:
    assert POLICIES.understanding.thresholds.learn_language > CONFIDENCE


def test_the_longest_words_decide_and_the_next_are_kept() -> None:
    found = WORDS.classify("The parcel is damaged and I want to send the parcel back, refund me")
    assert {found.intent, found.runner_up} <= {"delivery_problem", "return_or_exchange", "refund"}
    assert found.runner_up is not None


def test_feeling_is_neutral_unless_a_word_shows_it() -> None:
    assert WORDS.classify("Where is my order?").sentiment is Sentiment.NEUTRAL
    angry = WORDS.classify("This is unacceptable, I want a refund")
    assert (angry.sentiment, angry.sentiment_score) == (Sentiment.NEGATIVE, -0.5)
    assert WORDS.classify("Excellent service, je suis ravie").sentiment is Sentiment.POSITIVE
    both = WORDS.classify("Excellent shop, terrible courier")
    assert (both.sentiment, both.sentiment_confidence) == (Sentiment.NEUTRAL, 0)


def test_urgency_is_judged_as_ever() -> None:
    found = WORDS.classify("My kettle caught fire")
    assert (found.urgency, found.urgency_reasons) == (Urgency.CRITICAL, ("safety",))


def test_a_language_nobody_knows_is_undetermined_and_a_stated_one_tips() -> None:
    assert WORDS.classify("ok").language == UNKNOWN_LANGUAGE
    assert WORDS.classify("ok", language="it-IT").language == "it"
    assert WORDS.classify("Where is my order?", language="xx").language == "en"


def test_an_intent_that_was_taken_off_the_list_is_never_answered() -> None:
    fewer = {name: one for name, one in POLICIES.intents.items() if name != "refund"}
    assert WordsClassifier(POLICIES.understanding, fewer).classify("refund").intent == "other"
