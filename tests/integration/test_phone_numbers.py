"""One form for each number, by libphonenumber's own data and what countries have renumbered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.phone_numbers import RENUMBERED, LibPhoneNumber

NUMBERS = LibPhoneNumber()


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 (0)6 12 34 56 78", None, "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("07400 123456", "GB", "+447400123456"),
        ("77 123 45 67", "SN", "+221771234567"),
        ("90 12 34 56", "TG", "+22890123456"),
        ("07 01 23 45 67", "CI", "+2250701234567"),
        ("tel:+33-6-12-34-56-78", None, "+33612345678"),
        ("０６１２３４５６７８", "FR", "+33612345678"),
        ("\u202a+33\u00a06\u00a012 34 56 78\u202c", None, "+33612345678"),
    ],
)
def test_zm_272_however_it_is_written(written: str, region: str | None, number: str) -> None:
    assert NUMBERS.e164(written, region) == number


OLD_AND_NEW = [
    # Brazil
    ("+551181234567", None, "+5511981234567"),
    ("+556484180266", None, "+5564984180266"),
    # Mexico
    ("+5215512345678", None, "+525512345678"),
    ("044 55 1234 5678", "MX", "+525512345678"),
    ("045 55 1234 5678", "MX", "+525512345678"),
    ("01 55 1234 5678", "MX", "+525512345678"),
    # Argentina
    ("+5491123456789", None, "+541123456789"),
    ("011 15 2345-6789", "AR", "+541123456789"),
    ("0343 15 412-3456", "AR", "+543434123456"),
    # Vietnam: one of each operator
    ("0120 456 7890", "VN", "+84704567890"),
    ("+841239822288", None, "+84839822288"),
    ("0169 933 3999", "VN", "+84399333999"),
    ("0188 855 5888", "VN", "+84588555888"),
    ("0199 595 9999", "VN", "+84595959999"),
    # Ivory Coast: mobiles of Moov, MTN and Orange, then landlines of Orange, MTN and Moov
    ("01 23 45 67", "CI", "+2250101234567"),
    ("+22545123456", None, "+2250545123456"),
    ("+22584123456", None, "+2250584123456"),
    ("+22507012345", None, "+2250707012345"),
    ("67 12 34 56", "CI", "+2250767123456"),
    ("+22520212345", None, "+2252720212345"),
    ("+22520012345", None, "+2252520012345"),
    ("+22520812345", None, "+2252120812345"),
    # Benin: a mobile, a landline
    ("97 12 34 56", "BJ", "+2290197123456"),
    ("+22921301234", None, "+2290121301234"),
    # Cameroon
    ("+23777123456", None, "+237677123456"),
    ("99 12 34 56", "CM", "+237699123456"),
    ("22 21 23 45", "CM", "+237222212345"),
    # Gabon: as the regulator's examples have it, and as it was dialled from abroad
    ("06 11 11 22", "GA", "+24166111122"),
    ("+24107280150", None, "+24177280150"),
    ("+2417280150", None, "+24177280150"),
    ("02 11 11 22", "GA", "+24162111122"),
    ("01 44 12 34", "GA", "+24111441234"),
]


@pytest.mark.parametrize(("old", "region", "new"), OLD_AND_NEW)
def test_cw_12655_a_renumbered_line_makes_nobody_a_second_person(
    old: str, region: str | None, new: str
) -> None:
    assert NUMBERS.e164(old, region) == new
    assert NUMBERS.e164(new, region) == new


def test_every_renumbering_is_shown_by_an_example() -> None:
    codes = {
        str(code)
        for code in RENUMBERED
        if any(new.startswith(f"+{code}") for _, _, new in OLD_AND_NEW)
    }
    assert codes == set(map(str, RENUMBERED))


@pytest.mark.parametrize(
    "number", ["+551133334444", "+541143334444", "+2250701234567", "+24174031234", "+2348031234567"]
)
def test_what_was_never_renumbered_stays(number: str) -> None:
    assert NUMBERS.e164(number) == number


@given(st.sampled_from(sorted(RENUMBERED)), st.from_regex(r"[0-9]{6,11}", fullmatch=True))
def test_the_new_form_is_no_old_form_of_anything(code: int, digits: str) -> None:
    number = NUMBERS.e164(f"+{code}{digits}")
    assert number is None or NUMBERS.e164(number) == number


@pytest.mark.parametrize(
    ("value", "region"),
    [
        ("MyBank", "FR"),
        ("3SUISSES", "FR"),
        ("1-800-FLOWERS", "US"),
        ("+33 6 12 34 56 7B", None),
        ("", "FR"),
        ("12", "FR"),
        ("+", None),
        ("0612345678", None),
        ("+999123", None),
        ("0612345678", "no country"),
    ],
)
def test_what_is_no_number_is_none(value: str, region: str | None) -> None:
    assert NUMBERS.e164(value, region) is None


@pytest.mark.parametrize(
    ("value", "region"),
    [
        ("36246", "FR"),
        ("3631", "FR"),
        ("112", "FR"),
        ("110", "DE"),
        ("60006", "GB"),
        ("72404", "US"),
        ("2345678", "US"),
        ("+0000000", None),
        ("0000000", "FR"),
        ("+33000000000", None),
        ("+10000000000", None),
        ("1111111111", "US"),
        ("0800 123 456", "FR"),
        ("+33 899 12 34 56", None),
        ("+1 800 555 1234", None),
        ("0345 123 4567", "GB"),
        ("+800 1234 5678", None),
        ("+979 123 456 789", None),
        ("+33 1 23 45 67 89 #12", None),
        ("+22560123456", None),
        ("+84000000001", None),
    ],
)
def test_what_is_nobodys_own_identifies_nobody(value: str, region: str | None) -> None:
    """Short codes, local numbers without their area, placeholders, hotlines, an extension behind a
    switchboard, an operator that is no more, nothing but trunk prefixes.
    """
    assert NUMBERS.e164(value, region) is None


def test_the_shortest_lines_there_are_identify() -> None:
    assert NUMBERS.e164("+683 4002") == "+6834002"


@given(st.text(max_size=40), st.sampled_from(["FR", "BR", "MX", "AR", "CI", "GA", "VN", None]))
def test_whatever_comes_it_is_a_number_that_stays_the_same_or_none(
    value: str, region: str | None
) -> None:
    number = NUMBERS.e164(value, region)
    assert number is None or NUMBERS.e164(number) == number


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+33612345678", "Europe/Paris"),
        ("+2250701234567", "Africa/Abidjan"),
        ("+221771234567", "Africa/Dakar"),
        ("+212612345678", "Africa/Casablanca"),
        ("+447400123456", "Europe/London"),
        ("+4915123456789", "Europe/Berlin"),
        ("+541123456789", "America/Argentina/Buenos_Aires"),
        ("+262692123456", "Indian/Reunion"),
    ],
)
def test_a_country_with_one_time_tells_the_time_zone(number: str, zone: str) -> None:
    assert NUMBERS.time_zone(number) == zone


@pytest.mark.parametrize(
    "number",
    ["+12025550123", "+34612345678", "+243812345678", "+79161234567", "+870773111632", "MyBank"],
)
def test_where_people_live_by_different_clocks_the_number_tells_none(number: str) -> None:
    """Two zones, many, a satellite, no number at all."""
    assert NUMBERS.time_zone(number) is None
