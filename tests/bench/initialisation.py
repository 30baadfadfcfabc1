"""How long a function takes to start, against a bare handler with boto3 and one client.

Every sample is an interpreter of its own. The programs take turns, so that whatever else the
machine does slows all of them alike. Time is the processor's: a start is nothing but computing, and
a neighbour's load does not count in it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

from infra.local.synthesis import ROOT
from shared.policies.reader import read_policies
from shared.runtime import settings

SAMPLES = 11
BARE = "bare"

BARE_HANDLER = """
from time import process_time
began = process_time()
import boto3
boto3.client("dynamodb")
print(process_time() - began, process_time() - began)
"""
"""What everything is compared with: the smallest handler that can reach a table."""

OUR_HANDLER = """
from time import process_time
began = process_time()
import sys
from importlib import import_module
handler = import_module(f"functions.{sys.argv[1]}.handler").handler

from botocore.client import BaseClient
from botocore.session import Session
import json

marks = []
create_client = Session.create_client

def stop_the_clock(*arguments, **options):
    client = create_client(*arguments, **options)
    marks.append(process_time() - began)
    return client

class Called(BaseException):
    "The first call is about to leave: the function has started."

def called(*arguments, **options):
    marks.append(process_time() - began)
    raise Called

Session.create_client = stop_the_clock
BaseClient._make_api_call = called
try:
    handler(json.loads(sys.argv[2]), None)
except Called:
    pass
print(marks[0], marks[-1])
"""
"""The handler is asked something genuine, and makes its first client where it always does."""


def _request(method: str, path: str, **parameters: str) -> dict[str, Any]:
    """An API Gateway event, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example.com", "content-type": "application/json"},
        "pathParameters": parameters,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "authorizer": {"jwt": {"claims": {"sub": "agent-1"}, "scopes": None}},
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1", "userAgent": ""},
            "requestId": "r1",
            "stage": "$default",
            "timeEpoch": 1_700_000_000_000,
        },
        "isBase64Encoded": False,
    }


_EVENT = {"type": {"S": "TouchpointReceived"}, "data": {"M": {"touchpoint_id": {"S": "t1"}}}}
_CHANGE = {
    "eventID": "1",
    "dynamodb": {
        "SequenceNumber": "1",
        "ApproximateCreationDateTime": 1_700_000_000,
        "NewImage": {"event": {"M": _EVENT}},
    },
}
_UNDERSTOOD = {
    "touchpoint_id": "t1",
    "profile_update": {"profile_id": "p1", "next_step": "ai_classification", "why": "new"},
    "ai_classification": {
        "classification": {
            "intent": "refund",
            "intent_confidence": 0.9,
            "sentiment": "negative",
            "sentiment_score": -0.8,
            "sentiment_confidence": 0.9,
            "urgency": "high",
            "decided_by": "embedded",
            "version": "embedded-1",
        },
        "next_step": "ticket_creation",
    },
}

FIRST_EVENTS: Mapping[str, dict[str, Any]] = {
    "webhook_intake": _request("POST", "/webhooks/whatsapp_cloud", provider="whatsapp_cloud"),
    "event_publishing": {"Records": [_CHANGE]},
    "profile_update": {"touchpoint_id": "t1"},
    "ai_classification": {"touchpoint_id": "t1"},
    "ticket_creation": _UNDERSTOOD,
    "follow_up_scheduling": {"ticket_id": "t1", "when": "ticket_opened"},
    "follow_up_delivery": {"ticket_id": "t1", "follow_up_id": "f1"},
    "agent_api": _request("GET", "/v1/tickets/t1"),
}
"""What wakes each function."""


class Start(NamedTuple):
    """Processor seconds of one function's starts, and their ratio to the bare handler's."""

    seconds: float
    ratio: float
    lowest_ratio: float
    highest_ratio: float
    """Of the single samples, each against the bare one of its round."""
    first_call_ratio: float
    """Until its first call leaves, with everything it makes before."""


def measure(tell: Callable[[str], None], samples: int = SAMPLES) -> dict[str, Start]:
    """By function, and the bare handler under its own name."""
    programs = (BARE, *FIRST_EVENTS)
    if samples > 1:
        tell("starts: first runs, which compile and are not counted")
        for name in programs:
            _run(name)
    rounds = []
    for number in range(samples):
        tell(f"starts: round {number + 1} of {samples}")
        rounds.append({name: _run(name) for name in programs})
    return summarise(rounds)


def summarise(rounds: list[dict[str, tuple[float, float]]]) -> dict[str, Start]:
    """Each round holds, by program, the seconds to the first client and to the first call."""
    bare = median(one[BARE][0] for one in rounds)
    return {name: _start(name, rounds, bare) for name in rounds[0]}


def _start(name: str, rounds: list[dict[str, tuple[float, float]]], bare: float) -> Start:
    seconds = median(one[name][0] for one in rounds)
    ratios = [one[name][0] / one[BARE][0] for one in rounds]
    called = median(one[name][1] for one in rounds)
    return Start(seconds, seconds / bare, min(ratios), max(ratios), called / bare)


def _run(name: str) -> tuple[float, float]:
    program = BARE_HANDLER if name == BARE else OUR_HANDLER
    event = json.dumps(FIRST_EVENTS.get(name, {}))
    done = subprocess.run(
        [sys.executable, "-c", program, name, event],
        cwd=ROOT,
        env={**os.environ, **dict(_environment())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} did not start: {done.stderr.strip()}")
    to_client, to_call = done.stdout.splitlines()[-1].split()
    return float(to_client), float(to_call)


def _environment() -> Iterator[tuple[str, str]]:
    yield "AWS_DEFAULT_REGION", "eu-west-1"
    yield "AWS_ACCESS_KEY_ID", "testing"
    yield "AWS_SECRET_ACCESS_KEY", "testing"
    yield "AWS_EC2_METADATA_DISABLED", "true"
    for one in vars(settings).values():
        if isinstance(one, type) and issubclass(one, settings.Settings):
            yield from ((variable, "test") for variable in one.variables())
    yield "RETENTION", read_policies().retention.model_dump_json()
