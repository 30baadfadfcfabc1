"""The step for the touchpoints of a batch."""

from collections.abc import Callable

from shared.domain.errors import Contention, PasserelleError
from shared.domain.journey import BatchState, JourneyState


def update_batch(state: BatchState, update: Callable[[JourneyState], object]) -> int:
    """One after the other, since they are often one person's. How many there were.

    What hinders one is no reason to leave out the next: all are tried, and then it rises. The step
    is tried again for whatever may pass, so that rises first; who is tied by then is read once more
    and counted no second time.
    """
    errors: list[Exception] = []
    for one in state.journeys:
        try:
            update(one)
        except Exception as error:
            errors.append(error)
    if errors:
        raise min(errors, key=_is_hopeless)
    return len(state.journeys)


def _is_hopeless(error: Exception) -> bool:
    return isinstance(error, PasserelleError | ValueError) and not isinstance(error, Contention)
