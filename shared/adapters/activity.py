"""The computed attributes in a profile's item: what one touchpoint changes in them.

Sums change by atomic addition. A moment is written where it is later (the first: earlier) than the
one that was read, on condition that it still is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.adapters import dynamo
from shared.adapters.contact_counts import COUNT, LAST, count_name
from shared.domain.activity import contact_of
from shared.domain.model import Instant, isoformat
from shared.domain.profile import Profile
from shared.domain.records import Standing
from shared.domain.touchpoint import Channel, Direction, Touchpoint

_HOUR, _SPEND = "hour#", "spend#"
_FIRST_AT = "first_at"


class Activity(NamedTuple):
    """Parts of an UpdateItem, as `dynamo.update` takes them."""

    set_: Mapping[str, str]
    add: Mapping[str, int | frozenset[str]]
    delete: Mapping[str, frozenset[str]]
    conditions: list[str]


def activity(touchpoint: Touchpoint, profile: Profile | None, counts: Standing) -> Activity:
    """`profile` is what was read of the item, `counts` what the touchpoint adds to its sums."""
    contact = contact_of(touchpoint)
    known = _moments(profile) if profile else {}
    told = {
        f"{LAST}{contact.direction}": contact.at,
        "last_use_at": contact.used_at,
        "last_purchase_at": contact.bought_at,
    }
    later = {
        name: isoformat(at)
        for name, at in told.items()
        if at is not None and (name not in known or at > known[name])
    }
    is_first = _FIRST_AT not in known or contact.at < known[_FIRST_AT]
    add: dict[str, int | frozenset[str]] = {count_name(touchpoint): 1}
    if contact.hour is not None:
        add[f"{_HOUR}{contact.hour}"] = 1
    add |= {f"{_SPEND}{currency}": amount for currency, amount in counts.spend.items()}
    add |= {"purchases": counts.purchases} if counts.purchases else {}
    add |= {"records": counts.records} if counts.records else {}
    add |= {"open_records": counts.opened} if counts.opened else {}
    return Activity(
        set_=later | ({_FIRST_AT: isoformat(contact.at)} if is_first else {}),
        add=add,
        delete={"open_records": counts.closed} if counts.closed else {},
        conditions=[
            *(_still(name, "<") for name in later),
            *([_still(_FIRST_AT, ">")] if is_first else []),
        ],
    )


def _moments(profile: Profile) -> dict[str, Instant]:
    moments = {
        **{f"{LAST}{direction}": at for direction, at in profile.last_at.items()},
        "last_use_at": profile.last_use_at,
        "last_purchase_at": profile.last_purchase_at,
        _FIRST_AT: profile.first_at,
    }
    return {name: at for name, at in moments.items() if at is not None}


def _still(name: str, comparison: str) -> str:
    token = dynamo.token(name)
    return f"(attribute_not_exists({token}) OR {token} {comparison} :{token[1:]})"


def activity_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Profile that its item holds of this."""
    contacts = {}
    for name, number in _under(COUNT, item).items():
        direction, channel = name.split("#")
        contacts[Direction(direction), Channel(channel)] = number
    plain = ("purchases", "records", "open_records", "last_use_at", "last_purchase_at", _FIRST_AT)
    return {
        "contacts": contacts,
        "last_at": {Direction(name): at for name, at in _under(LAST, item).items()},
        "hours": {int(hour): number for hour, number in _under(_HOUR, item).items()},
        "spend": {name: amount for name, amount in _under(_SPEND, item).items() if amount},
        **{name: item[name] for name in plain if name in item},
    }


def _under(prefix: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(item.items())
        if name.startswith(prefix)
    }
