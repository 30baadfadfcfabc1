"""What people corrected, as labelled data: to measure a model by, never to train it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shared.deciding import names_of, said
from shared.domain.classification import Classification
from shared.domain.journey import JourneyState
from shared.domain.model import isoformat
from shared.domain.override import standing
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.understanding import Masker

MACHINE = ("intent", "sentiment", "urgency", "language", "version")


def labelled(*, ledger: Ledger, masker: Masker, since: datetime | None = None) -> Iterator[str]:
    """A line of JSON for each touchpoint of which an override stands that was made since then.

    The masked text, its language and channel, what the machine said and what the person says; no
    id, no name, no reason in free words.
    """
    cursor = None
    while True:
        page = ledger.all(cursor=cursor)
        for entry in page.items:
            line = _line(entry, masker, since)
            if line is not None:
                yield json.dumps(line, ensure_ascii=False)
        if (cursor := page.cursor) is None:
            return


def _line(entry: LedgerEntry, masker: Masker, since: datetime | None) -> dict[str, Any] | None:
    wins = standing(entry.overrides)
    if not wins or entry.outcome is None:
        return None
    step = JourneyState.model_validate(entry.outcome).ai_classification
    at = max(one.at for one in wins.values())
    if step is None or (since is not None and at < since):
        return None
    machine = step.machine_classification or step.classification
    person = {aspect: one.aspects[aspect] for aspect, one in wins.items()}
    return {
        "text": masker(said(entry.touchpoint), names_of(entry.touchpoint)),
        "language": person.get("language", machine.language),
        "channel": str(entry.touchpoint.channel),
        "machine": _told(machine),
        "person": person,
        "at": isoformat(at),
    }


def _told(machine: Classification) -> dict[str, str]:
    return {name: str(getattr(machine, name)) for name in MACHINE}
