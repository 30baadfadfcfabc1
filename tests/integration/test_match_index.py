"""The index of blocking keys, on moto and on AWS's own DynamoDB Local."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.adapters import dynamo
from shared.adapters.match_index import DynamoMatchIndex
from shared.domain.errors import Contention, InvalidInput
from shared.domain.model import ProfileId
from tests.integration.conftest import Stores

A, B, C = (ProfileId(one) for one in "abc")


def index_of(stores: Stores) -> DynamoMatchIndex:
    return DynamoMatchIndex(stores.client, stores.names["profiles"])


def items(stores: Stores) -> list[dict[str, Any]]:
    answer = stores.client.scan(TableName=stores.names["profiles"], ConsistentRead=True)
    return [dynamo.plain(item) for item in answer["Items"]]


def blocks(stores: Stores) -> set[tuple[str, str]]:
    """Profile and key, as `find` sees them."""
    return {
        (item["sk"].removeprefix("profile#"), item["pk"].removeprefix("block#"))
        for item in items(stores)
        if item["pk"].startswith("block#")
    }


def listed(stores: Stores) -> set[tuple[str, str]]:
    """The same, as an erasure finds them."""
    return {
        (item["pk"].removeprefix("profile#"), key)
        for item in items(stores)
        if item["sk"] == "match_keys"
        for key in item.get("keys", ())
    }


def mark(stores: Stores, sk: str, pk: str = "profile#a", **more: object) -> None:
    stores.client.put_item(
        TableName=stores.names["profiles"], Item=dynamo.attributes({"pk": pk, "sk": sk, **more})
    )


def test_who_shares_most_comes_first(stores: Stores) -> None:
    index = index_of(stores)
    index.put(A, {"1", "2", "3"})
    index.put(B, {"2", "3", "4"})
    index.put(C, {"3"})
    assert index.find({"2", "3"}, most=5) == [A, B, C]
    assert index.find({"3", "4"}, most=5) == [B, A, C]
    assert index.find({"9"}, most=5) == []
    assert index.find(set(), most=5) == []


def test_a_key_of_too_many_leads_to_nobody(stores: Stores) -> None:
    index = index_of(stores)
    for one in (A, B, C):
        index.put(one, {"1"})
    assert index.find({"1"}, most=3) == [A, B, C]
    assert index.find({"1"}, most=2) == []


def test_keys_are_replaced_without_a_trace(stores: Stores) -> None:
    index = index_of(stores)
    index.put(A, {"1", "2"})
    index.put(A, {"2", "3"})
    assert blocks(stores) == listed(stores) == {("a", "2"), ("a", "3")}
    index.put(A, set())
    assert blocks(stores) == listed(stores) == set()


def test_nothing_to_say_writes_nothing(stores: Stores) -> None:
    index_of(stores).put(A, set())
    assert items(stores) == []


def test_the_same_again_writes_nothing(stores: Stores) -> None:
    index = index_of(stores)
    index.put(A, {"1"})
    before = items(stores)
    index.put(A, {"1"})
    assert items(stores) == before


def test_nobody_who_is_being_erased_comes_back(stores: Stores) -> None:
    mark(stores, "erasing")
    with pytest.raises(Contention):
        index_of(stores).put(A, {"1"})
    assert blocks(stores) == listed(stores) == set()


def test_a_batch_sees_every_profile_with_a_history(stores: Stores) -> None:
    index = index_of(stores)
    mark(stores, "profile", created_at="2026-11-22T00:00:00.000000Z")
    mark(stores, "profile", "profile#b")  # tied to another, but without a history of its own
    mark(stores, "profile", "profile#c", created_at="2026-11-22T00:00:00.000000Z")
    index.put(A, {"1"})
    found, cursor = [], None
    while True:
        page = index.profile_ids(limit=2, cursor=cursor)
        found += page.items
        if page.cursor is None:
            break
        cursor = page.cursor
    assert sorted(found) == [A, C]
    with pytest.raises(InvalidInput):
        index.profile_ids(cursor="made up")


def test_writers_of_one_profile_leave_no_orphan(real_stores: Stores) -> None:
    """Each changes the keys while the others do: a key is found and listed, or neither."""
    index = index_of(real_stores)

    def write(number: int) -> None:
        while True:
            try:
                none = number % 5 == 4
                index.put(A, () if none else {str(number % 3), str(number % 4), "always"})
                return
            except Contention:
                continue

    with ThreadPoolExecutor(16) as writers:
        list(writers.map(write, range(60)))
    assert blocks(real_stores) == listed(real_stores)
