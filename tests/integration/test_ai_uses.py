"""The states of the AI uses, on moto and on AWS's own DynamoDB Local."""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest

from shared.adapters import dynamo
from shared.adapters.ai_uses import DynamoAiUses
from shared.domain.ai_use import AiUseName, AiUseState, PaidModel, Refusal, Reservation, Switch
from shared.events.catalogue import AiUseSwitched
from shared.ports.understanding import AiUses
from tests.builders import NOON
from tests.fake_ai_uses import FakeAiUses
from tests.integration.conftest import Stores
from tests.unit.domain.test_ai_use import MINUTE, paid

BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
EMBEDDED = AiUseName.EMBEDDED_CLASSIFICATION
CALLERS = 16


def ai_uses(stores: Stores) -> DynamoAiUses:
    return DynamoAiUses(stores.client, stores.names["ai_uses"], lambda: stores.client)


def item(stores: Stores, ai_use: AiUseName = BEDROCK) -> dict[str, Any]:
    answer = stores.client.get_item(
        TableName=stores.names["ai_uses"], Key={"ai_use": {"S": ai_use}}, ConsistentRead=True
    )
    return dynamo.plain(answer.get("Item", {}))


def turn(
    store: AiUses, ai_use: AiUseName = BEDROCK, *, on: bool, by: str = "agent:7"
) -> AiUseState:
    switch = Switch(on=on, by=by, at=NOON, because="a test")
    return store.switch(ai_use, switch, AiUseSwitched(ai_use=ai_use, on=on, by=by))


def test_what_nobody_touched_is_on_and_unwritten(stores: Stores) -> None:
    found = ai_uses(stores).states([EMBEDDED, BEDROCK])
    assert [one.is_on for one in found.values()] == [True, True]
    assert turn(ai_uses(stores), on=True).switch is None
    assert item(stores) == {}


def test_a_switch_carries_its_event_and_a_second_one_none(stores: Stores) -> None:
    store = ai_uses(stores)
    assert not turn(store, on=False).is_on
    written = item(stores)
    assert written["event"]["type"] == "AiUseSwitched"
    turn(store, on=False, by="agent:8")
    assert item(stores) == written
    assert turn(store, on=True, by="agent:8").is_on
    assert item(stores)["by"] == "agent:8"


def test_a_switch_can_be_turned_by_hand(stores: Stores) -> None:
    """The command of docs/operations.md."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    command = page[page.index("aws dynamodb update-item") :].split("\n\n")[0]
    key, expression, names, values = re.findall(r"'([^']+)'", command)
    stores.client.update_item(
        TableName=stores.names["ai_uses"],
        Key=json.loads(key),
        UpdateExpression=expression,
        ExpressionAttributeNames=json.loads(names),
        ExpressionAttributeValues=json.loads(values),
    )
    state = ai_uses(stores).states([EMBEDDED])[EMBEDDED]
    assert not state.is_on
    assert turn(ai_uses(stores), EMBEDDED, on=True).is_on


def test_what_is_spent_leaves_in_silence(stores: Stores) -> None:
    store = ai_uses(stores)
    turn(store, on=False)
    turn(store, on=True)
    assert "event" in item(stores)
    reservation = store.reserve(store.states([BEDROCK])[BEDROCK], 10, paid(), NOON)
    assert isinstance(reservation, Reservation)
    assert "event" not in item(stores)
    turn(store, on=False)
    store.settle(reservation, 4, paid(), NOON, failed=True)
    assert "event" not in item(stores)
    assert item(stores)["spent"] == 4


@pytest.mark.parametrize("seed", range(6))
def test_it_keeps_the_rules_of_the_domain(stores: Stores, seed: int) -> None:
    """The same calls in the same order, on the table and on the pure rules."""
    chance = Random(seed)
    real, rules = ai_uses(stores), FakeAiUses()
    now, under_way = NOON, list[Reservation]()
    for _ in range(60):
        match chance.choice(["reserve", "reserve", "settle", "wait", "switch"]):
            case "reserve":
                cost = chance.randrange(1, 40)
                seen = rules.state(BEDROCK)
                answer = rules.reserve(seen, cost, paid(), now)
                assert real.reserve(seen, cost, paid(), now) == answer
                if isinstance(answer, Reservation):
                    under_way.append(answer)
            case "settle" if under_way:
                reservation = under_way.pop(chance.randrange(len(under_way)))
                cost, failed = chance.randrange(reservation.cost + 1), chance.random() < 0.6
                for one in (real, rules):
                    one.settle(reservation, cost, paid(), now, failed=failed)
            case "wait":
                now += timedelta(seconds=chance.choice([1, 20, 40, 100, 40_000]))
            case "switch":
                on = chance.random() < 0.7
                assert turn(real, on=on) == turn(rules, on=on)
        assert real.states([BEDROCK])[BEDROCK] == rules.state(BEDROCK)


def test_no_crowd_spends_more_than_the_budget(real_stores: Stores) -> None:
    """Sixteen at once, all of whom read an empty state; a third never come back."""
    store = ai_uses(real_stores)
    limits: PaidModel = paid(budget=1_000, failures=10_000)
    fresh = store.states([BEDROCK])[BEDROCK]

    def call(number: int) -> tuple[str, int]:
        chance = Random(number)
        most = chance.randrange(10, 60)
        reservation = store.reserve(fresh, most, limits, NOON)
        if isinstance(reservation, Refusal):
            return reservation, 0
        if chance.random() < 1 / 3:
            return "lost", most
        cost = chance.randrange(most)
        store.settle(reservation, cost, limits, NOON, failed=chance.random() < 0.5)
        return "done", cost

    with ThreadPoolExecutor(CALLERS) as crowd:
        ended = list(crowd.map(call, range(200)))
    spent = sum(cost for _, cost in ended)
    assert spent <= limits.daily_budget
    assert store.states([BEDROCK])[BEDROCK].spent == spent
    assert Counter(how for how, _ in ended)[Refusal.OVER_BUDGET] > 0


def test_a_new_day_begins_once(real_stores: Stores) -> None:
    store = ai_uses(real_stores)
    limits = paid(budget=1_000)
    yesterday = store.reserve(store.states([BEDROCK])[BEDROCK], 1_000, limits, NOON)
    assert isinstance(yesterday, Reservation)
    full = store.states([BEDROCK])[BEDROCK]
    tomorrow = NOON + timedelta(days=1)
    with ThreadPoolExecutor(CALLERS) as crowd:
        ended = list(crowd.map(lambda _: store.reserve(full, 10, limits, tomorrow), range(64)))
    assert all(isinstance(one, Reservation) for one in ended)
    assert store.states([BEDROCK])[BEDROCK].spent == 640
    store.settle(yesterday, 1, limits, tomorrow, failed=False)
    assert store.states([BEDROCK])[BEDROCK].spent == 640, "what was yesterday's is not today's"


def test_one_of_a_crowd_tries_an_open_breaker(real_stores: Stores) -> None:
    store = ai_uses(real_stores)
    limits = paid(budget=10_000)
    reservations = [
        store.reserve(store.states([BEDROCK])[BEDROCK], 1, limits, NOON) for _ in range(3)
    ]
    for one in reservations:
        assert isinstance(one, Reservation)
        store.settle(one, 1, limits, NOON, failed=True)
    opened = store.states([BEDROCK])[BEDROCK]
    assert opened.open_until == NOON + MINUTE
    with ThreadPoolExecutor(CALLERS) as crowd:
        ended = list(
            crowd.map(lambda _: store.reserve(opened, 1, limits, NOON + MINUTE), range(64))
        )
    assert Counter(type(one) for one in ended) == {Refusal: 63, Reservation: 1}


def test_a_late_success_leaves_an_open_breaker_open(stores: Stores) -> None:
    store = ai_uses(stores)
    calls = [store.reserve(store.states([BEDROCK])[BEDROCK], 9, paid(), NOON) for _ in range(5)]
    late, *failing = [one for one in calls if isinstance(one, Reservation)]
    for one in failing:
        store.settle(one, 0, paid(), NOON + MINUTE / 4, failed=True)
    opened = store.states([BEDROCK])[BEDROCK]
    store.settle(late, 2, paid(), NOON + MINUTE / 2, failed=False)
    after = store.states([BEDROCK])[BEDROCK]
    assert after == opened.model_copy(update={"spent": 2})
    assert after.open_until == NOON + MINUTE / 4 + MINUTE


def test_the_end_of_a_call_is_one_write_and_no_read(stores: Stores) -> None:
    store = ai_uses(stores)
    reservation = store.reserve(AiUseState(ai_use=BEDROCK), 9, paid(), NOON)
    assert isinstance(reservation, Reservation)
    calls: list[str] = []
    stores.client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: calls.append(model.name)
    )
    store.settle(reservation, 2, paid(), NOON, failed=False)
    store.settle(reservation._replace(cost=2), 2, paid(), NOON, failed=False)
    assert calls == ["UpdateItem"], "what changes nothing is not written"


def test_where_others_are_always_quicker_the_money_is_put_right(stores: Stores) -> None:
    store = ai_uses(stores)
    mine, theirs = (
        store.reserve(store.states([BEDROCK])[BEDROCK], 9, paid(failures=99), NOON)
        for _ in range(2)
    )
    assert isinstance(mine, Reservation) and isinstance(theirs, Reservation)
    is_theirs = False

    def be_quicker(**_: Any) -> None:
        nonlocal is_theirs
        if not is_theirs:
            is_theirs = True
            store.settle(theirs, 9, paid(failures=99), NOON, failed=True)
            is_theirs = False

    event = "before-parameter-build.dynamodb.UpdateItem"
    stores.client.meta.events.register(event, be_quicker)
    store.settle(mine, 2, paid(failures=99), NOON, failed=False)
    stores.client.meta.events.unregister(event, be_quicker)
    state = store.states([BEDROCK])[BEDROCK]
    assert state.spent == 9 + 2
    assert state.failures > 0


def test_a_crowd_of_failures_opens_the_breaker(real_stores: Stores) -> None:
    store = ai_uses(real_stores)
    limits = paid(budget=10_000)
    calls = [store.reserve(AiUseState(ai_use=BEDROCK), 1, limits, NOON) for _ in range(64)]
    under_way = [one for one in calls if isinstance(one, Reservation)]
    with ThreadPoolExecutor(CALLERS) as crowd:
        list(crowd.map(lambda one: store.settle(one, 0, limits, NOON, failed=True), under_way))
    state = store.states([BEDROCK])[BEDROCK]
    assert (state.failures, state.open_until, state.spent) == (3, NOON + MINUTE, 0)


def test_a_switch_holds_for_whoever_comes_after_it(real_stores: Stores) -> None:
    """Not one reservation is made once the switch has been written."""
    store = ai_uses(real_stores)
    limits = paid(budget=100_000)
    fresh = store.states([BEDROCK])[BEDROCK]
    is_off = Event()

    def call(number: int) -> bool:
        if number == 40:
            turn(store, on=False)
            is_off.set()
        came_after = is_off.is_set()
        let_through = isinstance(store.reserve(fresh, 1, limits, NOON), Reservation)
        assert not (came_after and let_through)
        return let_through

    with ThreadPoolExecutor(CALLERS) as crowd:
        let_through = list(crowd.map(call, range(200)))
    assert store.states([BEDROCK])[BEDROCK].spent == sum(let_through) < 200
