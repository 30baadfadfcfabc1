from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identity import (
    Identifier,
    IdentifierType,
    IdentityPolicy,
    profile_id_from,
    strongest_first,
)
from tests.builders import identifier

# Half of it is what the key itself is made of.
texts = st.text(alphabet=st.sampled_from("#%235") | st.characters(exclude_categories=["Cs"]))
identifiers = st.builds(
    Identifier,
    type=st.sampled_from(IdentifierType),
    scope=texts.filter(lambda text: len(text) <= 200),
    value=texts.filter(lambda text: 1 <= len(text) <= 320),
)


@given(one=identifiers)
def test_a_key_says_exactly_which_identifier(one: Identifier) -> None:
    assert Identifier.from_key(one.key) == one


@given(one=identifiers, other=identifiers)
def test_two_identifiers_have_two_keys(one: Identifier, other: Identifier) -> None:
    assert (one.key == other.key) is (one == other)
    assert (profile_id_from(one) == profile_id_from(other)) is (one == other)


@given(some=st.lists(identifiers, max_size=6), data=st.data())
def test_the_strongest_comes_first_whatever_the_order(
    some: list[Identifier], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(some))
    ordered = strongest_first(tuple(some))
    assert strongest_first(tuple(shuffled)) == ordered
    assert set(ordered) == set(some)
    assert len(ordered) == len(set(some))
    ranks = [list(IdentifierType).index(one.type) for one in ordered]
    assert ranks == sorted(ranks)


def test_a_scope_keeps_two_businesses_apart() -> None:
    one = identifier("FR.1", IdentifierType.WHATSAPP_USER, "business-1")
    other = identifier("FR.1", IdentifierType.WHATSAPP_USER, "business-2")
    assert profile_id_from(one) != profile_id_from(other)


def test_the_region_of_an_account() -> None:
    policy = IdentityPolicy(default_region="FR", regions={"+12025550123": "US"})
    assert policy.region_of("+12025550123") == "US"
    assert policy.region_of("anything else") == "FR"
