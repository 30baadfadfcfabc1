"""The clock of the local cloud: real time and an offset that only grows."""

from datetime import UTC, datetime, timedelta
from threading import Lock


class VirtualClock:
    """Ticks with real time; `advance_to` jumps ahead, never back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._offset = timedelta(0)

    def now(self) -> datetime:
        with self._lock:
            return datetime.now(UTC) + self._offset

    def advance_to(self, moment: datetime) -> None:
        with self._lock:
            self._offset = max(self._offset, moment - datetime.now(UTC))

    @property
    def offset(self) -> timedelta:
        with self._lock:
            return self._offset
