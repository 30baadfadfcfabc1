"""The first classifier: the company's own words, where they decide by themselves."""

import re
from collections.abc import Sequence
from datetime import datetime

from shared.adapters.message_words import find_phrase, folded_words, plain
from shared.adapters.text_facts import TextFacts
from shared.adapters.urgency_rules import judge_urgency
from shared.domain.classification import (
    UNKNOWN_LANGUAGE,
    Classification,
    Evidence,
    Sentiment,
    Urgency,
)
from shared.domain.touchpoint import Channel
from shared.domain.understanding import Phrases, UnderstandingPolicy, WordRule

_NUMBER = re.compile(r"\d+")


class RuleClassifier:
    def __init__(self, policy: UnderstandingPolicy) -> None:
        self._policy = policy
        self._facts = TextFacts(policy.entities)
        self._polite = policy.polite_words
        self._whole = {
            rule.name: {
                phrase: [lang for lang, phrases in _folded(rule.whole).items() if phrase in phrases]
                for phrases in _folded(rule.whole).values()
                for phrase in phrases
            }
            for rule in policy.rules
        }

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification | None:
        """None where no rule speaks. `language` and `channel` are what the touchpoint states of
        itself.
        """
        text = plain(text)
        folded = folded_words(text)
        if not folded:
            return self._wordless(bool(text.strip()))
        for rule in self._policy.rules:
            if rule.channels is not None and channel not in rule.channels:
                continue
            found = self._whole_message(rule, folded) or self._within(rule, folded)
            if found is not None:
                words, languages = found
                decided = self._decided(rule, words, languages, language, text)
                return self._facts.complete(decided, text, channel=channel, at=at, names=names)
        return None

    def _whole_message(self, rule: WordRule, folded: str) -> tuple[str, list[str]] | None:
        phrases = self._whole[rule.name]
        if folded in phrases:
            return folded, phrases[folded]
        left = " ".join(
            word
            for word in folded.split()
            if word not in self._polite and not _NUMBER.fullmatch(word)
        )
        return (left, phrases[left]) if left in phrases else None

    def _within(self, rule: WordRule, folded: str) -> tuple[str, list[str]] | None:
        if folded.count(" ") >= rule.longest:
            return None
        for language, phrases in rule.within.items():
            words = find_phrase(phrases, folded)
            if words and not find_phrase(rule.unless.get(language, ()), folded):
                return words, [language]
        return None

    def _decided(
        self, rule: WordRule, words: str, languages: list[str], hint: str | None, text: str
    ) -> Classification:
        """Words that decide are calm, unless the company's urgency phrases stand beside them."""
        stated = hint.replace("_", "-").split("-")[0].lower() if hint else None
        certain = len(languages) == 1
        language = languages[0] if certain else stated if stated in languages else UNKNOWN_LANGUAGE
        judged = judge_urgency(
            plain(text), self._policy, language=language, intents=(rule.intent,), score=0.0
        )
        return Classification(
            language=language,
            language_confidence=0.9 if certain else 0.5 if language != UNKNOWN_LANGUAGE else 0.0,
            intent=rule.intent,
            intent_confidence=1.0,
            sentiment=Sentiment.NEUTRAL,
            sentiment_score=0.0,
            sentiment_confidence=0.0,
            urgency=judged.urgency if judged.reasons else Urgency.LOW,
            urgency_reasons=judged.reasons,
            evidence=(
                Evidence(aspect="intent", words=(words[:60],), weight=1.0, reason=rule.name),
                *judged.evidence,
            ),
            decided_by="rules",
            version=self._policy.rules_version,
        )

    def _wordless(self, has_symbols: bool) -> Classification | None:
        """Nothing was said: no text at all. Emojis are left to the model, which knows how they
        feel.
        """
        if has_symbols:
            return None
        return Classification(
            intent=self._policy.fallback_intent,
            intent_confidence=0.0,
            sentiment=Sentiment.NEUTRAL,
            sentiment_score=0.0,
            sentiment_confidence=0.0,
            urgency=Urgency.NORMAL,
            evidence=(Evidence(aspect="intent", words=(), reason=NO_TEXT),),
            decided_by="rules",
            version=self._policy.rules_version,
        )


NO_TEXT = "no_text"
"""The reason given where a message has no words, as a lone picture has none."""


def _folded(phrases: Phrases) -> dict[str, frozenset[str]]:
    return {
        language: frozenset(folded_words(one) for one in each) for language, each in phrases.items()
    }
