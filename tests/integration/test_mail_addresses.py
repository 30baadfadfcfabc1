"""One form for each mail address, by RFC 5321 and IDNA 2008."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.mail_addresses import LONGEST_ADDRESS, LONGEST_LOCAL, Rfc5321MailAddresses
from shared.mail.domains import ascii_domain

ADDRESSES = Rfc5321MailAddresses()


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com\r\n", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("< Ann@example.com >", "ann@example.com"),
        ("ann@example.com.", "ann@example.com"),
        ("O'Neil+shop@example.co.uk", "o'neil+shop@example.co.uk"),
        ("da..me.@docomo.ne.jp", "da..me.@docomo.ne.jp"),
        ("É@example.fr", "é@example.fr"),
        (normalize("NFD", "É@example.fr"), "é@example.fr"),
        ("ann@ab--c.example", "ann@ab--c.example"),
        ("ann@4.example", "ann@4.example"),
    ],
)
def test_cw_3079_however_it_is_written(written: str, address: str) -> None:
    assert ADDRESSES.normal(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "ann@straße.example",
        "Ann@STRAßE.Example",
        "ann@xn--strae-oqa.example",
        "ann@XN--STRAE-OQA.EXAMPLE",
        "ann@straße.example.",
        "ann@straße。example",
        "ann@ｓｔｒａße.example",
    ],
)
def test_both_forms_of_an_international_domain_are_one_address(written: str) -> None:
    assert ADDRESSES.normal(written) == "ann@xn--strae-oqa.example"


def test_a_domain_that_only_looks_alike_is_somebody_elses() -> None:
    """IDNA 2003, which Python's own codec still speaks, took them for one."""
    assert ADDRESSES.normal("ann@strasse.example") == "ann@strasse.example"


def test_what_a_provider_does_with_dots_and_plus_signs_is_its_own_business() -> None:
    written = ["ann.lee@gmail.com", "annlee@gmail.com", "ann.lee+x@gmail.com"]
    assert [ADDRESSES.normal(one) for one in written] == written


@pytest.mark.parametrize(
    "value",
    [
        "",
        "@",
        "ann",
        "ann@",
        "@example.com",
        "ann@@example.com",
        "ann@home@example.com",
        "ann lee@example.com",
        "ann@exam ple.com",
        "ann@ example.com",
        "Ann <ann@example.com>",
        "mailto:ann@example.com",
        '"ann lee"@example.com',
        "ann@localhost",
        "ann@192.0.2.1",
        "ann@[192.0.2.1]",
        "ann@-example.com",
        "ann@example-.com",
        "ann@example..com",
        "ann@example.com..",
        "ann@exa_mple.com",
        "ann@" + "a" * 64 + ".com",
        "ann@" + "ü" * 70 + ".example",
        "ann@xn--.example",
        "ann@xn--a.example",
        "ann@i❤.example",
        "ann\x00@example.com",
        "ann@example.com\x00",
        "an\u200bn@example.com",
        "ann\ud800@example.com",
        "a" * (LONGEST_LOCAL + 1) + "@example.com",
        "é" * LONGEST_LOCAL + "@example.com",
    ],
)
def test_what_is_no_address_is_none(value: str) -> None:
    assert ADDRESSES.normal(value) is None


def test_an_address_is_no_longer_than_mail_servers_take() -> None:
    domain = ".".join(["a" * 60] * 4)
    local = "a" * (LONGEST_ADDRESS - len(domain) - 1)
    assert ADDRESSES.normal(f"{local}@{domain}") == f"{local}@{domain}"
    assert ADDRESSES.normal(f"{local}a@{domain}") is None


LOCALS = st.text(st.sampled_from("aAzÉéİıſßẞΣςǅ0.+-_'\u0301\u0130"), min_size=1, max_size=12)
DOMAINS = st.sampled_from(
    ["example.com", "EXAMPLE.com.", "straße.example", "xn--strae-oqa.example", "例え。テスト", "a"]
)


@given(LOCALS, DOMAINS)
def test_the_one_form_stays_the_same(local: str, domain: str) -> None:
    address = ADDRESSES.normal(f"{local}@{domain}")
    assert address is None or ADDRESSES.normal(address) == address


@given(st.text(max_size=60))
def test_whatever_comes_it_is_an_address_that_stays_the_same_or_none(value: str) -> None:
    address = ADDRESSES.normal(value)
    assert address is None or ADDRESSES.normal(address) == address


@given(st.text(max_size=300))
def test_whatever_comes_as_a_domain_is_one_that_stays_the_same_or_none(value: str) -> None:
    domain = ascii_domain(value)
    assert domain is None or (domain.isascii() and ascii_domain(domain) == domain)
