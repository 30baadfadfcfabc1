"""What follows from what a touchpoint means, for the journey and for a replay alike: whether
something is owed, and how urgent it is.

Nothing here reads or writes; the policies say it all.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.classification import UNKNOWN_LANGUAGE, Classification, Evidence, Urgency
from shared.domain.decision import Decision
from shared.domain.override import Override, overridden, standing
from shared.domain.ticket import Priority
from shared.domain.touchpoint import Message, Touchpoint
from shared.domain.understanding import MarkRule, WordRule
from shared.policies.reader import Policies
from shared.ports.understanding import Classifier


class Understood(NamedTuple):
    answer: Classification
    """What the classifiers say, before the mark."""
    machine: Classification
    """What the classifiers and the mark say."""
    classification: Classification
    """What counts: with what people say instead."""
    rule: WordRule | None
    """The words that decided the intent, where nobody overrode it."""
    mark: MarkRule | None
    """What the mark says, where nobody overrode the intent."""

    @property
    def is_overridden(self) -> bool:
        return self.classification != self.machine

    @property
    def paid_answer(self) -> Classification | None:
        """What was paid for, where the mark says otherwise: a replay cannot ask it again."""
        is_paid = self.answer.decided_by == "bedrock"
        return self.answer if is_paid and self.answer != self.machine else None


def said(touchpoint: Touchpoint) -> str:
    """The person's own words. A mail's subject counts where it opens an exchange; in a reply it
    only echoes.
    """
    content = touchpoint.content
    if isinstance(content, Message) and content.subject and not content.in_reply_to:
        return f"{content.subject}\n{content.text}"
    return touchpoint.text


def ask(classifier: Classifier, touchpoint: Touchpoint) -> Classification:
    """What a classifier makes of a touchpoint's words."""
    return classifier.classify(
        said(touchpoint),
        language=touchpoint.language,
        channel=touchpoint.channel,
        at=touchpoint.occurred_at,
        names=names_of(touchpoint),
    )


def names_of(touchpoint: Touchpoint) -> tuple[str, ...]:
    """What the touchpoint itself calls the person."""
    return (touchpoint.name,) if touchpoint.name else ()


def weigh(
    touchpoint: Touchpoint,
    answer: Classification,
    overrides: Sequence[Override],
    policies: Policies,
) -> Understood:
    """A classifier's answer with the touchpoint's mark, and with what people say instead."""
    mark = policies.understanding.marks.rule_for(touchpoint.content)
    answer = _with_language(answer, touchpoint, policies)
    machine = answer if mark is None else _weigh_mark(answer, mark, policies)
    if (without := policies.understanding.rule_without_words(touchpoint.content)) is not None:
        machine = _decided_without_words(machine, without, policies)
    classification = overridden(machine, overrides, policies.intents)
    if "intent" in standing(overrides, policies.intents):
        return Understood(answer, machine, classification, None, None)
    rule = policies.understanding.word_rule(_deciding_rule(machine))
    return Understood(answer, machine, classification, rule, mark)


def _with_language(
    answer: Classification, touchpoint: Touchpoint, policies: Policies
) -> Classification:
    """Where neither provider nor words tell a language, the account's own counts: enough to choose
    words by, too little to teach a profile.
    """
    spoken = policies.accounts.of(touchpoint.provider, touchpoint.account).language
    if answer.language != UNKNOWN_LANGUAGE or spoken is None:
        return answer
    return answer.model_copy(update={"language": spoken, "language_confidence": 0.0})


def _weigh_mark(
    classification: Classification, mark: MarkRule, policies: Policies
) -> Classification:
    """A mark tells the feeling better than words do, and what it is about where the words are
    general or absent.
    """
    evidence = Evidence(aspect="sentiment", words=(), reason=mark.name)
    others = tuple(one for one in classification.evidence if one.aspect != "sentiment")
    changes: dict[str, object] = {
        "sentiment": mark.sentiment,
        "sentiment_score": mark.score,
        "sentiment_confidence": 1.0,
        "evidence": (*others, evidence),
    }
    if classification.intent in policies.understanding.marks.gives_way:
        changes |= _by_rule(mark, others, policies, evidence)
    return classification.model_copy(update=changes)


def _decided_without_words(
    classification: Classification, rule: WordRule, policies: Policies
) -> Classification:
    """What the words say as well stays as they say it, with the words for evidence; and no choice
    takes the place of a word that brings something about.
    """
    said_so = policies.understanding.word_rule(_deciding_rule(classification))
    if said_so is not None and rule.does in {None, said_so.does}:
        return classification
    return classification.model_copy(update=_by_rule(rule, classification.evidence, policies))


def _by_rule(
    rule: MarkRule | WordRule,
    evidence: Sequence[Evidence],
    policies: Policies,
    *more: Evidence,
) -> dict[str, object]:
    """What a classification says of the intent where a rule decided it without words."""
    return {
        "intent": rule.intent,
        "intent_confidence": 1.0,
        "runner_up": None,
        "runner_up_confidence": None,
        "decided_by": "rules",
        "version": policies.understanding.rules_version,
        "evidence": (
            *(one for one in evidence if one.aspect != "intent"),
            Evidence(aspect="intent", words=(), reason=rule.name),
            *more,
        ),
    }


def decide_obligation(
    understood: Understood, policies: Policies, now: datetime, *, heard: bool = True
) -> tuple[bool, Decision]:
    """Whether somebody owes the customer something: a rule or a mark that decided says so itself,
    else the intent does. A word that was not `heard` brought nothing about, so a person looks; and
    at what is critical a person always looks, whatever a word or a model made of it.
    """
    intent = understood.classification.intent
    owed, by, source = policies.intents[intent].owes, "policy:intents", "intent"
    reason = _deciding_rule(understood.machine)
    for decider in (understood.rule, understood.mark):
        if decider is not None and decider.owes is not None and decider.name == reason:
            owed, by, source = decider.owes, "policy:understanding", decider.name
    if not heard:
        owed, by, source = True, UNHEARD, "a word that was not acted upon,"
    if understood.classification.urgency is Urgency.CRITICAL:
        owed, by, source = True, "policy:understanding", "critical, whatever it is about,"
    decision = Decision(
        about="obligation",
        outcome=OWED if owed else NOTHING_OWED,
        reason=f"{source} {intent}: "
        + ("somebody owes an answer" if owed else "nobody waits for an answer"),
        by=by,
        at=now,
        evidence={"intent": intent},
    )
    return owed, decision


OWED = "owed"
NOTHING_OWED = "nothing_owed"
UNHEARD = "policy:consent"
"""Who decided on the obligation where a word was not acted upon."""


class Way(NamedTuple):
    """The queue that something belongs to, and why."""

    queue: str
    reason: str
    by: str


OF_ACCOUNT = "policy:accounts"
"""Who decided on the queue where the account has one of its own."""


def find_way(touchpoint: Touchpoint, intent: str, policies: Policies) -> Way:
    """To the queue of its account, where that has one; else to the queue of what it is about."""
    account = policies.accounts.of(touchpoint.provider, touchpoint.account)
    if account.queue is not None:
        return Way(account.queue, f"all that comes to {account.name or 'this account'}", OF_ACCOUNT)
    return Way(policies.routing.queue_for(intent), f"the queue of {intent}", "policy:routing")


def decide_priority(
    classification: Classification, policies: Policies, now: datetime
) -> tuple[Priority, Decision]:
    """How urgent a ticket for it is: by the first rule that holds."""
    position, rule = next(
        (position, rule)
        for position, rule in enumerate(policies.priorities)
        if rule.matches(classification)
    )
    decision = Decision(
        about="priority",
        outcome=rule.priority,
        reason=f"rule {position + 1} of priorities.yaml",
        by="policy:priorities",
        at=now,
    )
    return rule.priority, decision


def _deciding_rule(classification: Classification) -> str | None:
    """The name of the rule that decided the intent, where one did."""
    if classification.decided_by != "rules":
        return None
    return next((one.reason for one in classification.evidence if one.aspect == "intent"), None)
