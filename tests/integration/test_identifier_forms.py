"""Each kind of identifier has one form, and what has none identifies nobody."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.identifiers import UNSCOPED
from shared.domain.identity import LONGEST_SCOPE, LONGEST_VALUE, Identifier, IdentifierType
from shared.runtime import wiring

FORMS = wiring.identifier_forms()
FOUND = IdentifierType


def normal(type_: IdentifierType, value: str, scope: str = "", region: str = "FR") -> str | None:
    found = FORMS.normal(Identifier(type=type_, scope=scope, value=value), region)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        (FOUND.PHONE, "06 12 34 56 78", "+33612345678"),
        (FOUND.EMAIL, " <Ann@Example.COM.> ", "ann@example.com"),
        (FOUND.EMAIL, "Ann Lee <ann@example.com>", None),
        (FOUND.CUSTOMER_NUMBER, "  C  47\u00a011 ", "C 47 11"),
        (FOUND.CUSTOMER_NUMBER, "c-4711", "c-4711"),
        (FOUND.LOYALTY_CARD, " 9250 0012\u00a034567 ", "9250001234567"),
        (FOUND.LOYALTY_CARD, "GOLD  9250", "GOLD 9250"),
        (FOUND.ORDER_NUMBER, " #4512 ", "#4512"),
        (FOUND.TELEGRAM_USER, " 5012345678 ", "5012345678"),
        (FOUND.TELEGRAM_USER, "@ann", None),
        (FOUND.TELEGRAM_USER, "-100123", None),
        (FOUND.WEB_USER, " Zoe\u0301 ", "Zoé"),
        (FOUND.WEB_ANONYMOUS, " a-1 ", "a-1"),
        (FOUND.WEB_CHAT_SESSION, "s-1", "s-1"),
    ],
)
def test_each_kind_has_its_form(type_: IdentifierType, written: str, value: str | None) -> None:
    assert normal(type_, written) == value


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (FOUND.WHATSAPP_USER, "US.13491208655302741918"),
        (FOUND.MESSENGER_USER, "25512345678901234"),
        (FOUND.INSTAGRAM_USER, "17841400000000001"),
    ],
)
def test_cw_13837_an_id_of_meta_means_nothing_without_whom_it_was_given_to(
    type_: IdentifierType, value: str
) -> None:
    assert normal(type_, value, "") is None
    assert normal(type_, value, " \u00a0") is None
    assert normal(type_, f" {value} ", "portfolio-1") == value
    assert normal(type_, "0612345678?", "portfolio-1") is None


def test_cw_13837_two_portfolios_ids_are_two_people() -> None:
    one, other = (
        FORMS.normal(Identifier(type=FOUND.WHATSAPP_USER, scope=scope, value="US.1349"), "FR")
        for scope in ("portfolio-1", "portfolio-2")
    )
    assert one is not None
    assert other is not None
    assert one.profile_id != other.profile_id


def test_the_id_of_an_enterprise_is_the_same_in_all_its_portfolios() -> None:
    assert normal(FOUND.WHATSAPP_USER, "US.ENT.118157992") == "US.ENT.118157992"


@pytest.mark.parametrize("type_", sorted(UNSCOPED))
def test_whom_everybody_knows_by_the_same_has_no_scope(type_: IdentifierType) -> None:
    value = {"phone": "+33612345678", "email": "ann@example.com"}.get(type_, "5012345678")
    found = FORMS.normal(Identifier(type=type_, scope="shop", value=value), "FR")
    assert found == Identifier(type=type_, value=value)


@pytest.mark.parametrize("type_", list(IdentifierType))
@pytest.mark.parametrize("control", ["\x00", "\n", "\x1b", "\x7f"])
def test_what_nobody_can_type_identifies_nobody(type_: IdentifierType, control: str) -> None:
    assert normal(type_, f"12{control}34", "scope") is None
    if type_ not in UNSCOPED:
        assert normal(type_, "1234", f"sc{control}ope") is None


def test_what_grows_beyond_the_longest_identifies_nobody() -> None:
    """U+0958 is two letters in its normal form."""
    grows = "\u0958"
    assert normal(FOUND.WEB_USER, grows * LONGEST_VALUE) is None
    assert normal(FOUND.WEB_USER, "u", grows * LONGEST_SCOPE) is None
    assert normal(FOUND.WEB_USER, grows, grows) is not None


@given(
    st.sampled_from(IdentifierType),
    st.text(min_size=1, max_size=40)
    | st.from_regex(r"\+?[0-9 ]{4,15}", fullmatch=True)
    | st.from_regex(r"[A-Za-z. ]{1,9}@[a-zß]{1,9}\.[a-z]{2,3}", fullmatch=True),
    st.text(max_size=20),
    st.sampled_from(["FR", "CI", "BR", "US"]),
)
def test_the_one_form_stays_the_same(
    type_: IdentifierType, value: str, scope: str, region: str
) -> None:
    once = FORMS.normal(Identifier(type=type_, scope=scope, value=value), region)
    assert once is None or FORMS.normal(once, region) == once
    assert once is None or FORMS.normal(once, "GB") == once


WRITTEN: list[Callable[[str], str]] = [
    lambda digits: f"0{digits}",
    lambda digits: f"+33{digits}",
    lambda digits: f"0033{digits}",
    lambda digits: f"+33 (0) {digits}",
    lambda digits: f"0{digits[0]} " + " ".join(digits[i : i + 2] for i in range(1, 9, 2)),
    lambda digits: f"0{digits[0]}." + ".".join(digits[i : i + 2] for i in range(1, 9, 2)),
    lambda digits: f"\u202a+33\u00a0{digits[0]}\u00a0{digits[1:]}\u202c",
    lambda digits: f"tel:+33-{digits}",
]
"""A French number on a form, abroad, from WhatsApp, on a card, pasted from a telephone."""


@given(st.from_regex(r"[67][0-9]{8}", fullmatch=True))
def test_zm_272_a_phone_in_every_form_is_one(digits: str) -> None:
    forms = {normal(FOUND.PHONE, write(digits)) for write in WRITTEN}
    assert len(forms) == 1


BRAZIL = st.from_regex(r"(1[1-9]|2[1248]|[3-9][1-5])[6-9][0-9]{7}", fullmatch=True)


@given(BRAZIL)
def test_cw_12655_brazils_ninth_digit_makes_nobody_a_second_person(old: str) -> None:
    area, line = old[:2], old[2:]
    written = [f"+55{area}{line}", f"+55{area}9{line}", f"({area}) 9{line[:4]}-{line[4:]}"]
    assert {normal(FOUND.PHONE, one, region="BR") for one in written} == {f"+55{area}9{line}"}


MEXICO = st.from_regex(r"[2-9][0-9]{9}", fullmatch=True)


@given(MEXICO)
def test_cw_14048_mexicos_old_one_makes_nobody_a_second_person(digits: str) -> None:
    written = [f"+521{digits}", f"+52{digits}", f"+52 1 {digits[:2]} {digits[2:]}"]
    forms = {normal(FOUND.PHONE, one) for one in written}
    assert len(forms) == 1
