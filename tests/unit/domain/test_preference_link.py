from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import MissingSecret, Unauthentic
from shared.domain.model import ProfileId
from shared.domain.preference_link import Key, PreferenceKeys, read_keys, sign, whose
from tests.builders import NOON, profile_id

KEYS = PreferenceKeys(id="k1", key="a" * 32)
LATER = NOON + timedelta(days=1)


def test_a_link_is_for_one_profile_until_its_end() -> None:
    token = sign(profile_id(), LATER, KEYS)
    assert whose(token, KEYS, NOON) == profile_id()
    assert whose(token, KEYS, LATER - timedelta(seconds=1)) == profile_id()
    with pytest.raises(Unauthentic, match="has ended"):
        whose(token, KEYS, LATER)


def test_it_names_nobody_and_needs_no_escaping() -> None:
    token = sign(profile_id(), LATER, KEYS)
    assert profile_id() not in token
    assert len(token) < 90
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@given(st.uuids().map(lambda one: ProfileId(str(one))), st.integers(1, 10**9))
def test_every_profile_and_moment_is_read_back(profile: ProfileId, seconds: int) -> None:
    token = sign(profile, NOON + timedelta(seconds=seconds), KEYS)
    assert whose(token, KEYS, NOON) == profile


@given(st.integers(0, 72), st.sampled_from("AZaz09-_."))
def test_a_token_with_one_letter_changed_is_none(at: int, letter: str) -> None:
    token = sign(profile_id(), LATER, KEYS)
    changed = token[:at] + letter + token[at + 1 :]
    if changed != token:
        with pytest.raises(Unauthentic):
            whose(changed, KEYS, NOON)


@pytest.mark.parametrize("token", ["", ".", "..", "k1", "k1..", "k1.AAAA.AAAA", "k1.é.é", "k1.A.A"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(Unauthentic, match="not one of ours"):
        whose(token, KEYS, NOON)


def test_a_rotated_key_still_proves_and_signs_no_more() -> None:
    old = sign(profile_id(), LATER, KEYS)
    rotated = PreferenceKeys(id="k2", key="b" * 32, previous=(Key(id="k1", key="a" * 32),))
    assert whose(old, rotated, NOON) == profile_id()
    assert sign(profile_id(), LATER, rotated).startswith("k2.")
    with pytest.raises(Unauthentic):
        whose(old, PreferenceKeys(id="k2", key="b" * 32), NOON)


def test_a_key_proves_under_its_own_name_only() -> None:
    token = sign(profile_id(), LATER, KEYS)
    renamed = PreferenceKeys(id="k2", key="a" * 32)
    with pytest.raises(Unauthentic):
        whose("k2" + token[2:], renamed, NOON)


@pytest.mark.parametrize("content", [None, {}, {"id": "k1", "key": "short"}, {"id": "K 1"}])
def test_a_secret_that_is_none_tells_nothing_of_itself(content: dict[str, str] | None) -> None:
    with pytest.raises(MissingSecret) as raised:
        read_keys(content)
    assert "short" not in str(raised.value)
    assert read_keys({"id": "k1", "key": "a" * 32}) == KEYS
