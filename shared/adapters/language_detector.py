"""Which language a message is in, offline: fastText's identifier, and common words where a message
is too short for it.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from shared.adapters.message_words import fold
from shared.domain.classification import UNKNOWN_LANGUAGE

MODEL = Path(__file__).parent / "models" / "lid.176.ftz"
SHORT = 5
"""Words up to which common words weigh as much as the identifier."""
LONGEST = 800
"""Characters the identifier is given; more changes nothing."""
_NOISE = re.compile(r"https?://\S+|\S+@\S+|[\d#_*]+|[^\w\s'’?!.,-]")


class Detected(NamedTuple):
    language: str
    """ISO 639-1 where it exists, else 639-3; `und` where nothing can be said."""
    confidence: float
    words: tuple[str, ...] = ()
    """The common words that spoke for it."""


NOTHING = Detected(UNKNOWN_LANGUAGE, 0.0)


class LanguageDetector:
    """`short_words` are the common words of each language (`policies/understanding.yaml`)."""

    def __init__(self, short_words: Mapping[str, frozenset[str]], threshold: float) -> None:
        self._threshold = threshold
        self._languages_of: dict[str, list[str]] = {}
        for language, words in short_words.items():
            for word in {fold(one) for one in words}:
                self._languages_of.setdefault(word, []).append(language)

    @cached_property
    def _identifier(self) -> Any:
        # Imported here, so that a message a rule decides pays nothing for it. It has no types.
        return import_module("fasttext").load_model(str(MODEL))

    def detect(self, text: str, hint: str | None = None) -> Detected:
        """`hint` is the language the provider states, as BCP 47; it tips what is undecided."""
        clean = " ".join(_NOISE.sub(" ", text[:LONGEST]).split())
        words = re.findall(r"[^\W\d_]+", fold(clean))
        stated = hint.replace("_", "-").split("-")[0].lower() if hint else None
        if not words:
            return NOTHING
        scores = self._identified(clean)
        votes = self._votes(words)
        if len(words) <= SHORT:
            weight = 0.7 * max(votes.values(), default=0.0)
            scores = {
                language: (1 - weight) * scores.get(language, 0.0)
                + weight * votes.get(language, 0.0)
                for language in scores | votes
            }
        if stated in scores:
            scores[stated] = min(1.0, scores[stated] + 0.15)
        language, confidence = max(scores.items(), key=lambda one: (one[1], one[0]))
        if confidence < self._threshold:
            return Detected(UNKNOWN_LANGUAGE, round(confidence, 4))
        spoke = [word for word in words if language in self._languages_of.get(word, ())]
        return Detected(language, round(min(confidence, 1.0), 4), tuple(dict.fromkeys(spoke))[:3])

    def _identified(self, clean: str) -> dict[str, float]:
        labels, probabilities = self._identifier.predict(clean.lower(), k=4)
        return {
            label.removeprefix("__label__"): float(probability)
            for label, probability in zip(labels, probabilities, strict=True)
        }

    def _votes(self, words: list[str]) -> dict[str, float]:
        """The share of each language's common words; a word of many languages tells little."""
        votes: dict[str, float] = {}
        whole = 0.0
        for word in words:
            languages = self._languages_of.get(word, ())
            telling = 1 / len(languages) if languages else 1.0
            whole += telling
            for language in languages:
                votes[language] = votes.get(language, 0.0) + telling
        return {language: vote / whole for language, vote in votes.items()}
