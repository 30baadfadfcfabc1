"""A call grows by parts: it rings, is answered, ends, its recording is ready, its words are known.

What is known of it is a fold over its parts. Each field of the fold is the earliest, the latest or
all of what was told, so parts may come in any order and any number of times: the call is the same.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from shared.domain.touchpoint import (
    Attachment,
    Call,
    CallState,
    Direction,
    Heard,
    Touchpoint,
)

T = TypeVar("T")

_STATES = tuple(CallState)
_DIRECTIONS = (Direction.PASSIVE, Direction.INBOUND, Direction.OUTBOUND)
"""A part that does not tell the direction is passive."""
_SOURCES = ("speech", "transcript", "live")


def with_words(call: Call) -> Call:
    """The call with the text that follows from what was heard of it.

    A transcript of the recording says the same as the sentences written down meanwhile, and better.
    """
    by_source: dict[str, list[str]] = {source: [] for source in _SOURCES}
    for one in call.heard:
        by_source[one.source].append(one.text.strip())
    if by_source["transcript"]:
        by_source["live"] = []
    lines = [*by_source["speech"], *by_source["transcript"], " ".join(by_source["live"])]
    return call.model_copy(update={"text": "\n".join(line for line in lines if line)})


def grown(known: Touchpoint, part: Touchpoint) -> Touchpoint:
    """What is known of a call with one more part of it. Commutative, associative and idempotent.

    Both are touchpoints of the same call.
    """
    assert isinstance(known.content, Call) and isinstance(part.content, Call)
    both = (known, part)
    endpoints = [one.endpoint for one in both if one.endpoint is not None]
    return known.model_copy(
        update={
            "account": max(one.account for one in both),
            "direction": max((one.direction for one in both), key=_DIRECTIONS.index),
            "occurred_at": min(one.occurred_at for one in both),
            "received_at": min(one.received_at for one in both),
            "content": _grown(known.content, part.content),
            "identifiers": tuple(
                sorted({*known.identifiers, *part.identifiers}, key=lambda one: one.key)
            ),
            "proof": _greatest(one.proof for one in both),
            "endpoint": max(endpoints, key=lambda one: one.key, default=None),
            "name": _greatest(one.name for one in both),
            "language": _greatest(one.language for one in both),
        }
    )


def is_known(known: Touchpoint, part: Touchpoint) -> bool:
    """Whether this part of the call was told before."""
    assert isinstance(known.content, Call) and isinstance(part.content, Call)
    return set(part.content.parts) <= set(known.content.parts)


def goes_round(before: Touchpoint, after: Touchpoint) -> bool:
    """Whether what a part told sends the call round its journey: it names somebody, nobody
    answered, or there are words.
    """
    if after.identifiers != before.identifiers:
        return True
    if not after.needs_understanding:
        return False
    return not before.needs_understanding or after.text != before.text


def _grown(known: Call, part: Call) -> Call:
    both = (known, part)
    reached = [one.reached_person for one in both if one.reached_person is not None]
    durations = [one.duration for one in both if one.duration is not None]
    heard = _by_key(
        *({f"{_SOURCES.index(one.source)}{one.key}": one for one in call.heard} for call in both)
    )
    recordings = _by_key(
        *({one.provider_reference or one.name: one for one in call.attachments} for call in both)
    )
    return with_words(
        known.model_copy(
            update={
                "parts": tuple(sorted({*known.parts, *part.parts})),
                "state": max((one.state for one in both), key=_STATES.index),
                "answered_at": _earliest(one.answered_at for one in both),
                "ended_at": _earliest(one.ended_at for one in both),
                "duration": max(durations, default=None),
                "reached_person": any(reached) if reached else None,
                "digits": tuple(sorted({*known.digits, *part.digits})),
                "attachments": recordings,
                "heard": heard,
                "is_heard_out": known.is_heard_out or part.is_heard_out,
            }
        )
    )


Piece = TypeVar("Piece", Heard, Attachment)


def _by_key(one: Mapping[str, Piece], other: Mapping[str, Piece]) -> tuple[Piece, ...]:
    """All of them in the order of keys; of two with one key always the same one."""
    return tuple(
        max((each[key] for each in (one, other) if key in each), key=_weight)
        for key in sorted({*one, *other})
    )


def _weight(piece: Heard | Attachment) -> tuple[int, str]:
    """A sentence may be told again as it became clearer."""
    text = piece.text if isinstance(piece, Heard) else ""
    return len(text), piece.model_dump_json()


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((one for one in moments if one is not None), default=None)


def _greatest(values: Iterable[T | None]) -> T | None:
    return max((one for one in values if one is not None), key=str, default=None)
