"""Check all policies: one by one, and what one of them says of another."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from shared.domain.ai_use import MEASURES, AiUseName
from shared.domain.disclosure import TEMPLATE as DISCLOSURE
from shared.domain.follow_up import SendTemplate
from shared.domain.suppression import NoticeTemplate
from shared.policies.reader import FOLDER, NAMES, Policies, PolicyFile
from shared.providers.base import provider_names

NOTICES: frozenset[str] = frozenset(get_args(NoticeTemplate))
"""Templates that words of a person call for, whatever the follow-ups are."""

MODEL = FOLDER.parent / "adapters" / "models" / "understanding.bin"
"""The embedded model. Its second line says what it learned."""


def learned_intents() -> frozenset[str]:
    """What the embedded model calls the intents it knows."""
    with MODEL.open("rb") as file:
        file.readline()
        return frozenset(json.loads(file.readline())["heads"]["intent"]["classes"])


def check_policies(folder: Path = FOLDER, instead: Mapping[str, Path] | None = None) -> Policies:
    """All policies of a folder, read, and their cross-references hold: no rule names a queue or a
    template that is not there. `instead` are files that stand for the folder's own, by policy.

    Raises PolicyError.
    """
    policies = Policies(folder, instead)
    for name in NAMES:
        getattr(policies, name)
    files = {name: PolicyFile(policies.file(name)) for name in NAMES}
    _check_references(policies, files)
    return policies


def _check_references(policies: Policies, files: dict[str, PolicyFile]) -> None:
    _check_learned(policies, files["intents"])
    _check_accounts(policies, files["accounts"])
    for queue, intents in policies.routing.queues.items():
        for position, intent in enumerate(intents):
            if intent not in policies.intents:
                raise files["routing"].wrong(
                    ("queues", queue, position), f"{intent!r} is not in intents.yaml"
                )
    for intent in policies.routing.continues - set(policies.intents):
        raise files["routing"].wrong(("continues",), f"{intent!r} is not in intents.yaml")
    for position, rule in enumerate(policies.priorities):
        for intent in (rule.intents or frozenset()) - set(policies.intents):
            raise files["priorities"].wrong(
                (position, "intents"), f"{intent!r} is not in intents.yaml"
            )
    last = len(policies.priorities) - 1
    if last < 0 or policies.priorities[last].model_dump(exclude={"priority"}, exclude_none=True):
        rule_or_file = (last,) if policies.priorities else ()
        raise files["priorities"].wrong(rule_or_file, "the last rule must hold for everything")
    for where, intent in policies.understanding.intents_named():
        if intent not in policies.intents:
            raise files["understanding"].wrong(where, f"{intent!r} is not in intents.yaml")
    for ai_use in sorted(set(AiUseName) - set(policies.ai_register)):
        raise files["ai_register"].wrong((), f"{ai_use} has no entry")
    bedrock = policies.ai_register[AiUseName.BEDROCK_CLASSIFICATION]
    if bedrock.paid is None:
        where = (AiUseName.BEDROCK_CLASSIFICATION,)
        raise files["ai_register"].wrong(where, "it is paid by the call: paid is missing")
    for ai_use, entry in policies.ai_register.items():
        if entry.kpi is not None and entry.kpi.measure not in MEASURES[ai_use]:
            reason = f"{entry.kpi.measure} cannot be counted of it"
            raise files["ai_register"].wrong((ai_use, "kpi", "measure"), reason)
    if policies.sla.calendar not in policies.calendars:
        raise files["sla"].wrong(
            ("calendar",), f"{policies.sla.calendar!r} is not in calendars.yaml"
        )
    for message_class, purpose in policies.sending.purposes.items():
        if purpose not in policies.consent.purposes:
            raise files["sending"].wrong(
                ("purposes", message_class), f"{purpose!r} is not in consent.yaml"
            )
    for position, template in enumerate(policies.sending.reply_templates):
        if template not in policies.templates.templates:
            raise files["sending"].wrong(
                ("reply_templates", position), f"{template!r} is not in templates.yaml"
            )
    for template in sorted(NOTICES - set(policies.templates.templates)):
        reason = f"{template} is missing: a word calls for it"
        raise files["templates"].wrong(("templates",), reason)
    _check_disclosure(policies, files["templates"])
    names: set[str] = set()
    for position, follow_up in enumerate(policies.follow_ups):
        for queue in (follow_up.queues or frozenset()) - set(policies.routing.queues):
            raise files["follow_ups"].wrong(
                (position, "queues"), f"{queue!r} is not a queue of routing.yaml"
            )
        action = follow_up.then
        if isinstance(action, SendTemplate) and action.template not in policies.templates.templates:
            reason = f"{action.template!r} is not in templates.yaml"
            raise files["follow_ups"].wrong((position, "then", "template"), reason)
        if isinstance(action, SendTemplate) and action.purpose not in {
            None,
            *policies.consent.purposes,
        }:
            reason = f"{action.purpose!r} is not in consent.yaml"
            raise files["follow_ups"].wrong((position, "then", "purpose"), reason)
        if follow_up.name in names:
            raise files["follow_ups"].wrong(
                (position, "name"), f"{follow_up.name!r} is there twice"
            )
        names.add(follow_up.name)


def _check_accounts(policies: Policies, file: PolicyFile) -> None:
    """Each line is listed once, and what it names is there."""
    seen = set()
    for position, one in enumerate(policies.accounts.root):
        if one.provider not in provider_names():
            raise file.wrong((position, "provider"), f"{one.provider!r} is no provider")
        if (one.provider, one.account) in seen:
            raise file.wrong((position, "account"), f"{one.account!r} is there twice")
        if one.calendar is not None and one.calendar not in policies.calendars:
            reason = f"{one.calendar!r} is not in calendars.yaml"
            raise file.wrong((position, "calendar"), reason)
        if one.queue is not None and one.queue not in policies.routing.queues:
            reason = f"{one.queue!r} is not a queue of routing.yaml"
            raise file.wrong((position, "queue"), reason)
        seen.add((one.provider, one.account))


def _check_disclosure(policies: Policies, file: PolicyFile) -> None:
    """What precedes a machine's words must be there, in whatever language anything else is, and be
    words: nobody fills in variables of it.
    """
    templates = policies.templates.templates
    where = ("templates", DISCLOSURE)
    if DISCLOSURE not in templates:
        raise file.wrong(where, "it is missing: a machine's messages may not leave without it")
    wordings = templates[DISCLOSURE]
    spoken = {language for other in templates.values() for language in other}
    if missing := sorted(spoken - set(wordings)):
        reason = f"it is missing in {', '.join(missing)}, which other templates have"
        raise file.wrong(where, reason)
    for language, wording in wordings.items():
        text = wording.text
        if wording.variables or text != text.strip() or not any(map(str.isalpha, text)):
            reason = "it must be plain words, without variables or blanks around them"
            raise file.wrong((*where, language, "text"), reason)


def _check_learned(policies: Policies, file: PolicyFile) -> None:
    """Each intent says what the embedded model calls it, and no two claim the same."""
    learned = learned_intents()
    claimed: dict[str, str] = {}
    for name, meaning in policies.intents.items():
        for one in sorted(meaning.learned_as if meaning.learned_as is not None else {name}):
            if one not in learned:
                reason = f"the embedded model knows no {one!r}, only {', '.join(sorted(learned))}"
                if meaning.learned_as is None:
                    reason += "; learned_as says what it calls it, or [] that it never learned it"
                raise file.wrong((name, "learned_as"), reason)
            if one in claimed:
                reason = f"{one!r} is learned_as of {claimed[one]!r} already"
                raise file.wrong((name, "learned_as"), reason)
            claimed[one] = name
