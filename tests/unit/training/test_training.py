"""How the embedded models are made: from the texts alone, the same each time, and calibrated."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.training import grammar
from infra.training.calibration import fit
from infra.training.evaluation import Guess, calibration_error, macro_f1
from infra.training.grammar import Example, examples
from infra.training.languages import language_examples
from infra.training.trainer import Written, train, write
from shared.adapters.linear_model import LinearModel
from shared.adapters.message_words import words_of

ABOUT = Written("embedded-test", "cafe", {})


def made(folder: Path, name: str, taught: list[Example]) -> Path:
    path = folder / name
    model = train(taught, ["intent", "sentiment"], 2**12, cost=0.7)
    write(model, path, ABOUT, {})
    return path


@pytest.fixture(scope="module")
def taught() -> list[Example]:
    return examples()[:1500]


def test_the_same_texts_give_the_same_file_to_the_byte(
    taught: list[Example], tmp_path: Path
) -> None:
    one, other = (made(tmp_path, name, taught) for name in ("one.bin", "other.bin"))
    assert one.read_bytes() == other.read_bytes()
    fewer = made(tmp_path, "fewer.bin", taught[1:])
    assert fewer.read_bytes() != one.read_bytes()


def test_the_file_answers_as_it_was_taught(taught: list[Example], tmp_path: Path) -> None:
    model = LinearModel(made(tmp_path, "model.bin", taught))
    pairs = [
        (one.labels["intent"], model.read(words_of(one.text), explain=0)["intent"].ranked()[0][0])
        for one in taught
        if "intent" in one.labels
    ]
    assert macro_f1(pairs) > 0.8


@pytest.mark.skipif("PROVE" not in os.environ, reason="unfolds it five times: make prove")
def test_the_corpus_unfolds_the_same_each_time() -> None:
    assert examples()[:500] == examples()[:500]
    taught = examples()
    assert language_examples(taught)[:500] == language_examples(taught)[:500]


def test_every_label_of_the_corpus_is_of_a_closed_list() -> None:
    for one in examples():
        assert set(one.labels) <= {"intent", "sentiment", "language"}
        assert one.labels.get("sentiment", "neutral") in set(grammar.FEELINGS.values())
        assert "|" not in one.text


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()).map(lambda one: Guess(*one)), min_size=1))
def test_the_calibration_error_is_a_share_and_minds_no_order(guesses: list[Guess]) -> None:
    error = calibration_error(guesses)
    assert 0 <= error <= 1
    assert calibration_error(guesses[::-1]) == pytest.approx(error)


def test_who_is_right_as_often_as_they_say_has_no_calibration_error() -> None:
    honest = [Guess(0.75, right) for right in (True, True, True, False)] * 5
    assert calibration_error(honest) == pytest.approx(0)
    boastful = [Guess(0.95, right) for right in (True, False)] * 5
    assert calibration_error(boastful) == pytest.approx(0.45)


def test_calibration_takes_confidence_from_who_is_too_sure() -> None:
    """Sure to 0.98, right in seven of ten: the temperature rises until it says so."""
    sure = {"a": 0.98, "b": 0.02}
    found = fit([(sure, "a")] * 70 + [(sure, "b")] * 30)
    assert found.temperature > 1.5 or found.offsets["b"] > found.offsets["a"]
