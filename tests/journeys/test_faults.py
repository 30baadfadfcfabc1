"""Any AWS call may fail, before it was done or after: nothing is lost, nothing is doubled.

A call that fails `after` is the nasty one: it was done, and whoever made it does not know.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import pytest

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud
from infra.local.wire import TIME_TO_LIVE, calling_function
from shared.domain.account import Accounts
from shared.domain.follow_up import FollowUpState
from shared.operations.redrive import redrive
from shared.runtime import wiring
from shared.runtime.settings import LedgerSettings
from tests.fakes import FakeSecrets
from tests.journeys.test_feed import WORDS, tables
from tests.journeys.webhooks import told, whatsapp
from tests.state import State, state_of

PEOPLE = 12
FAULTS = 0.04
"""Of all calls that the functions make, in each of the two moments."""
MOST_DELIVERIES = 60


def calls(cloud: LocalCloud, day: datetime) -> list[Call]:
    made = []
    for person in range(PEOPLE):
        phone = f"+336130{person:05}"
        for n in range(3):
            at = day + timedelta(minutes=11 * n, seconds=person)
            text = WORDS[(person + n) % len(WORDS)]
            made.append(whatsapp(cloud, text, phone=phone, key=f"{person}-{n}", at=at))
        data = {"number": f"R-{person}", "total": "9.90", "currency": "EUR"}
        customer = {"customer": {"phone": phone}}
        key = f"p-{person}"
        made.append(
            told(cloud, "purchase.completed", data | customer, key=key, at=day, source="till")
        )
    return made


@contextmanager
def faults(cloud: LocalCloud, seed: int) -> Iterator[Counter[str]]:
    """The functions' calls fail at random; what the cloud does for itself does not."""
    chance, lock = random.Random(seed), Lock()
    happened: Counter[str] = Counter()

    def interfere(service: str, operation: str, when: str) -> None:
        if calling_function.get() in {"", TIME_TO_LIVE}:
            return
        with lock:
            if chance.random() >= FAULTS:
                return
            happened[f"{service}.{operation} {when}"] += 1
        raise ConnectionError(f"{operation} failed {when} it was done")

    cloud.wire.interfere = interfere
    try:
        yield happened
    finally:
        cloud.wire.interfere = None


def deliver(cloud: LocalCloud, call: Call) -> None:
    """As a provider does: again and again until it is taken."""
    for _ in range(MOST_DELIVERIES):
        if cloud.receive(call).status == 200:
            return
    raise AssertionError("the intake never took it")


def state(cloud: LocalCloud) -> State:
    return state_of(wiring.client("dynamodb"), **tables(cloud))


def send_failed_ones_again(cloud: LocalCloud) -> None:
    """What a person on duty does when the alarm rings."""
    api = next(one for one in cloud.lambdas.all() if one.name.endswith("-agent_api"))
    settings = LedgerSettings(
        touchpoints_table=api.variables["TOUCHPOINTS_TABLE"],
        raw_bucket=api.variables["RAW_BUCKET"],
    )
    redrive(
        ledger=wiring.ledger(settings),
        secrets=FakeSecrets(),
        clock=cloud.clock,
        accounts=Accounts(),
    )
    cloud.settle()


@pytest.mark.parametrize("seed", [1, 2, 3] if "PROVE" in os.environ else [1])
def test_nothing_is_lost_and_nothing_doubled(template: dict[str, Any], seed: int) -> None:
    day = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    with LocalCloud(template, pace=0.001) as cloud:
        for call in calls(cloud, day):
            deliver(cloud, call)
        cloud.settle()
        calm = state(cloud)
    with LocalCloud(template, pace=0.001) as cloud:
        with faults(cloud, seed) as happened:
            for call in calls(cloud, day):
                deliver(cloud, call)
            cloud.settle()
        assert sum(happened.values()) > PEOPLE, "too little went wrong to prove anything"
        send_failed_ones_again(cloud)
        wild = state(cloud)
        for part in calm:
            assert wild[part] == calm[part], (part, happened)
        balance = cloud.stories.balance()
        assert balance["processed"] == PEOPLE * 4
        assert (balance["in_flight"], balance["quarantined"]) == (0, 0)
        assert balance["received"] - balance["duplicate"] == PEOPLE * 4

        with faults(cloud, seed + 100):
            cloud.advance(timedelta(hours=72))
        _assert_each_promise_was_kept_at_most_once(cloud)


def _assert_each_promise_was_kept_at_most_once(cloud: LocalCloud) -> None:
    sent = Counter(
        json.loads(one.body)["biz_opaque_callback_data"]
        for one in cloud.outbox.all()
        if one.provider == "whatsapp_cloud"
    )
    assert sent and set(sent.values()) == {1}
    unfinished = {json.dumps(one.message) for one in cloud.dead_letters}
    for follow_up in state(cloud)["follow_ups"].values():
        known = any(follow_up["follow_up_id"] in message for message in unfinished)
        ended = follow_up["state"] not in {FollowUpState.SCHEDULED, FollowUpState.SENDING}
        assert ended or known, "a promise was forgotten without a trace"
        if follow_up["state"] == FollowUpState.DONE and follow_up["action"]["do"] == "send":
            assert sent[follow_up["follow_up_id"]] == 1
