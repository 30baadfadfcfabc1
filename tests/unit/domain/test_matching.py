"""Who is suggested as one person, and who never is, whatever else they share."""

from datetime import UTC, datetime
from math import log2
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.adapters.similarity import JellyfishSimilarity
from shared.domain.errors import PolicyError
from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy
from shared.domain.match_facts import MatchFacts, blocking_keys, facts_of
from shared.domain.matching import (
    COMPARISONS,
    MISSING,
    RULED_OUT,
    Match,
    MatchModel,
    explained,
    levels_of,
    log_odds,
    probability,
    score,
)
from shared.domain.model import ProfileId
from shared.domain.profile import Profile, Trait
from shared.policies.reader import read_match_model, read_policies

AT = datetime(2026, 11, 22, tzinfo=UTC)
SIMILARITY = JellyfishSimilarity()
MODEL = read_match_model()
THRESHOLD = read_policies().matching.suggest_from
POLICY = IdentityPolicy(
    default_region="FR",
    blocked={IdentifierType.EMAIL: ("noreply@*",), IdentifierType.PHONE: ("+0*",)},
    shared={IdentifierType.EMAIL: ("support@*",)},
)

WHOLE = {
    "firstName": "Awa",
    "lastName": "Diop",
    "birthday": "1985-03-07",
    "phone": "+33 6 12 34 56 78",
    "email": "soleil77@example.com",
    "postcode": "75011",
}


def profile(id_: str = "a", *identifiers: Identifier, **traits: Any) -> Profile:
    return Profile(
        profile_id=ProfileId(id_),
        profile_ids=(ProfileId(id_),),
        created_at=AT,
        identifiers=identifiers,
        traits={name: Trait(value=value, at=AT) for name, value in traits.items()},
    )


def facts(id_: str = "a", **traits: Any) -> MatchFacts:
    return facts_of(profile(id_, **traits), POLICY)


def compared(one: dict[str, Any], other: dict[str, Any]) -> Match:
    return score(facts("a", **one), facts("b", **other), MODEL, SIMILARITY)


def level(field: str, one: dict[str, Any], other: dict[str, Any]) -> str:
    here = levels_of(facts("a", **one), facts("b", **other), SIMILARITY)
    there = levels_of(facts("b", **other), facts("a", **one), SIMILARITY)
    assert here == there, "the order of the two changes nothing"
    return here[field]


# Facts


@pytest.mark.parametrize(
    "traits",
    [
        {"firstName": "Awa", "lastName": "Diop"},
        {"first_name": " AWA ", "last_name": "diop"},
        {"given_name": "Mme Awa", "family_name": "Diop"},
        {"name": "Awa Diop"},
        {"name": "Diop, Awa"},
        {"name": "Mrs. Awa  DIOP 💐"},
        {"firstName": "Awa", "name": "Awa Diop"},
    ],
)
def test_a_name_is_read_in_each_spelling(traits: dict[str, Any]) -> None:
    found = facts(**traits)
    assert (found.given_name, found.family_name) == ("awa", "diop")
    assert found.words == ("awa", "diop")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Françoise Lefèvre", ("francoise", "lefevre")),
        ("Bjørn Œuvrard", ("bjorn", "oeuvrard")),
        ("Aya N'Guessan", ("aya", "nguessan")),
        ("Jean-Luc Le Gall", ("jean", "luc le gall")),
        ("Awa", (None, None)),
        ("awa@example.com diop", (None, None)),
        ("Awa Diop 77", (None, None)),
        ("a" * 50 + " " + "b" * 50, (None, None)),
        ("", (None, None)),
    ],
)
def test_a_whole_name_is_cut_and_what_is_no_name_is_left_out(
    written: str, read: tuple[str | None, str | None]
) -> None:
    found = facts(name=written)
    assert (found.given_name, found.family_name) == read


@pytest.mark.parametrize(
    ("given_name", "stem", "form"),
    [
        ("Giulia", "giuli", "f"),
        ("Giulio", "giuli", "m"),
        ("Jeanne", "jean", "f"),
        ("Jean", "jean", "m"),
        ("Awa", "awa", None),
        ("Noemi", "noemi", None),
    ],
)
def test_the_ending_of_a_given_name(given_name: str, stem: str, form: str | None) -> None:
    found = facts(firstName=given_name, lastName="Rossi")
    assert (found.given_stem, found.given_form) == (stem, form)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1985-03-07", "1985-03-07"),
        ("1985-3-7T00:00:00Z", "1985-03-07"),
        ("07/03/1985", "1985-03-07"),
        ("03/27/1985", "1985-03-27"),
        ("27.03.1985", "1985-03-27"),
        ("1985-02-30", None),
        ("1900-01-01", None),
        ("last spring", None),
        (True, None),
        (["1985-03-07"], None),
        (None, None),
    ],
)
def test_a_date_of_birth_is_read_or_left_out(written: Any, read: str | None) -> None:
    assert facts(birth_date=written).birth_date == read


@pytest.mark.parametrize(
    ("written", "read"),
    [("sw1a 1aa", "SW1A1AA"), (75011, "75011"), ("-", None), ("somewhere in Paris", None)],
)
def test_a_postcode_has_one_form(written: Any, read: str | None) -> None:
    assert facts(address={"postalCode": written}).postcode == read


def test_a_phone_is_the_same_however_it_is_written() -> None:
    ways = ["+33 6 12 34 56 78", "06.12.34.56.78", "0033612345678", 612345678]
    assert {facts(phone=way).phones for way in ways} == {("12345678",)}
    assert facts(phone="3615").phones == ()


def test_identifiers_count_as_traits_do_and_stated_ones_too() -> None:
    phone = Identifier(type=IdentifierType.PHONE, value="+33612345678")
    mail = Identifier(type=IdentifierType.EMAIL, value="soleil@example.com")
    known = profile("a", phone, email="Autre@example.com").model_copy(
        update={"stated_identifiers": (mail,)}
    )
    found = facts_of(known, POLICY)
    assert found.phones == ("12345678",)
    assert found.emails == ("autre@example.com", "soleil@example.com")


def test_blocked_and_shared_addresses_say_nothing() -> None:
    for address in ("noreply@example.com", "support@example.com", "no address"):
        assert facts(email=address).emails == ()
    assert facts(phone="+0000000000").phones == ()


@pytest.mark.parametrize(
    ("email", "mailboxes"),
    [
        ("soleil@example.com", ("soleil",)),
        ("soleil+shop@example.com", ("soleil",)),
        ("awa@example.com", ()),
        ("awa.diop@example.com", ()),
        ("adiop@example.com", ()),
        ("awadiop83@example.com", ("awadiop83",)),
    ],
)
def test_a_mail_box_named_after_the_person_says_no_more_than_the_name(
    email: str, mailboxes: tuple[str, ...]
) -> None:
    assert facts(name="Awa Diop", email=email).mailboxes == mailboxes


def test_two_facts_are_enough_and_a_bare_name_is_none() -> None:
    assert not facts(name="Awa").are_enough
    assert not facts(name="Awa Diop").are_enough
    assert not facts(name="Awa", phone="0612345678").are_enough
    assert facts(name="Awa Diop", phone="0612345678").are_enough
    assert facts(**WHOLE).known == {"name", "birth_date", "phone", "email", "postcode"}


# Blocking keys


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Diop Awa", "dob": "1985-03-07"},
        {"name": "Awa Ndiaye", "dob": "1985-03-07"},
        {"name": "Awa Dyop", "zip": "75011"},
        {"phone": "0612345678"},
        {"email": "soleil77@example.com"},
        {"email": "soleil77@other.example"},
    ],
)
def test_who_has_something_telling_in_common_shares_a_key(other: dict[str, Any]) -> None:
    assert blocking_keys(facts(**WHOLE)) & blocking_keys(facts(**other))


def test_who_has_only_a_name_or_a_town_in_common_shares_none() -> None:
    others = [{"name": "Awa Diop"}, {"name": "Paul Martin", "postcode": "75011"}]
    for other in others:
        assert not blocking_keys(facts(**WHOLE)) & blocking_keys(facts(**other))


def test_keys_show_no_value() -> None:
    keys = blocking_keys(facts(**WHOLE))
    assert all(len(key) == 24 and set(key) <= set("0123456789abcdef") for key in keys)


def test_words_that_sound_alike_share_a_key_in_every_script() -> None:
    def keys(name: str) -> frozenset[str]:
        return blocking_keys(facts(name=name, dob="1985-03-07"))

    assert keys("Ashcraft Tymczak") == keys("Ashcroft Tymczack")
    assert keys("Мария Иванова") == keys("мария иванова") != keys("Мария Петрова")


# Levels


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("Awa Diop", "awa DIOP", "same"),
        ("Awa Diop", "Diop Awa", "swapped"),
        ("Aminata Diallo", "Dialo Aminata", "swapped"),
        ("Awa Diop", "Awa Marie Diop", "part"),
        ("Mathieu Lefebvre", "Matthieu Lefevre", "alike"),
        ("A Diop", "Awa Diop", "initial"),
        ("A Diop", "A Diop", "initial"),
        ("Giulia Rossi", "Giulio Rossi", "other_form"),
        ("Jean Dupont", "Jeanne Dupont", "other_form"),
        ("Awa Diop", "Awa Ndiaye", "other_family"),
        ("Awa Diop", "Moussa Diop", "other_given"),
        ("Thomas Roux", "Roux Patrick", "other_given"),
        ("Awa Diop", "Paul Martin", "other"),
        ("Awa Diop", "Awa", MISSING),
    ],
)
def test_levels_of_names(one: str, other: str, found: str) -> None:
    assert level("name", {"name": one}, {"name": other}) == found


@pytest.mark.parametrize(
    ("field", "one", "other", "found"),
    [
        ("birth_date", {"dob": "1985-03-07"}, {"dob": "1985-03-07"}, "same"),
        ("birth_date", {"dob": "1985-03-07"}, {"dob": "1985-07-03"}, "exchanged"),
        ("birth_date", {"dob": "1985-03-07"}, {"dob": "1985-03-01"}, "edited"),
        ("birth_date", {"dob": "1985-03-07"}, {"dob": "1991-12-24"}, "other"),
        ("birth_date", {"dob": "1985-03-07"}, {}, MISSING),
        ("phone", {"phone": "0612345678"}, {"mobile": "+33612345678"}, "same"),
        ("phone", {"phone": "0612345678"}, {"phone": "0612345687"}, "edited"),
        ("phone", {"phone": "0612345678"}, {"phone": "0698765432"}, "other"),
        ("email", {"email": "soleil@a.example"}, {"email": "Soleil@A.example"}, "same"),
        ("email", {"email": "soleil@a.example"}, {"email": "soliel@a.example"}, "edited"),
        ("email", {"email": "soleil@a.example"}, {"email": "soleil@other.test"}, "mailbox"),
        ("email", {"email": "soleil@a.example"}, {"email": "lune@other.test"}, "other"),
        ("postcode", {"zip": "75011"}, {"postalCode": "75 011"}, "same"),
        ("postcode", {"zip": "75011"}, {"zip": "75012"}, "edited"),
        ("postcode", {"zip": "75011"}, {"zip": "75120"}, "area"),
        ("postcode", {"zip": "75011"}, {"zip": "13004"}, "other"),
    ],
)
def test_levels_of_other_facts(
    field: str, one: dict[str, Any], other: dict[str, Any], found: str
) -> None:
    assert level(field, one, other) == found


# The score


def test_weights_add_up_to_the_odds() -> None:
    match = compared(WHOLE, {"name": "Awa Diop", "phone": "0612345678"})
    found = {one.field: one.weight for one in match.waterfall}
    name, phone = MODEL.odds["name"]["same"], MODEL.odds["phone"]["same"]
    assert found["name"] == pytest.approx(log2(name.m / name.u))
    assert found["birth_date"] == found["email"] == found["postcode"] == 0
    odds = MODEL.prior / (1 - MODEL.prior) * name.m / name.u * phone.m / phone.u
    assert match.probability == pytest.approx(odds / (1 + odds))


def test_two_who_share_everything_are_suggested_and_strangers_are_not() -> None:
    assert compared(WHOLE, WHOLE).probability > THRESHOLD
    stranger = {
        "name": "Paul Martin",
        "dob": "1991-12-24",
        "phone": "0698765432",
        "email": "lune@other.test",
        "zip": "13004",
    }
    assert compared(WHOLE, stranger).probability < 1e-9
    assert compared({"name": "Awa Diop"}, {"name": "Awa Diop"}).probability < THRESHOLD


@pytest.mark.parametrize(
    ("one", "twin"),
    [("Awa", "Adama"), ("Assane", "Ousseynou"), ("Giulia", "Giulio"), ("Jean", "Jeanne")],
)
def test_twins_who_share_everything_but_the_given_name_are_never_suggested(
    one: str, twin: str
) -> None:
    match = compared({**WHOLE, "firstName": one}, {**WHOLE, "firstName": twin})
    assert match.probability < 1e-6 < THRESHOLD


def test_a_household_of_two_names_is_never_suggested() -> None:
    home = {"phone": WHOLE["phone"], "email": WHOLE["email"], "postcode": WHOLE["postcode"]}
    couple = compared({**home, "name": "Awa Diop"}, {**home, "name": "Moussa Diop"})
    assert couple.probability < 1e-6


@pytest.mark.parametrize(
    "change",
    [
        {"lastName": "Ndiaye"},
        {"firstName": "Diop", "lastName": "Awa"},
        {"postcode": "13004"},
        {"phone": "0698765432"},
        {"birthday": "1985-07-03"},
        {"email": "lune@other.test"},
    ],
)
def test_one_change_in_a_life_does_not_hide_a_person(change: dict[str, Any]) -> None:
    changed = compared(WHOLE, {**WHOLE, **change})
    assert changed.probability > THRESHOLD
    assert changed.weight < compared(WHOLE, WHOLE).weight


def test_the_reason_is_in_plain_words_and_quotes_nothing() -> None:
    match = compared(WHOLE, {**WHOLE, "postcode": "13004"})
    assert match.reason.startswith("they have ")
    assert "the same date of birth" in match.reason
    assert match.reason.endswith("against it: different postcodes")
    for value in ("Awa", "Diop", "1985", "1234", "soleil", "7501", "1300"):
        assert value.lower() not in match.reason.lower()
    nothing = compared({"name": "Awa Diop"}, {"name": "Paul Martin"})
    assert nothing.reason == "they have nothing in common; against it: different names"
    assert "against" not in compared(WHOLE, WHOLE).reason


NAMES = st.sampled_from(["Awa Diop", "Diop Awa", "A Diop", "Awa Ndiaye", "Jean Roux", "Awa", ""])
DATES = st.sampled_from(["1985-03-07", "1985-07-03", "1985-03-01", "1991-12-24", ""])
TRAITS = st.fixed_dictionaries({"name": NAMES, "dob": DATES, "zip": st.text(max_size=6)})


@given(TRAITS, TRAITS)
def test_the_order_of_two_people_changes_nothing(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    here, there = facts("a", **one), facts("b", **other)
    assert score(here, there, MODEL, SIMILARITY) == score(there, here, MODEL, SIMILARITY)


@given(st.floats(-2000, 2000))
def test_a_probability_is_one_whatever_the_weight(weight: float) -> None:
    assert 0 <= probability(weight) <= 1
    if abs(weight) < 40:
        assert log_odds(probability(weight)) == pytest.approx(weight, abs=0.001)


# The model


def changed(**fields: Any) -> dict[str, Any]:
    return {**MODEL.model_dump(), **fields}


def test_a_model_speaks_of_exactly_our_levels() -> None:
    odds = MODEL.model_dump()["odds"]
    without = {field: levels for field, levels in odds.items() if field != "phone"}
    with pytest.raises(ValidationError, match="not those that are compared"):
        MatchModel.model_validate(changed(odds=without))
    with pytest.raises(ValidationError, match="not those that are compared"):
        MatchModel.model_validate(changed(odds={**odds, "phone": {"same": {"m": 1, "u": 1}}}))


def test_a_model_cannot_soften_what_rules_out() -> None:
    odds = MODEL.model_dump()["odds"]
    soft = {**odds, "name": {**odds["name"], "other_given": {"m": 0.01, "u": 0.01}}}
    with pytest.raises(ValidationError, match="must weigh"):
        MatchModel.model_validate(changed(odds=soft))


def test_what_rules_out_outweighs_all_that_speaks_for_it() -> None:
    best = sum(
        max(MODEL.weight(one.field, level.name) for level in one.levels) for one in COMPARISONS
    )
    assert best + RULED_OUT + log_odds(MODEL.prior) < log_odds(0.001)


def test_nothing_known_is_the_prior() -> None:
    match = explained({one.field: MISSING for one in COMPARISONS}, MODEL)
    assert match.probability == pytest.approx(MODEL.prior)
    assert {one.reason for one in match.waterfall} == {"not stated by both"}


def test_a_wrong_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "matching_model.json"
    with pytest.raises(PolicyError, match=r"matching_model\.json: No such file"):
        read_match_model(file)
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"other\.json: Field required"):
        read_match_model(other)
