"""How urgent a message is, by named reasons with their words. Rules, because a person must be able
to foresee them.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from shared.adapters.message_words import find_phrase, folded_words
from shared.domain.classification import Evidence, Urgency
from shared.domain.understanding import Phrases, UnderstandingPolicy, UrgencyReason

RANK = {level: rank for rank, level in enumerate(Urgency)}


class Judged(NamedTuple):
    urgency: Urgency
    reasons: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def judge_urgency(
    text: str,
    policy: UnderstandingPolicy,
    *,
    language: str,
    intents: tuple[str, ...],
    score: float,
    feeling: tuple[str, ...] = (),
) -> Judged:
    """`intents` are the best and the second; `score` is the sentiment's, `feeling` the words that
    moved it.
    """
    folded = folded_words(text)
    found: list[tuple[Urgency, str, tuple[str, ...]]] = []
    for name, reason in policy.urgency.items():
        words = _words_for(reason, folded, language, intents, score, feeling)
        if words is not None:
            found.append((reason.level, name, words))
    found.sort(key=lambda one: -RANK[one[0]])
    if found:
        urgency = found[0][0]
    else:
        calm = bool(intents) and intents[0] in policy.calm_intents
        urgency = Urgency.LOW if calm else Urgency.NORMAL
    return Judged(
        urgency,
        tuple(name for _, name, _ in found),
        tuple(Evidence(aspect="urgency", words=words, reason=name) for _, name, words in found),
    )


def _words_for(
    reason: UrgencyReason,
    folded: str,
    language: str,
    intents: tuple[str, ...],
    score: float,
    feeling: tuple[str, ...],
) -> tuple[str, ...] | None:
    """The words by which the reason holds, or None where it does not."""
    if reason.intents is not None and not reason.intents.intersection(intents):
        return None
    if reason.score_at_most is not None and score > reason.score_at_most:
        return None
    if not reason.phrases:
        return feeling
    for phrases, unless in _heard(reason, language):
        words = find_phrase(phrases, folded)
        if words is not None and not find_phrase(unless, folded):
            return (words,)
    return None


def _heard(reason: UrgencyReason, language: str) -> Iterator[tuple[Collection[str], Sequence[str]]]:
    """The phrases that are listened for, and what takes their words back.

    Those of the message's language first. What is critical is heard in every other as well, each
    with its own exceptions: people mix, detectors err, and one alarm too many costs less than one
    too few. A phrase that the message's language has too is that language's.
    """
    own = spoken(reason.phrases, language)
    yield own, spoken(reason.unless, language)
    if reason.level is Urgency.CRITICAL and language in reason.phrases:
        for other, phrases in reason.phrases.items():
            if other != language:
                yield set(phrases).difference(own), reason.unless.get(other, ())


def spoken(phrases: Phrases, language: str) -> tuple[str, ...]:
    """Of the message's language; of all of them where it is not among them: people mix, and
    detectors err.
    """
    if language in phrases:
        return phrases[language]
    return tuple(phrase for each in phrases.values() for phrase in each)
