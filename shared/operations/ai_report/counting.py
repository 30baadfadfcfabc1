"""From an entry of the ledger to counts. Only names of closed lists get through: a text, a name or
an address in a field that should hold none is counted as unlisted.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from shared.domain.classification import Classification, Sentiment
from shared.domain.disclosure import TEMPLATE, is_disclosed
from shared.domain.journey import JourneyState
from shared.domain.override import ASPECTS, Aspect, Standing, standing
from shared.domain.touchpoint import Direction, Touchpoint, Writer
from shared.operations.ai_report.tally import Correction, Counts, Slice
from shared.policies.reader import Policies
from shared.ports.ledger import LedgerEntry

UNLISTED = "unlisted"

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_VERSION = re.compile(r"(rules|embedded|bedrock)[-:][A-Za-z0-9.:/_-]{1,100}")


class Lists(NamedTuple):
    """What an intent may be, and which one says that nothing better could be said; the words with
    which a machine's messages begin.
    """

    intents: frozenset[str]
    fallback: str
    disclosures: frozenset[str]


def lists(policies: Policies) -> Lists:
    wordings = policies.templates.templates[TEMPLATE].values()
    return Lists(
        intents=frozenset(policies.intents),
        fallback=policies.understanding.fallback_intent,
        disclosures=frozenset(wording.filled({}) for wording in wordings),
    )


def count(entry: LedgerEntry, counts: Counts, known: Lists) -> None:
    """One more touchpoint."""
    counts.looked_at += 1
    if (writer := _writer(entry.touchpoint)) is not None:
        counts.written[writer] += 1
        says_so = any(is_disclosed(entry.touchpoint.text, one) for one in known.disclosures)
        counts.disclosed += writer == Writer.MACHINE and says_so
    journey = JourneyState.model_validate(entry.outcome) if entry.outcome else None
    if journey is None or journey.ai_classification is None:
        counts.waiting += entry.touchpoint.needs_understanding
        return
    step = journey.ai_classification
    _count_answer(step.machine, entry, counts, known)


def _writer(touchpoint: Touchpoint) -> str | None:
    """Who wrote a message that left, by the closed list of writers."""
    writer = getattr(touchpoint.content, "written_by", None)
    is_told = touchpoint.direction is Direction.OUTBOUND and isinstance(writer, StrEnum)
    return str(writer) if is_told else None


def _count_answer(
    machine: Classification, entry: LedgerEntry, counts: Counts, known: Lists
) -> None:
    decider = machine.decided_by
    said = {aspect: _listed(aspect, getattr(machine, aspect), known) for aspect in ASPECTS}
    wins = standing(entry.overrides, known.intents)
    corrections = _corrections(said, wins, known)
    counts.understood += 1
    counts.person += bool(wins)
    counts.confirmed += bool(wins) and not corrections
    counts.tally(Slice(decider, said["language"], str(entry.touchpoint.channel))).add(
        machine.intent_confidence,
        below=machine.threshold is not None and machine.intent_confidence < machine.threshold,
        fallback=machine.intent == known.fallback,
        negative=machine.sentiment is Sentiment.NEGATIVE,
        changed=bool(corrections),
    )
    if machine.fell_back is not None:
        counts.fell_back[machine.fell_back.ai_use, machine.fell_back.why] += 1
    for one in corrections:
        counts.changed[decider, one.aspect] += 1
        counts.corrections[one] += 1
    for aspect, value in said.items():
        counts.values[aspect, value] += 1
    version = machine.version if _VERSION.fullmatch(machine.version) else UNLISTED
    counts.versions[decider, version] += 1


def _corrections(said: Mapping[Aspect, str], wins: Standing, known: Lists) -> list[Correction]:
    """Aspects in which a person says something else; who says the same confirms."""
    person = {
        aspect: _listed(aspect, getattr(override, aspect), known)
        for aspect, override in wins.items()
    }
    return [
        Correction(aspect, said[aspect], value)
        for aspect, value in person.items()
        if value != said[aspect]
    ]


def _listed(aspect: Aspect, value: str, known: Lists) -> str:
    """Sentiment and urgency are closed by their types."""
    if aspect == "intent":
        return value if value in known.intents else UNLISTED
    if aspect == "language":
        return value if _LANGUAGE.fullmatch(value) else UNLISTED
    return str(value)
