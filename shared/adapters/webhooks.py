"""Subscriptions and their deliveries on DynamoDB, and the rules of the bus behind them.

One table: `pk` is `subscription` or `delivery#<subscription>`, `sk` the name or the delivery's id.
A delivery is kept as long as the archive of the bus keeps its event.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.domain.model import isoformat
from shared.domain.retention import end_of
from shared.domain.webhook import Subscription, WebhookDelivery
from shared.events.envelope import SOURCE, Event
from shared.ports.paging import Page

KEPT = timedelta(days=30)
_SUBSCRIPTIONS = "subscription"


class DynamoWebhooks:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def subscriptions(self) -> list[Subscription]:
        found: list[Subscription] = []
        start: dict[str, Any] = {}
        while True:
            answer = self._query(_SUBSCRIPTIONS, start)
            found += [_subscription(dynamo.plain(item)) for item in answer["Items"]]
            if not answer.get("LastEvaluatedKey"):
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def subscription(self, name: str) -> Subscription | None:
        item = self._get(_SUBSCRIPTIONS, name)
        return _subscription(item) if item else None

    def save(self, subscription: Subscription, event: Event | None = None) -> None:
        self._put(
            {
                "pk": _SUBSCRIPTIONS,
                "sk": subscription.name,
                "version": subscription.version,
                "subscription": subscription.model_dump_json(),
                "event": event.carried() if event else None,
            }
        )

    def remove(self, name: str) -> None:
        key = dynamo.attributes({"pk": _SUBSCRIPTIONS, "sk": name})
        self._client.delete_item(TableName=self._table, Key=key)

    def delivery(self, subscription: str, delivery_id: str) -> WebhookDelivery | None:
        item = self._get(f"delivery#{subscription}", delivery_id)
        return _delivery(item) if item else None

    def keep(self, delivery: WebhookDelivery, event: Event | None = None) -> None:
        latest = delivery.attempts[-1].at
        self._put(
            {
                "pk": f"delivery#{delivery.subscription}",
                "sk": delivery.delivery_id,
                "version": delivery.version,
                "delivery": dynamo.compressed(delivery.model_dump_json()),
                "tried_at": isoformat(latest),
                "expires_at": end_of(latest, KEPT),
                "event": event.carried() if event else None,
            }
        )

    def deliveries(
        self, subscription: str, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        partition = f"delivery#{subscription}"
        start = dynamo.read_cursor(cursor, {"pk": partition, "sk": None})
        with dynamo.continuing(cursor):
            answer = self._query(partition, {**start, "Limit": limit, "ScanIndexForward": False})
        items = [_delivery(dynamo.plain(item)) for item in answer["Items"]]
        return Page(items, dynamo.write_cursor(answer.get("LastEvaluatedKey")))

    def _put(self, item: dict[str, Any]) -> None:
        """On condition that it is the next version of what is there. Raises Contention."""
        first = item["version"] == 1
        condition = "attribute_not_exists(#pk)" if first else "#version = :before"
        values = None if first else {"before": item["version"] - 1}
        with dynamo.contention():
            self._client.put_item(
                **dynamo.put(item, table=self._table, condition=condition, values=values)
            )

    def _get(self, pk: str, sk: str) -> dict[str, Any]:
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes({"pk": pk, "sk": sk}),
            ConsistentRead=True,
        )
        return dynamo.plain(answer.get("Item", {}))

    def _query(self, partition: str, further: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues=dynamo.attributes({":pk": partition}),
            **further,
        )
        return answer


class EventBridgeRules:
    """One rule for each subscription, so that an event nobody asked for costs nothing."""

    def __init__(
        self, client: Any, *, bus: str, prefix: str, target_arn: str, dead_letter_arn: str
    ) -> None:
        self._client = client
        self._bus = bus
        self._prefix = prefix
        self._target_arn = target_arn
        self._dead_letter_arn = dead_letter_arn

    def listen(self, name: str, types: Sequence[str]) -> None:
        pattern: dict[str, Any] = {"source": [SOURCE]}
        if types:
            pattern["detail-type"] = list(types)
        self._client.put_rule(
            Name=f"{self._prefix}{name}",
            EventBusName=self._bus,
            EventPattern=json.dumps(pattern),
            State="ENABLED",
        )
        answer = self._client.put_targets(
            Rule=f"{self._prefix}{name}",
            EventBusName=self._bus,
            Targets=[
                {
                    "Id": "delivery",
                    "Arn": self._target_arn,
                    "InputTransformer": {
                        "InputPathsMap": {"type": "$.detail-type", "detail": "$.detail"},
                        "InputTemplate": (
                            f'{{"subscription": "{name}", "type": <type>, "detail": <detail>}}'
                        ),
                    },
                    "DeadLetterConfig": {"Arn": self._dead_letter_arn},
                    "RetryPolicy": {
                        "MaximumEventAgeInSeconds": 86_400,
                        "MaximumRetryAttempts": 185,
                    },
                }
            ],
        )
        if answer.get("FailedEntryCount"):
            raise ConnectionError("the bus did not take the target of the rule")

    def stop(self, name: str) -> None:
        """Done twice, the second time finds nothing."""
        rule = {"Rule": f"{self._prefix}{name}", "EventBusName": self._bus}
        try:
            self._client.remove_targets(**rule, Ids=["delivery"])
        except ClientError as error:
            if dynamo.error_code(error) != "ResourceNotFoundException":
                raise
        # Of a rule that is not there this is no error.
        self._client.delete_rule(Name=rule["Rule"], EventBusName=self._bus)


def _subscription(item: dict[str, Any]) -> Subscription:
    return Subscription.model_validate_json(item["subscription"])


def _delivery(item: dict[str, Any]) -> WebhookDelivery:
    return WebhookDelivery.model_validate_json(dynamo.decompressed(item["delivery"]))
