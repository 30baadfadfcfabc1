"""The bus on Amazon EventBridge."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.events.envelope import SOURCE

_ENTRIES_PER_CALL = 10


class EventBridgeBus:
    def __init__(self, client: Any, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        entries = [
            {
                "Source": SOURCE,
                "DetailType": type_,
                "Detail": json.dumps(detail),
                "EventBusName": self._bus_name,
            }
            for type_, detail in events
        ]
        taken: list[bool] = []
        for start in range(0, len(entries), _ENTRIES_PER_CALL):
            answer = self._client.put_events(Entries=entries[start : start + _ENTRIES_PER_CALL])
            taken += ["ErrorCode" not in entry for entry in answer["Entries"]]
        return taken
