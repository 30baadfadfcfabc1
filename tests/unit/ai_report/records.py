"""Entries of a ledger as classification and overrides leave them."""

from datetime import datetime
from typing import Any

from shared.domain.classification import Classification
from shared.domain.journey import ClassificationStep, JourneyState
from shared.domain.override import Override, OverrideId, overridden
from shared.domain.touchpoint import Channel, TouchpointState
from shared.operations.ai_report.counting import count, lists
from shared.operations.ai_report.tally import Counts
from shared.ports.ledger import LedgerEntry
from tests.builders import NOON, classification, policies, touchpoint

POLICIES = policies()
LISTS = lists(POLICIES)


def override(**said: Any) -> Override:
    fields = {"override_id": OverrideId("o"), "by": "agent:7", "at": NOON, "reason": "I read it"}
    return Override.model_validate(fields | said)


def entry(
    *overrides: Override,
    key: str = "1",
    at: datetime = NOON,
    channel: Channel = Channel.WHATSAPP,
    seen: dict[str, Any] | None = None,
    **meant: Any,
) -> LedgerEntry:
    """As the machine meant it, and what people said instead, in its second round."""
    machine: Classification = classification(**meant)
    counts = overridden(machine, overrides)
    received: dict[str, Any] = {"key": key, "at": at, "channel": channel, "received_at": at}
    here = touchpoint(**received | (seen or {}))
    step = ClassificationStep(
        classification=counts,
        machine_classification=machine if counts is not machine else None,
        next_step="nothing",
    )
    state = JourneyState(touchpoint_id=here.touchpoint_id, ai_classification=step)
    return LedgerEntry(
        touchpoint=here,
        state=TouchpointState.PROCESSED,
        outcome=state.model_dump(mode="json", exclude_none=True),
        overrides=overrides,
    )


def counted(*entries: LedgerEntry) -> Counts:
    counts = Counts()
    for one in entries:
        count(one, counts, LISTS)
    return counts


def many(n: int, **given: Any) -> list[LedgerEntry]:
    """The same message so many times."""
    return [entry(**given)] * n
