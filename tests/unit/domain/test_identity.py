import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.identity import (
    LONGEST_VALUE,
    Identifier,
    IdentifierType,
    IdentityPolicy,
    Proof,
    Source,
    email_identifier,
    profile_id_from,
)
from tests.builders import identifier, policies

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
    assert (one.profile_id == profile_id_from(other)) is (one == other)


@given(some=st.lists(identifiers, max_size=6), data=st.data())
def test_the_strongest_comes_first_whatever_the_order(
    some: list[Identifier], data: st.DataObject
) -> None:
    policy = policies().identity
    shuffled = data.draw(st.permutations(some))
    ordered = sorted(some, key=policy.strength)
    assert sorted(shuffled, key=policy.strength) == ordered
    ranks = [policy.priority.index(one.type) for one in ordered]
    assert ranks == sorted(ranks)


def test_a_scope_keeps_two_businesses_apart() -> None:
    one = identifier("FR.1", IdentifierType.WHATSAPP_USER, "business-1")
    other = identifier("FR.1", IdentifierType.WHATSAPP_USER, "business-2")
    assert one.profile_id != other.profile_id


def test_a_mail_address_is_in_small_letters() -> None:
    assert email_identifier(" Anna@Example.COM ") == identifier(
        "anna@example.com", IdentifierType.EMAIL
    )


@pytest.mark.parametrize("address", ["", "  ", "a" * (LONGEST_VALUE + 1), "İ" * 200])
def test_what_is_empty_or_too_long_is_no_mail_address(address: str) -> None:
    assert email_identifier(address) is None


def test_the_company_may_call_another_type_stronger() -> None:
    mail_first = sorted(IdentifierType, key=lambda one: one is not IdentifierType.EMAIL)
    policy = IdentityPolicy(default_region="FR", priority=tuple(mail_first))
    mail, number = identifier("a@b.c", IdentifierType.EMAIL), identifier("1", mail_first[1])
    assert policy.strength(mail) < policy.strength(number)


@pytest.mark.parametrize(
    "priority",
    [tuple(IdentifierType)[1:], (*IdentifierType, IdentifierType.PHONE)],
    ids=["one is missing", "one is there twice"],
)
def test_every_type_has_one_place(priority: tuple[IdentifierType, ...]) -> None:
    with pytest.raises(ValidationError, match="each type once"):
        IdentityPolicy(default_region="FR", priority=priority)


def test_a_row_that_names_nothing_would_prove_everything() -> None:
    with pytest.raises(ValidationError, match="hold for everything"):
        Source()
    assert Source(proof=Proof.DMARC).model_fields_set == {"proof"}


def test_what_never_identifies_and_what_several_people_share() -> None:
    policy = IdentityPolicy(
        default_region="FR",
        blocked={IdentifierType.EMAIL: ("noreply@*",), IdentifierType.CUSTOMER_NUMBER: ("null",)},
        shared={IdentifierType.EMAIL: ("support@*",)},
    )
    noreply = identifier("noreply@shop.example", IdentifierType.EMAIL)
    support = identifier("support@shop.example", IdentifierType.EMAIL)
    assert policy.is_blocked(noreply)
    assert not policy.is_shared(noreply)
    assert policy.is_shared(support)
    assert not policy.is_blocked(support)
    assert not policy.is_blocked(identifier("null", IdentifierType.LOYALTY_CARD))
