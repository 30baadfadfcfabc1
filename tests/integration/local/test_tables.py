"""DynamoDB on the local cloud: whole writes, true transactions, one change for one write."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import provision
from infra.local.cloud import LocalCloud
from tests.integration.local import standins

TABLE = "small-things"


def _put(id_: str, **values: str) -> None:
    item = {"id": {"S": id_}, **{name: {"S": value} for name, value in values.items()}}
    provision.client("dynamodb").put_item(TableName=TABLE, Item=item)


def _get(id_: str) -> dict[str, Any] | None:
    answer = provision.client("dynamodb").get_item(TableName=TABLE, Key={"id": {"S": id_}})
    item: dict[str, Any] | None = answer.get("Item")
    return item


def _records(small: LocalCloud) -> list[dict[str, Any]]:
    small.settle()
    return [record for event in standins.given["publisher"] for record in event["Records"]]


def _set(id_: str, condition: str = "attribute_exists(id)") -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": {"id": {"S": id_}},
            "UpdateExpression": "SET #n = :n, #e = :e",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#n": "n", "#e": "event"},
            "ExpressionAttributeValues": {":n": {"S": "new"}, ":e": {"S": "changed"}},
        }
    }


def test_a_refused_transaction_changes_nothing_and_tells_which_condition_failed(
    small: LocalCloud,
) -> None:
    _put("a", n="old")
    with pytest.raises(ClientError) as refused:
        provision.client("dynamodb").transact_write_items(TransactItems=[_set("a"), _set("b")])
    reasons = [one["Code"] for one in refused.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert _get("a") == {"id": {"S": "a"}, "n": {"S": "old"}}
    assert _get("b") is None
    assert _records(small) == []


def test_a_transaction_writes_all_and_shows_each_change(small: LocalCloud) -> None:
    _put("a")
    provision.client("dynamodb").transact_write_items(
        TransactItems=[_set("a"), _set("b", "attribute_not_exists(id)")]
    )
    changes = [(one["eventName"], one["dynamodb"]["Keys"]["id"]["S"]) for one in _records(small)]
    assert changes == [("MODIFY", "a"), ("INSERT", "b")]


def test_an_update_that_creates_an_item_is_one_insert(small: LocalCloud) -> None:
    provision.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET #e = :e, #at = if_not_exists(#at, :at) ADD hits :one, tags :t",
        ExpressionAttributeNames={"#e": "event", "#at": "at"},
        ExpressionAttributeValues={
            ":e": {"S": "x"},
            ":at": {"S": "1"},
            ":one": {"N": "1"},
            ":t": {"SS": ["b", "a"]},
        },
    )
    (record,) = _records(small)
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"] == {
        "id": {"S": "a"},
        "event": {"S": "x"},
        "at": {"S": "1"},
        "hits": {"N": "1"},
        "tags": {"SS": ["a", "b"]},
    }


def test_bytes_come_back_as_bytes_and_stream_as_base64(small: LocalCloud) -> None:
    item = {"id": {"S": "a"}, "event": {"S": "x"}, "m": {"M": {"b": {"B": b"\xff"}}}}
    provision.client("dynamodb").put_item(TableName=TABLE, Item=item)
    assert _get("a") == item
    (record,) = _records(small)
    assert record["dynamodb"]["NewImage"]["m"] == {"M": {"b": {"B": "/w=="}}}


def test_an_expression_beyond_the_simple_ones_still_works(small: LocalCloud) -> None:
    client = provision.client("dynamodb")
    client.put_item(TableName=TABLE, Item={"id": {"S": "a"}, "l": {"L": [{"S": "x"}]}})
    client.update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET l = list_append(l, :more)",
        ExpressionAttributeValues={":more": {"L": [{"S": "y"}]}},
    )
    assert _get("a") == {"id": {"S": "a"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}}


@pytest.mark.parametrize(
    ("expression", "names", "values"),
    [
        ("SET size = :v", {}, {":v": {"S": "x"}}),
        ("SET #a = :v", {"#a": "a", "#unused": "b"}, {":v": {"S": "x"}}),
        ("SET #a = :missing", {"#a": "a"}, {}),
        ("SET #a = :v, #a = :v", {"#a": "a"}, {":v": {"S": "x"}}),
        ("SET #a = :v", {"#a": "id"}, {":v": {"S": "x"}}),
        ("SET #a = :v", {"#a": "kind"}, {":v": {"S": ""}}),
        ("SET #a = :v", {"#a": "kind"}, {":v": {"N": "1"}}),
    ],
    ids=["reserved", "unused name", "no value", "twice", "a key", "empty key", "other type"],
)
def test_what_dynamodb_refuses_is_refused_here(
    small: LocalCloud, expression: str, names: dict[str, str], values: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    given |= {"ExpressionAttributeValues": values} if values else {}
    with pytest.raises(ClientError) as refused:
        provision.client("dynamodb").update_item(
            TableName=TABLE, Key={"id": {"S": "a"}}, UpdateExpression=expression, **given
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert _get("a") is None


def test_an_index_holds_what_has_its_keys_in_order_page_by_page(small: LocalCloud) -> None:
    for at in ("3", "1", "2"):
        _put(f"i{at}", kind="k", at=at, secret="s")
    _put("without", kind="k")
    _put("i1", kind="other", at="1")
    pages: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        answer = provision.client("dynamodb").query(
            TableName=TABLE,
            IndexName="by_kind",
            KeyConditionExpression="kind = :k AND #at >= :from",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":k": {"S": "k"}, ":from": {"S": "0"}},
            ScanIndexForward=False,
            Limit=1,
            **start,
        )
        pages += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert pages == [
        {"id": {"S": f"i{at}"}, "kind": {"S": "k"}, "at": {"S": at}} for at in ("3", "2")
    ]


def test_what_nobody_taught_it_is_an_error_and_no_silence(small: LocalCloud) -> None:
    with pytest.raises(NotImplementedError, match="BatchWriteItem"):
        provision.client("dynamodb").batch_write_item(
            RequestItems={TABLE: [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]}
        )


def test_units_are_counted_as_aws_bills_them(small: LocalCloud) -> None:
    small.meter.reset()
    _put("a", n="x" * 1500)
    assert small.meter.write_units == 2
    _put("b", kind="k", at="1")
    assert small.meter.write_units == 2 + 2
    provision.client("dynamodb").transact_write_items(TransactItems=[_set("a")])
    assert small.meter.write_units == 4 + 2 * 2
    provision.client("dynamodb").get_item(
        TableName=TABLE, Key={"id": {"S": "b"}}, ConsistentRead=True
    )
    assert small.meter.read_units == 1
