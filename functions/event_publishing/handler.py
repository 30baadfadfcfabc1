"""Lambda: a batch of a DynamoDB stream."""

from datetime import UTC, datetime
from typing import Any

from functions.event_publishing.logic import Change, publish_events
from shared.adapters import dynamo
from shared.runtime import wiring
from shared.runtime.observability import observed
from shared.runtime.settings import EventPublishingSettings


@observed
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers with the records to try again; Lambda goes on from the first of them."""
    changes = [_change(record) for record in event["Records"]]
    failed = publish_events(changes, bus=wiring.bus(EventPublishingSettings.read()))
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _change(record: dict[str, Any]) -> Change:
    change = record["dynamodb"]
    return Change(
        change_id=record["eventID"],
        sequence_number=change["SequenceNumber"],
        at=datetime.fromtimestamp(change["ApproximateCreationDateTime"], UTC),
        before=_event(change.get("OldImage", {})),
        after=_event(change.get("NewImage", {})),
    )


def _event(image: dict[str, Any]) -> dict[str, Any]:
    return dynamo.plain({"event": image["event"]})["event"] if "event" in image else {}
