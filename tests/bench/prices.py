"""What AWS asks, as data, and a bill made of counted quantities."""

from collections.abc import Mapping
from typing import NamedTuple

DATE = "2026-11-22"
REGION = "us-east-1"
MILLION = 1_000_000
GIGABYTE = 10**9


class Price(NamedTuple):
    """`dollars` for `per` of a quantity. Without any free tier or discount."""

    service: str
    what: str
    dollars: float
    per: float
    source: str

    def of(self, quantity: float) -> float:
        return quantity * self.dollars / self.per


_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_EVENTS = "https://aws.amazon.com/eventbridge/pricing/"
_JOURNEYS = "https://aws.amazon.com/step-functions/pricing/"

PRICES: Mapping[str, Price] = {
    "http_requests": Price(
        "API Gateway",
        "HTTP API requests, in steps of 512 KB",
        1.00,
        MILLION,
        "https://aws.amazon.com/api-gateway/pricing/",
    ),
    "invocations": Price("Lambda", "requests", 0.20, MILLION, _LAMBDA),
    "gb_seconds": Price("Lambda", "GB-seconds on arm64", 0.0000133334, 1, _LAMBDA),
    "write_units": Price("DynamoDB", "write request units", 0.625, MILLION, _DYNAMODB),
    "read_units": Price("DynamoDB", "read request units", 0.125, MILLION, _DYNAMODB),
    "events": Price("EventBridge", "custom events, in steps of 64 KB", 1.00, MILLION, _EVENTS),
    "event_bytes": Price("EventBridge", "archive, by the byte", 0.10, GIGABYTE, _EVENTS),
    "schedules_fired": Price("Scheduler", "invocations", 1.00, MILLION, _EVENTS),
    "executions": Price("Step Functions", "Express requests", 1.00, MILLION, _JOURNEYS),
    "execution_gb_seconds": Price(
        "Step Functions",
        "Express GB-seconds, in steps of 64 MB and 100 ms",
        0.00001667,
        1,
        _JOURNEYS,
    ),
    "s3_puts": Price("S3", "PUT requests", 5.00, MILLION, "https://aws.amazon.com/s3/pricing/"),
    "sqs_requests": Price("SQS", "requests", 0.40, MILLION, "https://aws.amazon.com/sqs/pricing/"),
    "secret_reads": Price(
        "Secrets Manager",
        "API calls",
        5.00,
        MILLION,
        "https://aws.amazon.com/secrets-manager/pricing/",
    ),
    "log_bytes": Price(
        "CloudWatch Logs",
        "ingested, by the byte",
        0.50,
        GIGABYTE,
        "https://aws.amazon.com/cloudwatch/pricing/",
    ),
}
"""By quantity. Streams read by Lambda and rules that hand events to targets cost nothing."""

Quantities = Mapping[str, float]
"""Of one touchpoint, by the names of `PRICES`."""


def per_million(quantities: Quantities) -> dict[str, float]:
    """Dollars for a million touchpoints, by service, the dearest first.

    Raises KeyError for a quantity without a price.
    """
    by_service: dict[str, float] = {}
    for name, quantity in quantities.items():
        price = PRICES[name]
        by_service[price.service] = by_service.get(price.service, 0) + price.of(quantity) * MILLION
    return dict(sorted(by_service.items(), key=lambda one: -one[1]))
