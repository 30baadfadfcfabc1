"""From counted calls to dollars: prices, time on Lambda, and the average of a mix."""

from collections import Counter

import pytest

from tests.bench.costs import cost_of, mixed
from tests.bench.dynamodb_units import Units
from tests.bench.lambda_time import gb_seconds, journey_gb_seconds, seconds_on_lambda
from tests.bench.prices import PRICES, per_million
from tests.bench.recorder import JOURNEY, Counted
from tests.bench.traffic import DEFAULT_MIX, Kind

MEMORY = {"webhook_intake": 1769, "profile_update": 1024}


def counted() -> Counted:
    """Ten touchpoints: one request, ten journeys of one step each."""
    return Counted(
        http_requests=1,
        invocations=Counter(webhook_intake=1, profile_update=10),
        seconds={"webhook_intake": 0.5, "profile_update": 1.0},
        answering={"webhook_intake": 0.4, "profile_update": 0.6},
        aws_calls=Counter(
            {
                ("webhook_intake", "dynamodb", "UpdateItem"): 10,
                ("profile_update", "dynamodb", "TransactWriteItems"): 10,
                (JOURNEY, "dynamodb", "UpdateItem"): 10,
            }
        ),
        units={"webhook_intake": Units(write=10), "profile_update": Units(write=40, read=20)},
        executions=10,
        transitions=30,
        events=20,
        event_bytes=6_000,
        log_bytes=1_000,
    )


def test_a_bill_is_a_sum_of_prices_by_service() -> None:
    bill = per_million({"http_requests": 1, "write_units": 2, "read_units": 4, "invocations": 1})
    assert bill == pytest.approx({"DynamoDB": 1.75, "API Gateway": 1.0, "Lambda": 0.2})
    assert list(bill) == ["DynamoDB", "API Gateway", "Lambda"]


def test_what_has_no_price_is_an_error() -> None:
    with pytest.raises(KeyError):
        per_million({"favours": 1})


def test_every_price_has_a_source() -> None:
    assert all(price.source.startswith("https://aws.amazon.com/") for price in PRICES.values())


def test_time_on_lambda_is_computing_on_a_share_and_waiting() -> None:
    seconds = seconds_on_lambda(counted(), MEMORY)
    # 0.1 s on a whole processor, ten waits of 5 ms.
    assert seconds["webhook_intake"] == pytest.approx(0.1 + 10 * 0.005)
    # 0.4 s on the share that 1024 MB buy, ten waits of 12 ms.
    assert seconds["profile_update"] == pytest.approx(0.4 * 1769 / 1024 + 10 * 0.012)
    assert gb_seconds({"profile_update": 2.0}, MEMORY) == 2.0


def test_a_provider_keeps_its_sender_waiting() -> None:
    sends = Counted(seconds={"follow_up_delivery": 0.0}, provider_requests=2)
    assert seconds_on_lambda(sends, {"follow_up_delivery": 512}) == {"follow_up_delivery": 0.6}


def test_an_express_execution_is_billed_in_steps() -> None:
    # Each lasts 0.1 s in its step, 5 ms in its write and 15 ms in its states: two steps of 100 ms.
    spent = journey_gb_seconds(counted(), {"profile_update": 1.0}, {"profile_update"})
    assert spent == pytest.approx(10 * 0.2 * 64 / 1024)
    assert journey_gb_seconds(Counted(), {}, {"profile_update"}) == 0


def test_a_recording_is_shared_by_its_touchpoints() -> None:
    cost = cost_of(counted(), MEMORY, touchpoints=10)
    assert (cost.write_units, cost.read_units, cost.aws_calls, cost.transitions) == (5, 2, 3, 3)
    assert cost.gb_seconds == pytest.approx((0.5 * 1769 / 1024 + 1.0) / 10)
    assert cost.quantities["http_requests"] == 0.1
    assert cost.quantities["executions"] == 1
    assert set(cost.quantities) == set(PRICES)
    assert cost.units_by_function["profile_update"] == {"write": 4, "read": 2}
    assert cost.calls_by_function["webhook_intake"] == {"dynamodb:UpdateItem": 1}


def test_a_mix_weighs_its_kinds() -> None:
    dear = cost_of(counted(), MEMORY, touchpoints=1)
    cheap = cost_of(counted(), MEMORY, touchpoints=10)
    costs = dict.fromkeys(Kind, cheap) | {Kind.MESSAGE_THAT_OPENS: dear}
    average = mixed(costs, DEFAULT_MIX)
    assert average.write_units == pytest.approx(0.9 * 5 + 0.1 * 50)
    assert average.quantities["events"] == pytest.approx(0.9 * 2 + 0.1 * 20)
    assert average.units_by_function["webhook_intake"]["write"] == pytest.approx(0.9 + 0.1 * 10)
    assert sum(average.usd_per_million.values()) == pytest.approx(
        0.9 * sum(cheap.usd_per_million.values()) + 0.1 * sum(dear.usd_per_million.values())
    )
