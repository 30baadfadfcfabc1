"""The bus on Amazon EventBridge."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from shared.adapters.bus import EventBridgeBus


class Calls:
    """The client's own calls, kept as they are made."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.entries: list[list[dict[str, Any]]] = []

    def put_events(self, **parameters: Any) -> Any:
        self.entries.append(parameters["Entries"])
        return self._client.put_events(**parameters)


@pytest.fixture
def calls() -> Iterator[Calls]:
    with mock_aws():
        client = boto3.client("events")
        client.create_event_bus(Name="passerelle")
        yield Calls(client)


def numbered(count: int) -> list[tuple[str, dict[str, Any]]]:
    return [("TicketChanged", {"data": {"version": n}}) for n in range(count)]


def test_an_event_travels_with_its_type_from_us(calls: Calls) -> None:
    bus = EventBridgeBus(calls, "passerelle")
    assert bus.publish([("TicketOpened", {"data": {"queue": "orders"}})]) == [True]
    (((entry),),) = calls.entries
    assert entry["Source"] == "passerelle"
    assert entry["DetailType"] == "TicketOpened"
    assert json.loads(entry["Detail"]) == {"data": {"queue": "orders"}}
    assert entry["EventBusName"] == "passerelle"


def test_more_than_a_call_holds_leave_in_order_in_several(calls: Calls) -> None:
    taken = EventBridgeBus(calls, "passerelle").publish(numbered(23))
    assert taken == [True] * 23
    assert [len(entries) for entries in calls.entries] == [10, 10, 3]
    versions = [
        json.loads(entry["Detail"])["data"]["version"]
        for entries in calls.entries
        for entry in entries
    ]
    assert versions == list(range(23))


def test_nothing_to_publish_is_no_call(calls: Calls) -> None:
    assert EventBridgeBus(calls, "passerelle").publish([]) == []
    assert calls.entries == []


def test_each_entry_that_the_bus_did_not_take_is_known() -> None:
    """EventBridge answers 200 for a call of which some entries failed."""
    client = boto3.client("events")
    with Stubber(client) as stub:
        stub.add_response("put_events", answer("ok", *["ok"] * 8, "no"))
        stub.add_response("put_events", answer("no", "ok"))
        taken = EventBridgeBus(client, "passerelle").publish(numbered(12))
    assert taken == [True] * 9 + [False, False, True]


def answer(*entries: str) -> dict[str, Any]:
    refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "…"}
    return {
        "FailedEntryCount": entries.count("no"),
        "Entries": [{"EventId": "e"} if one == "ok" else refused for one in entries],
    }


def test_a_bus_that_cannot_be_reached_is_no_answer() -> None:
    client = boto3.client("events")
    with Stubber(client) as stub:
        stub.add_client_error("put_events", "InternalException", http_status_code=500)
        with pytest.raises(client.exceptions.ClientError):
            EventBridgeBus(client, "passerelle").publish(numbered(1))
