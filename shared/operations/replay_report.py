"""The difference that a replay found, for people and for machines."""

import json
import unicodedata
from typing import Any

from shared.operations.replay import ASPECTS, Difference, Move

COUNTS = (
    ("looked_at", "touchpoints looked at"),
    ("understood", "of them understood"),
    ("in_flight", "on their way round again, not compared"),
    ("overridden", "overridden by people, who still win"),
    ("kept", "kept as Bedrock decided"),
    ("unchanged", "unchanged"),
    ("changed", "changed"),
)

_OBEYED = frozenset({"Cc", "Cf", "Cs"})
"""Controls, formats (as what turns the direction of writing) and halves of characters."""


def as_text(found: Difference) -> str:
    lines = [f"{getattr(found, name):>8}  {what}" for name, what in COUNTS]
    if found.moves:
        lines += ["", "changed by aspect"]
        lines += [
            f"{found.by_aspect[aspect]:>8}  {aspect}"
            for aspect in ASPECTS
            if found.by_aspect[aspect]
        ]
        lines += ["", "from → to"]
        lines += [f"{found.moves[move]:>8}  {_named(move)}" for move in _ordered(found)]
        lines += ["", "examples"]
        lines += [line for move in _ordered(found) for line in _examples(move, found)]
    return "\n".join(lines)


def as_json(found: Difference) -> str:
    counts: dict[str, Any] = {name: getattr(found, name) for name, _ in COUNTS}
    moves = [
        {
            **move._asdict(),
            "count": found.moves[move],
            "examples": [one._asdict() for one in found.examples.get(move, ())],
        }
        for move in _ordered(found)
    ]
    by_aspect = {aspect: found.by_aspect[aspect] for aspect in ASPECTS}
    return json.dumps({**counts, "by_aspect": by_aspect, "moves": moves}, ensure_ascii=False)


def _ordered(found: Difference) -> list[Move]:
    """By aspect, the most frequent first."""
    place = {aspect: number for number, aspect in enumerate(ASPECTS)}
    return sorted(found.moves, key=lambda move: (place[move.aspect], -found.moves[move], move))


def _named(move: Move) -> str:
    return f"{move.aspect:<10} {move.before} → {move.after}"


def _examples(move: Move, found: Difference) -> list[str]:
    shown = found.examples[move]
    lines = [f"  {move.aspect}: {move.before} → {move.after}"] if shown else []
    for one in shown:
        text = f"“{one.excerpt}”"
        lines.append(f"    {one.touchpoint_id}  {one.channel}  {text}")
        lines.append(f"      was:      {one.before}")
        lines.append(f"      would be: {one.after}")
    return [_printed(line) for line in lines]


def _printed(line: str) -> str:
    """Without what a terminal obeys: customers wrote parts of it."""
    return "".join(one for one in line if unicodedata.category(one) not in _OBEYED)
