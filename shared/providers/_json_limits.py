"""How much one JSON text may hold. `base.read_json` looks before and after it reads."""

import re
from math import isfinite
from typing import Any

from pydantic import JsonValue

from shared.domain.errors import MalformedPayload

MOST_VALUES = 100_000
"""Of one JSON text. Three bytes (`[],`) become eighty in memory."""
LONGEST_LIST = 3_000
"""Objects. To read what each of them says takes ten to fifty times as long as the JSON itself. A
batch of Segment holds 2,500; providers that send more say so themselves.
"""
DEEPEST_VALUE = 100
"""Levels. A touchpoint that holds a part of it adds some, and must be readable itself: 200 are the
most that pydantic reads.
"""
_QUOTED = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STRUCTURE = (b",", b"[", b"{")


def refuse_many_values(body: bytes) -> None:
    """Before anything is made of it. What stands in quotes is looked at only where it matters.

    Raises MalformedPayload.
    """
    if sum(map(body.count, _STRUCTURE)) <= MOST_VALUES:
        return
    quoted = (body.count(b'"') - body.count(b'\\"')) // 2
    bare = _QUOTED.sub(b"", body) if quoted <= MOST_VALUES else body
    if sum(map(bare.count, _STRUCTURE)) > MOST_VALUES:
        raise MalformedPayload("the body holds too many values")


def refuse_unreasonable(value: JsonValue, longest_list: int) -> None:
    """What is too deep, lists of too many objects, and a number such as 1e999, which became
    infinite: no JSON can hold it again. Raises MalformedPayload.
    """
    level: list[Any] = [[value]]
    for _ in range(DEEPEST_VALUE + 1):
        below: list[Any] = []
        for holder in level:
            for one in holder.values() if type(holder) is dict else holder:
                kind = type(one)
                if kind is dict:
                    below.append(one)
                elif kind is list:
                    if len(one) > longest_list < sum(type(each) is dict for each in one):
                        raise MalformedPayload(f"a list: {longest_list} objects at most")
                    below.append(one)
                elif kind is float and not isfinite(one):
                    raise MalformedPayload("the body is not JSON: a number is out of range")
        level = below
    if level:
        raise MalformedPayload("the body is nested too deeply")
