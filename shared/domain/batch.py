"""Which touchpoints of one request are a batch: told of by one event, and tied in one step.

A library that gathers its calls sends ten and more at once. An event and a journey for each of them
would be half of what they cost.
"""

from collections.abc import Iterable, Sequence

from shared.domain.media import has_media
from shared.domain.touchpoint import Call, Touchpoint

MOST_OF_A_BATCH = 50
"""Of one event: one step ties them one after the other, well within its time."""


def batches(touchpoints: Iterable[Touchpoint]) -> list[Sequence[Touchpoint]]:
    """In groups, each touchpoint once; what is in none is told of by itself.

    Only what nobody has to think about and what brings no files, for its journey ends with its
    profile. A call may grow on its way, so it goes alone.
    """
    found = list({one.touchpoint_id: one for one in touchpoints if ends_early(one)}.values())
    if len(found) == 1:
        return []
    return [found[at : at + MOST_OF_A_BATCH] for at in range(0, len(found), MOST_OF_A_BATCH)]


def ends_early(touchpoint: Touchpoint) -> bool:
    waits = touchpoint.needs_understanding or has_media(touchpoint)
    return not waits and not isinstance(touchpoint.content, Call)
