"""POST /_local/replay: what other policies would have decided on this laptop's ledger."""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.domain.errors import InvalidInput, PolicyError
from shared.domain.model import Instant
from shared.operations.replay import Rules, replay
from shared.operations.replay_report import as_json, as_text
from shared.policies.candidate import candidate
from shared.policies.check import check_policies
from shared.runtime import wiring
from shared.runtime.settings import LedgerSettings


class ReplayRequest(BaseModel):
    """What the command line takes as options."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    with_: Path = Field(alias="with")
    """A policy file, or a folder of them."""
    since: Instant | None = None
    until: Instant | None = None
    without_bedrock: bool = False
    examples: int = Field(default=3, ge=0)
    json_: bool = Field(default=False, alias="json")


def answer_replay(asked: dict[str, Any], settings: LedgerSettings) -> str:
    """The same text as `python -m shared.operations replay`. Raises InvalidInput."""
    try:
        request = ReplayRequest.model_validate(_dated(asked))
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"])) or "body"
        raise InvalidInput(wrong["msg"], field=field) from None
    try:
        policies, current = candidate([request.with_]), check_policies()
    except PolicyError as error:
        raise InvalidInput(str(error), field="with") from None
    found = replay(
        Rules(
            current=current,
            candidate=policies,
            classifier=wiring.free_classifier(policies),
            without_bedrock=request.without_bedrock,
        ),
        ledger=wiring.ledger(settings),
        masker=wiring.masker(),
        since=request.since,
        until=request.until,
        examples=request.examples,
    )
    return as_json(found) if request.json_ else as_text(found)


def _dated(asked: dict[str, Any]) -> dict[str, Any]:
    """A date begins in UTC, as on the command line."""
    return {
        name: f"{value}T00:00:00Z" if name in {"since", "until"} and _is_date(value) else value
        for name, value in asked.items()
    }


def _is_date(value: object) -> bool:
    try:
        return (
            isinstance(value, str) and f"{datetime.strptime(value, '%Y-%m-%d'):%Y-%m-%d}" == value
        )
    except ValueError:
        return False
