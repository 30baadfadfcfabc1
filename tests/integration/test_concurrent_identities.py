"""Creating, linking, merging and unmerging all at once and in any order. On DynamoDB Local.

moto is no oracle for concurrency; AWS's own code is. The writers are the real step and the real
decisions on the real store.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from typing import Any

import pytest

from functions.profile_update.logic.update import update_profile
from shared.adapters.identity_graphs import stored_graph
from shared.domain.errors import Conflict, Contention
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.identity_tie import Tie, TieKind, tie
from shared.domain.journey import JourneyState
from shared.domain.touchpoint import Channel, Direction, Identification, Touchpoint
from shared.merging import merge, record, separate
from shared.runtime import wiring
from tests.builders import NOON, identifier, observed, policies, touchpoint
from tests.fakes import FakeClock
from tests.integration.conftest import Stores
from tests.state import State, scan

WRITERS = 32
PEOPLE = 5
"""Few enough that a graph has room for all; beyond that, order decides what is remembered."""
MOST_TRIES = 400
PROVE = "PROVE" in os.environ
SEEDS = range(8 if PROVE else 1)
LENGTH = 120 if PROVE else 40
"""Operations of a history. `make prove` runs more histories than `make test` has time for."""
POLICY = policies().identity

Operation = Touchpoint | Tie


def customer(n: int) -> Identifier:
    return identifier(f"C-{n}", IdentifierType.CUSTOMER_NUMBER)


def card(n: int) -> Identifier:
    return identifier(f"card-{n}", IdentifierType.LOYALTY_CARD)


def phone(n: int) -> Identifier:
    return identifier(f"+3361234{n:04}")


def order(n: int) -> Identifier:
    return identifier(f"4-{n}", IdentifierType.ORDER_NUMBER)


EVERYBODY = [kind(n) for kind in (customer, card, phone, order) for n in range(PEOPLE)]


def seen(key: str, minute: int, *identifiers: Identifier) -> Touchpoint:
    """Proves numbers and cards, and states phones."""
    return touchpoint(
        Identification(traits={"city": key}),
        key=key,
        at=NOON + timedelta(minutes=minute),
        identifiers=identifiers,
        provider="standard_webhooks",
        account="till",
        channel=Channel.IN_STORE,
        direction=Direction.PASSIVE,
        endpoint=None,
        name=None,
        proof="scanned",
    )


def history(seed: int, length: int) -> list[Operation]:
    """Touchpoints that create and link, and decisions on who was there from the beginning."""
    chance = random.Random(seed)
    operations: list[Operation] = []
    for n in range(length):
        if chance.random() < 0.6:
            operations.append(seen(f"t{seed}-{n}", n, *chance.sample(EVERYBODY, 2)))
            continue
        one, other = chance.sample(EVERYBODY, 2)
        kind = chance.choice((TieKind.MERGED, TieKind.SEPARATED))
        at = NOON + timedelta(minutes=n)
        operations.append(tie(one.key, other.key, kind, at, f"agent:{n}", "said so"))
    return operations


class Writer:
    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.clock = FakeClock(NOON)
        self.lock = Lock()
        self.contended = 0

    def insist(self, write: Callable[[], Any]) -> None:
        for _ in range(MOST_TRIES):
            try:
                write()
                return
            except Contention:
                with self.lock:
                    self.contended += 1
        raise AssertionError("the writers keep each other from ever getting through")

    def apply(self, operation: Operation) -> None:
        if isinstance(operation, Tie):
            self.insist(lambda: record(operation, profiles=self.stores.profiles, policy=POLICY))
            return
        self.insist(
            lambda: update_profile(
                JourneyState(touchpoint_id=operation.touchpoint_id),
                ledger=self.stores.ledger,
                profiles=self.stores.profiles,
                consents=self.stores.consents,
                policy=POLICY,
                forms=wiring.identifier_forms(),
            )
        )


def run(stores: Stores, operations: Sequence[Operation], *, writers: int) -> tuple[State, Writer]:
    """Everybody has had a first contact; then all that happens, happens at once."""
    first = [seen(f"first {one.key}", -60, one) for one in EVERYBODY]
    touchpoints = [*first, *(one for one in operations if isinstance(one, Touchpoint))]
    stores.ledger.record([observed(one) for one in touchpoints])
    writer = Writer(stores)
    with ThreadPoolExecutor(max_workers=writers) as pool:
        list(pool.map(writer.apply, first))
        list(pool.map(writer.apply, operations))
    return stores.state(), writer


def check_whole(stores: Stores, operations: Sequence[Operation]) -> None:
    """No orphan, no identifier of two people, no contact lost or counted twice."""
    items = scan(stores.profiles._client, stores.profiles._table)
    graphs = {
        one["pk"].removeprefix("graph#"): stored_graph(one).graph
        for one in items
        if one["sk"] == "graph"
    }
    profiles = {one["pk"]: one for one in items if one["sk"] == "profile"}
    owned: Counter[str] = Counter()
    for graph_id, graph in graphs.items():
        for person in graph.persons:
            owned.update(person.identifiers)
        assert {key for one in graph.ties for key in one.pair} <= graph.identifiers
        for key in graph.identifiers:
            assert profiles[f"profile#{Identifier.from_key(key).profile_id}"]["graph"] == graph_id
    assert set(owned.values()) <= {1}
    pointing = {one["graph"] for one in profiles.values() if "graph" in one}
    assert pointing == set(graphs)
    contacts = sum(one.get("count#passive#in_store", 0) for one in profiles.values())
    assert contacts == len(EVERYBODY) + sum(isinstance(one, Touchpoint) for one in operations)


@pytest.mark.parametrize("seed", SEEDS)
def test_histories_of_32_writers_end_as_they_do_one_by_one_in_any_order(
    seed: int, real_stores: Stores, second_real_stores: Stores
) -> None:
    operations = history(seed, LENGTH)
    calm, _ = run(real_stores, operations, writers=1)
    shuffled = list(operations)
    random.Random(seed).shuffle(shuffled)
    wild, writer = run(second_real_stores, shuffled, writers=WRITERS)
    assert writer.contended > 0, "the writers never met, so this proved nothing"
    check_whole(second_real_stores, operations)
    assert wild["persons"] == calm["persons"]
    assert wild["profiles"] == calm["profiles"]
    assert wild["suggestions"] == calm["suggestions"]
    assert wild["touchpoints"] == calm["touchpoints"]


def test_merging_and_unmerging_at_once_leaves_what_was_said_last(real_stores: Stores) -> None:
    run(real_stores, [], writers=4)
    writer = Writer(real_stores)
    one, other = customer(0).profile_id, customer(1).profile_id

    def say(minute: int) -> None:
        decide = merge if minute % 2 else separate
        at = NOON + timedelta(minutes=minute)

        def once() -> None:
            decide(
                one,
                other,
                by="agent:1",
                at=at,
                reason="said so",
                profiles=real_stores.profiles,
                policy=POLICY,
            )

        with_conflicts(writer, once)

    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        list(pool.map(say, range(31)))
    say(40)
    person = real_stores.profiles.read(one)
    assert person is not None and person.profile_ids == (one,)
    say(41)
    person = real_stores.profiles.read(one)
    assert person is not None and set(person.profile_ids) == {one, other}


def with_conflicts(writer: Writer, write: Callable[[], None]) -> None:
    """They may be one person already; that is refused, and nothing is changed."""
    try:
        writer.insist(write)
    except Conflict as error:
        assert str(error) == "both are one person already"


def test_the_tables_own_items_are_what_the_store_reads(real_stores: Stores) -> None:
    run(real_stores, history(3, 20), writers=4)
    for one in EVERYBODY:
        person = real_stores.profiles.read(one.profile_id)
        assert person is not None
        assert one in person.identifiers
