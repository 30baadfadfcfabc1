"""What nobody sends on purpose: strategies that break a document, for `parse` to survive."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from shared.domain.errors import MalformedPayload
from shared.domain.touchpoint import Touchpoint
from shared.providers.base import Observed

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

_NASTY = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\udcff",
    "0000-00-00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-11-20",
    "2026-11-20T09:00",
    "yesterday",
    "=?utf-8?b?////?=",
    "a\r\nBcc: b@example.org",
    "x" * 700,
    "-0",
    "1e999999999",
    "NaN",
    "\u202e@\u202e",
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.sampled_from(_NASTY)
    | st.sampled_from((0, -1, 10**30, 10**400, 1e308, -1e308, 0.1))
    | st.text(st.characters(), max_size=20)
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(document: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a document, the document itself first."""
    members = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [here, *(way for key, value in members for way in paths(value, (*here, key)))]


def broken(document: Any) -> st.SearchStrategy[Any]:
    """The document with one value exchanged for something else, or taken out."""

    def exchange(way: tuple[Any, ...], value: Any, take_out: bool) -> Any:
        if not way:
            return value
        copy = json.loads(json.dumps(document))
        parent = copy
        for key in way[:-1]:
            parent = parent[key]
        if take_out:
            del parent[way[-1]]
        else:
            parent[way[-1]] = value
        return copy

    return st.builds(exchange, st.sampled_from(paths(document)), JSON_VALUES, st.booleans())


def assert_sound(parse: Callable[[], list[Observed]]) -> None:
    """It reads touchpoints that can be stored and read again, or says MalformedPayload."""
    try:
        observed = parse()
    except MalformedPayload as error:
        assert str(error).isprintable()
        return
    for one in observed:
        stored = one.touchpoint.model_dump_json()
        if Touchpoint.model_validate_json(stored) != one.touchpoint:
            pytest.fail(f"not the same after storing: {stored}")
