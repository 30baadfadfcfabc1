"""The breakers of accounts on DynamoDB, moto and AWS's own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.adapters.account_breakers import DynamoAccountBreakers
from shared.domain.breaker import Breaker, BreakerState, told, tried
from shared.events.catalogue import AccountSuspended
from tests.builders import NOON
from tests.integration.conftest import Stores

MINUTE = timedelta(minutes=1)
LINE = ("twilio", "+33755500000")
OPEN = BreakerState(failures=5, opened_at=NOON, open_until=NOON + MINUTE)


@pytest.fixture
def breakers(stores: Stores) -> DynamoAccountBreakers:
    return DynamoAccountBreakers(stores.client, stores.names["tickets"])


def test_it_opens_closes_and_opens_again(breakers: DynamoAccountBreakers) -> None:
    closed = BreakerState()
    assert breakers.state(*LINE) == closed
    event = AccountSuspended(provider=LINE[0], account=LINE[1], until=NOON + MINUTE)
    assert breakers.change(*LINE, closed, OPEN, event)
    assert breakers.state(*LINE) == OPEN
    assert not breakers.change(*LINE, closed, OPEN), "it is no longer as it was read"
    assert breakers.change(*LINE, OPEN, closed)
    assert breakers.state(*LINE) == closed
    assert breakers.change(*LINE, closed, OPEN)


def test_accounts_do_not_share_one(breakers: DynamoAccountBreakers) -> None:
    breakers.change(*LINE, BreakerState(), OPEN)
    assert breakers.state("twilio", "+33755500001") == BreakerState()


def test_of_a_crowd_one_tries(real_stores: Stores) -> None:
    breakers = DynamoAccountBreakers(real_stores.client, real_stores.names["tickets"])
    rule = Breaker(failures=5, open_for=MINUTE)
    breakers.change(*LINE, BreakerState(), OPEN)
    trying = tried(OPEN, rule, NOON + MINUTE)

    def come(_: int) -> bool:
        return breakers.change(*LINE, OPEN, trying)

    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(come, range(16))) == 1
    after = told(trying, rule, NOON + MINUTE, NOON + MINUTE, failed=False)
    assert after == BreakerState()
