"""The company's own words: what decides by itself, and what only looks like it."""

from pathlib import Path

import pytest

from shared.adapters.message_words import (
    LONGEST_TEXT,
    find_phrase,
    fold,
    folded_words,
    plain,
    words_of,
)
from shared.adapters.rule_classifier import RuleClassifier
from shared.adapters.urgency_rules import judge_urgency
from shared.domain.classification import Urgency
from shared.domain.errors import PolicyError
from shared.domain.opting import Word
from shared.domain.touchpoint import Channel
from shared.domain.understanding import UrgencyReason
from shared.policies.check import check_policies
from shared.policies.reader import FOLDER, read_policies

POLICY = read_policies().understanding


@pytest.fixture(scope="module")
def rules() -> RuleClassifier:
    return RuleClassifier(POLICY)


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop.",
        "  Stop !!",
        "STOP 36180",
        "stop svp",
        "Arrêt",
        "ARRET SMS",
        "désinscription",
        "unsubscribe",
        "Please unsubscribe me",
        "Abmelden",
        "stopp bitte",
        "SAIR",
        "Baja por favor",
        "basta, grazie",
        "Please stop sending me text messages",
        "Je ne veux plus recevoir vos SMS",
        "non voglio più ricevere le vostre email",
        "No quiero recibir más mensajes",
        "Não quero mais receber mensagens",
        "Bitte keine Werbung mehr",
        "ＳＴＯＰ",
        "S\u200bTOP",
        "🛑 STOP 🛑",
        "“Stop”!!!",
        "s.t.o.p",
        "ARRÊTEZ",
        "STOPALL",
        "Uitschrijven aub",
        "Ik wil geen reclame meer",
        "Wypisz mnie, proszę",
        "Nie chcę otrzymywać tych wiadomości",
        "DEZABONARE",
        "Vă rog, nu mai vreau să primesc mesaje",
        "توقف",
        "إلغاء الاشتراك من فضلك",
        "أوقفوا إرسال الرسائل",
        "Sitisha",
        "Tafadhali acheni kunitumia ujumbe",
        "RET",
        "Abonelikten çık",
        "Artık mesaj istemiyorum",
    ],
)
def test_an_opt_out_is_heard_in_twelve_languages(rules: RuleClassifier, text: str) -> None:
    found = rules.classify(text)
    assert found is not None
    assert (found.intent, found.decided_by, found.intent_confidence) == ("opt_out", "rules", 1.0)
    rule = POLICY.word_rule(found.evidence[0].reason)
    assert rule is not None and rule.does is Word.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "My car won't stop",
        "Stop, where is my order?",
        "The bus stop is far from your shop",
        "Le colis est resté à l'arrêt chez le transporteur",
        "I have stopped receiving my invoices",
        "Je ne veux plus recevoir de commande cassée",
        "remove the lamp from my order",
        "pas d'arrêt de bus",
        "cancel",
        "fine",
        "Arrête de me faire rire, où est mon colis ?",
        "Acha nione agizo langu",
    ],
)
def test_what_only_looks_like_an_opt_out_is_left_to_the_model(
    rules: RuleClassifier, text: str
) -> None:
    assert rules.classify(text) is None


def test_some_words_opt_out_by_sms_only(rules: RuleClassifier) -> None:
    assert rules.classify("CANCEL", channel=Channel.WHATSAPP) is None
    found = rules.classify("CANCEL", channel=Channel.SMS)
    assert found is not None and found.intent == "opt_out"


LANGUAGES = {"en", "fr", "it", "es", "pt", "de", "nl", "pl", "ro", "ar", "sw", "tr"}


@pytest.mark.parametrize("name", ["opt_out_keyword", "opt_in_keyword", "help_keyword"])
def test_each_word_is_known_in_twelve_languages(name: str) -> None:
    rule = POLICY.word_rule(name)
    assert rule is not None and set(rule.whole) == LANGUAGES


@pytest.mark.parametrize("word", ["STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "OPT-OUT"])
def test_the_words_of_47_cfr_64_1200_opt_out_by_text(rules: RuleClassifier, word: str) -> None:
    found = rules.classify(word, channel=Channel.SMS)
    assert found is not None and found.intent == "opt_out"


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("START", Word.OPT_IN),
        ("Unstop!", Word.OPT_IN),
        ("ابدأ", Word.OPT_IN),
        ("Help", Word.HELP),
        ("AIDE svp", Word.HELP),
        ("مساعدة", Word.HELP),
        ("Msaada tafadhali", Word.HELP),
    ],
)
def test_a_word_opts_in_or_asks_for_help_by_text(
    rules: RuleClassifier, text: str, does: Word
) -> None:
    found = rules.classify(text, channel=Channel.SMS)
    assert found is not None
    rule = POLICY.word_rule(found.evidence[0].reason)
    assert rule is not None and rule.does is does


@pytest.mark.parametrize("text", ["oui", "yes", "ok", "OUI STOP OUI", "when does it start"])
def test_a_yes_opts_nobody_in(rules: RuleClassifier, text: str) -> None:
    assert rules.classify(text, channel=Channel.SMS) is None


def test_who_asks_for_help_in_a_chat_is_talking_to_somebody(rules: RuleClassifier) -> None:
    assert rules.classify("help", channel=Channel.WHATSAPP) is None


@pytest.mark.parametrize(
    ("text", "hint", "language"),
    [
        ("désinscription", None, "fr"),
        ("STOP", None, "und"),
        ("STOP", "fr-FR", "fr"),
        ("STOP", "ja", "und"),
    ],
)
def test_a_rule_says_a_language_only_where_it_knows_one(
    rules: RuleClassifier, text: str, hint: str | None, language: str
) -> None:
    found = rules.classify(text, language=hint)
    assert found is not None and found.language == language


@pytest.mark.parametrize(
    "text",
    [
        "Automatic reply: I am out of the office until Monday.",
        "Réponse automatique : je suis absente jusqu'au 3 mars",
        "Abwesenheitsnotiz",
    ],
)
def test_a_machine_s_answer_is_not_answered(rules: RuleClassifier, text: str) -> None:
    found = rules.classify(text)
    assert found is not None
    rule = POLICY.word_rule(found.evidence[0].reason)
    assert rule is not None and rule.owes is False and rule.does is None


def test_somebody_who_got_a_machine_s_answer_is_a_person(rules: RuleClassifier) -> None:
    assert rules.classify("I received your automatic reply but no help") is None


def test_no_text_is_said_to_be_none(rules: RuleClassifier) -> None:
    found = rules.classify(" \n ")
    assert found is not None
    assert (found.intent, found.intent_confidence) == (POLICY.fallback_intent, 0.0)
    assert found.evidence[0].reason == "no_text"
    assert rules.classify("😡") is None


def urgency(text: str, language: str = "en", **overrides: object) -> tuple[str, ...]:
    given: dict[str, object] = {"intents": ("order_status",), "score": 0.0} | overrides
    return judge_urgency(text, POLICY, language=language, **given).reasons  # type: ignore[arg-type] # overrides are test data


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("The toaster caught fire", "en", "safety"),
        ("Ma batterie a pris feu", "fr", "safety"),
        ("Sento odore di gas", "it", "safety"),
        ("Recibí una descarga eléctrica", "es", "safety"),
        ("You will hear from my lawyer", "en", "legal_threat"),
        ("Je vais porter plainte", "fr", "legal_threat"),
        ("I need it by Friday", "en", "deadline"),
        ("c'est URGENT", "fr", "deadline"),
        ("I was charged for it twice", "en", "money_at_risk"),
        ("On m'a prélevé deux fois", "fr", "money_at_risk"),
        ("My insulin is in that parcel", "en", "vulnerable_person"),
        ("Je vous ai déjà appelé cinq fois", "fr", "repeated_contact"),
        ("es la tercera vez que escribo", "es", "repeated_contact"),
        ("Das ist mein lawyer", "de", "legal_threat"),
    ],
)
def test_each_reason_is_found_by_its_words(text: str, language: str, reason: str) -> None:
    assert reason in urgency(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("It is not urgent at all", "en"),
        ("rien d'urgent", "fr"),
        ("un pavé de saumon fumé", "fr"),
        ("ma facture a explosé", "fr"),
        ("police d'assurance", "fr"),
        ("where is my order", "en"),
    ],
)
def test_words_that_only_sound_urgent_are_not(text: str, language: str) -> None:
    assert urgency(text, language) == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bonjour, votre grille-pain just caught fire, que faire ?", "fr"),
        ("Ma commande 4512, the battery exploded", "fr"),
        ("Hello, mon chargeur a pris feu hier soir", "en"),
        ("My order: la batteria ha preso fuoco", "en"),
        ("Il mio pacco, the kettle gave me an electric shock", "it"),
        ("Mi pedido: il y a une odeur de gaz", "es"),
        ("Le chargeur fait des bruits, fa scintille", "fr"),
        ("Je travaille à l'hôpital et le brancard caught fire", "fr"),
    ],
)
def test_what_is_critical_is_heard_in_every_language(text: str, language: str) -> None:
    assert "safety" in urgency(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Le bracelet scintille moins que sur la photo", "fr"),
        ("A scintillating evening, thank you", "en"),
        ("Mon parfum Poison n'est pas arrivé", "fr"),
        ("J'ai commandé du poisson", "fr"),
        ("The crawfish étouffée arrived cold", "en"),
        ("Je voudrais changer de forfait, merci", "fr"),
        ("Où en est ma cafetière ?", "fr"),
        ("Il ferro da stiro non scalda, vorrei un rimborso", "it"),
        ("La ferretería está cerrada, quiero una sangría", "es"),
        ("The fireplace set, in fuego red, has not come", "en"),
        ("Le feu de la cuisinière ne s'allume pas", "fr"),
        ("Je travaille à l'hôpital, livrez à l'accueil de l'ambulance", "fr"),
        ("ma facture a explosé", "fr"),
    ],
)
def test_another_languages_everyday_words_raise_no_alarm(text: str, language: str) -> None:
    assert "safety" not in urgency(text, language)


def test_what_is_not_critical_is_heard_in_the_messages_language() -> None:
    assert urgency("Le colis est urgently attendu", "fr") == ()
    assert urgency("Das Paket ist urgently", "de") == ("deadline",)


def test_the_highest_reason_decides_and_all_are_named() -> None:
    found = judge_urgency(
        "The kettle exploded, my lawyer will write",
        POLICY,
        language="en",
        intents=("complaint",),
        score=-0.9,
        feeling=("exploded",),
    )
    assert found.urgency is Urgency.CRITICAL
    assert found.reasons == ("safety", "legal_threat", "strong_dissatisfaction")
    assert [one.words for one in found.evidence] == [("exploded",), ("lawyer",), ("exploded",)]


def test_dissatisfaction_counts_only_for_what_is_owed() -> None:
    assert urgency("so sad", intents=("other",), score=-0.9) == ()
    assert urgency("so sad", intents=("other", "refund"), score=-0.9) == ("strong_dissatisfaction",)
    assert urgency("so sad", intents=("refund",), score=-0.3) == ()


def test_thanks_are_not_urgent() -> None:
    found = judge_urgency("thanks", POLICY, language="en", intents=("praise",), score=0.9)
    assert found.urgency is Urgency.LOW


def test_a_reason_needs_a_condition() -> None:
    with pytest.raises(ValueError, match="phrases or score_at_most"):
        UrgencyReason(level=Urgency.HIGH)


def test_an_unknown_intent_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path
    for file in FOLDER.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        if file.name == "understanding.yaml":
            text = text.replace("calm_intents: [praise,", "calm_intents: [prayse,")
        (folder / file.name).write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"understanding.yaml, line \d+: calm_intents: 'prayse'"):
        check_policies(folder)


def test_phrases_match_whole_words_without_case_or_accents() -> None:
    assert folded_words("N’est-ce pas ÉNORME ?") == "n est ce pas enorme"
    assert fold("ÉTÉ") == "ete"
    assert find_phrase(["charged .. twice"], "you charged my card twice") == "charged my card twice"
    assert find_phrase(["charged .. twice"], "charged me and then after that once or twice") is None
    assert find_phrase(["electrocut*"], "she was electrocuted") == "electrocuted"
    assert find_phrase(["fire"], "you are fired") is None
    assert find_phrase([], "anything") is None


def test_what_could_identify_somebody_is_never_shown() -> None:
    words = words_of(
        plain("Call +33612345678 or ann@example.com, order #4512, 30 € https://x.example/a")
    )
    hidden = [word.form for word in words if not word.said]
    assert hidden == ["<number>", "<mail>", "<number>", "<amount>", "<link>"]


def test_words_are_cut_and_folded_alike() -> None:
    forms = [word.form for word in words_of(plain("Sooooo ANGRY!!! I didn’t get it 😡 <b>ok</b>"))]
    assert forms == ["soo", "angry", "!!", "i", "didnt", "get", "it", "😡", "ok"]


@pytest.mark.parametrize(
    "text",
    [
        "Unsubscribe me. Your heater caught fire and burned my hand",
        "Please stop texting me, your heater caught fire and my daughter is injured",
        "Ne plus recevoir vos SMS : votre radiateur a pris feu",
        "Merci de ne pas répondre à ce message automatique: votre radiateur a pris feu",
    ],
)
def test_a_word_that_decides_silences_no_danger(rules: RuleClassifier, text: str) -> None:
    found = rules.classify(text)
    assert found is not None and found.decided_by == "rules"
    assert (found.urgency, found.urgency_reasons[0]) == (Urgency.CRITICAL, "safety")
    assert "safety" in {one.reason for one in found.evidence if one.aspect == "urgency"}


def test_a_plain_stop_is_as_calm_as_ever(rules: RuleClassifier) -> None:
    found = rules.classify("STOP")
    assert found is not None
    assert (found.urgency, found.urgency_reasons) == (Urgency.LOW, ())


@pytest.mark.parametrize("character", ["\u33c2", "\ufdfa", "\u2488", "a", "\ufb03"])
def test_a_text_is_as_short_as_it_must_be_once_it_is_written_out(character: str) -> None:
    """NFKC makes eighteen characters of one."""
    for length in (1_000, LONGEST_TEXT, 3 * LONGEST_TEXT):
        assert len(plain(character * length)) <= LONGEST_TEXT + 1
    text = plain(f"begin {character * LONGEST_TEXT} end")
    assert text.startswith("begin ") and text.endswith(" end")
    assert plain(text) == text


def test_an_address_is_one_word_whatever_stands_around() -> None:
    long = "a" * 64
    said = words_of(f"<{long}@x.example> a+b.c-d@mail.example.org €5.30-jean@x.example")
    assert [one.form for one in said] == ["<mail>", "<mail>", "<amount>", "<mail>"]
