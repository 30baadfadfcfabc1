"""What a classification says of a text beside its meaning: a summary, what it names, which kinds
of personal data it holds. And its evidence quotes none of them.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.adapters.message_words import fold
from shared.domain.classification import Classification, Evidence
from shared.domain.touchpoint import Channel
from shared.domain.understanding import EntityPolicy

if TYPE_CHECKING:
    from shared.adapters.entity_finder import EntityFinder

_WORDS = re.compile(r"\w+")
_NOT_SHOWN = "…"


class TextFacts:
    """The finders are made for the first message: what only routes pays nothing for them."""

    def __init__(self, policy: EntityPolicy) -> None:
        self._policy = policy

    @cached_property
    def _entities(self) -> "EntityFinder":
        from shared.adapters.entity_finder import EntityFinder

        return EntityFinder(self._policy)

    def complete(
        self,
        classification: Classification,
        text: str,
        *,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Iterable[str] = (),
    ) -> Classification:
        """The classification of a `plain` text with the facts filled in. `at` is when it was
        written, `names` what the person is called there.
        """
        from shared.adapters.personal_data_finder import PersonalDataFinder, masked
        from shared.adapters.summary import cut, summarise

        finder, names = PersonalDataFinder(), tuple(names)
        found = finder.find(text, names)
        personal = words_in(text[one.start : one.end] for one in found)
        evidence = tuple(without(one, personal) for one in classification.evidence)
        summary = summarise(masked(text, found), evidence, has_subject=channel is Channel.EMAIL)
        # A number that is cut may look like another kind of number.
        while (hidden := cut(finder.mask(summary, names))) != summary:
            summary = hidden
        changes: dict[str, Any] = {
            "evidence": evidence,
            "summary": summary,
            "entities": self._entities.find(
                text, language=classification.language, at=at, personal=found
            ),
            "personal_data": tuple(dict.fromkeys(one.kind for one in found)),
        }
        return classification.model_copy(update=changes)


def words_in(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORDS.findall(fold(text))}


def without(evidence: Evidence, personal: set[str]) -> Evidence:
    """A phrase may reach over a name or a number; a single word that is one goes altogether."""
    if not personal:
        return evidence
    shown = (_shown(words, personal) for words in evidence.words)
    return evidence.model_copy(update={"words": tuple(one for one in shown if one)})


def _shown(words: str, personal: set[str]) -> str:
    parts: Sequence[str] = words.split(" ")
    kept = [_NOT_SHOWN if set(_WORDS.findall(fold(one))) & personal else one for one in parts]
    return "" if set(kept) == {_NOT_SHOWN} else " ".join(kept)
