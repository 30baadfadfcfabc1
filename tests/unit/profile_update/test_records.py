"""What a touchpoint adds to its home: the newest version of a record, sums, a time zone."""

from datetime import timedelta

from functions.profile_update.logic.update import update_profile
from shared.domain.journey import JourneyState
from shared.domain.profile import Profile
from shared.domain.records import MOST_CURRENCIES
from shared.domain.touchpoint import Content, Direction, Order, Purchase
from shared.runtime import wiring
from tests.builders import NOON, observed, policies, profile_id, touchpoint
from tests.fakes import World


def update(world: World, *contents: Content) -> Profile:
    for n, content in enumerate(contents):
        seen = touchpoint(
            content,
            key=f"{content.kind}-{n}",
            direction=Direction.PASSIVE,
            at=NOON + timedelta(hours=n),
        )
        world.ledger.record([observed(seen)])
        update_profile(
            JourneyState(touchpoint_id=seen.touchpoint_id),
            ledger=world.ledger,
            profiles=world.profiles,
            consents=world.consents,
            policy=policies().identity,
            forms=wiring.identifier_forms(),
        )
    profile = world.profiles.read(profile_id())
    assert profile is not None
    return profile


def order(status: str, hours: int, total: str | None = None) -> Order:
    return Order.model_validate(
        {
            "number": "4512",
            "status": status,
            "version_at": NOON + timedelta(hours=hours),
            "total": total,
            "currency": total and "EUR",
        }
    )


def test_the_newest_version_counts() -> None:
    profile = update(World(), order("delivered", 9), order("placed", 0, "64.80"), order("paid", 1))
    assert (profile.records, profile.purchases, profile.spend) == (1, 1, {"EUR": 64_800})
    assert profile.open_records == frozenset()
    assert profile.last_purchase_at == NOON + timedelta(hours=1)


def test_purchases_add_up() -> None:
    bought = Purchase(number="R-1", total="5", currency="EUR")
    profile = update(World(), bought, bought.model_copy(update={"total": "-2"}))
    assert (profile.records, profile.purchases, profile.spend) == (0, 1, {"EUR": 3_000})
    assert profile.last_use_at == NOON + timedelta(hours=1)


def test_a_profile_has_room_for_so_many_currencies() -> None:
    currencies = [f"X{chr(65 + n)}X" for n in range(MOST_CURRENCIES + 2)]
    bought = [Purchase(number=one, total="1", currency=one) for one in currencies]
    profile = update(World(), *bought, bought[0])
    assert len(profile.spend) == MOST_CURRENCIES
    assert profile.spend[currencies[0]] == 2_000
    assert profile.purchases == MOST_CURRENCIES + 3


def test_a_phone_tells_the_time_zone_of_a_country_that_keeps_one_time() -> None:
    assert update(World(), Purchase(number="1", total="1", currency="EUR")).learned_time_zone == (
        "Europe/Paris"
    )
