"""The labelled cases of tests/fixtures/identity, held against their truth. `pytest -s` shows the
table.
"""

import pytest

from shared.domain.identity_graph import MOST_OF_A_TYPE
from tests.identity_cases import (
    Case,
    Seen,
    Theme,
    cases,
    judge,
    normalised,
    owners_of,
    play,
    row_of,
    shuffled,
    table,
    themes,
    touchpoints,
    verdict,
)

each_case = pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
each_theme = pytest.mark.parametrize("theme", themes(), ids=lambda theme: theme.theme)


@each_case
def test_no_two_people_are_held_for_one(case: Case) -> None:
    found = verdict(case)
    if case.known_false:
        assert found.false_merges, "the rules tell them apart now: take the mark away"
    else:
        assert found.false_merges == ()
    assert found.misplaced == case.misplaced


@each_case
def test_the_order_of_arrival_changes_nothing(case: Case) -> None:
    once = play(touchpoints(case))
    others = [play(order) for order in shuffled(case)]
    for other in others:
        assert other.known_as == once.known_as
        assert judge(case, other) == judge(case, once)


@each_case
def test_what_is_promised_is_joined(case: Case) -> None:
    found = verdict(case)
    if case.linked == "all":
        assert 0 < found.joined == found.pairs
    elif case.linked == "none":
        assert found.joined == 0 < found.pairs


@each_theme
def test_recall_stays_where_it_was(theme: Theme) -> None:
    assert row_of(theme).recall >= theme.floor


@each_case
def test_a_case_says_whose_every_identifier_is(case: Case) -> None:
    """In the form that normalisation gives it, and no more than was seen."""
    read = {one.key for _, seen in touchpoints(case) for one in normalised(seen)}
    assert read == set(owners_of(case))
    assert {seen.by for seen in case.seen} <= set(case.people)


def test_enough_cases_of_different_names() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names))
    assert len(names) >= 420


def test_recall_is_printed() -> None:
    shown = table()
    print("", shown, sep="\n")
    assert all(theme.theme in shown for theme in themes())


def test_a_number_that_many_stated_is_still_the_owners() -> None:
    """More guests than a graph holds give the hotel's number as theirs; the hotel confirms it."""
    guests = [f"guest-{n}" for n in range(MOST_OF_A_TYPE + 1)]
    phone = "phone +302101234569"
    case = Case(
        name="many guests of one hotel",
        people={**{one: (f"customer {one}",) for one in guests}, "hotel": ("customer h", phone)},
        seen=(
            *(Seen(via="shop", ids=(f"customer {one}", phone), by=one) for one in guests),
            Seen(via="confirmed", ids=("customer h", phone), by="hotel"),
        ),
    )
    order = touchpoints(case)
    assert judge(case, play(order[::-1])).joined == 1
    assert judge(case, play(order)).joined == 1
