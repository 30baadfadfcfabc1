"""Who is one person: what follows from a graph, and that only the facts count, not their order."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy, Proof, Source
from shared.domain.identity_claims import Claims, claims_of, is_verified
from shared.domain.identity_graph import (
    MOST_IDENTIFIERS,
    MOST_OF_A_TYPE,
    IdentityGraph,
    Person,
    PersonsChange,
    difference,
    settled,
    united,
    with_claims,
)
from shared.domain.identity_resolution import resolve
from shared.domain.identity_tie import DECIDED, Tie, TieKind, kept, tie
from shared.domain.touchpoint import Channel, Direction
from tests.builders import NOON, identifier, touchpoint

CUSTOMER, PHONE, EMAIL = (
    IdentifierType.CUSTOMER_NUMBER,
    IdentifierType.PHONE,
    IdentifierType.EMAIL,
)
WHATSAPP, CARD = IdentifierType.WHATSAPP_USER, IdentifierType.LOYALTY_CARD

POLICY = IdentityPolicy(
    changes_hands={IdentifierType.PHONE: timedelta(days=365)},
    default_region="FR",
    verified_by=(
        Source(type=PHONE, provider="whatsapp_cloud", direction="inbound"),
        Source(type=WHATSAPP, provider="whatsapp_cloud"),
        Source(type=EMAIL, proof=Proof.DMARC),
        Source(type=IdentifierType.WEB_CHAT_SESSION, provider="web_chat"),
        Source(type=CUSTOMER, provider="web_chat", proof=Proof.SIGNED_USER),
    ),
    at_most={CUSTOMER: 1, WHATSAPP: 1, PHONE: 2},
    blocked={EMAIL: ("noreply@*",)},
    shared={EMAIL: ("support@*",)},
)
"""Narrow, so that what is too much happens often."""

C1, C2, C3 = (identifier(f"C{n}", CUSTOMER) for n in (1, 2, 3))
P1, P2, P3 = (identifier(f"+3361234567{n}") for n in (1, 2, 3))
E1, E2 = (identifier(f"e{n}@example.com", EMAIL) for n in (1, 2))
W1, W2 = (identifier(f"FR.{n}", WHATSAPP, "acme") for n in (1, 2))
OTHER_BRAND = identifier("FR.1", WHATSAPP, "other brand")
K1 = identifier("K1", CARD)
EVERYTHING = (C1, C2, C3, P1, P2, P3, E1, E2, W1, W2, OTHER_BRAND, K1)
KEYS = tuple(one.key for one in EVERYTHING)


# What hypothesis draws: few identifiers and moments, so that ties meet and contradict each other.


@cache
def drawn(pair: tuple[str, str], kind: TieKind, minute: int, by: str) -> Tie:
    return tie(*pair, kind, NOON + timedelta(minutes=minute), by)


def ties_of(kinds: Sequence[TieKind], most: int = 14) -> st.SearchStrategy[list[Tie]]:
    return st.lists(
        st.builds(
            drawn,
            st.sampled_from(list(combinations(KEYS, 2))),
            st.sampled_from(kinds),
            st.integers(0, 9),
            st.sampled_from(["touchpoint:1", "touchpoint:2", "agent:1"]),
        ),
        max_size=most,
    )


SEEN = (TieKind.VERIFIED, TieKind.VERIFIED, TieKind.VERIFIED, TieKind.STATED)
histories = ties_of([*SEEN, *TieKind])
homes = st.frozensets(st.sampled_from(KEYS))


def graph_of(ties: Sequence[Tie], with_history: frozenset[str] = frozenset(KEYS)) -> IdentityGraph:
    whole = IdentityGraph(identifiers=frozenset(KEYS), homes=with_history)
    return settled(united([whole], ties), POLICY)


def persons(ties: Sequence[Tie]) -> set[frozenset[str]]:
    return set(resolve(KEYS, kept(ties), POLICY))


def verified(one: Identifier, other: Identifier, minute: int = 0) -> Tie:
    return drawn((one.key, other.key), TieKind.VERIFIED, minute, "touchpoint:1")


def stated(one: Identifier, other: Identifier, minute: int = 0) -> Tie:
    return drawn((one.key, other.key), TieKind.STATED, minute, "touchpoint:1")


def merged(one: Identifier, other: Identifier, minute: int = 0) -> Tie:
    return drawn((one.key, other.key), TieKind.MERGED, minute, "agent:1")


def separated(one: Identifier, other: Identifier, minute: int = 0) -> Tie:
    return drawn((one.key, other.key), TieKind.SEPARATED, minute, "agent:1")


def type_of(key: str) -> IdentifierType:
    return Identifier.from_key(key).type


def are_one(ties: Sequence[Tie], *identifiers: Identifier) -> bool:
    return graph_of(ties).person_of(identifiers[0].key).identifiers >= {
        one.key for one in identifiers
    }


# Order, grouping, repetition


@given(ties=histories, data=st.data())
@settings(max_examples=300, deadline=None)
def test_persons_do_not_depend_on_the_order_of_ties(ties: list[Tie], data: st.DataObject) -> None:
    one = kept(ties)
    shuffled = data.draw(st.permutations(one))
    keys = data.draw(st.permutations(KEYS))
    assert resolve(keys, shuffled, POLICY) == resolve(KEYS, one, POLICY)


@given(ties=histories, data=st.data())
@settings(deadline=None)
def test_what_is_kept_is_the_same_in_any_order_and_grouping(
    ties: list[Tie], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(ties)))
    once = kept(ties)
    assert kept(once) == once
    assert kept(data.draw(st.permutations(ties))) == once
    assert kept([*kept(ties[:cut]), *ties[cut:]]) == once
    assert kept([*ties[:cut], *kept(ties[cut:])]) == once


@given(first=histories, second=histories, third=histories)
@settings(deadline=None)
def test_graphs_unite_in_any_order_and_grouping(
    first: list[Tie], second: list[Tie], third: list[Tie]
) -> None:
    a, b, c = (settled(united([], ties), POLICY) for ties in (first, second, third))
    whole = settled(united([a, b, c]), POLICY)
    left = settled(united([settled(united([a, b]), POLICY), c]), POLICY)
    right = settled(united([a, settled(united([b, c]), POLICY)]), POLICY)
    assert left == right == whole
    assert settled(united([c, b, a]), POLICY) == whole
    assert settled(united([], [*first, *second, *third]), POLICY) == whole
    assert settled(united([whole, a]), POLICY) == whole


def test_the_earliest_sight_and_the_latest_word_are_kept() -> None:
    early, late = verified(C1, P1, 1), verified(C1, P1, 2)
    yes, no = merged(C1, P1, 3), separated(C1, P1, 4)
    assert set(kept([late, yes, early, no])) == {early, no}
    assert kept([stated(C1, P1), early]) == kept([early, stated(C1, P1)])


def test_at_the_same_instant_they_are_two() -> None:
    assert kept([separated(C1, P1, 5), merged(C1, P1, 5)]) == (separated(C1, P1, 5),)


# Merge and unmerge


@given(
    history=histories,
    pair=st.sampled_from(list(combinations(KEYS, 2))),
    later=ties_of(SEEN, most=6),
    data=st.data(),
)
@settings(max_examples=1_000, deadline=None)
def test_unmerge_restores_exactly_whatever_came_in_between(
    history: list[Tie], pair: tuple[str, str], later: list[Tie], data: st.DataObject
) -> None:
    """A merge of two and its undoing leave nothing behind, wherever they stand among the rest."""
    seen = [one for one in history if one.kind not in DECIDED or one.pair != tuple(sorted(pair))]
    merge, unmerge = (
        drawn(pair, TieKind.MERGED, 20, "agent:1"),
        drawn(pair, TieKind.SEPARATED, 30, "agent:2"),
    )
    before, after = persons(seen), persons([*seen, merge, unmerge])
    never = persons([*seen, *later])
    done = data.draw(st.permutations([*seen, merge, *later, unmerge]))
    assert persons(done) == persons([*seen, *later, unmerge])
    if not any(one >= {*pair} for one in before):
        assert after == before
    if not any(one >= {*pair} for one in never):
        assert persons(done) == never


def test_what_is_tied_after_the_merge_stays_with_whom_it_was_tied_to() -> None:
    merge, unmerge = merged(C1, C2, 1), separated(C1, C2, 9)
    after_merge = [verified(C1, P1, 2), verified(C2, P2, 3)]
    assert are_one([merge, *after_merge], C1, C2, P1, P2)
    assert (
        graph_of([merge, *after_merge, unmerge]).persons
        == graph_of([*after_merge, unmerge]).persons
    )
    assert are_one([merge, *after_merge, unmerge], C1, P1)
    assert are_one([merge, *after_merge, unmerge], C2, P2)


def test_a_later_merge_wins_over_a_separation() -> None:
    assert not are_one([merged(C1, C2, 1), separated(C1, C2, 2)], C1, C2)
    assert are_one([merged(C1, C2, 3), separated(C1, C2, 2)], C1, C2)


def test_a_separation_holds_against_the_merge_of_others() -> None:
    """a and c are two people, so whoever merged a with b and b with c was wrong somewhere."""
    ties = [separated(C1, C3, 1), merged(C1, C2, 2), merged(C2, C3, 3)]
    assert are_one(ties, C1, C2)
    assert not are_one(ties, C1, C3)


def test_a_separation_holds_against_what_touchpoints_prove() -> None:
    assert not are_one([verified(C1, P1), separated(C1, P1, 1)], C1, P1)


# What holds of every graph


@given(ties=histories, with_history=homes)
@settings(max_examples=300, deadline=None)
def test_every_identifier_is_one_persons(ties: list[Tie], with_history: frozenset[str]) -> None:
    graph = graph_of(ties, with_history)
    found = [key for person in graph.persons for key in person.identifiers]
    assert sorted(found) == sorted(KEYS)
    for person in graph.persons:
        assert person.homes == person.identifiers & with_history
        known_by = {Identifier.from_key(key).profile_id for key in person.homes}
        assert person.profile_id in (
            known_by or {Identifier.from_key(key).profile_id for key in person.identifiers}
        )
        assert person.profile_ids[0] == person.profile_id
        assert set(person.profile_ids) == known_by | {person.profile_id}
        assert len(set(person.profile_ids)) == len(person.profile_ids)


@given(ties=histories)
@settings(max_examples=300, deadline=None)
def test_nobody_holds_too_much_unless_a_person_decided(ties: list[Tie]) -> None:
    """Each tie is of a touchpoint of its own, which proves no two values of a type: see below."""
    graph = graph_of(
        [
            one.model_copy(update={"by": f"touchpoint:{n}"})
            for n, one in enumerate(ties)
            if one.kind is not TieKind.VERIFIED or type_of(one.one) is not type_of(one.other)
        ]
    )
    decided = {key for one in graph.ties if one.kind is TieKind.MERGED for key in one.pair}
    for person in graph.persons:
        held = [Identifier.from_key(key) for key in person.identifiers]
        for type_, most in POLICY.at_most.items():
            for scope in {one.scope for one in held}:
                of_type = [one for one in held if (one.type, one.scope) == (type_, scope)]
                assert len(of_type) <= most or person.identifiers & decided


@given(ties=histories)
@settings(max_examples=300, deadline=None)
def test_separated_people_are_never_one(ties: list[Tie]) -> None:
    graph = graph_of(ties)
    for one in graph.ties:
        if one.kind is TieKind.SEPARATED:
            assert graph.person_of(one.one) != graph.person_of(one.other)
            assert not graph.are_one(*one.profile_ids)


@given(ties=ties_of([TieKind.STATED, TieKind.SEPARATED]))
@settings(deadline=None)
def test_what_is_only_stated_joins_nobody(ties: list[Tie]) -> None:
    assert persons(ties) == {frozenset({key}) for key in KEYS}


@given(ties=histories, with_history=homes)
@settings(max_examples=300, deadline=None)
def test_a_suggestion_is_of_two_people_nobody_decided_on(
    ties: list[Tie], with_history: frozenset[str]
) -> None:
    graph = graph_of(ties, with_history)
    pairs = [one.profile_ids for one in graph.suggested()]
    assert len(pairs) == len(set(pairs))
    for one, other in pairs:
        here, there = graph.person_with(one), graph.person_with(other)
        assert here is not None and here.homes
        assert there is not None and there.homes
        assert here != there
        assert not graph.is_decided(one, other)


# Rules, one by one


def test_what_is_proven_by_one_touchpoint_is_one_persons() -> None:
    assert are_one([verified(W1, P1), verified(P1, E1)], W1, P1, E1)


def test_what_two_customers_proved_joins_neither() -> None:
    ties = [verified(C1, P1), verified(C2, P1), verified(P1, E1)]
    assert not are_one(ties, C1, P1)
    assert not are_one(ties, C2, P1)
    assert are_one(ties, P1, E1)


def test_at_most_counts_within_a_scope() -> None:
    assert are_one([verified(P1, W1), verified(P1, OTHER_BRAND)], P1, W1, OTHER_BRAND)
    assert not are_one([verified(P1, W1), verified(P1, W2)], P1, W1)


def test_what_has_no_limit_is_not_counted() -> None:
    assert are_one([verified(C1, E1), verified(C1, E2)], C1, E1, E2)


def test_who_was_merged_beyond_the_limit_may_still_prove_more() -> None:
    assert are_one([merged(C1, C2), verified(C1, P1), verified(C2, P2)], C1, C2, P1, P2)
    assert not are_one([merged(C1, C2), verified(C1, P1), verified(C3, P1)], C1, P1)


def changed(one: Identifier, other: Identifier, by: str = "touchpoint:change") -> Tie:
    """One touchpoint proves two values of a type: the one became the other."""
    return drawn((one.key, other.key), TieKind.VERIFIED, 0, by)


def test_what_changed_counts_as_one() -> None:
    assert are_one([changed(W1, W2)], W1, W2)
    assert are_one([changed(W1, W2), verified(W1, P1, 1), verified(W2, P2, 2)], W1, W2, P1, P2)


def test_a_chain_of_changes_counts_as_one() -> None:
    w3 = identifier("FR.3", WHATSAPP, "acme")
    ties = [changed(W2, w3, "touchpoint:b"), changed(W1, W2, "touchpoint:a")]
    for some in (ties, ties[::-1]):
        graph = settled(united([], some), POLICY)
        assert graph.person_of(W1.key).identifiers == {W1.key, W2.key, w3.key}


def test_what_changed_is_still_not_somebody_elses() -> None:
    w3 = identifier("FR.3", WHATSAPP, "acme")
    ties = [changed(W1, W2), verified(W1, P1, 1), tie(w3.key, P1.key, TieKind.VERIFIED, NOON, "b")]
    graph = settled(united([], ties), POLICY)
    assert graph.person_of(P1.key).identifiers == {P1.key}
    assert graph.person_of(W1.key).identifiers == {W1.key, W2.key}


def test_two_scopes_are_no_change() -> None:
    ties = [verified(P1, W1), verified(P1, OTHER_BRAND), verified(P2, W2), verified(P2, W1, 1)]
    assert are_one(ties, P1, W1, OTHER_BRAND)


def test_a_tie_to_what_is_not_in_the_graph_joins_nothing() -> None:
    assert resolve([C1.key], [merged(C1, C2)], POLICY) == (frozenset({C1.key}),)


def test_a_person_is_known_by_their_strongest_identifier_with_a_history() -> None:
    ties = [verified(C1, P1), verified(C1, E1)]
    everybody = graph_of(ties).person_of(P1.key)
    assert everybody.profile_id == C1.profile_id
    assert everybody.profile_ids == (C1.profile_id, *sorted([P1.profile_id, E1.profile_id]))
    assert graph_of(ties, frozenset({P1.key})).person_of(C1.key).profile_id == P1.profile_id
    nobody = graph_of(ties, frozenset()).person_of(P1.key)
    assert nobody.profile_ids == (C1.profile_id,)


def test_persons_are_found_by_identifier_and_by_profile() -> None:
    graph = graph_of([verified(C1, P1), stated(C2, P1)])
    person = graph.person_of(C1.key)
    assert graph.person_with(P1.profile_id) == person
    assert graph.person_with(identifier("+1").profile_id) is None
    assert graph.are_one(C1.profile_id, P1.profile_id)
    assert not graph.are_one(C1.profile_id, C2.profile_id)
    assert not graph.are_one(identifier("+1").profile_id, C2.profile_id)
    with pytest.raises(KeyError):
        graph.person_of("phone##+1")


def test_what_is_decided() -> None:
    graph = graph_of([verified(C1, P1), separated(C2, P1), stated(C3, P1)])
    assert graph.is_decided(C1.profile_id, P1.profile_id)
    assert graph.is_decided(C1.profile_id, C2.profile_id)
    assert graph.is_decided(C2.profile_id, C1.profile_id)
    assert not graph.is_decided(C3.profile_id, C1.profile_id)
    assert not graph.is_decided(C1.profile_id, identifier("+1").profile_id)
    assert not graph.is_decided(identifier("+1").profile_id, C1.profile_id)


def test_what_is_stated_of_a_person() -> None:
    graph = graph_of([verified(C1, P1), stated(C1, E1), stated(P1, E2), stated(C1, P1)])
    assert graph.stated_of(graph.person_of(C1.key)) == {E1.key, E2.key}
    assert graph.stated_of(graph.person_of(K1.key)) == frozenset()


def test_two_with_a_history_are_suggested_and_others_only_noted() -> None:
    ties = [stated(C1, P1), stated(C1, E1), verified(C2, P1), verified(C3, P2)]
    with_history = frozenset({C1.key, C2.key, C3.key})
    (possible,) = graph_of(ties, with_history).suggested()
    assert set(possible.profile_ids) == {C1.profile_id, C2.profile_id}
    assert graph_of([*ties, separated(C1, P1)], with_history).suggested() == []


def test_a_shared_phone_with_a_history_is_suggested_to_each_who_proved_it() -> None:
    ties = [verified(C1, P1), verified(C2, P1)]
    pairs = {frozenset(one.profile_ids) for one in graph_of(ties).suggested()}
    assert pairs == {
        frozenset({C1.profile_id, P1.profile_id}),
        frozenset({C2.profile_id, P1.profile_id}),
    }


def test_who_proved_the_same_phone_may_be_one_though_the_phone_has_no_history() -> None:
    ties = [verified(C1, P1), verified(C2, P1)]
    (possible,) = graph_of(ties, frozenset({C1.key, C2.key})).suggested()
    assert set(possible.profile_ids) == {C1.profile_id, C2.profile_id}
    assert possible.because in ties


def test_a_card_that_proved_two_phones_joins_neither() -> None:
    ties = [verified(K1, P1), verified(K1, P2)]
    assert not are_one(ties, P1, P2)
    assert not are_one(ties, K1, P1)
    assert are_one([*ties, verified(C1, P1), verified(C1, P2)], P1, P2, K1, C1)


def test_what_a_number_proved_before_it_may_have_changed_hands_joins_nobody() -> None:
    old = verified(C1, P1)
    late = old.at + timedelta(days=800)
    new = tie(W1.key, P1.key, TieKind.VERIFIED, late, "touchpoint:new")
    assert not are_one([old, new], C1, P1)
    assert are_one([old, new], W1, P1)
    refreshed = old.model_copy(update={"until": late})
    assert are_one([refreshed, new], C1, W1, P1)
    assert are_one([old, refreshed, new], C1, W1, P1)


def test_a_tie_is_the_same_whichever_way_round_it_is_named() -> None:
    one = tie(P1.key, C1.key, TieKind.MERGED, NOON, "agent:1", "same voice", score=0.9)
    other = tie(C1.key, P1.key, TieKind.MERGED, NOON, "agent:1", "same voice", score=0.9)
    assert one == other
    assert one.score == 0.9
    assert one.merge_id == separated(C1, P1).merge_id != merged(C1, P2).merge_id
    assert one.profile_ids == tuple(sorted([C1.profile_id, P1.profile_id]))


# What one touchpoint says


def claims(*identifiers: Identifier, **of: Any) -> Claims | None:
    return claims_of(touchpoint(**of), identifiers, POLICY)


def test_two_that_one_touchpoint_proves_are_tied_by_it() -> None:
    seen = touchpoint()
    found = claims_of(seen, [P1, W1], POLICY)
    assert found is not None
    assert found.home == W1
    assert found.is_proven
    assert found.others == (P1,)
    assert [one.kind for one in found.ties] == [TieKind.VERIFIED]
    assert found.ties[0].by == f"touchpoint:{seen.touchpoint_id}"
    assert found.ties[0].at == seen.occurred_at
    assert found.ties[0].reason == (
        "one whatsapp touchpoint of whatsapp_cloud proved whatsapp user and phone"
    )


def test_what_is_proven_is_home_before_what_is_only_stated() -> None:
    found = claims(C1, P1)
    assert found is not None
    assert found.home == P1
    assert [one.kind for one in found.ties] == [TieKind.STATED]
    assert "stated phone and customer number" in found.ties[0].reason


def test_the_strongest_is_home_where_nothing_is_proven() -> None:
    found = claims(P1, E1, C1, provider="email_ses", channel=Channel.EMAIL)
    assert found is not None
    assert found.home == C1
    assert not found.is_proven
    assert {one.kind for one in found.ties} == {TieKind.STATED}
    assert found.others == (P1, E1)


@given(some=st.lists(st.sampled_from(EVERYTHING), max_size=5), data=st.data())
@settings(deadline=None)
def test_what_a_touchpoint_says_does_not_depend_on_the_order(
    some: list[Identifier], data: st.DataObject
) -> None:
    assert claims(*data.draw(st.permutations(some))) == claims(*dict.fromkeys(some))


def test_what_never_identifies_is_nobodys() -> None:
    noreply = identifier("noreply@shop.example", EMAIL)
    assert claims(noreply) is None
    assert claims() is None
    found = claims(noreply, P1)
    assert found is not None
    assert found.others == ()


def test_what_several_share_has_a_profile_and_ties_nothing() -> None:
    support = identifier("support@shop.example", EMAIL)
    alone = claims(support, proof=Proof.DMARC)
    assert alone == Claims(support, is_proven=True, others=(), ties=())
    beside = claims(support, P1, direction=Direction.PASSIVE)
    assert beside == Claims(P1, is_proven=False, others=(), ties=())


def test_a_chat_session_is_used_only_where_nothing_better_is_there() -> None:
    session = identifier("s1", IdentifierType.WEB_CHAT_SESSION)
    chat: dict[str, Any] = {"provider": "web_chat", "channel": Channel.WEB_CHAT}
    assert claims(session, **chat) == Claims(session, is_proven=True, others=(), ties=())
    signed = claims(session, C1, **chat, proof=Proof.SIGNED_USER)
    assert signed == Claims(C1, is_proven=True, others=(), ties=())
    unsigned = claims(session, C1, **chat)
    assert unsigned == Claims(C1, is_proven=False, others=(), ties=())
    unproven = claims(session, identifier("support@shop.example", EMAIL))
    assert unproven is not None
    assert not unproven.is_proven


def test_a_row_holds_where_all_it_names_is_so() -> None:
    assert is_verified(P1, touchpoint(), POLICY)
    assert not is_verified(P1, touchpoint(direction=Direction.PASSIVE), POLICY)
    assert not is_verified(P1, touchpoint(provider="twilio"), POLICY)
    assert is_verified(W1, touchpoint(direction=Direction.OUTBOUND), POLICY)
    assert is_verified(E1, touchpoint(proof=Proof.DMARC), POLICY)
    assert not is_verified(E1, touchpoint(), POLICY)
    one_line = POLICY.model_copy(
        update={"verified_by": (Source(type=PHONE, account="line-1", channel="whatsapp"),)}
    )
    assert is_verified(P1, touchpoint(account="line-1"), one_line)
    assert not is_verified(P1, touchpoint(account="line-2"), one_line)


# A graph as touchpoints come


def claiming(*identifiers: Identifier, key: str = "wamid.1") -> Claims:
    found = claims(*identifiers, key=key)
    assert found is not None
    return found


def test_the_first_touchpoint_of_a_person() -> None:
    graph = with_claims(claiming(P1), {}, frozenset(), POLICY)
    assert graph.persons == (
        Person(
            profile_id=P1.profile_id,
            identifiers=frozenset({P1.key}),
            homes=frozenset({P1.key}),
        ),
    )


def test_a_touchpoint_brings_graphs_together() -> None:
    left = with_claims(claiming(P1), {}, frozenset(), POLICY)
    right = with_claims(claiming(W1, P2), {}, frozenset(), POLICY)
    graphs = {P1.key: left, W1.key: right, P2.key: right}
    whole = with_claims(claiming(W1, P1), graphs, frozenset({P1.key, W1.key}), POLICY)
    assert whole.homes == {P1.key, W1.key}
    assert whole.person_of(P1.key).identifiers == {P1.key, P2.key, W1.key}
    assert (
        with_claims(claiming(W1, P1), dict.fromkeys(whole.identifiers, whole), whole.homes, POLICY)
        == whole
    )


def test_one_without_a_graph_comes_with_its_history() -> None:
    assert with_claims(claiming(W1, P1), {}, frozenset({P1.key}), POLICY).homes == {W1.key, P1.key}
    assert with_claims(claiming(W1, P1), {}, frozenset(), POLICY).homes == {W1.key}


def full_graph(type_: IdentifierType, values: int) -> IdentityGraph:
    """A phone that so many identifiers of a type were stated with."""
    many = (identifier(f"N{n}", type_) for n in range(values))
    ties = [tie(P1.key, one.key, TieKind.STATED, NOON, "touchpoint:1") for one in many]
    return settled(united([], ties), POLICY)


@pytest.mark.parametrize(
    ("full", "other"),
    [
        (full_graph(WHATSAPP, MOST_OF_A_TYPE), W1),
        (
            united(
                [full_graph(CARD, MOST_OF_A_TYPE), full_graph(CUSTOMER, MOST_IDENTIFIERS // 3 - 1)]
            ),
            W1,
        ),
    ],
    ids=["of a type", "of identifiers"],
)
def test_a_full_graph_takes_in_no_more(full: IdentityGraph, other: Identifier) -> None:
    graphs = dict.fromkeys(full.identifiers, full)
    alone = with_claims(claiming(other, P1), graphs, frozenset(), POLICY)
    assert alone.identifiers == {other.key}
    assert with_claims(claiming(P1), graphs, frozenset(), POLICY).identifiers == full.identifiers


# What changed


def person(*identifiers: Identifier, homes: Sequence[Identifier] | None = None) -> Person:
    with_history = identifiers if homes is None else homes
    return Person(
        profile_id=min(with_history or identifiers, key=POLICY.strength).profile_id,
        identifiers=frozenset(one.key for one in identifiers),
        homes=frozenset(one.key for one in with_history),
    )


def test_nothing_changed_for_those_with_a_history() -> None:
    assert difference([person(C1)], [person(C1)]) is None
    assert difference([person(C1)], [person(C1, P1, homes=[C1])]) is None
    assert difference([], [person(C1), person(P1, homes=[])]) is None


def test_who_was_merged() -> None:
    found = difference([person(C1), person(P1)], [person(C1, P1)])
    both = tuple(sorted([C1.profile_id, P1.profile_id]))
    assert found == PersonsChange("merged", C1.profile_id, both)


def test_who_was_separated() -> None:
    found = difference([person(C1, P1, E1)], [person(C1, P1), person(E1)])
    assert found is not None
    assert found.kind == "separated"
    assert found.profile_id == C1.profile_id
    assert found.profile_ids == tuple(sorted([C1.profile_id, P1.profile_id, E1.profile_id]))
