"""A company says of a line only what is not as everywhere."""

import pytest
from pydantic import ValidationError

from shared.domain.account import Account, Accounts

MILANO = Account(provider="whatsapp_cloud", account="39", slug="milano", region="IT")
ROMA = Account(provider="whatsapp_cloud", account="40", slug="roma")
SAME_APP = Account(provider="whatsapp_cloud", account="41", slug="roma")
LONDON = Account(provider="twilio", account="39", language="en")
ACCOUNTS = Accounts((ROMA, SAME_APP, LONDON, MILANO))


def test_a_line_is_found_by_its_provider_and_account() -> None:
    assert ACCOUNTS.of("whatsapp_cloud", "39") is MILANO
    assert ACCOUNTS.of("twilio", "39") is LONDON


def test_one_that_is_not_listed_has_nothing_of_its_own() -> None:
    other = ACCOUNTS.of("email_ses", "")
    assert (other.secret, other.region, other.language) == ("email_ses", None, None)
    assert (other.calendar, other.queue, other.slug) == (None, None, None)


def test_accounts_with_one_slug_have_one_secret() -> None:
    assert MILANO.secret == "whatsapp_cloud/milano"
    assert ROMA.secret == SAME_APP.secret == "whatsapp_cloud/roma"
    assert LONDON.secret == "twilio"
    assert ACCOUNTS.secrets == ("whatsapp_cloud/milano", "whatsapp_cloud/roma")
    assert Accounts().secrets == ()


def test_only_its_own_secret_speaks_for_a_line_that_is_listed() -> None:
    assert ACCOUNTS.may_speak("milano", "whatsapp_cloud", "39")
    assert not ACCOUNTS.may_speak("roma", "whatsapp_cloud", "39")
    assert not ACCOUNTS.may_speak("", "whatsapp_cloud", "39")
    assert ACCOUNTS.may_speak("", "twilio", "39")
    assert not ACCOUNTS.may_speak("milano", "twilio", "39")
    assert ACCOUNTS.may_speak("milano", "whatsapp_cloud", "") and ACCOUNTS.may_speak("", "x", "1")


@pytest.mark.parametrize("slug", ["", "Milano", "mi/lano", "../privacy", "-a", "a-", "a" * 41])
def test_a_slug_is_a_plain_part_of_a_url(slug: str) -> None:
    with pytest.raises(ValidationError):
        Account(provider="twilio", account="1", slug=slug)
