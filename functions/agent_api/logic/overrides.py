"""An agent says what a touchpoint is; the journey goes round again with it."""

from typing import NamedTuple

from pydantic import Field

from shared.domain.errors import Conflict, NotFound, Unlisted
from shared.domain.journey import JourneyState
from shared.domain.model import TouchpointId
from shared.domain.override import Meant, Override, OverrideId, next_override, released
from shared.domain.touchpoint import TouchpointState
from shared.events.catalogue import ClassificationOverridden, OverrideReleased
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.providers import Clock

ATTEMPT = (
    "The attempt of the touchpoint that the agent looked at: when it has gone round again since, "
    "nothing is written and the answer is 409."
)
MOST_OVERRIDES = 50
"""Of one touchpoint, released ones too: they share its item, which holds 400 KB."""


class NewOverride(Meant):
    """What it is instead: at least one aspect, and why."""

    attempt: int | None = Field(default=None, ge=1, description=ATTEMPT)


class Made(NamedTuple):
    override: Override
    is_new: bool
    """False where the same one stood already."""


def override(
    touchpoint_id: TouchpointId,
    said: NewOverride,
    *,
    agent: str,
    ledger: Ledger,
    policies: Policies,
    clock: Clock,
) -> Made:
    """Write it down and send the touchpoint round again.

    Two writes that meet are Contention, and neither is lost: the second is told to read again.
    Raises NotFound, Unlisted, Conflict or Contention.
    """
    entry = _existing(touchpoint_id, ledger)
    if said.intent is not None and said.intent not in policies.intents:
        raise Unlisted(f"must be one of {', '.join(policies.intents)}", field="intent")
    made = next_override(touchpoint_id, said, entry.overrides, by=f"agent:{agent}", now=clock.now())
    if made in entry.overrides:
        return Made(made, is_new=False)
    _refuse_unready(entry, said.attempt)
    if len(entry.overrides) >= MOST_OVERRIDES:
        raise Conflict(f"a touchpoint takes {MOST_OVERRIDES} overrides; let one stand")
    event = ClassificationOverridden.model_validate(
        {**made.aspects, **_told(entry, made.override_id), "by": made.by}
    )
    ledger.override(entry, (*entry.overrides, made), event)
    return Made(made, is_new=True)


def release(
    touchpoint_id: TouchpointId,
    override_id: OverrideId,
    *,
    attempt: int | None,
    agent: str,
    ledger: Ledger,
    clock: Clock,
) -> Override:
    """Mark it released and send the touchpoint round again; one that is released stays as it was.

    Raises NotFound, Conflict or Contention.
    """
    entry = _existing(touchpoint_id, ledger)
    known = _found(override_id, entry.overrides)
    if known.released is not None:
        return known
    _refuse_unready(entry, attempt)
    by = f"agent:{agent}"
    after = released(entry.overrides, override_id, by=by, at=clock.now())
    event = OverrideReleased.model_validate({**_told(entry, override_id), "by": by})
    ledger.override(entry, after, event)
    return _found(override_id, after)


def _existing(touchpoint_id: TouchpointId, ledger: Ledger) -> LedgerEntry:
    entry = ledger.read(touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    return entry


def _found(override_id: OverrideId, overrides: tuple[Override, ...]) -> Override:
    found = next((one for one in overrides if one.override_id == override_id), None)
    if found is None:
        raise NotFound("there is no such override")
    return found


def _refuse_unready(entry: LedgerEntry, attempt: int | None) -> None:
    """A failed touchpoint that was understood before may be overridden: that sends it round."""
    if attempt is not None and attempt != entry.attempt:
        raise Conflict(f"the touchpoint has changed: it is at attempt {entry.attempt}")
    if entry.state is TouchpointState.RECEIVED:
        raise Conflict("its journey is under way; try again in a moment")
    outcome = JourneyState.model_validate(entry.outcome) if entry.outcome is not None else None
    if outcome is None or outcome.ai_classification is None:
        raise Conflict("it was never understood, so there is nothing to override")


def _told(entry: LedgerEntry, override_id: OverrideId) -> dict[str, object]:
    return {
        "touchpoint_id": entry.touchpoint.touchpoint_id,
        "profile_id": entry.profile_id,
        "attempt": entry.attempt + 1,
        "override_id": override_id,
    }
