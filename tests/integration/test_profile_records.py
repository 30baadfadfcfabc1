"""Records and computed attributes on real tables: versions in any order, sums that count once."""

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.profile_update.logic.update import update_profile
from shared.adapters import dynamo
from shared.adapters.dynamo import write_cursor
from shared.adapters.learned import learned_key
from shared.adapters.profiles import DynamoProfileStore
from shared.domain.computed import Origin, Preference, time_zone
from shared.domain.errors import Contention, InvalidInput
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.journey import JourneyState
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import MOST_MOODS, LearnedLanguage, Mood, Profile
from shared.domain.records import RecordKind
from shared.domain.retention import epoch
from shared.domain.touchpoint import (
    Appointment,
    Content,
    Direction,
    Order,
    PageView,
    Purchase,
    Touchpoint,
)
from shared.merging import merge, separate
from shared.runtime import wiring
from tests.builders import NOON, PHONE, identifier, observed, policies, touchpoint, whatsapp_message
from tests.integration.conftest import Stores

POLICY = policies().identity
CUSTOMER = identifier("C-1", IdentifierType.CUSTOMER_NUMBER)
BY_PHONE = identifier(PHONE)
SHORT_OF_A_WRITE_UNIT = 1024


def told(content: Content, *who: Identifier, key: str, hours: int = 0) -> Touchpoint:
    """What a system of the company told through standard_webhooks."""
    return touchpoint(
        content,
        provider="standard_webhooks",
        account="shop",
        direction=Direction.PASSIVE,
        identifiers=who or (CUSTOMER,),
        key=key,
        at=NOON + timedelta(hours=hours),
        endpoint=None,
        name=None,
    )


def order(
    status: str, hours: int, *who: Identifier, number: str = "4512", total: str | None = "64.80"
) -> Touchpoint:
    content = Order.model_validate(
        {
            "number": number,
            "status": status,
            "version_at": NOON + timedelta(hours=hours),
            "total": total,
            "currency": total and "EUR",
        }
    )
    return told(content, *who, key=f"{number}-{status}-{hours}-{who}", hours=hours)


def update(stores: Stores, seen: Touchpoint) -> ProfileId:
    """The step, tried again on Contention as the journey does it."""
    stores.ledger.record([observed(seen)])
    for _ in range(200):
        try:
            return update_profile(
                JourneyState(touchpoint_id=seen.touchpoint_id),
                ledger=stores.ledger,
                profiles=stores.profiles,
                consents=stores.consents,
                policy=POLICY,
                forms=wiring.identifier_forms(),
            ).profile_id
        except Contention:
            continue
    raise AssertionError("the writers keep each other from ever getting through")


def person(stores: Stores, who: Identifier = CUSTOMER) -> Profile:
    profile = stores.profiles.read(who.profile_id)
    assert profile is not None
    return profile


def items(stores: Stores) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stores.client.scan(TableName=stores.names["profiles"])["Items"]
    return found


def sums(profile: Profile) -> tuple[int, dict[str, int], int, set[str]]:
    return profile.records, profile.spend, profile.purchases, set(profile.open_records)


LIFE = [("placed", 0, "64.80"), ("paid", 1, None), ("shipped", 5, None), ("delivered", 40, None)]


@pytest.mark.parametrize("seed", range(3))
def test_versions_of_orders_in_any_order_end_in_the_newest(stores: Stores, seed: int) -> None:
    versions = [
        order(status, hours, number=number, total=total)
        for number in ("1", "2")
        for status, hours, total in LIFE
    ]
    versions += [order("cancelled", 50, number="2", total=None)]
    versions += [order("placed", 3, number="3", total="10")]
    random.Random(seed).shuffle(versions)
    for one in versions:
        update(stores, one)
    assert sums(person(stores)) == (3, {"EUR": 74_800}, 2, {"order#3"})
    assert person(stores).last_purchase_at == NOON + timedelta(hours=3)
    records = stores.profiles.records([CUSTOMER.profile_id]).items
    assert [(one.number, one.status) for one in records] == [
        ("1", "delivered"),
        ("2", "cancelled"),
        ("3", "placed"),
    ]


def test_a_record_ends_after_its_newest_version(stores: Stores) -> None:
    names, retention = stores.names, policies().retention
    kept = DynamoProfileStore(stores.client, names["profiles"], names["touchpoints"], retention)
    ending = stores._replace(profiles=kept)
    for status, hours in (("shipped", 5), ("placed", 0)):
        update(ending, order(status, hours))
    ends = {
        item["sk"]["S"]: item["expires_at"]["N"] for item in items(stores) if "expires_at" in item
    }
    newest = NOON + timedelta(hours=5)
    assert ends == {"record#order#4512": str(epoch(newest + retention.record))}


def test_eight_writers_of_one_order_end_in_the_newest(real_stores: Stores) -> None:
    versions = [
        order(status, hours, number=number, total=total and f"{total[:-1]}{number}")
        for number in ("1", "2", "3")
        for status, hours, total in LIFE
    ]
    versions += [order("shipped", 6 + n, number="1", total=None) for n in range(8)]
    versions += [order("refunded", 90, number="3", total=None)]
    versions += [told(Purchase(number="R", total="5", currency="EUR"), key=f"R{n}") for n in (1, 2)]
    random.Random(7).shuffle(versions)
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda one: update(real_stores, one), versions))
    found = person(real_stores)
    assert sums(found) == (3, {"EUR": 64_810 + 64_820 + 10_000}, 4, set())
    assert found.contacts[Direction.PASSIVE, versions[0].channel] == len(versions)
    assert found.first_at == NOON
    assert found.last_at == {Direction.PASSIVE: NOON + timedelta(hours=90)}
    records = real_stores.profiles.records([CUSTOMER.profile_id], RecordKind.ORDER).items
    assert [(one.number, one.status) for one in records] == [
        ("1", "delivered"),
        ("2", "delivered"),
        ("3", "refunded"),
    ]


def test_an_older_version_that_comes_late_changes_nothing(stores: Stores) -> None:
    update(stores, order("shipped", 5))
    before, sums_before = (
        stores.profiles.record(CUSTOMER.profile_id, "order#4512"),
        sums(person(stores)),
    )
    update(stores, order("paid", 1, total="64.80"))
    update(stores, order("cancelled", 2, total=None))
    assert stores.profiles.record(CUSTOMER.profile_id, "order#4512") == before
    assert sums(person(stores)) == sums_before == (1, {"EUR": 64_800}, 1, {"order#4512"})


def test_an_order_under_two_profiles_counts_once_for_their_person(stores: Stores) -> None:
    """First with the phone alone, then with the customer's number."""
    update(stores, order("placed", 0, BY_PHONE))
    update(stores, order("placed", 1, BY_PHONE, number="9", total="1"))
    update(stores, order("delivered", 9, CUSTOMER, total=None))
    update(stores, order("placed", 2, CUSTOMER, number="7", total="2"))
    apart = (
        (2, {"EUR": 65_800}, 2, {"order#4512", "order#9"}),
        (2, {"EUR": 2_000}, 2, {"order#7"}),
    )
    assert (sums(person(stores, BY_PHONE)), sums(person(stores))) == apart

    two = (BY_PHONE.profile_id, CUSTOMER.profile_id)

    def decide(decision: Callable[..., object], at: datetime) -> None:
        decision(*two, by="agent:a", reason="told", at=at, profiles=stores.profiles, policy=POLICY)

    decide(merge, NOON)
    together = person(stores)
    assert together == person(stores, BY_PHONE)
    assert sums(together) == (3, {"EUR": 67_800}, 3, {"order#7", "order#9"})
    records = stores.profiles.records(together.profile_ids).items
    assert {one.number: one.status for one in records} == {
        "4512": "delivered",
        "9": "placed",
        "7": "placed",
    }
    assert records[0].details["total"].value == "64.80 EUR"

    update(stores, order("cancelled", 20, BY_PHONE, total=None))
    assert sums(person(stores)) == (3, {"EUR": 3_000}, 2, {"order#7", "order#9"})

    decide(separate, NOON + timedelta(days=1))
    assert sums(person(stores, BY_PHONE)) == (2, {"EUR": 1_000}, 1, {"order#9"})
    assert sums(person(stores)) == apart[1]


def test_records_are_asked_for_by_kind(stores: Stores) -> None:
    update(stores, order("placed", 0))
    update(stores, told(Appointment(number="7", status="booked", starts_at=NOON), key="a"))
    update(stores, told(Appointment(number="7#b", status="kept", starts_at=NOON), key="b", hours=1))
    whose = [CUSTOMER.profile_id]
    appointments = stores.profiles.records(whose, RecordKind.APPOINTMENT).items
    assert [one.key for one in appointments] == ["appointment#7", "appointment#7#b"]
    assert len(stores.profiles.records(whose).items) == 3
    assert stores.profiles.records(whose, RecordKind.CONTRACT) == ([], None)
    assert person(stores).open_records == {"order#4512", "appointment#7"}


def test_records_of_several_profiles_come_in_pages(stores: Stores) -> None:
    numbers = ["1", "10", "2", "é", "😀"]
    for number in numbers:
        update(stores, order("placed", 0, number=number))
    for number in ("10", "3", "😀"):
        update(stores, order("paid", 1, BY_PHONE, number=number))
    whose = [CUSTOMER.profile_id, BY_PHONE.profile_id]
    found: list[tuple[str, str]] = []
    cursor = None
    for _ in range(3):
        page = stores.profiles.records(whose, RecordKind.ORDER, limit=2, cursor=cursor)
        found += [(one.number, one.status) for one in page.items]
        cursor = page.cursor
    assert cursor is None
    statuses = dict.fromkeys(numbers, "placed") | dict.fromkeys(("10", "3", "😀"), "paid")
    assert found == sorted(statuses.items())


@pytest.mark.parametrize("last", ["record#contract#1", "record#order#\U0010ffff", "profile"])
def test_a_cursor_of_another_list_is_the_callers_mistake(stores: Stores, last: str) -> None:
    cursor = write_cursor({"sk": {"S": last}})
    with pytest.raises(InvalidInput):
        stores.profiles.records([CUSTOMER.profile_id], RecordKind.ORDER, cursor=cursor)


def test_what_tells_of_no_record_costs_no_other_item(stores: Stores) -> None:
    update(stores, told(PageView(name="Home"), key="view"))
    update(stores, told(Purchase(number="R-1", total="5", currency="EUR"), key="purchase"))
    assert [item["sk"]["S"] for item in items(stores)] == ["profile"]
    assert sums(person(stores)) == (0, {"EUR": 5_000}, 1, set())
    assert person(stores).last_use_at == NOON


def test_an_ordinary_person_is_one_write_unit(stores: Stores) -> None:
    """Someone of several channels, with a year of touchpoints at all hours of the day."""
    everything: Sequence[Touchpoint] = [
        *(whatsapp_message(f"message {n}", at=NOON + timedelta(hours=25 * n)) for n in range(20)),
        *(order("placed", n, BY_PHONE, number=f"450{n}") for n in range(5)),
        told(Purchase(number="R-1", total="5", currency="EUR"), BY_PHONE, key="purchase"),
        told(PageView(name="Home"), BY_PHONE, key="view"),
    ]
    for one in everything:
        update(stores, one)
    for n in range(MOST_MOODS + 5):
        id_ = whatsapp_message(str(n)).touchpoint_id
        at = NOON + timedelta(hours=7 * n, seconds=n)
        stores.profiles.learn(
            BY_PHONE.profile_id,
            id_,
            LearnedLanguage(touchpoint_id=id_, language="fr" if n % 2 else "wo", at=at),
            Mood(
                touchpoint_id=id_,
                at=at,
                score=round(-0.97 + n / 13, 2),
                sentiment="negative",
            ),
        )
    sizes = {item["sk"]["S"]: _size(item) for item in items(stores)}
    assert len(sizes) == 2 + 5
    assert {sk: size for sk, size in sizes.items() if size >= SHORT_OF_A_WRITE_UNIT} == {}
    paris = Preference(value="Europe/Paris", origin=Origin.LEARNED)
    assert time_zone(person(stores, BY_PHONE)) == paris


def _size(item: dict[str, Any]) -> int:
    """Bytes as DynamoDB counts them, a number for more than it is."""
    return sum(
        len(name.encode())
        + sum(
            len(str(one).encode()) if not isinstance(one, bytes) else len(one)
            for one in attribute.values()
        )
        for name, attribute in item.items()
    )


class TestLearning:
    def mood(self, number: int) -> Mood:
        return Mood(
            touchpoint_id=TouchpointId(f"touchpoint-{number}"),
            at=NOON + timedelta(minutes=number),
            score=-0.5,
            sentiment="negative",
        )

    def language(self, code: str, number: int) -> LearnedLanguage:
        at = NOON + timedelta(minutes=number)
        id_ = TouchpointId(f"touchpoint-{number}")
        return LearnedLanguage(touchpoint_id=id_, language=code, at=at)

    def learn(
        self, stores: Stores, number: int, language: str | None = None, *, feels: bool = True
    ) -> None:
        stores.profiles.learn(
            BY_PHONE.profile_id,
            TouchpointId(f"touchpoint-{number}"),
            self.language(language, number) if language else None,
            self.mood(number) if feels else None,
        )

    def test_what_is_known_is_not_written_again(self, stores: Stores) -> None:
        update(stores, whatsapp_message())
        calls: list[str] = []
        self.learn(stores, 1, "fr")
        stores.client.meta.events.register(
            "before-call.dynamodb", lambda model, **_: calls.append(model.name)
        )
        self.learn(stores, 1, "fr")
        self.learn(stores, 2, feels=False)
        assert calls == ["BatchGetItem"] * 2
        found = person(stores, BY_PHONE)
        assert found.learned_language == self.language("fr", 1)
        assert found.moods == (self.mood(1),)

    def test_what_is_taken_back_leaves_what_was_known_before(self, stores: Stores) -> None:
        update(stores, whatsapp_message())
        self.learn(stores, 1, "fr")
        self.learn(stores, 2, "it")
        assert person(stores, BY_PHONE).language == "it"
        self.learn(stores, 2, feels=False)
        found = person(stores, BY_PHONE)
        assert found.learned_language == self.language("fr", 1)
        assert found.moods == (self.mood(1),)
        self.learn(stores, 1, feels=False)
        assert person(stores, BY_PHONE).language is None

    def test_an_item_of_the_time_of_one_language_is_read(self, stores: Stores) -> None:
        update(stores, whatsapp_message())
        stored = {"language": {"language": "fr", "at": "2026-11-23T12:00:00Z"}}
        item = {
            **learned_key(BY_PHONE.profile_id),
            "learned": dynamo.compressed(json.dumps(stored)),
            "version": 1,
        }
        stores.client.put_item(TableName=stores.names["profiles"], Item=dynamo.attributes(item))
        assert person(stores, BY_PHONE).language == "fr"
        self.learn(stores, 1, "it")
        self.learn(stores, 1)
        assert person(stores, BY_PHONE).language == "fr"

    def test_nothing_is_kept_of_somebody_who_is_gone(self, stores: Stores) -> None:
        self.learn(stores, 1)
        assert items(stores) == []

    def test_moods_of_one_moment_are_all_kept(self, real_stores: Stores) -> None:
        update(real_stores, whatsapp_message())

        def learn(number: int) -> None:
            for _ in range(50):
                try:
                    return self.learn(real_stores, number)
                except Contention:
                    continue
            raise AssertionError("never got through")

        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(learn, range(30)))
        kept = person(real_stores, BY_PHONE).moods
        assert kept == tuple(self.mood(n) for n in reversed(range(10, 30)))
