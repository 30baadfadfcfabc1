"""What a message means by the company's words alone, while no model may be asked.

It always answers: what nobody said unmistakably is about the fallback intent, and a person reads
it. Urgency is judged by the same reasons as ever, so nothing that is dangerous waits longer.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.adapters.message_words import find_phrase, fold, folded_words, plain
from shared.adapters.text_facts import TextFacts
from shared.adapters.urgency_rules import judge_urgency
from shared.domain.classification import (
    UNKNOWN_LANGUAGE,
    Classification,
    Evidence,
    Intents,
    Sentiment,
)
from shared.domain.touchpoint import Channel
from shared.domain.understanding import Phrases, UnderstandingPolicy

Said = dict[str, str]
"""Language to the longest words of the message that one of its phrases matches."""


class WordsClassifier:
    def __init__(self, policy: UnderstandingPolicy, intents: Intents) -> None:
        self._policy = policy
        self._facts = TextFacts(policy.entities)
        self._intents = intents
        self._short_words = {
            language: frozenset(fold(word) for word in words)
            for language, words in policy.short_words.items()
        }

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        policy, confidence = self._policy, self._policy.words.confidence
        text = plain(text)
        folded = folded_words(text)
        said = self._intents_said(folded)
        ranked = sorted(said, key=lambda intent: -_longest(said[intent]))
        intent = ranked[0] if ranked else policy.fallback_intent
        runner_up = ranked[1] if len(ranked) > 1 else None
        feelings = {
            name: found
            for name, phrases in policy.words.sentiments.items()
            if (found := _said(phrases, folded))
        }
        sentiment, score = Sentiment.NEUTRAL, 0.0
        felt: tuple[str, ...] = ()
        if len(feelings) == 1:
            ((name, found),) = feelings.items()
            sentiment, felt = Sentiment(name), _words(found)
            score = policy.words.score * (1 if sentiment is Sentiment.POSITIVE else -1)
        spoken = self._language(folded, said.get(intent, {}), language)
        urgency = judge_urgency(
            text,
            policy,
            language=spoken,
            intents=tuple(one for one in (intent, runner_up) if one),
            score=score,
            feeling=felt,
        )
        evidence = (
            Evidence(aspect="intent", words=_words(said[intent])) if ranked else None,
            Evidence(aspect="sentiment", words=felt) if felt else None,
            *urgency.evidence,
        )
        classification = Classification(
            language=spoken,
            language_confidence=0.0 if spoken == UNKNOWN_LANGUAGE else confidence,
            intent=intent,
            intent_confidence=confidence if ranked else 0.0,
            runner_up=runner_up,
            sentiment=sentiment,
            sentiment_score=score,
            sentiment_confidence=confidence if felt else 0.0,
            urgency=urgency.urgency,
            urgency_reasons=urgency.reasons,
            evidence=tuple(one for one in evidence if one is not None),
            decided_by="rules",
            version=policy.rules_version,
        )
        return self._facts.complete(classification, text, channel=channel, at=at, names=names)

    def _intents_said(self, folded: str) -> dict[str, Said]:
        return {
            intent: found
            for intent, phrases in self._policy.words.intents.items()
            if intent in self._intents and (found := _said(phrases, folded))
        }

    def _language(self, folded: str, said: Said, stated: str | None) -> str:
        """The one whose common words and phrases are most; of equals the one that was stated."""
        words = re.findall(r"[^\W\d_]+", folded)
        votes: dict[str, float] = dict.fromkeys(said, 1.0)
        for word in words:
            languages = [one for one, common in self._short_words.items() if word in common]
            for one in languages:
                votes[one] = votes.get(one, 0.0) + 1 / len(languages)
        hint = stated.replace("_", "-").split("-")[0].lower() if stated else ""
        if hint in votes:
            votes[hint] += 0.5
        best = sorted(votes, key=lambda one: -votes[one])[:2]
        if not best or (len(best) == 2 and votes[best[0]] == votes[best[1]]):
            return UNKNOWN_LANGUAGE
        return best[0]


def _said(phrases: Phrases, folded: str) -> Said:
    found = {language: find_phrase(each, folded) for language, each in phrases.items()}
    return {language: words for language, words in found.items() if words}


def _longest(said: Mapping[str, str]) -> int:
    return max(map(len, said.values()))


def _words(said: Mapping[str, str]) -> tuple[str, ...]:
    """The longest first, each once."""
    ranked = sorted(set(said.values()), key=lambda words: (-len(words), words))
    return tuple(words[:60] for words in ranked[:2])
