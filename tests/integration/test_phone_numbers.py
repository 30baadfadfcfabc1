"""One form for each number, by libphonenumber's own data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.phone_numbers import LibPhoneNumber

NUMBERS = LibPhoneNumber()


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 (0)6 12 34 56 78", None, "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("07400 123456", "GB", "+447400123456"),
        ("77 123 45 67", "SN", "+221771234567"),
        ("07 01 23 45 67", "CI", "+2250701234567"),
        ("tel:+33-6-12-34-56-78", None, "+33612345678"),
        ("０６１２３４５６７８", "FR", "+33612345678"),
    ],
)
def test_zm_272_however_it_is_written(written: str, region: str | None, number: str) -> None:
    assert NUMBERS.e164(written, region) == number


@pytest.mark.parametrize(
    ("whatsapp", "dialled"),
    [
        ("+551181234567", "+5511981234567"),
        ("+556484180266", "+5564984180266"),
        ("+5511981234567", "+5511981234567"),
    ],
)
def test_cw_12655_brazils_ninth_digit_makes_nobody_a_second_person(
    whatsapp: str, dialled: str
) -> None:
    assert NUMBERS.e164(whatsapp) == NUMBERS.e164(dialled) == dialled


def test_a_brazilian_landline_never_had_a_ninth_digit() -> None:
    assert NUMBERS.e164("+551133334444") == "+551133334444"


def test_cw_14048_mexicos_old_one_makes_nobody_a_second_person() -> None:
    assert NUMBERS.e164("+5215512345678") == NUMBERS.e164("+525512345678") == "+525512345678"


@pytest.mark.parametrize(
    ("value", "region"),
    [
        ("MyBank", "FR"),
        ("", "FR"),
        ("12", "FR"),
        ("+", None),
        ("0612345678", None),
        ("+999123", None),
    ],
)
def test_what_is_no_number_is_none(value: str, region: str | None) -> None:
    assert NUMBERS.e164(value, region) is None


@given(st.text(max_size=40), st.sampled_from(["FR", "BR", "MX", None]))
def test_whatever_comes_it_is_a_number_that_stays_the_same_or_none(
    value: str, region: str | None
) -> None:
    number = NUMBERS.e164(value, region)
    assert number is None or NUMBERS.e164(number) == number
