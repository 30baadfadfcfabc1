"""What the functions log: kept for the page and the tests, written to a file where one is given."""

import io
import logging
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType

from shared.runtime.observability import logger

_KEPT_LINES = 5000


class LogTail(io.TextIOBase):
    """Takes the place of standard output in the functions' logger for as long as it is entered."""

    def __init__(self, file: Path | None) -> None:
        super().__init__()
        self._path = file
        self._lock = Lock()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._stack = ExitStack()
        self._file: io.TextIOBase | None = None

    def __enter__(self) -> "LogTail":
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._stack.enter_context(
                self._path.open("w", encoding="utf-8", buffering=1)
            )
        for handler in logger().handlers:
            if isinstance(handler, logging.StreamHandler):
                self._stack.callback(handler.setStream, handler.stream)
                handler.setStream(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def write(self, text: str) -> int:
        with self._lock:
            self._lines.extend(line for line in text.splitlines() if line)
            if self._file is not None:
                self._file.write(text)
        return len(text)

    def lines(self) -> list[str]:
        with self._lock:
            return list(self._lines)
