"""Decide again on every touchpoint of the ledger, by other policies or another model, and tell the
difference. Nothing is written, nothing is paid for.

What people overrode counts as they said. Whatever depends on the moment (which ticket was open, who
had opted out) is taken as it was recorded.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from shared.deciding import (
    OWED,
    UNHEARD,
    Way,
    ask,
    decide_obligation,
    decide_priority,
    find_way,
    names_of,
    said,
    weigh,
)
from shared.domain.classification import Classification
from shared.domain.decision import Decision
from shared.domain.journey import JourneyState
from shared.domain.touchpoint import TouchpointState
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.understanding import Classifier, Masker

ASPECTS = ("intent", "sentiment", "urgency", "owes", "queue", "priority")
PAGE = 200
TELL_EVERY = 5
"""Pages between two lines of progress."""
EXCERPT = 80
NONE = "-"
"""The queue and the priority of what is owed nothing."""


Hide = Callable[[str], str]
"""A masker that knows what one person is called."""


class Rules(NamedTuple):
    """By what is decided again."""

    current: Policies
    candidate: Policies
    classifier: Classifier
    """Rules and embedded model of the candidate."""
    without_bedrock: bool = False
    """Whether the embedded model decides again on what Bedrock had decided."""


class Verdict(NamedTuple):
    """Each aspect's value, and why it has it."""

    values: Mapping[str, str]
    reasons: Mapping[str, str]


class Move(NamedTuple):
    aspect: str
    before: str
    after: str


class Example(NamedTuple):
    touchpoint_id: str
    channel: str
    excerpt: str
    """Masked."""
    before: str
    """Why it was so."""
    after: str


@dataclass
class Difference:
    """Counts, and some examples of each move: as large as the moves are many, however long the
    ledger.
    """

    looked_at: int = 0
    understood: int = 0
    in_flight: int = 0
    """Understood before, and on their way round again: not compared."""
    overridden: int = 0
    kept: int = 0
    """Left as Bedrock decided."""
    unchanged: int = 0
    changed: int = 0
    by_aspect: Counter[str] = field(default_factory=Counter)
    moves: Counter[Move] = field(default_factory=Counter)
    examples: dict[Move, list[Example]] = field(default_factory=dict)


def replay(
    rules: Rules,
    *,
    ledger: Ledger,
    masker: Masker,
    since: datetime | None = None,
    until: datetime | None = None,
    examples: int = 3,
    cursor: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Difference:
    """Go through the ledger page by page, from `cursor` on where an earlier replay broke off.

    Each line of progress says where to go on from.
    """
    found, pages = Difference(), 0
    while True:
        page = ledger.all(since=since, until=until, limit=PAGE, cursor=cursor)
        for entry in page.items:
            _look(entry, rules, found, masker, examples)
        if (cursor := page.cursor) is None:
            return found
        pages += 1
        if pages % TELL_EVERY == 0:
            report(f"{found.looked_at} looked at, {found.changed} changed; --cursor {cursor}")


def _look(
    entry: LedgerEntry, rules: Rules, found: Difference, masker: Masker, examples: int
) -> None:
    found.looked_at += 1
    journey = JourneyState.model_validate(entry.outcome) if entry.outcome else None
    if journey is None or journey.ai_classification is None:
        return
    found.understood += 1
    names = names_of(entry.touchpoint)

    def hide(text: str) -> str:
        return masker(text, names)

    if entry.state is TouchpointState.RECEIVED:
        found.in_flight += 1
        return
    machine = journey.ai_classification.machine_classification
    found.overridden += machine is not None
    answer = _answer(entry, journey.ai_classification.answer, rules)
    found.kept += answer.decided_by == "bedrock"
    before = _as_recorded(entry, journey, rules.current, hide)
    after = _as_it_would_be(entry, journey, answer, rules.candidate, hide)
    moves = [
        Move(aspect, before.values[aspect], after.values[aspect])
        for aspect in ASPECTS
        if before.values[aspect] != after.values[aspect]
    ]
    found.changed += bool(moves)
    found.unchanged += not moves
    for move in moves:
        found.by_aspect[move.aspect] += 1
        found.moves[move] += 1
        shown = found.examples.setdefault(move, [])
        if len(shown) < examples:
            shown.append(_example(entry, move, before, after, hide))


def _answer(entry: LedgerEntry, recorded: Classification, rules: Rules) -> Classification:
    """What the classifiers say now; Bedrock's answer is kept unless words decide before it."""
    answer = ask(rules.classifier, entry.touchpoint)
    may_keep = recorded.decided_by == "bedrock" and not rules.without_bedrock
    is_listed = recorded.intent in rules.candidate.intents
    return recorded if may_keep and is_listed and answer.decided_by != "rules" else answer


def _as_recorded(
    entry: LedgerEntry, journey: JourneyState, current: Policies, hide: Hide
) -> Verdict:
    assert journey.ai_classification is not None
    meant = journey.ai_classification.classification
    obligation = _decision("obligation", journey)
    is_owed = _is_owed(meant, obligation, current)
    priority = _decision("priority", journey)
    if priority is None:
        _, priority = decide_priority(meant, current, entry.touchpoint.received_at)
    routing = _decision("routing", journey)
    # A ticket of another queue that was open then, or a person's hand, is no matter of policy.
    if routing is None or entry.overrides or meant.intent in current.routing.continues:
        way = find_way(entry.touchpoint, meant.intent, current)
    else:
        way = Way(routing.outcome, routing.reason, routing.by)
    return _verdict(
        meant,
        owes=is_owed,
        because_owes=obligation.reason if obligation else "",
        queue=way.queue if is_owed else NONE,
        because_queue=way.reason,
        priority=priority.outcome if is_owed else NONE,
        because=priority.reason,
        hide=hide,
    )


def _is_owed(meant: Classification, recorded: Decision | None, current: Policies) -> bool:
    """As it was recorded; by the intent, where nothing was."""
    if recorded is not None:
        return recorded.outcome == OWED
    return meant.intent in current.intents and current.intents[meant.intent].owes


def _as_it_would_be(
    entry: LedgerEntry,
    journey: JourneyState,
    answer: Classification,
    candidate: Policies,
    hide: Hide,
) -> Verdict:
    at = entry.touchpoint.received_at
    understood = weigh(entry.touchpoint, answer, entry.overrides, candidate)
    recorded = _decision("obligation", journey)
    acts = understood.rule is not None and understood.rule.does is not None
    heard = not (acts and recorded is not None and recorded.by == UNHEARD)
    is_owed, obligation = decide_obligation(understood, candidate, at, heard=heard)
    meant = understood.classification
    priority, because = decide_priority(meant, candidate, at)
    way = find_way(entry.touchpoint, meant.intent, candidate)
    return _verdict(
        meant,
        owes=is_owed,
        because_owes=obligation.reason,
        queue=way.queue if is_owed else NONE,
        because_queue=way.reason,
        priority=priority if is_owed else NONE,
        because=because.reason,
        hide=hide,
    )


def _verdict(
    meant: Classification,
    *,
    owes: bool,
    because_owes: str,
    queue: str,
    because_queue: str,
    priority: str,
    because: str,
    hide: Hide,
) -> Verdict:
    values = {
        "intent": meant.intent,
        "sentiment": str(meant.sentiment),
        "urgency": str(meant.urgency),
        "owes": "yes" if owes else "no",
        "queue": queue,
        "priority": str(priority),
    }
    reasons = {
        "intent": _why(meant, "intent", f"{meant.decided_by} {meant.intent_confidence:.2f}", hide),
        "sentiment": _why(meant, "sentiment", f"score {meant.sentiment_score:+.2f}", hide),
        "urgency": _why(meant, "urgency", ", ".join(meant.urgency_reasons), hide),
        "owes": because_owes,
        "queue": because_owes if queue == NONE else because_queue,
        "priority": because_owes if priority == NONE else because,
    }
    return Verdict(values, reasons)


def _why(meant: Classification, aspect: str, how: str, hide: Hide) -> str:
    """How it was decided, by which rule, and on which words, masked."""
    found = [one for one in meant.evidence if one.aspect == aspect]
    is_ruled = meant.decided_by == "rules"
    rule = next((one.reason for one in found if one.reason and is_ruled), None)
    words = ", ".join(word for one in found for word in one.words)
    parts = (how, f"by rule {rule}" if rule else "", f"on: {words}" if words else "")
    return hide(" ".join(part for part in parts if part) or "nothing spoke for more")


def _decision(about: str, journey: JourneyState) -> Decision | None:
    steps = (journey.ai_classification, journey.ticket_creation)
    decisions = (one for step in steps if step is not None for one in step.decisions)
    return next((one for one in decisions if one.about == about), None)


def _example(
    entry: LedgerEntry, move: Move, before: Verdict, after: Verdict, hide: Hide
) -> Example:
    return Example(
        touchpoint_id=entry.touchpoint.touchpoint_id,
        channel=str(entry.touchpoint.channel),
        # Masked as a whole first: a number cut in two would not be known for one.
        excerpt=" ".join(hide(said(entry.touchpoint)).split())[:EXCERPT],
        before=before.reasons[move.aspect],
        after=after.reasons[move.aspect],
    )
