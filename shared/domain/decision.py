"""The record of one choice, automated or human: what, by whom, on which evidence."""

from typing import Literal

from pydantic import JsonValue

from shared.domain.model import Instant, Model


class Decision(Model):
    """`evidence` is small facts, never a body: rule names, thresholds, steps of the send gate."""

    about: Literal[
        "classification",
        "override",
        "obligation",
        "routing",
        "priority",
        "sla",
        "follow_up",
        "sending",
        "merge",
    ]
    outcome: str
    reason: str
    """In plain words, for the person who asks why."""
    by: str
    """`policy:routing`, `embedded-…`, `agent:<id>`."""
    at: Instant
    evidence: dict[str, JsonValue] = {}
