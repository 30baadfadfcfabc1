"""Which language a message is in, offline: our own model of the languages our customers write, and
fastText's identifier for the 176 of the world.

Alone, the identifier errs on a few words and knows hardly an African language; ours knows only
those it was taught (`infra/training/README.md` compares both and others).
"""

import re
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from shared.adapters.linear_model import LinearModel
from shared.adapters.message_words import words_of
from shared.domain.classification import UNKNOWN_LANGUAGE

MODEL = Path(__file__).parent / "models" / "languages.bin"
IDENTIFIER = Path(__file__).parent / "models" / "lid.176.ftz"
LONGEST = 400
"""Characters looked at; more changes nothing."""
OWN_SHARE = 0.65
"""How much our own model counts, the rest is the identifier's."""
STATED = 0.6
"""What a language stated by the provider adds to a single word; to several a part of it each."""
_NOISE = re.compile(r"https?://\S+|\S+@\S+|[\d#_*]+|[^\w\s'’?!.,-]")


class Detected(NamedTuple):
    language: str
    """ISO 639-1 where it exists, else 639-3; `und` where nothing can be said."""
    confidence: float
    words: tuple[str, ...] = ()
    """Those that spoke for it, strongest first."""


NOTHING = Detected(UNKNOWN_LANGUAGE, 0.0)


class LanguageDetector:
    """Below `threshold` a language is not told."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    @cached_property
    def _identifier(self) -> Any:
        # Imported here, so that a message a rule decides pays nothing for it. It has no types.
        return import_module("fasttext").load_model(str(IDENTIFIER))

    @cached_property
    def _model(self) -> LinearModel:
        return LinearModel(MODEL)

    def detect(self, text: str, hint: str | None = None) -> Detected:
        """`hint` is the language the provider states, as BCP 47; it tips what is undecided."""
        clean = " ".join(_NOISE.sub(" ", text[:LONGEST]).split())
        words = [word for word in words_of(clean) if word.form.isalpha()]
        if not words:
            return NOTHING
        reading = self._model.read(words, explain=3)["language"]
        known = self._identified(clean)
        scores = {
            language: OWN_SHARE * reading.probabilities.get(language, 0.0)
            + (1 - OWN_SHARE) * known.get(language, 0.0)
            for language in reading.probabilities | known
        }
        stated = hint.replace("_", "-").split("-")[0].lower() if hint else None
        if stated in scores:
            scores[stated] = min(1.0, scores[stated] + STATED / len(words))
        language, confidence = max(scores.items(), key=lambda one: (one[1], one[0]))
        if confidence < self._threshold:
            return Detected(UNKNOWN_LANGUAGE, round(confidence, 4))
        ours = language == reading.ranked()[0][0]
        moved = sorted(zip(reading.moved, words, strict=True), key=lambda one: -one[0])
        spoke = [word.said for share, word in moved if share > 0 and word.said] if ours else []
        return Detected(language, round(confidence, 4), tuple(dict.fromkeys(spoke))[:3])

    def _identified(self, clean: str) -> dict[str, float]:
        labels, probabilities = self._identifier.predict(clean.lower(), k=4)
        return {
            label.removeprefix("__label__"): float(probability)
            for label, probability in zip(labels, probabilities, strict=True)
        }
