"""The second classifier: small models in the bundle, in process, offline, deterministic."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from shared.adapters.language_detector import LanguageDetector
from shared.adapters.linear_model import LinearModel, Reading
from shared.adapters.message_words import Word, plain, words_of
from shared.adapters.text_facts import TextFacts
from shared.adapters.urgency_rules import judge_urgency
from shared.adapters.weak_signals import find_weak_signals
from shared.domain.classification import Classification, Evidence, Intents, Sentiment
from shared.domain.touchpoint import Channel
from shared.domain.understanding import UnderstandingPolicy

MODEL = Path(__file__).parent / "models" / "understanding.bin"
MOST_EVIDENCE = 5
WORTH_NAMING = 0.01
"""Probability a word must have carried to be named; and a quarter of what the strongest carried."""


class _Chosen(NamedTuple):
    intent: str
    confidence: float
    runner_up: str | None
    runner_up_confidence: float
    by_model: bool
    """False where the fallback stepped in, and no word speaks for it."""


class EmbeddedClassifier:
    """The models are read on the first message: what only routes pays nothing for them."""

    def __init__(self, policy: UnderstandingPolicy, intents: Intents, model: Path = MODEL) -> None:
        self._policy = policy
        self._intents = intents
        self._path = model
        self._facts = TextFacts(policy.entities)

    @cached_property
    def _model(self) -> LinearModel:
        return LinearModel(self._path)

    @cached_property
    def _languages(self) -> LanguageDetector:
        return LanguageDetector(self._policy.thresholds.language)

    @property
    def version(self) -> str:
        return self._model.version

    def detect(self, text: str) -> str:
        """The language alone."""
        return self._languages.detect(plain(text)).language

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        text = plain(text)
        detected = self._languages.detect(text, language)
        words = words_of(text)
        readings = self._model.read(words)
        meant, felt = readings["intent"], readings["sentiment"]
        chosen = self._choose(meant, bool(words))
        score = felt.probabilities[Sentiment.POSITIVE] - felt.probabilities[Sentiment.NEGATIVE]
        sentiment = max(Sentiment, key=lambda one: felt.probabilities[one])
        confidence = felt.probabilities[sentiment]
        if not words:
            score, sentiment, confidence = 0.0, Sentiment.NEUTRAL, 0.0
        feeling = _evidence("sentiment", words, felt)
        urgency = judge_urgency(
            text,
            self._policy,
            language=detected.language,
            intents=tuple(one for one in (chosen.intent, chosen.runner_up) if one),
            score=score,
            feeling=feeling.words if feeling else (),
        )
        signs = find_weak_signals(text, self._policy.weak_signals, language=detected.language)
        if signs and sentiment is not Sentiment.NEGATIVE:
            score = self._policy.weak_signals.lowered(score)
            sentiment = self._policy.weak_signals.feeling(score)
            confidence = self._policy.weak_signals.confidence
            # The model's words speak for a feeling that no longer stands.
            feeling = Evidence(aspect="sentiment", words=(), reason=signs[0].reason)
        evidence = (
            _evidence("intent", words, meant) if chosen.by_model else None,
            feeling,
            *urgency.evidence,
            *signs,
            Evidence(aspect="language", words=detected.words) if detected.words else None,
        )
        classification = Classification(
            language=detected.language,
            language_confidence=detected.confidence,
            intent=chosen.intent,
            intent_confidence=round(chosen.confidence, 4),
            runner_up=chosen.runner_up,
            runner_up_confidence=round(chosen.runner_up_confidence, 4),
            sentiment=sentiment,
            sentiment_score=round(score, 4),
            sentiment_confidence=round(confidence, 4),
            urgency=urgency.urgency,
            urgency_reasons=urgency.reasons,
            weak_signals=tuple(str(one.reason) for one in signs),
            evidence=tuple(one for one in evidence if one is not None),
            decided_by="embedded",
            version=self._model.version,
            threshold=self._policy.thresholds.intent,
        )
        return self._facts.complete(classification, text, channel=channel, at=at, names=names)

    def _choose(self, meant: Reading, has_words: bool) -> _Chosen:
        """The model's best intent, or the fallback where the best is too weak to be believed."""
        ranked, fallback = self._closed(meant.probabilities), self._policy.fallback_intent
        if not ranked or not has_words:
            return _Chosen(fallback, 0.0, None, 0.0, by_model=False)
        best, confidence = ranked[0]
        second, second_confidence = ranked[1] if len(ranked) > 1 else (None, 0.0)
        if confidence >= self._policy.thresholds.fallback:
            return _Chosen(best, confidence, second, second_confidence, by_model=True)
        if best == fallback:
            return _Chosen(best, confidence, second, second_confidence, by_model=True)
        return _Chosen(fallback, dict(ranked).get(fallback, 0.0), best, confidence, by_model=False)

    def _closed(self, probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
        """Best first, in the company's names. What it removed from its list is never answered: that
        probability is the fallback's.
        """
        known = {
            name: sum(
                probabilities.get(one, 0.0)
                for one in (meaning.learned_as if meaning.learned_as is not None else (name,))
            )
            for name, meaning in self._intents.items()
        }
        known[self._policy.fallback_intent] += max(0.0, 1 - sum(known.values()))
        return sorted(
            ((name, one) for name, one in known.items() if one), key=lambda one: (-one[1], one[0])
        )


def _evidence(aspect: str, words: Sequence[Word], reading: Reading) -> Evidence | None:
    """The words that carried most of the answer, strongest first; None where none stands out."""
    shares: dict[str, float] = {}
    for word, share in zip(words, reading.moved, strict=True):
        # A single letter is what an elision leaves (`n'est`): true, and of no use to a reader.
        if (len(word.said) > 1 or not word.form.isalpha()) and word.said and share >= WORTH_NAMING:
            shares[word.said] = max(share, shares.get(word.said, 0.0))
    strongest = sorted(shares.items(), key=lambda one: (-one[1], one[0]))[:MOST_EVIDENCE]
    if not strongest:
        return None
    enough = strongest[0][1] / 4
    return Evidence.model_validate(
        {
            "aspect": aspect,
            "words": tuple(word for word, share in strongest if share >= enough),
            "weight": round(strongest[0][1], 4),
        }
    )
