"""The bench's price of a call against what DynamoDB Local says it consumed, on the adapters' calls.

Where DynamoDB Local 3.3 differs from the service, the service's rule stands and the difference is
named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import boto3
import pytest

from shared.domain.follow_up import FollowUpState
from shared.domain.identity import IdentifierType
from shared.domain.profile import LearnedLanguage
from shared.domain.touchpoint import Direction, Message
from shared.ports.profiles import GraphChange
from tests.bench.dynamodb_calls import Target, read_price, targets, write_price
from tests.bench.dynamodb_units import Item, Table, Units
from tests.builders import (
    NOON,
    endpoint,
    follow_up,
    identifier,
    observed,
    profile_id,
    sms,
    touchpoint,
    whatsapp_message,
)
from tests.integration.conftest import Stores
from tests.integration.test_stores import (
    OPENED,
    attach,
    changed_event,
    done_event,
    one_graph,
    open_one,
    persons,
    scheduled_event,
)


class Priced(NamedTuple):
    operation: str
    ours: Units
    theirs: Units


class Comparison:
    """Prices every call of a client, and keeps what DynamoDB Local says of it."""

    def __init__(self, client: Any, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        # A client of its own, whose looks are not priced. DynamoDB Local keeps the tables of each
        # key apart, and moto has put another one into the environment.
        self._looker = boto3.client(
            "dynamodb",
            endpoint_url=client.meta.endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self._aims: list[Target] = []
        self._parameters: dict[str, Any] = {}
        self.priced: list[Priced] = []
        client.meta.events.register("provide-client-params.dynamodb", self._before)
        client.meta.events.register("after-call.dynamodb", self._after)

    def close(self) -> None:
        self._looker.close()

    def _look(self, table: str, key: Mapping[str, Any]) -> Item | None:
        item: Item | None = self._looker.get_item(
            TableName=table, Key=dict(key), ConsistentRead=True
        ).get("Item")
        return item

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        self._parameters = params
        self._aims = targets(model.name, params, self._tables, self._look)
        return {**params, "ReturnConsumedCapacity": "INDEXES"}

    def _after(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity")
        if consumed is None:
            # DynamoDB tells nothing of a refused write, though it charges it.
            return
        if model.name == "TransactWriteItems":
            ours = self._as_dynamodb_local_counts()
            theirs = Units(write=sum(one["CapacityUnits"] for one in consumed))
        elif self._aims:
            ours = write_price(model.name, self._aims, self._tables, self._look)
            theirs = Units(write=consumed["CapacityUnits"])
        else:
            ours = read_price(model.name, self._parameters, parsed)
            theirs = _read(model.name, self._parameters, parsed)
        self.priced.append(Priced(model.name, ours, theirs))

    def _as_dynamodb_local_counts(self) -> Units:
        """A transaction by our rules and two of its own.

        DynamoDB Local counts items of a table that cost the same only once, and the service each
        (https://github.com/awslabs/amazon-dynamodb-local-samples/issues/31). It doubles the
        indexes, and the service does not (https://github.com/nubo-db/dynoxide/pull/188).
        """
        distinct = set()
        for aim in self._aims:
            price = write_price("TransactWriteItems", [aim], self._tables, self._look).write
            table = self._without_indexes(aim)
            distinct.add((aim.table, table, 2 * (price - table)))
        return Units(write=sum(table + indexes for _, table, indexes in distinct))

    def _without_indexes(self, aim: Target) -> float:
        bare = {name: table._replace(indexes=()) for name, table in self._tables.items()}
        return write_price("TransactWriteItems", [aim], bare, self._look).write


def _read(operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> Units:
    """What the service would say: it charges the least a read costs for an absent item and for a
    query that finds nothing, DynamoDB Local charges those of a batch and of an index nothing.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    consumed = answer["ConsumedCapacity"]
    if operation == "Query":
        least = 1.0 if parameters.get("ConsistentRead") else 0.5
        return Units(read=max(least, consumed["CapacityUnits"]))
    if operation == "BatchGetItem":
        units = sum(one["CapacityUnits"] for one in consumed)
        for name, wanted in parameters["RequestItems"].items():
            absent = len(wanted["Keys"]) - len(answer["Responses"][name])
            units += absent * (1.0 if wanted["ConsistentRead"] else 0.5)
        return Units(read=units)
    return Units(read=consumed["CapacityUnits"])


@pytest.fixture
def comparison(
    real_stores: Stores, table_definitions: dict[str, dict[str, Any]]
) -> Iterator[Comparison]:
    tables = {
        real_stores.names[name]: Table.read(definition)
        for name, definition in table_definitions.items()
    }
    comparing = Comparison(real_stores.client, tables)
    yield comparing
    comparing.close()


def test_every_call_of_a_ticket_costs_what_dynamodb_says(
    real_stores: Stores, comparison: Comparison
) -> None:
    ledger, profiles, tickets = real_stores.ledger, real_stores.profiles, real_stores.tickets
    seen = whatsapp_message()
    large = sms("Ma commande n'est pas arrivée. " + "".join(map(chr, range(200, 3200))))
    for one in (seen, large):
        ledger.record([observed(one, raw=one.model_dump_json().encode())])
    ledger.record([observed(seen)])
    attach(real_stores, seen)
    attach(real_stores, large, finished=True)
    mail = persons(real_stores, identifier("awa@example.com", IdentifierType.EMAIL))
    profiles.change_graph(GraphChange((), one_graph((identifier(), *mail)), None))
    assert profiles.read(profile_id()) == profiles.read(mail[0].profile_id)
    french = LearnedLanguage(touchpoint_id=seen.touchpoint_id, language="fr", at=NOON)
    profiles.learn(profile_id(), seen.touchpoint_id, french, None)
    tickets.of_profiles([profile_id()])
    opened = open_one(real_stores, seen)
    tickets.of_profiles([profile_id()])
    promised = follow_up(opened)
    tickets.promise(promised, scheduled_event(promised))
    claimed = promised.model_copy(update={"state": FollowUpState.SENDING})
    tickets.move(claimed, FollowUpState.SCHEDULED)
    sent = touchpoint(Message(text="…"), key="wamid.out", direction=Direction.OUTBOUND)
    done = claimed.model_copy(update={"state": FollowUpState.DONE})
    change = (opened, opened, changed_event(opened), OPENED)
    tickets.end(done, FollowUpState.SENDING, done_event(done), sent=sent, ticket=change)
    ledger.timeline([profile_id()])
    ledger.mailbox(endpoint())
    ledger.read(large.touchpoint_id)
    tickets.follow_ups_of_ticket(opened.ticket_id)

    differing = [one for one in comparison.priced if one.ours != one.theirs]
    assert differing == []
    kinds = Counter(one.operation for one in comparison.priced)
    assert set(kinds) == {
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    }
    assert max(one.ours.write for one in comparison.priced) > 4


@pytest.mark.parametrize(
    "value",
    [
        {"N": "1"},
        {"N": "1234567"},
        {"N": "100"},
        {"N": "-12.5"},
        {"BOOL": True},
        {"B": b"xyz"},
        {"SS": ["ab", "cde"]},
        {"M": {"type": {"S": "abc"}, "data": {"M": {"é": {"S": "ü"}}}}},
        {"L": [{"S": "b"}, {"N": "7"}]},
    ],
    ids=lambda value: next(iter(value)),
)
def test_an_item_crosses_a_kilobyte_at_the_same_byte(
    real_stores: Stores, comparison: Comparison, value: dict[str, Any]
) -> None:
    name = real_stores.names["touchpoints"]
    for length in range(950, 1024):
        item = {"touchpoint_id": {"S": str(length)}, "x": {"S": "x" * length}, "v": value}
        real_stores.client.put_item(TableName=name, Item=item)
    differing = [one for one in comparison.priced if one.ours != one.theirs]
    assert differing == []
    assert {one.ours.write for one in comparison.priced} == {1.0, 2.0}
