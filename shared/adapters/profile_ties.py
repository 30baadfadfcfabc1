"""How a touchpoint is counted at its profile once, and tied to it.

A transaction of both writes costs twice what they cost by themselves. So where nothing else hangs
on it, the profile is written first and names the touchpoint that it counted (`tying`), and then the
touchpoint is tied. Whatever breaks off in between, the next try finds itself named and only ties.

That nothing is counted twice rests on three things. The name gives way only to another touchpoint,
and only once the one that is named is seen to be tied. Whoever counts has seen its own touchpoint
untied after it read the profile. And every count adds one to `ties`, which must still be what was
read. So who counted before, and was forgotten by the profile, is tied and is seen to be.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from shared.adapters import dynamo
from shared.domain.errors import Conflict
from shared.ports.profiles import ProfileTie, Ties

TAKEN = "this touchpoint has its profile already"


class Way(Enum):
    AT_ONCE = auto()
    """In one transaction, with whatever else changes."""
    COUNTED_FIRST = auto()
    """The profile, then the touchpoint."""
    COUNTED_BEFORE = auto()
    """A try before this one counted it, when nothing else hung on it, and broke off: the touchpoint
    alone.
    """


class Counting(NamedTuple):
    """Parts of the profile's update."""

    set_: Mapping[str, str]
    conditions: list[str]
    values: Mapping[str, object]


def ties_of(item: Mapping[str, Any]) -> Ties:
    return Ties(item.get("ties", 0), item.get("tying"))


def way_of(client: Any, touchpoints_table: str, tie: ProfileTie, *, is_alone: bool) -> Way:
    """Raises Conflict where the touchpoint is tied already, or there no more."""
    own, ties = tie.touchpoint.touchpoint_id, tie.ties
    if ties is not None and ties.last == own:
        return Way.COUNTED_BEFORE
    # A profile's event tells of a touchpoint that must be its own by then; and whoever is new must
    # not come back after an erasure.
    if ties is None or not is_alone or tie.profile is None or tie.event is not None:
        return Way.AT_ONCE
    keys = [{"touchpoint_id": one} for one in (own, ties.last) if one is not None]
    found = dynamo.batch_get(client, touchpoints_table, keys, consistent=True)
    items = {item["touchpoint_id"]: item for item in found}
    if "state" not in items.get(own, {}) or "profile_id" in items[own]:
        raise Conflict(TAKEN)
    last = items.get(ties.last or "")
    is_settled = last is None or "profile_id" in last
    return Way.COUNTED_FIRST if is_settled else Way.AT_ONCE


def counting_of(tie: ProfileTie, way: Way) -> Counting:
    own = tie.touchpoint.touchpoint_id
    if way is Way.AT_ONCE:
        # Somebody who read the profile later than this may have counted it in the other way.
        return Counting({}, ["(attribute_not_exists(#tying) OR #tying <> :own)"], {"own": own})
    assert tie.ties is not None, "what was read of them says which way it goes"
    number = tie.ties.number
    unchanged = "#ties = :number" if number else "attribute_not_exists(#ties)"
    conditions = ["attribute_exists(#created_at)", unchanged]
    return Counting({"tying": own}, conditions, {"number": number} if number else {})
