"""A profile's item: its key, and the names of the counters of contacts in it.

Tickets and consents count what was sent here, and need nothing else of a profile.
"""

from typing import Any

from shared.adapters import dynamo
from shared.domain.model import ProfileId, isoformat
from shared.domain.touchpoint import Touchpoint

COUNT, LAST = "count#", "last#"


def profile_key(profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": "profile"}


def count_name(touchpoint: Touchpoint) -> str:
    return f"{COUNT}{touchpoint.direction}#{touchpoint.channel}"


def last_name(touchpoint: Touchpoint) -> str:
    return f"{LAST}{touchpoint.direction}"


def count_update(profile_id: ProfileId, touchpoint: Touchpoint, *, table: str) -> dict[str, Any]:
    """One more contact on a profile that exists, as a part of another's transaction.

    We write to people one moment after the other, so the latest needs no condition, whose failure
    would undo what was sent.
    """
    return dynamo.update(
        profile_key(profile_id),
        table=table,
        set_={last_name(touchpoint): isoformat(touchpoint.occurred_at)},
        add={count_name(touchpoint): 1},
        remove=["event"],
    )
