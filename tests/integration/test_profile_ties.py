"""A touchpoint is counted at its profile once, wherever a try breaks off, whoever comes between."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.profiles import DynamoProfileStore
from shared.domain.errors import Conflict, Contention
from shared.domain.touchpoint import Direction, PageView, Touchpoint
from shared.events.catalogue import ProfileUpdated
from shared.ports.profiles import ProfileTie
from tests.builders import identifier, observed, profile_tie, touchpoint
from tests.integration.conftest import Stores

HOME = identifier("+33612345678")


class BrokeOff(Exception):
    """The function was ended here."""


class Breaking:
    """A client of DynamoDB that ends before its `before`-th write by itself."""

    def __init__(self, client: Any, before: int) -> None:
        self._client = client
        self._left = before

    def update_item(self, **parameters: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise BrokeOff
        return self._client.update_item(**parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Overtaken:
    """A client of DynamoDB before whose first write by itself others write."""

    def __init__(self, client: Any, others: Callable[[], object]) -> None:
        self._client = client
        self._others = [others]

    def update_item(self, **parameters: Any) -> Any:
        if self._others:
            self._others.pop()()
        return self._client.update_item(**parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def view(number: int) -> Touchpoint:
    page = PageView(name="Kettle", url="https://www.boutique.example/kettle")
    key = f"view-{number}"
    return touchpoint(page, key=key, direction=Direction.PASSIVE, identifiers=(HOME,))


def read(stores: Stores, seen: Touchpoint, **overrides: Any) -> ProfileTie:
    """What a try would write that reads now."""
    known = stores.profiles.known([HOME.profile_id])
    held = {
        "profile": known.profiles.get(HOME.profile_id),
        "ties": known.ties.get(HOME.profile_id),
        "finished": True,
    }
    return profile_tie(seen, **held | overrides)


def counted(stores: Stores) -> int:
    profile = stores.profiles.read(HOME.profile_id)
    return sum(profile.contacts.values()) if profile else 0


def is_tied(stores: Stores, seen: Touchpoint) -> bool:
    entry = stores.ledger.read(seen.touchpoint_id)
    return entry is not None and entry.profile_id == HOME.profile_id


def broken(stores: Stores, before: int) -> DynamoProfileStore:
    return profiles_by(Breaking(stores.client, before), stores)


def profiles_by(client: Any, stores: Stores) -> DynamoProfileStore:
    return DynamoProfileStore(client, stores.names["profiles"], stores.names["touchpoints"])


def empty(stores: Stores) -> None:
    for name, parts in (("profiles", ("pk", "sk")), ("touchpoints", ("touchpoint_id",))):
        for item in stores.client.scan(TableName=stores.names[name])["Items"]:
            key = {part: item[part] for part in parts}
            stores.client.delete_item(TableName=stores.names[name], Key=key)


@pytest.fixture
def known(stores: Stores) -> Stores:
    """A person whose first touchpoint is tied, and four more of theirs that are not."""
    stores.ledger.record([observed(view(number)) for number in range(5)])
    stores.profiles.attach(read(stores, view(0)))
    return stores


def test_what_broke_off_after_the_count_is_gone_on_with(known: Stores) -> None:
    with pytest.raises(BrokeOff):
        broken(known, before=1).attach(read(known, view(1)))
    assert (counted(known), is_tied(known, view(1))) == (2, False)
    known.profiles.attach(read(known, view(1)))
    assert (counted(known), is_tied(known, view(1))) == (2, True)
    with pytest.raises(Conflict):
        known.profiles.attach(read(known, view(1)))
    assert counted(known) == 2


def test_what_broke_off_is_not_forgotten_for_another(known: Stores) -> None:
    with pytest.raises(BrokeOff):
        broken(known, before=1).attach(read(known, view(1)))
    for number in (2, 3, 1):
        known.profiles.attach(read(known, view(number)))
    assert counted(known) == 4
    assert all(is_tied(known, view(number)) for number in range(4))


def test_who_read_before_others_counted_counts_nothing_twice(known: Stores) -> None:
    """Two executions of one journey, the slower far behind."""
    late = read(known, view(1))
    known.profiles.attach(read(known, view(1)))
    known.profiles.attach(read(known, view(2)))
    # Or it read the profile just now, and its touchpoint before all that.
    for tie in (late, read(known, view(1))):
        with pytest.raises(Conflict):
            known.profiles.attach(tie)
        assert counted(known) == 3


@pytest.mark.parametrize("further", [0, 1])
def test_who_is_overtaken_just_before_it_counts_does_not_count(known: Stores, further: int) -> None:
    """By another execution of its journey, and then by one that the profile names instead."""

    def others() -> None:
        for number in range(1, 2 + further):
            known.profiles.attach(read(known, view(number)))

    with pytest.raises(Contention):
        profiles_by(Overtaken(known.client, others), known).attach(read(known, view(1)))
    assert counted(known) == 2 + further


def test_who_is_overtaken_by_a_transaction_does_not_count(known: Stores) -> None:
    told = ProfileUpdated(
        profile_id=HOME.profile_id, touchpoint_id=view(1).touchpoint_id, change="activity"
    )

    def others() -> None:
        known.profiles.attach(read(known, view(1), event=told))

    with pytest.raises(Contention):
        profiles_by(Overtaken(known.client, others), known).attach(read(known, view(1)))
    assert counted(known) == 2


def test_a_transaction_does_not_count_what_was_counted_before(known: Stores) -> None:
    told = ProfileUpdated(
        profile_id=HOME.profile_id, touchpoint_id=view(1).touchpoint_id, change="activity"
    )
    late = read(known, view(1), event=told)
    with pytest.raises(BrokeOff):
        broken(known, before=1).attach(read(known, view(1)))
    with pytest.raises(Contention):
        known.profiles.attach(late)
    known.profiles.attach(read(known, view(1), event=told))
    assert (counted(known), is_tied(known, view(1))) == (2, True)


def test_who_was_erased_meanwhile_does_not_come_back(known: Stores) -> None:
    tie = read(known, view(1))
    key = {"pk": {"S": f"profile#{HOME.profile_id}"}, "sk": {"S": "profile"}}
    known.client.delete_item(TableName=known.names["profiles"], Key=key)
    with pytest.raises(Contention):
        known.profiles.attach(tie)
    assert known.profiles.read(HOME.profile_id) is None


TRIES = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([0, 1, 9]), st.booleans(), st.booleans()),
    max_size=16,
)
"""Of one touchpoint each: where it breaks off, whether it read long before, whether it tells."""


@given(TRIES)
@settings(
    max_examples=100 if "PROVE" in os.environ else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_tries_in_any_order_count_each_once(
    stores: Stores, tries: list[tuple[int, int, bool, bool]]
) -> None:
    empty(stores)
    stores.ledger.record([observed(view(number)) for number in range(5)])
    stores.profiles.attach(read(stores, view(0)))
    early = {number: read(stores, view(number)) for number in range(1, 5)}
    for number, before, reads_early, tells in tries:
        seen = view(number)
        told = ProfileUpdated(
            profile_id=HOME.profile_id, touchpoint_id=seen.touchpoint_id, change="activity"
        )
        tie = early[number] if reads_early else read(stores, seen)
        tie = tie._replace(event=told if tells else None)
        try:
            broken(stores, before).attach(tie)
        except (BrokeOff, Conflict, Contention):
            early[number] = read(stores, seen)
    for number in range(1, 5):
        if not is_tied(stores, view(number)):
            stores.profiles.attach(read(stores, view(number)))
    assert counted(stores) == 5
