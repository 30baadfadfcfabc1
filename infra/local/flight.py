"""What is under way in the local cloud: counted, waited for, and stepping aside at the door."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

COURTESY_SECONDS = 0.5
"""How long one step of a journey steps aside at most while requests are being answered."""


class Flight:
    """Counts by kind: `changes` of streams, `journeys`, `invocations` that nobody waits for, and
    `callbacks` of providers.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._under_way: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._at_the_door = 0
        self._ended = False

    def take_off(self, kind: str, number: int = 1) -> None:
        with self._changed:
            self._under_way[kind] += number
            self._seen[kind] += number

    def land(self, kind: str, number: int = 1) -> None:
        with self._changed:
            self._under_way[kind] -= number
            if not self._under_way.total():
                self._changed.notify_all()

    def seen(self) -> Counter[str]:
        """How many of each kind ever took off."""
        with self._changed:
            return Counter(self._seen)

    def under_way(self) -> Counter[str]:
        with self._changed:
            return +self._under_way

    def wait_until_idle(self, seconds: float) -> bool:
        """False where something is still under way after `seconds`."""
        until = monotonic() + seconds
        with self._changed:
            while self._under_way.total() and not self._ended:
                left = until - monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a request waits for its answer, steps of journeys step aside."""
        with self._changed:
            self._at_the_door += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_the_door -= 1
                if not self._at_the_door:
                    self._changed.notify_all()

    def give_way(self) -> None:
        """On AWS the intake has machines of its own; here it shares one with all behind it."""
        until = monotonic() + COURTESY_SECONDS
        with self._changed:
            while self._at_the_door and not self._ended:
                left = until - monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def end(self) -> None:
        """Nobody waits any longer."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
