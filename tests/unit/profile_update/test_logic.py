"""One person is one profile, whatever they are called on whichever channel, in whatever order."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.profile_update.logic.deliveries import WATERMARK_LOOKS_AT
from functions.profile_update.logic.step import NOBODY
from functions.profile_update.logic.update import (
    LARGEST_TRAIT,
    LARGEST_TRAITS,
    MOST_TRAITS,
    update_profile,
)
from shared.adapters.phone_numbers import LibPhoneNumber
from shared.domain.account import Account, Accounts
from shared.domain.errors import Conflict, Contention, NotFound
from shared.domain.identity import (
    Identifier,
    IdentifierType,
    IdentityPolicy,
    profile_id_from,
)
from shared.domain.identity import Source as Row
from shared.domain.identity_graph import MOST_IDENTIFIERS
from shared.domain.journey import JourneyState, ProfileStep
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import Profile
from shared.domain.suppression import (
    Suppression,
    SuppressionKind,
    address_subject,
    endpoint_subject,
)
from shared.domain.touchpoint import (
    Channel,
    ConsentStatement,
    DeliveryStatus,
    DeliveryWatermark,
    Direction,
    Identification,
    Message,
    PageView,
    Stop,
    Touchpoint,
    TouchpointState,
    TrackedEvent,
)
from shared.events.catalogue import (
    DeliveryFailed,
    EndpointReleased,
    EndpointSuppressed,
    ProfilesMerged,
    ProfilesSeparated,
    ProfileUpdated,
    SendConfirmed,
)
from shared.merging import MOST_SUGGESTIONS
from shared.ports.profiles import ProfileTie
from shared.runtime import wiring
from tests.builders import (
    NOON,
    PHONE,
    SMS_LINE,
    endpoint,
    follow_up,
    identifier,
    observed,
    policies,
    profile_id,
    sms,
    touchpoint,
    whatsapp_message,
)
from tests.fake_profiles import FakeProfileStore
from tests.fakes import World

CARD = identifier("card-7", IdentifierType.LOYALTY_CARD)
EMAIL = identifier("awa@example.com", IdentifierType.EMAIL)
CUSTOMER = identifier("C-1", IdentifierType.CUSTOMER_NUMBER)
WHATSAPP_USER = identifier("FR.123", IdentifierType.WHATSAPP_USER, "waba-1")
CUSTOMER_2 = identifier("C-2", IdentifierType.CUSTOMER_NUMBER)
POLICY = policies().identity
ACCOUNTS = Accounts(
    (
        Account(provider="whatsapp_cloud", account=SMS_LINE, region="GB"),
        Account(provider="whatsapp_cloud", account="bruxelles", region="BE"),
        Account(provider="twilio", account="paris", region="BE"),
    )
)
TRUSTS_ITS_PHONES = POLICY.model_copy(
    update={"verified_by": (*POLICY.verified_by, Row(type=IdentifierType.PHONE))}
)


@pytest.fixture
def world() -> World:
    return World()


def update(world: World, seen: Touchpoint, policy: IdentityPolicy = POLICY) -> ProfileStep:
    """The step for a touchpoint, which is put in the ledger unless it is there."""
    if seen not in world.ledger:
        world.ledger.record([observed(seen)])
    return update_profile(
        JourneyState(touchpoint_id=seen.touchpoint_id),
        ledger=world.ledger,
        profiles=world.profiles,
        consents=world.consents,
        policy=policy,
        forms=wiring.identifier_forms(),
        accounts=ACCOUNTS,
    )


def read(world: World, whose: ProfileId) -> Profile:
    profile = world.profiles.read(whose)
    assert profile is not None
    return profile


def state(world: World, seen: Touchpoint) -> TouchpointState:
    entry = world.ledger.read(seen.touchpoint_id)
    assert entry is not None
    return entry.state


def known_by(*identifiers: Identifier, key: str = "k", **overrides: Any) -> Touchpoint:
    return touchpoint(key=key, identifiers=identifiers, name=None, **overrides)


def till(*identifiers: Identifier, key: str = "k", **overrides: Any) -> Touchpoint:
    """The company's own till, which knows its customers' numbers and scans their cards."""
    fields: dict[str, Any] = {
        "provider": "standard_webhooks",
        "account": "till",
        "channel": Channel.IN_STORE,
        "direction": Direction.PASSIVE,
        "endpoint": None,
        "proof": "scanned",
    }
    return known_by(*identifiers, key=key, **fields | overrides)


def whatsapp(*identifiers: Identifier, key: str = "k", **overrides: Any) -> Touchpoint:
    return known_by(*identifiers, key=key, **overrides)


class TestWhoseItIs:
    def test_a_first_contact_makes_the_profile(self, world: World) -> None:
        step = update(world, whatsapp_message())
        assert step == ProfileStep(
            profile_id=profile_id(),
            profile_ids=(profile_id(),),
            next_step="ai_classification",
            why="created from a proved phone",
        )
        assert read(world, step.profile_id).contacts == {(Direction.INBOUND, Channel.WHATSAPP): 1}
        (event,) = world.happened(ProfileUpdated)
        assert isinstance(event, ProfileUpdated) and event.change == "created"

    def test_cw_3079_one_phone_on_sms_and_whatsapp_is_one_person(self, world: World) -> None:
        first = update(world, whatsapp_message())
        second = update(world, sms(phone="+33 6 12 34 56 78"))
        assert second.profile_id == first.profile_id
        assert second.why == "found by a proved phone"
        assert read(world, first.profile_id).contacts == {
            (Direction.INBOUND, Channel.WHATSAPP): 1,
            (Direction.INBOUND, Channel.SMS): 1,
        }
        assert len(world.profiles) == 1

    @pytest.mark.parametrize(
        ("account", "written", "number"),
        [
            ("paris", "06 12 34 56 78", "+33612345678"),
            ("paris", "0033 6 12 34 56 78", "+33612345678"),
            (SMS_LINE, "07400 123456", "+447400123456"),
            ("bruxelles", "0470 12 34 56", "+32470123456"),
            ("paris", "+55 11 91234-5678", "+5511912345678"),
        ],
    )
    def test_zm_272_a_national_number_is_read_where_its_line_is(
        self, world: World, account: str, written: str, number: str
    ) -> None:
        step = update(world, known_by(identifier(written), account=account))
        assert read(world, step.profile_id).identifiers == (identifier(number),)
        assert step.profile_id == profile_id(number)

    def test_two_customers_whom_the_shop_made_one_are_one_person(self, world: World) -> None:
        """Whatever is told of either number afterwards, and of the two of nobody else."""
        shop: dict[str, Any] = {
            "provider": "shopify",
            "account": "ours.myshopify.com",
            "channel": Channel.WEB,
            "direction": Direction.PASSIVE,
            "endpoint": None,
            "content": Identification(),
        }
        kept, deleted, other = (
            identifier(one, IdentifierType.SHOP_CUSTOMER, "ours.myshopify.com") for one in "123"
        )
        for number, one in enumerate((kept, deleted, other)):
            update(world, known_by(one, key=f"first-{number}", **shop))
        assert len(world.profiles) == 3
        merge = known_by(kept, deleted, key="merge", proof="trusted_key", **shop)
        together = update(world, merge)
        again = [
            update(world, known_by(one, key=f"again-{number}", **shop))
            for number, one in enumerate((kept, deleted, other))
        ]
        persons = [set(one.profile_ids) for one in (together, *again)]
        assert persons[0] == persons[1] == persons[2]
        assert len(persons[0]) == 2
        assert persons[3].isdisjoint(persons[0])

    def test_an_address_is_one_in_capitals_and_small_letters(self, world: World) -> None:
        capitals = identifier(" Awa@Example.COM ", IdentifierType.EMAIL)
        first = update(world, known_by(capitals))
        second = update(world, known_by(EMAIL, key="k2"))
        assert first.profile_id == second.profile_id

    @given(order=st.permutations(range(3)))
    def test_cw_13837_nobody_needs_a_phone(self, order: Sequence[int]) -> None:
        world = World()
        seen = [
            whatsapp(WHATSAPP_USER, key="id only"),
            whatsapp(WHATSAPP_USER, identifier(), key="phone revealed"),
            whatsapp(identifier(), key="phone only"),
        ]
        steps = {number: update(world, seen[number]) for number in order}
        one, other = (read(world, steps[number].profile_id) for number in (0, 2))
        assert one == other
        assert set(one.identifiers) == {WHATSAPP_USER, identifier()}
        assert one.profile_id == profile_id_from(WHATSAPP_USER)
        assert one.contacts == {(Direction.INBOUND, Channel.WHATSAPP): 3}

    def test_cw_15586_a_user_id_means_nothing_in_another_portfolio(self, world: World) -> None:
        other = WHATSAPP_USER.model_copy(update={"scope": "waba-2"})
        first = update(world, known_by(WHATSAPP_USER))
        second = update(world, known_by(other, key="k2"))
        assert first.profile_id != second.profile_id

    def test_a_touchpoint_stays_with_its_own_identifier_when_a_stronger_one_joins(
        self, world: World
    ) -> None:
        first = update(world, till(CARD))
        second = update(world, till(CUSTOMER, CARD, key="k2"))
        assert (first.profile_id, second.profile_id) == tuple(
            map(profile_id_from, (CARD, CUSTOMER))
        )
        person = read(world, first.profile_id)
        assert person.profile_id == profile_id_from(CUSTOMER)
        assert person.profile_ids == (profile_id_from(CUSTOMER), profile_id_from(CARD))
        third = update(world, till(CARD, key="k3"))
        assert third.profile_ids == (profile_id_from(CARD), profile_id_from(CUSTOMER))
        assert third.why == "found by a proved loyalty card, one person with other profiles"
        (merged,) = world.happened(ProfilesMerged)
        assert isinstance(merged, ProfilesMerged)
        assert merged.profile_id == profile_id_from(CUSTOMER)

    def test_the_strongest_proven_identifier_makes_the_profile_in_any_order(self) -> None:
        made = {
            update(World(), whatsapp(*order)).profile_id
            for order in permutations((CARD, identifier(), WHATSAPP_USER))
        }
        assert made == {profile_id_from(WHATSAPP_USER)}

    def test_a_proven_identifier_goes_before_a_stronger_one_that_is_only_said(
        self, world: World
    ) -> None:
        step = update(world, whatsapp(CUSTOMER, identifier()))
        assert step.profile_id == profile_id()
        assert read(world, step.profile_id).stated_identifiers == (CUSTOMER,)


class TestNobody:
    @pytest.mark.parametrize("value", ["MyBank", "12", "+331234567890123456789", " ", "+0000000"])
    def test_a_sender_that_is_no_number_links_nobody(self, world: World, value: str) -> None:
        seen = known_by(identifier(value))
        step = update(world, seen)
        assert step == ProfileStep(
            profile_id=NOBODY, next_step="ai_classification", why="it names nobody"
        )
        assert len(world.profiles) == 0
        assert state(world, seen) is TouchpointState.RECEIVED

    @pytest.mark.parametrize(
        "blocked",
        [
            identifier("noreply@shop.example", IdentifierType.EMAIL),
            identifier("null", IdentifierType.CUSTOMER_NUMBER),
        ],
    )
    def test_a_blocked_value_never_identifies(self, world: World, blocked: Identifier) -> None:
        assert update(world, known_by(blocked)).profile_id == NOBODY
        assert update(world, known_by(blocked, EMAIL, key="k2")).profile_id == profile_id_from(
            EMAIL
        )
        assert blocked not in world.profiles

    def test_what_cannot_be_read_is_kept_as_it_came_and_links_nobody(self, world: World) -> None:
        step = update(world, known_by(identifier("MyBank"), EMAIL))
        assert step.profile_id == profile_id_from(EMAIL)
        profile = read(world, step.profile_id)
        assert profile.identifiers == (EMAIL,)
        assert profile.traits["unread_phone"].value == ["MyBank"]

    def test_words_of_nobody_are_understood_all_the_same(self, world: World) -> None:
        assert update(world, known_by()).next_step == "ai_classification"

    def test_a_page_viewed_by_nobody_is_finished(self, world: World) -> None:
        seen = known_by(content=PageView(name="home"))
        assert update(world, seen).next_step == "nothing"
        assert state(world, seen) is TouchpointState.PROCESSED
        assert update(world, seen).next_step == "nothing"

    def test_a_touchpoint_that_is_not_there(self, world: World) -> None:
        with pytest.raises(NotFound):
            update_profile(
                JourneyState(touchpoint_id=TouchpointId("none")),
                ledger=world.ledger,
                profiles=world.profiles,
                consents=world.consents,
                policy=POLICY,
                forms=wiring.identifier_forms(),
            )


class TestTwoPeopleNamedInOneBreath:
    def test_what_is_only_stated_becomes_a_suggestion_and_nothing_merges(
        self, world: World
    ) -> None:
        by_phone = update(world, whatsapp(identifier())).profile_id
        by_card = update(world, till(CARD, key="k2")).profile_id
        both = till(CARD, identifier(), key="k3", at=NOON + timedelta(hours=1))
        assert update(world, both).profile_id == by_card
        (suggestion,) = world.profiles.suggestions([by_phone])
        assert suggestion.profile_ids == tuple(sorted((by_phone, by_card)))
        assert suggestion.by == f"touchpoint:{both.touchpoint_id}"
        assert suggestion.at == both.occurred_at
        assert "phone" in suggestion.reason and "loyalty card" in suggestion.reason
        assert read(world, by_phone).profile_ids == (by_phone,)

    @given(order=st.permutations(range(3)))
    def test_it_is_suggested_in_whatever_order_it_is_seen(self, order: Sequence[int]) -> None:
        world = World()
        seen = [
            whatsapp(identifier(), key="a"),
            till(CARD, key="b"),
            till(CARD, identifier(), key="c"),
        ]
        for number in order:
            update(world, seen[number])
        (suggestion,) = world.profiles.suggestions([profile_id()])
        assert set(suggestion.profile_ids) == {profile_id(), profile_id_from(CARD)}
        assert list(suggestion.profile_ids) == sorted(suggestion.profile_ids)

    def test_who_never_had_contact_is_not_suggested(self, world: World) -> None:
        whose = update(world, till(CARD, identifier())).profile_id
        assert world.profiles.suggestions([whose]) == []
        assert read(world, whose).stated_identifiers == (identifier(),)

    @given(order=st.permutations(range(3)))
    def test_a_phone_of_two_customers_is_neither_ones(self, order: Sequence[int]) -> None:
        world = World()
        seen = [
            till(CUSTOMER, identifier(), key="a"),
            till(CUSTOMER_2, identifier(), key="b"),
            whatsapp(identifier(), key="c"),
        ]
        for number in order:
            update(world, seen[number], TRUSTS_ITS_PHONES)
        persons = {
            read(world, profile_id_from(one)).profile_id
            for one in (CUSTOMER, CUSTOMER_2, identifier())
        }
        assert len(persons) == 3
        (first, second) = world.profiles.suggestions([profile_id()])
        assert "several people's" in first.reason and "several people's" in second.reason

    def test_customers_found_to_share_a_phone_are_parted_with_an_event(self, world: World) -> None:
        update(world, whatsapp(identifier(), key="c"), TRUSTS_ITS_PHONES)
        update(world, till(CUSTOMER, identifier(), key="a"), TRUSTS_ITS_PHONES)
        assert read(world, profile_id()).profile_id == profile_id_from(CUSTOMER)
        update(world, till(CUSTOMER_2, identifier(), key="b"), TRUSTS_ITS_PHONES)
        (parted,) = world.happened(ProfilesSeparated)
        assert isinstance(parted, ProfilesSeparated)
        assert set(parted.profile_ids) == {profile_id(), profile_id_from(CUSTOMER)}

    def test_two_identifiers_of_one_person_suggest_nothing(self, world: World) -> None:
        whose = update(world, till(CUSTOMER, CARD)).profile_id
        update(world, till(CARD, key="alone"))
        update(world, till(CUSTOMER, CARD, key="k2"))
        assert world.profiles.suggestions([whose]) == []

    def test_one_touchpoint_makes_so_many_suggestions_at_most(self, world: World) -> None:
        mails = [
            identifier(f"a{n}@example.com", IdentifierType.EMAIL)
            for n in range(MOST_SUGGESTIONS + 1)
        ]
        for n, mail in enumerate(mails):
            update(world, known_by(mail, key=f"alone {n}"))
        update(world, till(CUSTOMER, *mails))
        assert len(world.profiles.suggestions([profile_id_from(CUSTOMER)])) == MOST_SUGGESTIONS


class TestOnceIsOnce:
    def test_a_repeated_step_counts_once(self, world: World) -> None:
        seen = whatsapp_message()
        first = update(world, seen)
        again = update(world, seen)
        assert (again.profile_id, again.next_step) == (first.profile_id, "ai_classification")
        assert again.why == "tied before"
        assert sum(read(world, first.profile_id).contacts.values()) == 1
        assert len(world.happened(ProfileUpdated)) == 1

    def test_a_journey_that_ended_does_not_begin_again(self, world: World) -> None:
        seen = whatsapp_message()
        whose = update(world, seen).profile_id
        world.ledger.record_outcome(JourneyState(touchpoint_id=seen.touchpoint_id))
        assert update(world, seen) == ProfileStep(
            profile_id=whose, next_step="nothing", why="its journey ended before"
        )

    def test_of_two_at_once_the_second_finds_it_tied(self, world: World) -> None:
        seen = whatsapp_message()
        world.ledger.record([observed(seen)])
        world.profiles = Overtaken(world.ledger, world.events)
        assert update(world, seen).why == "tied before"
        assert sum(read(world, profile_id()).contacts.values()) == 1

    def test_one_that_is_erased_meanwhile_is_not_there(self, world: World) -> None:
        seen = whatsapp_message()
        world.ledger.record([observed(seen)])

        class Erased(FakeProfileStore):
            def attach(self, tie: ProfileTie) -> None:
                world.ledger.forget(tie.touchpoint.touchpoint_id)
                raise Conflict("this touchpoint has its profile already")

        world.profiles = Erased(world.ledger, world.events)
        with pytest.raises(NotFound):
            update(world, seen)

    def test_contention_rises_and_writes_nothing(self, world: World) -> None:
        world.profiles = Contended(world.ledger, world.events)
        seen = whatsapp_message()
        with pytest.raises(Contention):
            update(world, seen)
        entry = world.ledger.read(seen.touchpoint_id)
        assert entry is not None and entry.profile_id is None
        assert world.happened(ProfileUpdated) == []

    def test_counting_one_more_contact_is_no_update(self, world: World) -> None:
        update(world, whatsapp_message("un"))
        update(world, whatsapp_message("deux"))
        assert len(world.happened(ProfileUpdated)) == 1


class Overtaken(FakeProfileStore):
    """Another execution of the same journey ties the touchpoint just before this one writes."""

    def attach(self, tie: ProfileTie) -> None:
        super().attach(tie)
        super().attach(tie)


class Contended(FakeProfileStore):
    def attach(self, tie: ProfileTie) -> None:
        raise Contention("an identifier was linked by another journey")


def stated(minute: int, **traits: Any) -> Touchpoint:
    return touchpoint(
        Identification(traits=traits),
        key=f"at {minute}",
        at=NOON + timedelta(minutes=minute),
        name=None,
        direction=Direction.PASSIVE,
    )


class TestTraits:
    def test_what_the_company_states_becomes_the_profiles(self, world: World) -> None:
        seen = stated(1, city="Dakar", vip=True)
        step = update(world, seen)
        traits = read(world, step.profile_id).traits
        assert {name: trait.value for name, trait in traits.items()} == {
            "city": "Dakar",
            "vip": True,
        }
        assert traits["city"].at == seen.occurred_at

    def test_a_name_and_a_language_of_the_channel_are_traits(self, world: World) -> None:
        step = update(world, whatsapp_message(language="fr-SN"))
        profile = read(world, step.profile_id)
        assert profile.traits["name"].value == "Awa"
        assert profile.language == "fr"

    def test_what_is_stated_outright_goes_before_the_name_of_the_channel(
        self, world: World
    ) -> None:
        seen = touchpoint(Identification(traits={"name": "Awa Diop"}), name="awa_la_belle")
        assert read(world, update(world, seen).profile_id).traits["name"].value == "Awa Diop"

    def test_who_does_not_prove_to_be_somebody_renames_nobody(self, world: World) -> None:
        fields: dict[str, Any] = {"provider": "email_ses", "channel": Channel.EMAIL}
        proven = touchpoint(key="a", identifiers=(EMAIL,), proof="dmarc", **fields)
        whose = update(world, proven).profile_id
        later = NOON + timedelta(hours=1)
        forged = touchpoint(
            key="b", identifiers=(EMAIL,), name="Mallory", language="en", at=later, **fields
        )
        assert update(world, forged).profile_id == whose
        profile = read(world, whose)
        assert profile.traits["name"].value == "Awa"
        assert "language" not in profile.traits

    @given(order=st.permutations(range(4)))
    def test_the_newest_statement_wins_in_any_order(self, order: Sequence[int]) -> None:
        world = World()
        seen = [
            stated(0, city="Thiès", size=38),
            stated(1, city="Dakar"),
            stated(2, size=39),
            stated(3, city="Saint-Louis"),
        ]
        for number in order:
            update(world, seen[number])
        traits = read(world, profile_id()).traits
        assert {name: trait.value for name, trait in traits.items()} == {
            "city": "Saint-Louis",
            "size": 39,
        }

    def test_nothing_new_is_no_event(self, world: World) -> None:
        update(world, stated(2, city="Dakar"))
        update(world, stated(1, city="Thiès"))
        assert len(world.happened(ProfileUpdated)) == 1
        update(world, stated(3, city="Thiès"))
        changes = [one.change for one in world.events if isinstance(one, ProfileUpdated)]
        assert changes == ["created", "traits"]

    def test_what_is_too_large_or_has_no_usable_name_stays_in_the_ledger(
        self, world: World
    ) -> None:
        essays = {"essay": "a" * (LARGEST_TRAIT + 1), "note": "a" * LARGEST_TRAIT}
        names = {"": 1, "n": 1, "n" * 100: 1, "n" * 101: 1}
        seen = stated(1, **essays, **names)
        kept = read(world, update(world, seen).profile_id).traits
        assert set(kept) == {"note", "n", "n" * 100}

    def test_one_touchpoint_states_so_many_at_most(self, world: World) -> None:
        seen = stated(1, **{f"trait {n:03}": n for n in range(MOST_TRAITS + 5)})
        assert len(read(world, update(world, seen).profile_id).traits) == MOST_TRAITS


class TestNobodyIsLockedOut:
    """A profile that is full takes no more of what filled it, and everything else."""

    def test_traits_without_end_leave_room_for_what_comes(self, world: World) -> None:
        for batch in range(4):
            junk = {f"junk {batch} {n:02}": "é" * 900 for n in range(MOST_TRAITS)}
            step = update(world, stated(batch, **junk))
        kept = read(world, step.profile_id).traits
        size = sum(len(trait.model_dump_json().encode()) for trait in kept.values())
        assert LARGEST_TRAITS - 10_000 < size <= LARGEST_TRAITS
        update(world, stated(9, a="a", **{"junk 0 00": "less"}))
        assert read(world, step.profile_id).traits["junk 0 00"].value == "less"

    def test_identifiers_without_end_leave_room_for_what_comes(self, world: World) -> None:
        """Whoever makes up devices by the thousand fills neither a graph nor a transaction."""
        browsers = [identifier(f"b{n}", IdentifierType.WEB_ANONYMOUS, "shop") for n in range(100)]
        user = identifier("u-1", IdentifierType.WEB_USER, "shop")
        for n, browser in enumerate(browsers):
            fields: dict[str, Any] = {"provider": "segment", "proof": "trusted_key"}
            seen = known_by(user, browser, key=str(n), channel=Channel.WEB, **fields)
            step = update(world, seen)
            assert step.profile_id == profile_id_from(user)
        graph = world.profiles.known([step.profile_id]).graphs[step.profile_id].graph
        assert len(graph.identifiers) < MOST_IDENTIFIERS
        late = known_by(user, identifier(), key="late", **fields)
        update(world, late, TRUSTS_ITS_PHONES)
        assert identifier() in read(world, step.profile_id).identifiers


class TestWhatAsksForNoAnswer:
    @pytest.mark.parametrize(
        "seen",
        [
            touchpoint(PageView(name="home"), direction=Direction.PASSIVE),
            touchpoint(Message(text="Bonjour"), direction=Direction.OUTBOUND),
            touchpoint(Message(text="Absent du bureau"), automation="auto_reply"),
        ],
    )
    def test_it_is_tied_counted_and_finished_in_one_write(
        self, world: World, seen: Touchpoint
    ) -> None:
        assert update(world, seen).next_step == "nothing"
        assert state(world, seen) is TouchpointState.PROCESSED
        assert sum(read(world, profile_id()).contacts.values()) == 1
        assert update(world, seen).why == "its journey ended before"


class TestDelivery:
    def status(self, status: str, **overrides: Any) -> Touchpoint:
        content = DeliveryStatus.model_validate({"status": status, "message_id": "wamid.out"})
        fields = {"key": f"wamid.out:{status}", "direction": Direction.PASSIVE}
        return touchpoint(content, **fields | overrides)

    def sent(self, world: World) -> Touchpoint:
        ours = touchpoint(key="wamid.out", direction=Direction.OUTBOUND, endpoint=endpoint())
        world.ledger.record_sent(ours, profile_id())
        return ours

    @pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "failed", "read"))))
    def test_whatever_order_it_is_told_in_ends_in_the_same(
        self, world: World, order: tuple[str, ...]
    ) -> None:
        """Each with its own time; the price is named by one of them only."""
        ours = self.sent(world)
        stages = ["sent", "delivered", "failed", "read"]
        for status in order:
            content = DeliveryStatus.model_validate(
                {
                    "status": status,
                    "message_id": "wamid.out",
                    "price_category": "utility" if status == "sent" else None,
                }
            )
            at = NOON + timedelta(minutes=stages.index(status))
            told = touchpoint(
                content, key=f"wamid.out:{status}", direction=Direction.PASSIVE, at=at
            )
            update(world, told)
        entry = world.ledger.read(ours.touchpoint_id)
        assert entry is not None and entry.delivery is not None
        assert (entry.delivery.status, entry.delivery.price_category) == ("read", "utility")
        assert entry.delivery_times == {
            status: NOON + timedelta(minutes=n) for n, status in enumerate(stages)
        }

    def test_a_failure_of_what_left_for_a_ticket_is_told(self, world: World) -> None:
        promise = follow_up()
        ours = touchpoint(key="wamid.out", direction=Direction.OUTBOUND, endpoint=endpoint())
        world.ledger.record_sent(ours, profile_id(), promise)
        update(world, self.status("sent"))
        assert world.happened(DeliveryFailed) == []
        update(world, self.status("failed"))
        assert world.happened(DeliveryFailed) == [
            DeliveryFailed(
                touchpoint_id=ours.touchpoint_id,
                ticket_id=promise.ticket_id,
                follow_up_id=promise.follow_up_id,
                channel="whatsapp",
            )
        ]

    def test_what_was_read_did_not_fail(self, world: World) -> None:
        ours = touchpoint(key="wamid.out", direction=Direction.OUTBOUND, endpoint=endpoint())
        world.ledger.record_sent(ours, profile_id(), follow_up())
        update(world, self.status("read"))
        update(world, self.status("failed"))
        assert world.happened(DeliveryFailed) == []

    def test_a_failure_of_what_left_for_no_ticket_stands_in_its_record_alone(
        self, world: World
    ) -> None:
        self.sent(world)
        update(world, self.status("failed"))
        assert world.happened(DeliveryFailed) == []

    @pytest.mark.parametrize(("known", "told"), [(False, True), (True, False)])
    def test_a_key_of_ours_on_a_message_that_is_not_known_is_told(
        self, world: World, known: bool, told: bool
    ) -> None:
        if known:
            self.sent(world)
        content = DeliveryStatus(status="sent", message_id="wamid.out", send_key="key-1")
        update(world, touchpoint(content, key="s", direction=Direction.PASSIVE))
        expected = [SendConfirmed(send_key="key-1", message_id="wamid.out")] if told else []
        assert world.happened(SendConfirmed) == expected

    @pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "read"))))
    def test_it_moves_forward_only_in_whatever_order_it_is_told(
        self, world: World, order: tuple[str, ...]
    ) -> None:
        ours = self.sent(world)
        for status in order:
            update(world, self.status(status))
        entry = world.ledger.read(ours.touchpoint_id)
        assert entry is not None and entry.delivery is not None
        assert entry.delivery.status == "read"

    def test_it_touches_no_timeline_and_no_counter(self, world: World) -> None:
        self.sent(world)
        seen = self.status("delivered")
        step = update(world, seen)
        assert step == ProfileStep(
            profile_id=NOBODY, next_step="nothing", why="the message is delivered"
        )
        assert state(world, seen) is TouchpointState.PROCESSED
        assert len(world.profiles) == 0
        assert [
            one.touchpoint.content.kind for one in world.ledger.timeline([profile_id()]).items
        ] == ["message"]

    def test_it_may_come_before_the_message_it_speaks_of(self, world: World) -> None:
        update(world, self.status("read"))
        entry = world.ledger.read(self.sent(world).touchpoint_id)
        assert entry is not None and entry.delivery is not None
        assert entry.delivery.status == "read"

    def test_another_lines_message_of_the_same_id_is_another(self, world: World) -> None:
        ours = self.sent(world)
        elsewhere = endpoint(account="another line")
        update(world, self.status("read", account=elsewhere.account, endpoint=elsewhere))
        entry = world.ledger.read(ours.touchpoint_id)
        assert entry is not None and entry.delivery is None


class TestWatermark:
    """In some minutes a message left, and up to some all that left is told to be read."""

    def sent(self, world: World, minute: int, **overrides: Any) -> Touchpoint:
        fields: dict[str, Any] = {
            "key": f"out-{minute}",
            "direction": Direction.OUTBOUND,
            "at": NOON + timedelta(minutes=minute),
        }
        ours = touchpoint(**fields | overrides)
        world.ledger.record_sent(ours, profile_id())
        return ours

    def known(self, world: World) -> None:
        """They wrote first; nobody is written to who did not."""
        update(world, touchpoint(key="theirs"))

    def watermark(self, minute: int, status: str = "read", **overrides: Any) -> Touchpoint:
        until = NOON + timedelta(minutes=minute)
        content = DeliveryWatermark.model_validate({"status": status, "until": until})
        fields = {
            "key": f"{status} until {minute}",
            "direction": Direction.PASSIVE,
            "at": until + timedelta(seconds=1),
        }
        return touchpoint(content, **fields | overrides)

    def status(self, world: World, ours: Touchpoint) -> str | None:
        entry = world.ledger.read(ours.touchpoint_id)
        assert entry is not None
        return entry.delivery.status if entry.delivery is not None else None

    def test_all_that_left_until_then_is_read_and_what_left_later_is_not(
        self, world: World
    ) -> None:
        self.known(world)
        ours = [self.sent(world, minute) for minute in (1, 2, 3)]
        step = update(world, self.watermark(2))
        assert [self.status(world, one) for one in ours] == ["read", "read", None]
        assert (step.profile_id, step.next_step) == (NOBODY, "nothing")
        assert step.why == "messages that are read now: 2"

    def test_it_speaks_of_one_endpoint_and_of_our_words_only(self, world: World) -> None:
        self.known(world)
        elsewhere = self.sent(world, 1, endpoint=endpoint(account="another line"))
        theirs = touchpoint(key="theirs")
        update(world, self.watermark(2))
        assert self.status(world, elsewhere) is None
        assert self.status(world, theirs) is None

    def test_what_the_person_got_under_another_profile_of_theirs_is_meant_too(
        self, world: World
    ) -> None:
        self.known(world)
        both = touchpoint(key="both", identifiers=(identifier(), WHATSAPP_USER))
        update(world, both, TRUSTS_ITS_PHONES)
        ours = touchpoint(key="out-1", direction=Direction.OUTBOUND, at=NOON)
        world.ledger.record_sent(ours, profile_id_from(WHATSAPP_USER))
        update(world, self.watermark(2))
        assert self.status(world, ours) == "read"

    @pytest.mark.parametrize("identifiers", [(), (identifier("+33699999999"),)])
    def test_of_nobody_and_of_a_stranger_nothing_is_known(
        self, world: World, identifiers: tuple[Identifier, ...]
    ) -> None:
        self.known(world)
        ours = self.sent(world, 1)
        seen = self.watermark(2, identifiers=identifiers)
        assert update(world, seen).why == "messages that are read now: 0"
        assert state(world, seen) is TouchpointState.PROCESSED
        assert self.status(world, ours) is None

    def test_it_is_no_contact_and_stands_in_no_timeline(self, world: World) -> None:
        self.known(world)
        before = read(world, profile_id())
        update(world, self.watermark(2))
        assert read(world, profile_id()) == before
        assert len(world.ledger.timeline([profile_id()]).items) == 1

    def test_told_again_it_changes_nothing(self, world: World) -> None:
        self.known(world)
        ours = self.sent(world, 1)
        for _ in range(2):
            update(world, self.watermark(2))
        later = update(world, self.watermark(3))
        assert later.why == "messages that are read now: 0"
        entry = world.ledger.read(ours.touchpoint_id)
        assert entry is not None
        assert entry.delivery_times == {"read": NOON + timedelta(minutes=2, seconds=1)}

    def test_the_app_may_tell_it_of_what_another_provider_pushed(self, world: World) -> None:
        self.known(world)
        way = endpoint(Channel.PUSH, provider="push_sns", account="app", address="device")
        ours = self.sent(world, 1, provider="push_sns", account="app", endpoint=way)
        told: dict[str, Any] = {"provider": "standard_webhooks", "account": "shop"}
        told["endpoint"] = way
        update(world, self.watermark(2, **told))
        assert self.status(world, ours) == "read"

    def test_it_looks_at_one_page(self, world: World) -> None:
        self.known(world)
        oldest = self.sent(world, 1)
        for number in range(WATERMARK_LOOKS_AT):
            self.sent(world, 2, key=f"later-{number}")
        update(world, self.watermark(3))
        assert self.status(world, oldest) is None

    @settings(deadline=None)
    @given(data=st.data())
    def test_in_whatever_order_they_come_it_ends_in_the_same(self, data: st.DataObject) -> None:
        minutes = st.integers(1, 9)
        sent_at = data.draw(st.lists(minutes, max_size=4, unique=True))
        statuses = st.sampled_from(["delivered", "read"])
        told = data.draw(st.lists(st.tuples(minutes, statuses), max_size=5, unique=True))
        single = st.sampled_from(sent_at or [1])
        named = data.draw(st.lists(st.tuples(single, statuses), max_size=2, unique=True))
        events = [self.watermark(minute, status) for minute, status in told] + [
            touchpoint(
                DeliveryStatus.model_validate({"status": status, "message_id": f"out-{minute}"}),
                key=f"out-{minute}:{status}",
                at=NOON + timedelta(minutes=minute, seconds=30),
            )
            for minute, status in named
        ]
        ends = []
        for order in (events, data.draw(st.permutations([*events, *events]))):
            world = World()
            self.known(world)
            ours = [self.sent(world, minute) for minute in sent_at]
            for one in order:
                update(world, one)
            entries = [world.ledger.read(one.touchpoint_id) for one in ours]
            ends.append(
                [
                    (one.delivery and one.delivery.status, one.delivery_times)
                    for one in entries
                    if one is not None
                ]
            )
        assert ends[0] == ends[1]
        for minute, (status, _) in zip(sent_at, ends[0], strict=True):
            reached = [one for until, one in told if until >= minute]
            reached += [one for at, one in named if at == minute]
            assert status == ("read" if "read" in reached else "delivered" if reached else None)


def test_the_phone_the_builders_speak_of_is_a_real_one() -> None:
    assert LibPhoneNumber().e164(PHONE) == PHONE


class TestWhatIsKeptBeforeTheTie:
    """Consents that a touchpoint states, and what a provider says about writing to somebody."""

    def stated(self, **fields: Any) -> Touchpoint:
        content = {"purpose": "marketing", "state": "granted", "wording": "terms of May"}
        statement = ConsentStatement.model_validate(content | fields)
        return known_by(identifier(), content=statement)

    def test_a_statement_goes_to_the_ledger_of_its_home(self, world: World) -> None:
        seen = self.stated()
        step = update(world, seen)
        (kept,) = world.consents.of([step.profile_id])
        assert (kept.purpose, kept.state, kept.proof) == ("marketing", "granted", "terms of May")
        assert kept.source == f"touchpoint:{seen.touchpoint_id}"

    def test_it_is_there_before_the_touchpoint_is_tied(self, world: World) -> None:
        class Overtaken(FakeProfileStore):
            def attach(self, tie: ProfileTie) -> None:
                raise Contention("somebody else was first")

        seen, profiles = self.stated(), world.profiles
        world.profiles = Overtaken(world.ledger, world.events)
        with pytest.raises(Contention):
            update(world, seen)
        assert len(world.consents) == 1
        world.profiles = profiles
        update(world, seen)
        assert len(world.consents) == 1

    def test_nobody_states_nothing(self, world: World) -> None:
        update(world, known_by(content=ConsentStatement(purpose="surveys", state="withdrawn")))
        assert len(world.consents) == 0

    def told(self, stop: Stop | None, **overrides: Any) -> Touchpoint:
        content = DeliveryStatus(status="failed", message_id="wamid.9", reason="no", stop=stop)
        return touchpoint(content, direction=Direction.PASSIVE, **overrides)

    def test_a_bounce_stops_the_address_on_every_line(self, world: World) -> None:
        told = self.told(Stop(kind="bounce"))
        for _ in range(2):
            update(world, told)
        assert told.endpoint is not None
        subject = address_subject(told.endpoint.channel, told.endpoint.address)
        (stop,) = world.consents.record(subject).active
        assert (stop.kind, stop.by) == ("bounce", "provider:whatsapp_cloud")
        assert stop.touchpoint_id == told.touchpoint_id
        assert len(world.happened(EndpointSuppressed)) == 1

    def test_an_opt_out_at_the_provider_stops_the_endpoint(self, world: World) -> None:
        told = self.told(Stop(kind="opt_out", classes="marketing"))
        update(world, told)
        assert told.endpoint is not None
        (stop,) = world.consents.record(endpoint_subject(told.endpoint)).active
        assert (stop.kind, stop.classes) == ("opt_out", "marketing")

    def test_who_wants_offers_again_lifts_what_the_provider_had_stopped(self, world: World) -> None:
        """An offer was refused since they want none; in WhatsApp itself they resume them."""
        no_offers = Stop(kind="opt_out", classes="marketing")
        refused = self.told(no_offers)
        again = known_by(
            content=ConsentStatement(purpose="marketing", state="granted", lifts=no_offers),
            direction=Direction.PASSIVE,
            occurred_at=NOON + timedelta(minutes=1),
            key="preference:2",
        )
        assert refused.endpoint is not None and refused.endpoint == again.endpoint
        subject = endpoint_subject(refused.endpoint)
        update(world, refused)
        assert len(world.consents.record(subject).active) == 1
        for _ in range(2):
            update(world, again)
        assert world.consents.record(subject).active == ()
        assert len(world.happened(EndpointReleased)) == 1

    def blocks(self, *, again: bool = False, **overrides: Any) -> Touchpoint:
        """The person blocks our bot where it lives, or takes its messages again."""
        block = Stop(kind="provider_block")
        content = (
            TrackedEvent(name="telegram_bot_started", lifts=block)
            if again
            else TrackedEvent(name="telegram_bot_blocked", stop=block)
        )
        key = {"key": "update:2" if again else "update:1"}
        when = NOON + timedelta(minutes=again)
        return touchpoint(
            content, direction=Direction.PASSIVE, occurred_at=when, **key, **overrides
        )

    def test_a_block_at_the_provider_holds_until_the_person_takes_it_back(
        self, world: World
    ) -> None:
        blocked, again = self.blocks(), self.blocks(again=True)
        assert blocked.endpoint is not None
        subject = endpoint_subject(blocked.endpoint)
        assert update(world, blocked).next_step == "nothing"
        (stop,) = world.consents.record(subject).active
        assert (stop.kind, stop.by) == ("provider_block", "provider:whatsapp_cloud")
        for _ in range(2):
            update(world, again)
        assert world.consents.record(subject).active == ()
        assert len(world.happened(EndpointSuppressed)) == 1
        (released,) = world.happened(EndpointReleased)
        assert released.kind == "provider_block"  # type: ignore[attr-defined]

    def test_whoever_said_stop_in_words_has_not_taken_that_back(self, world: World) -> None:
        again = self.blocks(again=True)
        assert again.endpoint is not None
        subject = endpoint_subject(again.endpoint)
        said = Suppression(
            kind=SuppressionKind.OPT_OUT, reason="STOP", by="word:opt_out_keyword", at=NOON
        )
        world.consents.tell(subject, said)
        update(world, again)
        assert [one.kind for one in world.consents.record(subject).active] == ["opt_out"]

    @pytest.mark.parametrize("again", [False, True])
    def test_a_block_with_no_way_back_stops_nothing(self, world: World, again: bool) -> None:
        update(world, self.blocks(again=again, endpoint=None))
        assert len(world.consents) == 0

    @pytest.mark.parametrize(
        ("stop", "way_back"), [(None, True), (Stop(kind="bounce"), False)], ids=["no stop", "whom"]
    )
    def test_any_other_failure_stops_nothing(
        self, world: World, stop: Stop | None, way_back: bool
    ) -> None:
        told = self.told(stop) if way_back else self.told(stop, endpoint=None)
        assert update(world, told).next_step == "nothing"
        assert world.happened(EndpointSuppressed) == []
