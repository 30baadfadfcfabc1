"""What a time to live does: items whose moment has come are deleted, by the local cloud's clock.

AWS takes hours or days over it; here it happens when the clock is moved. The bucket's rules are
honoured with it: a file ends when it is as old as the rule of its prefix says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Client = Callable[[str], Any]


@dataclass
class Expiry:
    """What the template says of it: tables with their attribute, buckets with their rules."""

    tables: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, dict[str, timedelta]] = field(default_factory=dict)
    """By bucket, the age by prefix."""

    def add_table(self, name: str, properties: Mapping[str, Any]) -> None:
        said = properties.get("TimeToLiveSpecification", {})
        if said.get("Enabled"):
            self.tables[name] = said["AttributeName"]

    def add_bucket(self, name: str, properties: Mapping[str, Any]) -> None:
        self.buckets[name] = {
            rule["Prefix"]: timedelta(days=rule["ExpirationInDays"])
            for rule in properties.get("LifecycleConfiguration", {}).get("Rules", [])
            if "ExpirationInDays" in rule
        }

    def apply(self, client: Client, now: datetime) -> int:
        """How much was deleted. A file bears the real time at which it was written, so one that
        was written after the clock had moved is deleted early rather than late.
        """
        items = sum(
            _items(client("dynamodb"), table, name, now) for table, name in self.tables.items()
        )
        files = sum(_files(client("s3"), *one, now) for one in self.buckets.items())
        return items + files


def _items(client: Any, table: str, attribute: str, now: datetime) -> int:
    schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
    keys = [one["AttributeName"] for one in schema]
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#expiry <= :now",
        ExpressionAttributeNames={"#expiry": attribute},
        ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
    )
    expired = [{name: item[name] for name in keys} for page in pages for item in page["Items"]]
    for key in expired:
        client.delete_item(TableName=table, Key=key)
    return len(expired)


def _files(client: Any, bucket: str, rules: Mapping[str, timedelta], now: datetime) -> int:
    expired = [
        one["Key"]
        for prefix, age in rules.items()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for one in page.get("Contents", [])
        if now - one["LastModified"] >= age
    ]
    for key in expired:
        client.delete_object(Bucket=bucket, Key=key)
    return len(expired)
