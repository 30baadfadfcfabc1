"""The embedded models: what they must know, and the floor under how good they are."""

import subprocess
import sys

import pytest

from infra.training import evaluation
from infra.training.grammar import corpus_hash, examples, read_corpora
from shared.adapters.classifier import build_classifier
from shared.adapters.embedded_classifier import MODEL, EmbeddedClassifier
from shared.adapters.linear_model import LinearModel
from shared.adapters.message_words import MOST_WORDS, plain, words_of
from shared.domain.classification import Classification, Urgency
from shared.policies.reader import read_policies
from shared.ports import Classifier

POLICIES = read_policies()
ORDER_OR_DELIVERY = {"order_status", "delivery_problem"}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return build_classifier(None, "", POLICIES)


@pytest.fixture(scope="module")
def answered(classifier: Classifier) -> list[tuple[evaluation.Case, Classification]]:
    return evaluation.answers(list(evaluation.cases()), classifier)


# Reached on 2026-11-22 (see infra/training/README.md), less a margin of about 0.04.
@pytest.mark.parametrize(
    ("source", "texts", "intent", "sentiment"),
    [
        ("en", 150, 0.78, 0.83),
        ("fr", 150, 0.80, 0.79),
        ("it", 50, 0.77, 0.84),
        ("es", 50, 0.79, 0.90),
        ("en_later", 34, 0.74, 0.62),
        ("fr_later", 34, 0.75, 0.68),
    ],
)
def test_texts_it_has_never_seen(
    answered: list[tuple[evaluation.Case, Classification]],
    source: str,
    texts: int,
    intent: float,
    sentiment: float,
) -> None:
    found = evaluation.score([one for one in answered if one[0].source == source])
    assert found.texts >= texts
    assert found.intent >= intent
    assert found.sentiment >= sentiment
    assert found.language >= 0.95


@pytest.mark.parametrize(
    "text",
    [
        "I would rather talk to a person",
        "Je préfère parler à une personne",
        "Preferisco parlare con una persona",
        "Prefiero hablar con una persona",
        "Prefiro falar com uma pessoa",
        "Ich möchte lieber mit einem Menschen sprechen",
        "Ik spreek liever met een medewerker",
        "Wolę rozmawiać z człowiekiem",
        "Prefer să vorbesc cu o persoană",
        "أفضل التحدث إلى أحد موظفيكم",
        "Napendelea kuzungumza na mtu",
        "Bir temsilciyle görüşmek istiyorum",
    ],
)
def test_whoever_asks_for_a_person_as_the_disclosure_says_is_owed_one(
    classifier: Classifier, text: str
) -> None:
    """Where the model does not know the language, a person reads it all the same."""
    assert POLICIES.intents[classifier.classify(text).intent].owes


def test_no_held_out_text_is_a_training_text() -> None:
    trained = {" ".join(word.form for word in words_of(one.text)) for one in examples()}
    held_out = {" ".join(word.form for word in words_of(one.text)) for one in evaluation.cases()}
    short = {text for text in held_out & trained if text.count(" ") < 3}
    assert held_out & trained == short
    assert len(short) <= 8


def test_the_model_is_the_one_of_this_corpus() -> None:
    """Changed the corpus or the trainer? `python -m infra.training` makes the model anew."""
    model = LinearModel(MODEL)
    assert model.corpus_hash == corpus_hash()
    assert model.version.endswith(corpus_hash())
    assert MODEL.stat().st_size < 10_000_000


def test_corpus_and_model_know_exactly_the_closed_list() -> None:
    for corpus in read_corpora():
        assert set(corpus.intents) == set(POLICIES.intents), corpus.language
    assert set(LinearModel(MODEL).heads["intent"].classes) == set(POLICIES.intents)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "Bonjour, ma commande 4512 n'est toujours pas arrivée, c'est inadmissible, "
            "je veux un remboursement",
            "fr",
        ),
        ("Ma commande n'est pas arrivée, c'est scandaleux, remboursez-moi !", "fr"),
        ("Hello, my order 4512 still hasn't arrived, this is unacceptable, I want a refund", "en"),
        ("Il mio ordine 4512 non è ancora arrivato, è inaccettabile, voglio un rimborso", "it"),
        ("Hola, mi pedido 4512 no ha llegado, es inaceptable, quiero un reembolso", "es"),
    ],
)
def test_an_angry_customer_without_a_parcel(
    classifier: Classifier, text: str, language: str
) -> None:
    found = classifier.classify(text)
    assert found.language == language
    assert {found.intent, found.runner_up} == {"delivery_problem", "refund"}
    assert found.sentiment == "negative"
    assert found.urgency is Urgency.HIGH
    assert "strong_dissatisfaction" in found.urgency_reasons
    assert {"intent", "sentiment", "urgency"} <= {one.aspect for one in found.evidence}
    assert all(one.words for one in found.evidence)


@pytest.mark.parametrize(
    "text",
    [
        "Toujours rien reçu, vous en êtes où ?",
        "Toujours rien ?",
        "tjrs rien recu",
        "still nothing??",
        "hasn't come yet",
        "where is it",
        "ancora niente",
        "todavía no me llega",
    ],
)
def test_a_short_word_afterwards_is_about_the_order(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).intent in ORDER_OR_DELIVERY


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bonjour", "fr"),
        ("ok merci", "fr"),
        ("Where is my order?", "en"),
        ("thanks", "en"),
        ("Ciao", "it"),
        ("Hola", "es"),
        ("gracias", "es"),
        ("Danke", "de"),
        ("obrigado", "pt"),
        ("Wo ist mein Paket?", "de"),
        ("asante sana", "sw"),
        ("Toujours rien ?", "fr"),
        ("где мой заказ", "ru"),
        ("أين طلبي؟", "ar"),
    ],
)
def test_the_language_of_a_few_words(classifier: Classifier, text: str, language: str) -> None:
    assert classifier.classify(text).language == language


@pytest.mark.parametrize("text", ["4512", "👍", "???", "https://example.com/a", "zzgrmpf"])
def test_no_language_where_there_is_none(classifier: Classifier, text: str) -> None:
    found = classifier.classify(text)
    assert found.language == "und"
    assert found.language_confidence < 0.4


def test_a_stated_language_tips_what_is_undecided(classifier: Classifier) -> None:
    assert classifier.classify("non", language="fr-FR").language_confidence >= 0
    with_hint = classifier.classify("Salut", language="fr")
    assert with_hint.language == "fr"
    assert with_hint.language_confidence >= classifier.classify("Salut").language_confidence


def test_the_words_named_are_words_of_the_message(
    answered: list[tuple[evaluation.Case, Classification]],
) -> None:
    for case, found in answered:
        for one in found.evidence:
            assert len(one.words) <= 5
            if found.decided_by == "embedded" and one.aspect in {"intent", "sentiment"}:
                assert one.weight is not None and 0 < one.weight <= 1
                flat = case.text.replace("'", "").replace("’", "")
                assert all(word in flat for word in one.words), case.text


def test_dropping_the_strongest_word_costs_what_the_evidence_says() -> None:
    model = LinearModel(MODEL)
    words = words_of("I want a refund today")
    reading = model.read(words)["intent"]
    at = max(range(len(words)), key=lambda one: reading.moved[one])
    assert words[at].form == "refund"
    assert reading.ranked()[0][0] == "refund"
    assert reading.moved[at] > 0.2


@pytest.mark.parametrize(
    "text",
    [
        "x" * 50_000,
        "where is my order " * 4_000,
        "😡" * 3_000,
        "\u202eredro ym si erehw\u202c \u200b\u200d",
        "<div><script>alert(1)</script>Where is <b>my order</b>?</div>",
        "a\x00b\ud800c",
        "2026-11-22 ERROR Traceback (most recent call last): File x line 3 in y\n" * 500,
        "日本語のメッセージ и русский and English",
    ],
)
def test_strange_input_gets_a_bounded_honest_answer(classifier: Classifier, text: str) -> None:
    found = classifier.classify(text)
    assert found.intent in POLICIES.intents
    assert -1 <= found.sentiment_score <= 1
    assert len(words_of(plain(text))) <= MOST_WORDS


def test_markup_and_scripts_are_not_read(classifier: Classifier) -> None:
    clean = classifier.classify("Where is my order ?")
    marked = classifier.classify("<style>p{}</style><p>Where is my <b>order</b> ?</p>")
    assert (marked.intent, marked.language) == (clean.intent, clean.language)


def test_an_intent_the_company_removed_is_never_answered() -> None:
    fewer = {name: one for name, one in POLICIES.intents.items() if name != "order_status"}
    found = EmbeddedClassifier(POLICIES.understanding, fewer).classify("Where is my order?")
    assert found.intent != "order_status"
    assert found.runner_up != "order_status"


def test_the_same_message_gets_the_same_answer(classifier: Classifier) -> None:
    text = "Mon colis est cassé et personne ne répond"
    again = EmbeddedClassifier(POLICIES.understanding, POLICIES.intents)
    assert classifier.classify(text) == again.classify(text)


def test_building_it_reads_no_model() -> None:
    """A cold start that only routes, or meets a rule, pays for no model."""
    code = (
        "import sys; from shared.adapters.classifier import build_classifier;"
        "c = build_classifier(None, ''); c.classify('STOP');"
        "assert 'fasttext' not in sys.modules, 'the model was imported';"
        "c.classify('Where is my order?'); assert 'fasttext' in sys.modules;"
        "assert 'numpy' not in sys.modules, 'numpy is in no bundle'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_file_that_is_no_model_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models")
    wrong, short = folder / "wrong.bin", folder / "short.bin"
    wrong.write_bytes(b"something else")
    short.write_bytes(MODEL.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"wrong\.bin is not a linear model"):
        LinearModel(wrong)
    with pytest.raises(ValueError, match=r"short\.bin is cut short"):
        LinearModel(short)
