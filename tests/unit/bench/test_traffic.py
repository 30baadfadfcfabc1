"""The webhooks the bench sends: all different, signed, and in the shares of their mix."""

import json
from argparse import ArgumentTypeError
from collections import Counter
from datetime import UTC, datetime

import pytest

from infra.local.cloud import SECRETS
from tests.bench.__main__ import parse_mix
from tests.bench.traffic import BATCH, DEFAULT_MIX, Kind, Traffic, feed, signed

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
URL = "http://127.0.0.1:8080"


def test_a_feed_has_the_shares_of_its_mix() -> None:
    webhooks = feed(Traffic(URL), DEFAULT_MIX, 1000, NOW, seed=1)
    touchpoints: Counter[Kind] = Counter()
    for one in webhooks:
        touchpoints[one.kind] += one.touchpoints
    assert touchpoints == {kind: round(1000 * share) for kind, share in DEFAULT_MIX.items()}
    assert {one.touchpoints for one in webhooks if one.kind is Kind.PASSIVE_IN_BATCH} == {BATCH}


def test_no_two_webhooks_are_the_same_and_every_provider_calls() -> None:
    webhooks = feed(Traffic(URL), DEFAULT_MIX, 1000, NOW, seed=1)
    assert len({(one.call.url, one.call.body) for one in webhooks}) == len(webhooks)
    assert {one.provider for one in webhooks} == {
        "email_ses",
        "segment",
        "standard_webhooks",
        "twilio",
        "web_chat",
        "whatsapp_cloud",
    }


def test_two_series_have_nothing_in_common() -> None:
    first, second = (
        {one.call.body for one in feed(Traffic(URL, series=n), DEFAULT_MIX, 300, NOW, seed=1)}
        for n in (1, 2)
    )
    assert not first & second


def test_a_customer_joins_what_was_opened_before() -> None:
    webhooks = feed(Traffic(URL), DEFAULT_MIX, 1000, NOW, seed=1)
    half = len([one for one in webhooks if one.kind is not Kind.MESSAGE_THAT_JOINS]) // 2
    assert Kind.MESSAGE_THAT_JOINS not in {one.kind for one in webhooks[:half]}


def test_each_is_signed_by_its_provider() -> None:
    secrets = json.loads(SECRETS.read_text(encoding="utf-8"))
    for webhook in feed(Traffic(URL), DEFAULT_MIX, 100, NOW, seed=1):
        assert signed(webhook, secrets, NOW) != webhook.call


def test_a_mix_can_be_told() -> None:
    mix = parse_mix("passive_single=0.25, message_that_opens=0.75")
    assert (mix[Kind.PASSIVE_SINGLE], mix[Kind.MESSAGE_THAT_OPENS]) == (0.25, 0.75)
    assert mix[Kind.PASSIVE_IN_BATCH] == 0


@pytest.mark.parametrize(
    "text", ["passive_single=0.5", "message=1", "passive_single=x", "passive_single=2,message=-1"]
)
def test_a_wrong_mix_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        parse_mix(text)


def test_the_default_mix_is_whole() -> None:
    assert sum(DEFAULT_MIX.values()) == pytest.approx(1)
    assert set(DEFAULT_MIX) == set(Kind)
